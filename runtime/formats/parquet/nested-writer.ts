import { isFields, memberOf, type Fields } from '../../model/fields.ts'
import { bitWidth, packedRun } from './bit-packing.ts'
import { PHYSICAL } from './column-chunk.ts'
import { CODEC, PAGE, packedPage, type ParquetCompression } from './packed-page.ts'
import { ENCODING } from './page-values.ts'
import { i32, i64, list, struct, thriftBytes, utf8, type Thrift } from './thrift-writer.ts'

/** A member of a row: everything may be null. Lists and maps are of texts, the keys of maps texts too. */
export type Shape =
  | { readonly kind: 'text' | 'long' | 'int' | 'boolean' | 'list' | 'map'; readonly name: string }
  | { readonly kind: 'struct'; readonly name: string; readonly members: readonly Shape[] }

const MAGIC = Buffer.from('PAR1')
/** Of a column a row group has one page. */
const GROUP_ROWS = 4096
const REPETITION = { required: 0, optional: 1, repeated: 2 } as const
/** ConvertedType of parquet.thrift, and the ids of LogicalType that say the same. */
const CONVERTED = { utf8: 0, map: 1, list: 3 } as const
const LOGICAL = { string: 1, map: 2, list: 3 } as const

/** The bytes of a Parquet file with rows of nested values, which are objects of JSON: few and small, as those of a log. */
export function nestedParquet(
  members: readonly Shape[],
  rows: readonly Fields[],
  compression: ParquetCompression,
): Uint8Array {
  const columns = members.flatMap((member) => leaves(member, []))
  const parts: Uint8Array[] = [MAGIC]
  let offset = MAGIC.length
  const groups: Thrift[] = []
  for (let from = 0; from < rows.length; from += GROUP_ROWS) {
    const some = rows.slice(from, from + GROUP_ROWS)
    const start = offset
    const chunks: Thrift[] = []
    for (const column of columns) {
      const { page, unpackedBytes, values } = columnPage(column, some, compression)
      chunks.push(chunkMetadata(column, { offset, sizeBytes: page.length, unpackedBytes, values, compression }))
      parts.push(page)
      offset += page.length
    }
    groups.push(struct([1, list('struct', chunks)], [2, i64(offset - start)], [3, i64(some.length)], [5, i64(start)]))
  }
  const footer = thriftBytes([
    [1, i32(1)],
    [2, list('struct', [struct([4, utf8('schema')], [5, i32(members.length)]), ...members.flatMap(elements)])],
    [3, i64(rows.length)],
    [4, list('struct', groups)],
    [6, utf8('millrace')],
  ])
  const length = Buffer.alloc(4)
  length.writeUInt32LE(footer.length)
  return Buffer.concat([...parts, footer, length, MAGIC])
}

/** One column of the file: the values of a member, or what is inside of a list or map. */
interface Leaf {
  /** The members that lead to it, each of which may be null. */
  readonly members: readonly string[]
  readonly holds: 'value' | 'items' | 'keys' | 'values'
  readonly type: 'text' | 'long' | 'int' | 'boolean'
  readonly path: readonly string[]
}

function leaves(shape: Shape, above: readonly string[]): Leaf[] {
  const members = [...above, shape.name]
  switch (shape.kind) {
    case 'struct':
      return shape.members.flatMap((member) => leaves(member, members))
    case 'list':
      return [{ members, holds: 'items', type: 'text', path: [...members, 'list', 'element'] }]
    case 'map':
      return [
        { members, holds: 'keys', type: 'text', path: [...members, 'key_value', 'key'] },
        { members, holds: 'values', type: 'text', path: [...members, 'key_value', 'value'] },
      ]
    default:
      return [{ members, holds: 'value', type: shape.kind, path: members }]
  }
}

/** Definition and repetition levels and the values that are not null (Dremel, "Nested Encoding" of parquet-format). */
class Shredded {
  readonly definitions: number[] = []
  readonly repetitions: number[] = []
  readonly values: unknown[] = []

  add({ members, holds }: Leaf, row: Fields): void {
    let value: unknown = row
    for (const [depth, name] of members.entries()) {
      value = isFields(value) ? memberOf(value, name) : undefined
      if (value === null || value === undefined) {
        this.#put(0, depth)
        return
      }
    }
    const depth = members.length
    if (holds === 'value') this.#put(0, depth, value)
    else this.#putItems(itemsOf(value, holds), depth, holds === 'keys' ? 1 : 2)
  }

  /** An item is one level deeper where it is there, and another one where it may be null and is not. */
  #putItems(items: readonly unknown[], depth: number, deeper: number): void {
    if (items.length === 0) this.#put(0, depth)
    for (const [index, item] of items.entries()) {
      const isThere = item !== null && item !== undefined
      this.#put(index === 0 ? 0 : 1, isThere ? depth + deeper : depth + 1, isThere ? item : undefined)
    }
  }

  #put(repetition: number, definition: number, value?: unknown): void {
    this.repetitions.push(repetition)
    this.definitions.push(definition)
    if (value !== undefined) this.values.push(value)
  }
}

function itemsOf(value: unknown, holds: 'items' | 'keys' | 'values'): readonly unknown[] {
  if (holds === 'items') return Array.isArray(value) ? value : []
  if (!isFields(value)) return []
  return holds === 'keys' ? Object.keys(value) : Object.values(value)
}

function columnPage(
  leaf: Leaf,
  rows: readonly Fields[],
  compression: ParquetCompression,
): { page: Buffer; unpackedBytes: number; values: number } {
  const shredded = new Shredded()
  for (const row of rows) shredded.add(leaf, row)
  const { definitions, repetitions, values } = shredded
  const deepest = leaf.members.length + { value: 0, items: 2, keys: 1, values: 2 }[leaf.holds]
  const bytes = Buffer.concat([
    ...(leaf.holds === 'value' ? [] : levels(repetitions, 1)),
    ...levels(definitions, deepest),
    plainValues(leaf.type, values),
  ])
  const head = struct(
    [1, i32(definitions.length)],
    [2, i32(ENCODING.plain)],
    [3, i32(ENCODING.rle)],
    [4, i32(ENCODING.rle)],
  )
  return { ...packedPage(PAGE.data, bytes, [5, head], compression), values: definitions.length }
}

function levels(found: readonly number[], most: number): Uint8Array[] {
  const run = packedRun(Uint32Array.from(found), found.length, bitWidth(most + 1))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(run.length)
  return [length, run]
}

function plainValues(type: Leaf['type'], values: readonly unknown[]): Uint8Array {
  switch (type) {
    case 'text':
      return Buffer.concat(
        values.flatMap((value) => {
          const bytes = Buffer.from(String(value))
          const length = Buffer.alloc(4)
          length.writeUInt32LE(bytes.length)
          return [length, bytes]
        }),
      )
    case 'long':
      return Buffer.from(BigInt64Array.from(values, (value) => BigInt(String(value))).buffer)
    case 'int':
      return Buffer.from(Int32Array.from(values, Number).buffer)
    case 'boolean': {
      const bits = new Uint8Array((values.length + 7) >> 3)
      for (const [index, value] of values.entries())
        if (value === true) bits[index >> 3] = (bits[index >> 3] as number) | (1 << (index & 7))
      return bits
    }
  }
}

function chunkMetadata(
  { type, path }: Leaf,
  chunk: {
    readonly offset: number
    readonly sizeBytes: number
    readonly unpackedBytes: number
    readonly values: number
    readonly compression: ParquetCompression
  },
): Thrift {
  return struct(
    [2, i64(chunk.offset)],
    [
      3,
      struct(
        [1, i32(physicalOf(type))],
        [2, list('i32', [ENCODING.plain, ENCODING.rle].map(i32))],
        [3, list('binary', path.map(utf8))],
        [4, i32(CODEC[chunk.compression])],
        [5, i64(chunk.values)],
        [6, i64(chunk.unpackedBytes)],
        [7, i64(chunk.sizeBytes)],
        [9, i64(chunk.offset)],
      ),
    ],
  )
}

function physicalOf(type: Leaf['type']): number {
  return { text: PHYSICAL.BYTE_ARRAY, long: PHYSICAL.INT64, int: PHYSICAL.INT32, boolean: PHYSICAL.BOOLEAN }[type]
}

/** The elements of the schema for a member, those that it consists of behind it. */
function elements(shape: Shape): Thrift[] {
  const { name } = shape
  const { required, optional, repeated } = REPETITION
  switch (shape.kind) {
    case 'struct':
      return [group(name, optional, shape.members.length), ...shape.members.flatMap(elements)]
    case 'list':
      return [
        group(name, optional, 1, [CONVERTED.list, LOGICAL.list]),
        group('list', repeated, 1),
        value('element', optional, 'text'),
      ]
    case 'map':
      return [
        group(name, optional, 1, [CONVERTED.map, LOGICAL.map]),
        group('key_value', repeated, 2),
        value('key', required, 'text'),
        value('value', optional, 'text'),
      ]
    default:
      return [value(name, optional, shape.kind)]
  }
}

function group(name: string, repetition: number, members: number, [converted, logical]: number[] = []): Thrift {
  return struct(
    [3, i32(repetition)],
    [4, utf8(name)],
    [5, i32(members)],
    [6, converted === undefined ? undefined : i32(converted)],
    [10, logical === undefined ? undefined : struct([logical, struct()])],
  )
}

function value(name: string, repetition: number, type: Leaf['type']): Thrift {
  const isText = type === 'text'
  return struct(
    [1, i32(physicalOf(type))],
    [3, i32(repetition)],
    [4, utf8(name)],
    [6, isText ? i32(CONVERTED.utf8) : undefined],
    [10, isText ? struct([LOGICAL.string, struct()]) : undefined],
  )
}
