import type { Field } from '../model/schema.ts'

/** A column of a table by which rows are looked up, and the field of the job's rows that it is equal to. */
export interface TableKey {
  readonly column: string
  readonly field: Field
}

/** A row of a table: the wanted columns by their names, with values as rows of the job have them. */
export type TableRow = Readonly<Record<string, unknown>>

/** A table that is open. Calls may be under way side by side. */
export interface Table {
  /**
   * Returns the rows whose key columns have these values, in the order of the key. No value is null. Two rows are
   * enough where there are more: a lookup takes one at most. Waits while the system does not answer, until `signal` is
   * aborted; rejects with what does not pass.
   */
  find(values: readonly unknown[], signal: AbortSignal): Promise<readonly TableRow[]>
  close(): Promise<void>
}
