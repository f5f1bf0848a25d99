import { memberOf } from '../model/fields.ts'
import { type BlockMemory, corruptBlock, HeadedBlock, magicOf, writeHeadedBlock } from '../memory/headed-block.ts'
import { MillraceError } from '../model/errors.ts'
import { namedField, type Field } from '../model/schema.ts'
import { parseValueType } from '../model/value-type.ts'
import type { StateShape, TableShape } from './state-store.ts'

/*
 * The state of one key group of an operator that keeps tables, little-endian:
 *   a headed block (codegen/rows/headed-block.ts) with the magic 'MST' and the version 1, and the parts of each table in the order of the header
 * The header says what the tables hold and how, so that a block can be read without the job that wrote it. A part is a
 * stretch of the table's log (codegen/records/record-layout.ts); a map has a second log, which stands behind as
 * `name/members`.
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
  /** To whom its changes were told when the block was written. */
  mirror?: string
}

/** `price:double`, with a `?` behind when it may be null. */
type FieldText = string

/** The parts of one table. */
export interface TableParts {
  name: string
  parts: readonly Uint8Array[]
}

/** One table of a block that is read back, its rows as they lay for the writer. */
export interface ReadTable {
  name: string
  kind: TableShape['kind']
  timed: boolean
  keyIn: readonly string[] | undefined
  mirror: string | undefined
  parts: Uint8Array[]
}

/** In `memory` the block is there until the next one takes it. */
export function writeBlock(shape: StateShape, tables: readonly TableParts[], memory?: BlockMemory): Uint8Array {
  const header: BlockHeader = {
    key: shape.key.map(fieldText),
    tables: tables.map(({ name, parts }) => ({
      name,
      ...tableText(tableOf(shape, name)),
      parts: parts.map((part) => part.byteLength),
    })),
  }
  return writeHeadedBlock(
    MAGIC | (VERSION << 24),
    header,
    tables.flatMap((table) => table.parts),
    memory,
  )
}

/**
 * The tables of a block. Throws STATE_CORRUPT, or STATE_INCOMPATIBLE when the key or a table's fields are not those of
 * `shape`, or a table is not there any more. Tables new in `shape` are simply not among the result.
 */
export function readBlock(shape: StateShape, bytes: Uint8Array): ReadTable[] {
  const mark = magicOf(bytes)
  if ((mark & 0xffffff) !== MAGIC) throw corruptBlock(`${bytes.byteLength} bytes do not start with its header`)
  if (mark >>> 24 !== VERSION)
    throw new MillraceError(
      'STATE_INCOMPATIBLE',
      `state tables have version ${mark >>> 24}, this release reads ${VERSION}`,
    )
  const block = headedBlock(bytes)
  const { key, tables } = block.header
  checkSame('key', key.join(', '), shape.key.map(fieldText).join(', '))
  return tables.map((table) => {
    checkTable(shape, table)
    return {
      name: table.name,
      kind: table.kind,
      timed: table.timed,
      keyIn: table.keyIn,
      mirror: table.mirror,
      parts: table.parts.map((size) => block.take(size)),
    }
  })
}

/** True when the bytes are a block of tables; operators that keep something else write blocks of their own. */
export function isTableBlock(bytes: Uint8Array): boolean {
  return (magicOf(bytes) & 0xffffff) === MAGIC
}

/**
 * The shape the tables of a block were written with, for reading them without the job. No time of theirs is over.
 * Throws STATE_CORRUPT.
 */
export function shapeOfBlock(bytes: Uint8Array): StateShape {
  const { header } = headedBlock(bytes)
  const own = header.tables.filter(({ name }) => tableName(name) === name)
  return {
    key: header.key.map(fieldOfText),
    tables: Object.fromEntries(own.map((table) => [table.name, shapeOfTable(table)])),
  }
}

function shapeOfTable({ kind, fields = [], userKey = [], timed, keyIn }: TableText): TableShape {
  if (kind === 'timers') return { kind }
  const rows = {
    schema: { fields: fields.map(fieldOfText) },
    ...(timed ? { ttlMs: Infinity } : {}),
    ...(keyIn === undefined ? {} : { keyIn }),
  }
  return kind === 'map' || kind === 'slots' ? { kind, userKey: userKey.map(fieldOfText), ...rows } : { kind, ...rows }
}

function fieldOfText(text: FieldText): Field {
  const [name = '', type] = [text.slice(0, text.indexOf(':')), parseValueType(text.slice(text.indexOf(':') + 1))]
  if (type === undefined) throw corruptBlock(`it has a field ${JSON.stringify(text)}`)
  return namedField(name, type)
}

function headedBlock(bytes: Uint8Array): HeadedBlock<BlockHeader> {
  const block = new HeadedBlock<BlockHeader>(bytes)
  const { key, tables } = block.header
  const isSound =
    Array.isArray(key) &&
    Array.isArray(tables) &&
    tables.every(
      (table) =>
        Array.isArray(table.parts) &&
        table.parts.every((part: unknown) => typeof part === 'number' && Number.isInteger(part) && part >= 0),
    )
  if (!isSound) throw corruptBlock('its header lacks key or tables')
  return block
}

function checkTable(shape: StateShape, table: TableHeader): void {
  const now = memberOf(shape.tables, tableName(table.name))
  if (now === undefined)
    throw incompatible(
      `there is a table ${table.name} in it, the operator now has only ${Object.keys(shape.tables).join(', ')}`,
    )
  // slots were kept in maps once
  const written = now.kind === 'slots' && table.kind === 'map' ? { ...table, kind: now.kind } : table
  checkSame(`table ${table.name}`, describeTable(written), describeTable(tableText(now)))
}

function checkSame(what: string, written: string, now: string): void {
  if (written !== now) throw incompatible(`${what} was written as ${written}, the operator now has ${now}`)
}

function incompatible(what: string): MillraceError {
  return new MillraceError('STATE_INCOMPATIBLE', `state does not fit: ${what}`, {
    domain: 'user',
    hint: 'give the changed operator a new id to start it with empty state',
  })
}

function tableOf(shape: StateShape, name: string): TableShape {
  const table = memberOf(shape.tables, tableName(name))
  if (table === undefined)
    throw new MillraceError('TABLE_UNKNOWN', `there is no table ${name} among ${Object.keys(shape.tables).join(', ')}`)
  return table
}

/** The table a log belongs to. */
export function tableName(log: string): string {
  return log.split('/', 1)[0] ?? log
}

function tableText(shape: TableShape): TableText {
  if (shape.kind === 'timers') return { kind: 'timers', timed: true }
  const rows = {
    kind: shape.kind,
    fields: shape.schema.fields.map(fieldText),
    timed: shape.ttlMs !== undefined,
    ...(shape.keyIn === undefined ? {} : { keyIn: shape.keyIn }),
    ...(shape.mirror === undefined ? {} : { mirror: shape.mirror }),
  }
  return shape.kind === 'map' || shape.kind === 'slots' ? { ...rows, userKey: shape.userKey.map(fieldText) } : rows
}

function describeTable(table: TableText): string {
  const by = table.userKey === undefined ? '' : ` by (${table.userKey.join(', ')})`
  return table.fields === undefined ? table.kind : `${table.kind}${by} of (${table.fields.join(', ')})`
}

function fieldText(field: Field): FieldText {
  return `${field.name}:${field.type}${field.nullable ? '?' : ''}`
}
