import type { StateKey } from '../memory/state-key.ts'
import type { Row } from '../model/schema.ts'
import type { RecordTable } from './record-table.ts'

/** Rows under a key and a slot, as far as they are in the index: what a restore has brought back. */
export class LogSlots {
  readonly #table: RecordTable

  constructor(table: RecordTable) {
    this.#table = table
  }

  set(group: number, key: StateKey, slot: StateKey, row: Row): void {
    this.#table.code.put(this.#table.groupAt(group), key, slot, row, 0, 0)
  }

  each(group: number, visit: (key: StateKey, slot: StateKey, row: Row) => void): void {
    const { code } = this.#table
    this.#table.each(group, (a) => {
      visit(code.key(a), code.user(a), code.row(a))
    })
  }

  get size(): number {
    return this.#table.size
  }
}
