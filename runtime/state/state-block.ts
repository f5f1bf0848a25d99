import { MillraceError } from '../model/errors.ts'
import { namedField, type Field } from '../model/schema.ts'
import { parseValueType } from '../model/value-type.ts'
import type { StateShape, TableShape } from './state-store.ts'

/*
 * The state of one key group of an operator that keeps tables, little-endian:
 *   u32 magic 'MST' and the version 1 | u32 bytes of the header | header: JSON, padded with spaces to 8 bytes
 *   the parts of each table in the order of the header, each padded to 8 bytes
 * The header says what the tables hold and how, so that a block can be read without the job that wrote it. A part is a
 * stretch of the table's log (codegen/records/record-layout.ts); a map has a second log, which stands behind as `name/members`.
 */
const MAGIC = 0x54534d
const VERSION = 1

interface BlockHeader {
  key: readonly FieldText[]
  tables: readonly TableHeader[]
}

interface TableHeader extends TableText {
  name: string
  /** Bytes of each part. */
  parts: readonly number[]
}

/** A table's shape, and how its rows lie. */
interface TableText {
  kind: TableShape['kind']
  fields?: readonly FieldText[]
  userKey?: readonly FieldText[]
  /** True when each row carries the time of its last write. */
  timed: boolean
  /** Fields of the rows that carry the key. */
  keyIn?: readonly string[]
}

/** `price:double`, with a `?` behind when it may be null. */
type FieldText = string

/** The parts of one table. */
export interface TableParts { name: string; parts: readonly Uint8Array[] }

/** One table of a block that is read back, its rows as they lay for the writer. */
export interface ReadTable { name: string; timed: boolean; keyIn: readonly string[] | undefined; parts: Uint8Array[] }

export function writeBlock(shape: StateShape, tables: readonly TableParts[]): Uint8Array {
  const header: BlockHeader = {
    key: shape.key.map(fieldText),
    tables: tables.map(({ name, parts }) => ({ name, ...tableText(tableOf(shape, name)), parts: parts.map((part) => part.byteLength) })),
  }
  const head = Buffer.from(JSON.stringify(header))
  const headBytes = padded(head.length)
  const parts = tables.flatMap((table) => table.parts)
  const bytes = new Uint8Array(8 + headBytes + parts.reduce((sum, part) => sum + padded(part.byteLength), 0))
  new Uint32Array(bytes.buffer, 0, 2).set([MAGIC | VERSION << 24, headBytes])
  bytes.fill(32, 8, 8 + headBytes).set(head, 8)
  let at = 8 + headBytes
  for (const part of parts) {
    bytes.set(part, at)
    at += padded(part.byteLength)
  }
  return bytes
}

/**
 * The tables of a block. Throws STATE_CORRUPT, or STATE_INCOMPATIBLE when the key or a table's fields are not those of
 * `shape`, or a table is not there any more. Tables new in `shape` are simply not among the result.
 */
export function readBlock(shape: StateShape, bytes: Uint8Array): ReadTable[] {
  // a Buffer's slice would be no copy
  const aligned = (bytes.byteOffset & 7) === 0 ? bytes : new Uint8Array(bytes)
  const [mark, headBytes] = aligned.byteLength < 8 ? [0, 0] : new Uint32Array(aligned.buffer, aligned.byteOffset, 2)
  if (((mark ?? 0) & 0xffffff) !== MAGIC) throw corrupt(`${bytes.byteLength} bytes do not start with its header`)
  if ((mark ?? 0) >>> 24 !== VERSION) throw new MillraceError('STATE_INCOMPATIBLE', `state tables have version ${(mark ?? 0) >>> 24}, this release reads ${VERSION}`)
  const header = readHeader(aligned, headBytes ?? 0)
  checkSame('key', header.key.join(', '), shape.key.map(fieldText).join(', '))
  let at = 8 + (headBytes ?? 0)
  return header.tables.map((table) => {
    checkTable(shape, table)
    const parts = table.parts.map((size) => {
      const part = aligned.subarray(at, at + size)
      if (part.byteLength !== size) throw corrupt(`table ${table.name} has a part of ${size} bytes at ${at}, beyond its ${aligned.byteLength} bytes`)
      at += padded(size)
      return part
    })
    return { name: table.name, timed: table.timed, keyIn: table.keyIn, parts }
  })
}

/** True when the bytes are a block of tables; operators that keep something else write blocks of their own. */
export function isTableBlock(bytes: Uint8Array): boolean {
  return bytes.byteLength >= 8 && (Buffer.from(bytes.buffer, bytes.byteOffset, 4).readUInt32LE() & 0xffffff) === MAGIC
}

/** The shape the tables of a block were written with, for reading them without the job. No time of theirs is over. Throws STATE_CORRUPT. */
export function shapeOfBlock(bytes: Uint8Array): StateShape {
  const aligned = (bytes.byteOffset & 7) === 0 ? bytes : new Uint8Array(bytes)
  const header = readHeader(aligned, new Uint32Array(aligned.buffer, aligned.byteOffset, 2)[1] ?? 0)
  const own = header.tables.filter(({ name }) => tableName(name) === name)
  return { key: header.key.map(fieldOfText), tables: Object.fromEntries(own.map((table) => [table.name, shapeOfTable(table)])) }
}

function shapeOfTable({ kind, fields = [], userKey = [], timed, keyIn }: TableText): TableShape {
  if (kind === 'timers') return { kind }
  const rows = { schema: { fields: fields.map(fieldOfText) }, ...(timed ? { ttlMs: Infinity } : {}), ...(keyIn === undefined ? {} : { keyIn }) }
  return kind === 'map' ? { kind, userKey: userKey.map(fieldOfText), ...rows } : { kind, ...rows }
}

function fieldOfText(text: FieldText): Field {
  const [name = '', type] = [text.slice(0, text.indexOf(':')), parseValueType(text.slice(text.indexOf(':') + 1))]
  if (type === undefined) throw corrupt(`it has a field ${JSON.stringify(text)}`)
  return namedField(name, type)
}

function readHeader(bytes: Uint8Array, size: number): BlockHeader {
  if (8 + size > bytes.byteLength) throw corrupt(`its header of ${size} bytes lies beyond its ${bytes.byteLength} bytes`)
  let header: BlockHeader
  try {
    header = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + 8, size).toString('utf8')) as BlockHeader
  } catch (cause) {
    throw new MillraceError('STATE_CORRUPT', 'the header of a block of state does not parse', { cause })
  }
  const sound = Array.isArray(header.key) && Array.isArray(header.tables)
    && header.tables.every((table) => Array.isArray(table.parts) && table.parts.every((part: unknown) => typeof part === 'number' && Number.isInteger(part) && part >= 0))
  if (!sound) throw corrupt('its header lacks key or tables')
  return header
}

function checkTable(shape: StateShape, table: TableHeader): void {
  const now = shape.tables[tableName(table.name)]
  if (now === undefined) throw incompatible(`there is a table ${table.name} in it, the operator now has only ${Object.keys(shape.tables).join(', ')}`)
  checkSame(`table ${table.name}`, describeTable(table), describeTable(tableText(now)))
}

function checkSame(what: string, written: string, now: string): void {
  if (written !== now) throw incompatible(`${what} was written as ${written}, the operator now has ${now}`)
}

function incompatible(what: string): MillraceError {
  return new MillraceError('STATE_INCOMPATIBLE', `state does not fit: ${what}`, { domain: 'user', hint: 'give the changed operator a new id to start it with empty state' })
}

function corrupt(what: string): MillraceError {
  return new MillraceError('STATE_CORRUPT', `a block of state is corrupt: ${what}`)
}

function tableOf(shape: StateShape, name: string): TableShape {
  const table = shape.tables[tableName(name)]
  if (table === undefined) throw new MillraceError('TABLE_UNKNOWN', `there is no table ${name} among ${Object.keys(shape.tables).join(', ')}`)
  return table
}

/** The table a log belongs to. */
export function tableName(log: string): string { return log.split('/', 1)[0] ?? log }

function tableText(shape: TableShape): TableText {
  if (shape.kind === 'timers') return { kind: 'timers', timed: true }
  const rows = {
    kind: shape.kind, fields: shape.schema.fields.map(fieldText), timed: shape.ttlMs !== undefined,
    ...(shape.keyIn === undefined ? {} : { keyIn: shape.keyIn }),
  }
  return shape.kind === 'map' ? { ...rows, userKey: shape.userKey.map(fieldText) } : rows
}

function describeTable(table: TableText): string {
  const by = table.userKey === undefined ? '' : ` by (${table.userKey.join(', ')})`
  return table.fields === undefined ? table.kind : `${table.kind}${by} of (${table.fields.join(', ')})`
}

function fieldText(field: Field): FieldText { return `${field.name}:${field.type}${field.nullable ? '?' : ''}` }

function padded(bytes: number): number { return (bytes + 7) & ~7 }
