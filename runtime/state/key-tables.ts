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
  /**
   * Adopts a restored table that `create` made and that has no index yet; the caller gives it up. Before the first
   * row.
   */
  adopt(table: LiveTable): void
  /** Windows of the group that end by then have fired: they do not fire again. */
  adoptFired(group: number, end: number): void
}

export interface LiveTable {
  readonly group: number
  /** For time windows, where the pane begins: the tables of a group have different starts. */
  readonly start: number
  readonly table: KeyTable
}
