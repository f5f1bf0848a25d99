import { powerOfTen, textOfUnits, unitsOf } from '../../model/decimal-units.ts'
import { MillraceError } from '../../model/errors.ts'
import { latin1 } from '../../model/logical-values.ts'
import type { Field } from '../../model/schema.ts'
import { valueTypeText } from '../../model/value-type.ts'

/** DataType of src/kudu/common/common.proto. */
export const KUDU_TYPE = {
  int8: 1,
  int16: 3,
  int32: 5,
  int64: 7,
  string: 8,
  bool: 9,
  float: 10,
  double: 11,
  binary: 12,
  unixtimeMicros: 13,
  decimal32: 15,
  decimal64: 16,
  decimal128: 17,
  isDeleted: 18,
  varchar: 19,
  date: 20,
} as const
export type KuduType = (typeof KUDU_TYPE)[keyof typeof KUDU_TYPE]

export interface KuduColumn {
  readonly name: string
  readonly type: KuduType
  readonly isKey: boolean
  readonly isNullable: boolean
  /** Decimals. */
  readonly precision: number
  readonly scale: number
  /** Characters that a varchar may have. */
  readonly length: number
}

const NAMES = new Map<number, string>(Object.entries(KUDU_TYPE).map(([name, type]) => [type, name]))

const WIDTHS: Readonly<Record<KuduType, number>> = {
  [KUDU_TYPE.int8]: 1,
  [KUDU_TYPE.int16]: 2,
  [KUDU_TYPE.int32]: 4,
  [KUDU_TYPE.int64]: 8,
  [KUDU_TYPE.string]: 16,
  [KUDU_TYPE.bool]: 1,
  [KUDU_TYPE.float]: 4,
  [KUDU_TYPE.double]: 8,
  [KUDU_TYPE.binary]: 16,
  [KUDU_TYPE.unixtimeMicros]: 8,
  [KUDU_TYPE.decimal32]: 4,
  [KUDU_TYPE.decimal64]: 8,
  [KUDU_TYPE.decimal128]: 16,
  [KUDU_TYPE.isDeleted]: 1,
  [KUDU_TYPE.varchar]: 16,
  [KUDU_TYPE.date]: 4,
}

export function isKuduType(type: number | undefined): type is KuduType {
  return type !== undefined && NAMES.has(type)
}

/** Bytes of a cell in a row; of texts the place and length of their bytes elsewhere. */
export function widthOf(type: KuduType): number {
  return WIDTHS[type]
}

export function isVariable(type: KuduType): boolean {
  return type === KUDU_TYPE.string || type === KUDU_TYPE.binary || type === KUDU_TYPE.varchar
}

export function columnText({ type, precision, scale, length }: KuduColumn): string {
  const name = NAMES.get(type) ?? String(type)
  if (name.startsWith('decimal')) return `decimal(${precision},${scale})`
  return type === KUDU_TYPE.varchar ? `varchar(${length})` : name
}

/**
 * A cell as the wire has it: a number, which 64-bit columns take too as long as it is exact, a 64- or 128-bit integer, a
 * text, or bytes.
 */
export type Cell = number | bigint | string | Uint8Array | boolean

/** A value of a row, never null → the cell. Throws VALUE_INVALID for one that the column cannot hold. */
export type CellOf = (value: unknown) => Cell
/** A cell → the value of the row; undefined when the row cannot hold it. */
export type ValueOfCell = (cell: Cell) => unknown

const INT_BITS = new Map<KuduType, number>([
  [KUDU_TYPE.int8, 8],
  [KUDU_TYPE.int16, 16],
  [KUDU_TYPE.int32, 32],
  [KUDU_TYPE.int64, 64],
])
const DECIMALS: ReadonlySet<KuduType> = new Set([KUDU_TYPE.decimal32, KUDU_TYPE.decimal64, KUDU_TYPE.decimal128])
/** `--max_cell_size_bytes` of a tablet server by default. */
const MAX_CELL_BYTES = 65_536
const DAYS_FROM = -719_162
const DAYS_TO = 2_932_896

/** How values of a field are written to a column; undefined when their types do not fit. */
export function cellWriter(field: Field, column: KuduColumn): CellOf | undefined {
  const { type } = column
  const kind = field.logical?.kind ?? field.type
  const refuse = (value: unknown): MillraceError => unfit(field, column, value)
  const bits = INT_BITS.get(type)
  if (bits !== undefined && bits < 64 && (kind === 'long' || kind === 'time')) {
    const most = 2 ** (bits - 1)
    return (value) => {
      const number = Number(value)
      if (number < -most || number >= most) throw refuse(value)
      return number
    }
  }
  if (type === KUDU_TYPE.int64 && (kind === 'long' || kind === 'time')) return (value) => Number(value)
  if (type === KUDU_TYPE.int64 && kind === 'bigint') return (value) => BigInt(String(value))
  if (type === KUDU_TYPE.unixtimeMicros && kind === 'timestamp')
    return (value) => {
      const micros = Number(value) * 1000
      return Number.isSafeInteger(micros) ? micros : BigInt(Number(value)) * 1000n
    }
  if (type === KUDU_TYPE.unixtimeMicros && kind === 'bigint') return (value) => BigInt(String(value))
  if (type === KUDU_TYPE.date && kind === 'date')
    return (value) => {
      const days = Number(value)
      if (days < DAYS_FROM || days > DAYS_TO) throw refuse(value)
      return days
    }
  if (type === KUDU_TYPE.bool && kind === 'boolean') return (value) => value === true
  if (type === KUDU_TYPE.double && (kind === 'double' || kind === 'long')) return (value) => Number(value)
  if (type === KUDU_TYPE.float && (kind === 'double' || kind === 'long'))
    return (value) => {
      const number = Number(value)
      // it would be stored as infinity
      if (Number.isFinite(number) && !Number.isFinite(Math.fround(number))) throw refuse(value)
      return number
    }
  if ((type === KUDU_TYPE.string || type === KUDU_TYPE.varchar) && kind === 'string') return textWriter(column, refuse)
  if (type === KUDU_TYPE.binary && kind === 'bytes')
    return (value) => {
      const bytes = Buffer.from(String(value), 'latin1')
      if (bytes.length > MAX_CELL_BYTES) throw refuse(`${bytes.length} bytes`)
      return bytes
    }
  if (DECIMALS.has(type) && field.logical?.kind === 'decimal') return decimalWriter(field.logical.scale, column, refuse)
  return undefined
}

function textWriter({ type, length }: KuduColumn, refuse: (value: unknown) => MillraceError): CellOf {
  return (value) => {
    const text = String(value)
    // the bytes of UTF-8 hold no half of a character: another text would be stored, or found
    if (!text.isWellFormed()) throw refuse(value)
    if (text.length * 3 > MAX_CELL_BYTES && Buffer.byteLength(text) > MAX_CELL_BYTES)
      throw refuse(`a text of ${Buffer.byteLength(text)} bytes`)
    // a server would cut it without a word
    if (type === KUDU_TYPE.varchar && text.length > length && [...text].length > length) throw refuse(value)
    return text
  }
}

function decimalWriter(
  scale: number,
  column: KuduColumn,
  refuse: (value: unknown) => MillraceError,
): CellOf | undefined {
  if (scale > column.scale) return undefined
  const factor = powerOfTen(column.scale - scale)
  const most = powerOfTen(column.precision)
  return (value) => {
    const units = unitsOf(String(value), scale) * factor
    if (units >= most || units <= -most) throw refuse(value)
    return column.type === KUDU_TYPE.decimal32 ? Number(units) : units
  }
}

/** How cells of a column are read as values of a field; undefined when their types do not fit. */
export function cellReader(field: Field, { type, scale }: KuduColumn): ValueOfCell | undefined {
  const kind = field.logical?.kind ?? field.type
  if (INT_BITS.has(type)) {
    if (kind === 'long') return exactNumber
    if (kind === 'bigint') return (cell) => String(cell)
    return kind === 'double' && type !== KUDU_TYPE.int64 ? (cell) => cell : undefined
  }
  if (type === KUDU_TYPE.unixtimeMicros) {
    // finer than a millisecond is cut, as of timestamps everywhere
    if (kind === 'timestamp') return (cell) => millisOf(cell as bigint)
    return kind === 'bigint' ? (cell) => String(cell) : undefined
  }
  if (type === KUDU_TYPE.date) return kind === 'date' ? (cell) => cell : undefined
  if (type === KUDU_TYPE.bool) return kind === 'boolean' ? (cell) => cell : undefined
  if (type === KUDU_TYPE.double || type === KUDU_TYPE.float)
    return kind === 'double' ? (cell) => (Number.isFinite(cell) ? cell : undefined) : undefined
  if (type === KUDU_TYPE.string || type === KUDU_TYPE.varchar)
    return kind === 'string' ? (cell) => (typeof cell === 'string' ? cell : undefined) : undefined
  if (type === KUDU_TYPE.binary) return kind === 'bytes' ? (cell) => latin1(cell as Uint8Array) : undefined
  if (DECIMALS.has(type) && field.logical?.kind === 'decimal') {
    const { precision, scale: own } = field.logical
    if (own < scale) return undefined
    const factor = powerOfTen(own - scale)
    const most = powerOfTen(precision)
    return (cell) => {
      const units = BigInt(cell as number | bigint) * factor
      return units < most && units > -most ? textOfUnits(units, own) : undefined
    }
  }
  return undefined
}

function exactNumber(cell: Cell): number | undefined {
  const number = Number(cell)
  return Number.isSafeInteger(number) ? number : undefined
}

function millisOf(micros: bigint): number {
  const millis = micros / 1000n
  return Number(micros < 0n && micros % 1000n !== 0n ? millis - 1n : millis)
}

/** A field and a column that do not fit. */
export function typesDiffer(table: string, field: Field, column: KuduColumn): MillraceError {
  return new MillraceError(
    'KUDU_TYPE_MISMATCH',
    `column ${column.name} of the Kudu table ${table} is ${columnText(column)}, the field is ${valueTypeText(field)}`,
    { domain: 'user', hint: 'docs/kudu.md lists which types fit each other' },
  )
}

function unfit(field: Field, column: KuduColumn, value: unknown): MillraceError {
  return new MillraceError(
    'VALUE_INVALID',
    `${field.name}: ${JSON.stringify(value)} does not fit into ${columnText(column)}, column ${column.name} of the Kudu table`,
    { domain: 'user' },
  )
}
