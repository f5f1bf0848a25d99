import { MillraceError } from '../../model/errors.ts'
import { fieldOf, fieldsOf, type Field, type Row, type Schema } from '../../model/schema.ts'
import type { CopiedColumns } from './copied-columns.ts'
import { partitionValue } from './partition-values.ts'

/** A key that can be compared: the value of its only column, or the JSON of all. */
export type RowKey = string | number | boolean

/** The partition that a file belongs to, by the names of the columns. */
export type PartitionValues = ReadonlyMap<string, string | null>

/** The keys of the rows of a table, whose values are those of CopiedColumns. */
export class KeyColumns {
  /** The columns of the key that are in the files. */
  readonly schema: Schema
  readonly fields: readonly Field[]
  readonly #partitions: readonly Field[]

  /** Throws UNKNOWN_FIELD when the table has no such column. */
  constructor({ schema, partitions }: Pick<CopiedColumns, 'schema' | 'partitions'>, key: readonly string[]) {
    this.fields = fieldsOf({ fields: [...schema.fields, ...partitions.fields] }, key)
    this.schema = { fields: this.fields.filter(({ name }) => fieldOf(schema, name) !== undefined) }
    this.#partitions = this.fields.filter(({ name }) => fieldOf(partitions, name) !== undefined)
  }

  /** The columns of the key that partition the table. */
  get partitions(): readonly Field[] {
    return this.#partitions
  }

  /** The values of the key of a row, in the order of its columns. */
  valuesOf(partition: PartitionValues, row: Row): unknown[] {
    return this.fields.map((field) =>
      this.#partitions.includes(field)
        ? partitionValue({ ...field, nullable: true }, partition.get(field.name) ?? null)
        : row[field.name],
    )
  }
}

/** Undefined when a value is null: such a row has no key, and equals no other. */
export function rowKey(values: readonly unknown[]): RowKey | undefined {
  if (values.some((value) => value === null || value === undefined)) return undefined
  const [only] = values
  return values.length === 1 && isPlain(only) ? only : JSON.stringify(values)
}

function isPlain(value: unknown): value is RowKey {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

/** Throws SCHEMA_MISMATCH for a key of which files have no column. */
export function checkKey(table: string, { schema, fields }: KeyColumns): void {
  if (schema.fields.length > 0) return
  throw new MillraceError(
    'SCHEMA_MISMATCH',
    `the Delta table ${table} is partitioned by its whole key, ${fields.map(({ name }) => name).join(', ')}`,
    { domain: 'user', hint: 'name another column in key, or partition by fewer' },
  )
}
