import { createHash } from 'node:crypto'
import { MillraceError } from '../../model/errors.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { valueTypeText } from '../../model/value-type.ts'
import { clipped } from '../../model/clipped.ts'
import { columnTypeOf } from './declaration.ts'
import type { FeedUnit } from './feed-position.ts'
import { quoted, quotedTable, quotedText } from './sql.ts'
import type { Table } from './table.ts'

export interface FeedQueryOptions {
  readonly table: string
  /** The fields that are columns of the table. */
  readonly schema: Schema
  readonly filter: string | undefined
  /** Whether only insertions are read of the changes. */
  readonly insertsOnly: boolean
}

/**
 * The statements that read a table. A row is the JSON of its columns, and rows are in the order of its bytes: rows that
 * are not told apart by that are the same, so the order is the same whenever a statement is repeated. Within a version
 * what is taken away comes before what is added.
 */
export class FeedQuery {
  readonly #options: FeedQueryOptions
  readonly #row: string

  constructor(options: FeedQueryOptions) {
    this.#options = options
    this.#row = `to_json(struct(${options.schema.fields.map(expressionOf).join(', ')}))`
  }

  /** Differs where a position of one query has no meaning in the other. */
  get fingerprint(): string {
    const { filter = '', insertsOnly } = this.#options
    return createHash('sha256')
      .update(JSON.stringify([this.#row, filter, insertsOnly]))
      .digest('hex')
      .slice(0, 16)
  }

  /** Rows of a snapshot: `r`. Rows of changes: `r`, what happened, the version, and its time in ms. */
  textOf(unit: FeedUnit, skip: number): string {
    const { table, insertsOnly } = this.#options
    const name = quotedTable(table)
    const offset = skip === 0 ? '' : ` OFFSET ${skip}`
    const order = `CAST(r AS BINARY)${offset}`
    if (unit.kind === 'snapshot')
      return `SELECT r FROM (SELECT ${this.#row} AS r FROM ${name} VERSION AS OF ${unit.version}${this.#where([])}) ORDER BY ${order}`
    const changes = `table_changes(${quotedText(name)}, ${unit.from}, ${unit.to})`
    const where = this.#where(insertsOnly ? ["_change_type = 'insert'"] : [])
    return [
      `SELECT r, c, v, m FROM (SELECT ${this.#row} AS r, _change_type AS c, _commit_version AS v, unix_millis(_commit_timestamp) AS m`,
      ` FROM ${changes}${where}) ORDER BY v, `,
      `CASE c WHEN 'delete' THEN 0 WHEN 'update_preimage' THEN 1 WHEN 'insert' THEN 2 ELSE 3 END, ${order}`,
    ].join('')
  }

  #where(conditions: readonly string[]): string {
    const { filter } = this.#options
    const all = [...conditions, ...(filter === undefined ? [] : [`(${filter}\n)`])]
    return all.length === 0 ? '' : ` WHERE ${all.join(' AND ')}`
  }
}

/** The newest version of a table, in the column `version`. */
export function newestVersion(table: string): string {
  return `DESCRIBE HISTORY ${quotedTable(table)} LIMIT 1`
}

/** In the form in which the scanner of JSON reads the type. */
function expressionOf({ name, type, logical }: Field): string {
  const column = quoted(name)
  if (logical?.kind === 'bytes') return `base64(${column}) AS ${column}`
  if (logical === undefined && type === 'timestamp') return `unix_millis(${column}) AS ${column}`
  return `${column} AS ${column}`
}

const INTEGERS = ['tinyint', 'smallint', 'int', 'bigint']
const SHAPED = /^(?:struct|array|map|variant)\b/

/** Throws SCHEMA_MISMATCH where columns do not become the fields. */
export function checkReadable(name: string, { columns }: Table, { fields }: Schema): void {
  const byName = new Map(columns.map((column) => [column.name.toLowerCase(), column]))
  for (const field of fields) {
    const column = byName.get(field.name.toLowerCase())
    if (column === undefined)
      throw mismatch(
        `the table ${name} has no column ${field.name}`,
        `it has: ${clipped(columns.map((one) => one.name).join(', '), 500)}`,
      )
    if (!isReadable(column.type, field))
      throw mismatch(
        `the column ${column.name} of the table ${name} is ${clipped(column.type)}, and the field is ${valueTypeText(field)}`,
        'give the field the type that docs/databricks.md has for such a column',
      )
  }
}

function isReadable(column: string, field: Field): boolean {
  const { type, logical } = field
  if (logical?.kind === 'bigint' || (logical === undefined && type === 'long')) return INTEGERS.includes(column)
  if (logical === undefined && type === 'double') return column === 'double' || column === 'float'
  if (logical === undefined && type === 'string') return column === 'string' || /^(?:var)?char\(/.test(column)
  if (isShaped(field)) return column === 'string' || SHAPED.test(column)
  return column === columnTypeOf(field)
}

/** Fields whose values are JSON: in a column of texts they are written as text. */
export function isShaped({ type, logical }: Field): boolean {
  return logical === undefined ? type === 'json' : ['row', 'array', 'map'].includes(logical.kind)
}

/** The shaped fields whose column holds texts. */
export function textFields({ columns }: Table, { fields }: Schema): Field[] {
  const texts = new Set(columns.filter(({ type }) => type === 'string').map(({ name }) => name.toLowerCase()))
  return fields.filter((field) => isShaped(field) && texts.has(field.name.toLowerCase()))
}

function mismatch(what: string, hint: string): MillraceError {
  return new MillraceError('SCHEMA_MISMATCH', what, { domain: 'user', hint })
}
