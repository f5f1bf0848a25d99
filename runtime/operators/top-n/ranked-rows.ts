import type { StateKey } from '../../codegen/keys/key-codec.ts'
import type { RecordTable } from '../../codegen/records/record-table.ts'
import { compileRowClass } from '../../codegen/rows/row.ts'
import { compileRowWeight } from '../../codegen/rows/row-weight.ts'
import type { Row, Schema } from '../../model/schema.ts'
import type { LogStateStore } from '../../state/log-state-store.ts'
import type { MapTable } from '../../state/state-store.ts'

/** What the rows at hand may weigh, and of how many batches they may be: their texts hold those of their whole batch, and what is old is copied by the garbage collector. */
const MAX_WEIGHT = 8 << 20
const MAX_BATCHES = 8

/**
 * The rows of all rankings, by key and slot. They lie in a map of the state; those of the last batches are at hand as
 * they came as well, so that the rows of a key with many rows at a time are not read back for each that enters
 * (Flink's AppendOnlyTopNFunction has a cache of keys for the same).
 */
export class RankedRows {
  readonly #map: MapTable
  readonly #entries: RecordTable
  readonly #members: RecordTable
  readonly #member = compileRowClass({ fields: [{ name: 'u', type: 'double', nullable: false }, { name: 'seq', type: 'double', nullable: false }] })
  readonly #weigh: (rows: readonly Row[], count: number) => number
  readonly #atHand = new Map<StateKey, (Row | undefined)[]>()
  #weight = 0
  #batches = 0

  /** `name`: the map's in the store; its second log lists the slots of each key, and a restore into another shape goes by it. */
  constructor(store: LogStateStore, name: string, schema: Schema) {
    this.#map = store.map(name)
    this.#entries = store.records(name)
    this.#members = store.records(`${name}/members`)
    this.#weigh = compileRowWeight(schema)
  }

  /** Before the rows of a batch are written: what is at hand may have become too much. */
  expect(rows: readonly Row[], count: number): void {
    this.#weight += this.#weigh(rows, count)
    if (this.#weight < MAX_WEIGHT && ++this.#batches < MAX_BATCHES) return
    this.#atHand.clear()
    this.#weight = this.#batches = 0
  }

  /** The rows of a key that are at hand, by slot; to be filled. */
  atHand(key: StateKey): (Row | undefined)[] {
    const known = this.#atHand.get(key)
    if (known !== undefined) return known
    const made: (Row | undefined)[] = []
    this.#atHand.set(key, made)
    return made
  }

  /** Writes a row to a slot that had none before. */
  add(group: number, key: StateKey, slot: number, row: Row): void {
    // numbers within a key are enough: they only tell an entry from one that was there before under the same slot
    this.#entries.code.put(this.#entries.groupAt(group), key, slot, row, 0, slot + 1)
    this.#members.code.append(this.#members.groupAt(group), key, undefined, new this.#member(slot, slot + 1), 0, 0)
    this.#members.rows++
  }

  /** Writes a row to a slot, whatever it held. */
  set(group: number, key: StateKey, slot: number, row: Row): void { this.#map.set(group, key, slot, row) }

  get(group: number, key: StateKey, slot: number): Row | undefined { return this.#map.get(group, key, slot) }

  clear(group: number, key: StateKey): void {
    this.#atHand.delete(key)
    this.#map.clear(group, key)
  }
}
