import type { KeyTable, TableColumns } from '../memory/key-table.ts'

/** The state of an operator that keeps it in tables by key, as snapshots see it. */
export interface KeyTables {
  /** For what it is written, as text: a restore wants the same. */
  readonly shape: string
  readonly columns: TableColumns
  create(): KeyTable
  /** Number of live entries. */
  size(): number
  /** All tables as they are now. Not while windows are firing. */
  live(): LiveTable[]
  /** How far the windows of each own group have fired, of groups that have fired any. */
  fired(): (readonly [group: number, end: number])[]
  /** Takes back a table that `create` made and whose index is yet to be: it is no one else's. Before the first row. */
  adopt(table: LiveTable): void
  /** Windows of the group that end by then have fired: they do not fire again. */
  adoptFired(group: number, end: number): void
}

export interface LiveTable {
  readonly group: number
  /** Of time windows, where the pane begins: every table of a group has another start. */
  readonly start: number
  readonly table: KeyTable
}
