/** A required column of a Parquet file, its values as they lie in it (Parquet, "Encodings", PLAIN). */
export interface ParquetColumn {
  name: string
  /** The physical type; of FIXED_LEN_BYTE_ARRAY as long as its values. */
  type: 'INT32' | 'INT64' | 'FIXED_LEN_BYTE_ARRAY'
  /** A DECIMAL of so many digits. */
  decimal: { precision: number; scale: number }
  values: readonly Uint8Array[]
}

const TYPES = { INT32: 1, INT64: 2, FIXED_LEN_BYTE_ARRAY: 7 }
const DECIMAL = 5

/** A file of one row group, uncompressed, each column a page. Nothing but what the tests need of the format. */
export function parquetFile(columns: readonly ParquetColumn[]): Buffer {
  const parts: Buffer[] = [Buffer.from('PAR1')]
  const sizeOf = (): number => parts.reduce((total, part) => total + part.length, 0)
  const rows = columns[0]?.values.length ?? 0
  const chunks = columns.map(({ name, type, values }) => {
    const offset = sizeOf()
    const data = Buffer.concat(values)
    const page = struct([
      [1, int(0)],
      [2, int(data.length)],
      [3, int(data.length)],
      [
        5,
        struct([
          [1, int(rows)],
          [2, int(0)],
          [3, int(3)],
          [4, int(3)],
        ]),
      ],
    ])
    parts.push(page.bytes, data)
    const size = page.bytes.length + data.length
    const metadata = struct([
      [1, int(TYPES[type])],
      [2, list([int(0)])],
      [3, list([text(name)])],
      [4, int(0)],
      [5, long(rows)],
      [6, long(size)],
      [7, long(size)],
      [9, long(offset)],
    ])
    return struct([
      [2, long(offset)],
      [3, metadata],
    ])
  })
  const elements = columns.map(({ name, type, decimal, values }) =>
    struct([
      [1, int(TYPES[type])],
      ...(type === 'FIXED_LEN_BYTE_ARRAY' ? [[2, int(values[0]?.length ?? 1)] as const] : []),
      [3, int(0)],
      [4, text(name)],
      [6, int(DECIMAL)],
      [7, int(decimal.scale)],
      [8, int(decimal.precision)],
    ]),
  )
  const footer = struct([
    [1, int(1)],
    [
      2,
      list([
        struct([
          [4, text('schema')],
          [5, int(columns.length)],
        ]),
        ...elements,
      ]),
    ],
    [3, long(rows)],
    [
      4,
      list([
        struct([
          [1, list(chunks)],
          [2, long(sizeOf())],
          [3, long(rows)],
        ]),
      ]),
    ],
  ]).bytes
  const length = Buffer.alloc(4)
  length.writeUInt32LE(footer.length)
  return Buffer.concat([...parts, footer, length, Buffer.from('PAR1')])
}

/** A value of Thrift's compact protocol. */
interface Thrift {
  type: number
  bytes: Buffer
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]
}

const int = (value: number): Thrift => ({ type: 5, bytes: Buffer.from(varint(value * 2)) })
const long = (value: number): Thrift => ({ type: 6, bytes: Buffer.from(varint(value * 2)) })
const text = (value: string): Thrift => ({
  type: 8,
  bytes: Buffer.concat([Buffer.from(varint(Buffer.byteLength(value))), Buffer.from(value)]),
})

function list(items: readonly Thrift[]): Thrift {
  const head =
    items.length < 15
      ? [items.length * 16 + (items[0]?.type ?? 5)]
      : [0xf0 + (items[0]?.type ?? 5), ...varint(items.length)]
  return { type: 9, bytes: Buffer.concat([Buffer.from(head), ...items.map(({ bytes }) => bytes)]) }
}

function struct(fields: readonly (readonly [id: number, value: Thrift])[]): Thrift {
  let last = 0
  const parts = fields.flatMap(([id, { type, bytes }]) => {
    const head = Buffer.from([(id - last) * 16 + type])
    last = id
    return [head, bytes]
  })
  return { type: 12, bytes: Buffer.concat([...parts, Buffer.from([0])]) }
}
