import type { Field } from '../model/schema.ts'
import type { Ports } from '../ports/ports.ts'
import type { Table, TableKey } from '../ports/table.ts'
import type { SystemReports } from './system-reports.ts'

/** The question of one operator to a table, and its surroundings; made once per subtask and attempt. */
export interface TableContext extends SystemReports {
  readonly operatorId: string
  readonly key: readonly TableKey[]
  /** The columns that are wanted, with the types that their values must have in a row. */
  readonly output: readonly Field[]
  readonly ports: Ports
  readonly baseDir: string
  /** Aborted when the subtask has to stop: calls that wait for the outside system then reject. */
  readonly stopping: AbortSignal
}

/** A connector whose tables can be looked up, and whose options have been read. */
export interface TableConnector {
  /**
   * Rejects when the table, or a column that is named, is not there or has a type that does not fit: a wrong name is
   * reported at the start and not with the first row.
   */
  open(context: TableContext): Promise<Table>
}
