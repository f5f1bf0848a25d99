import type { Batch, Columns } from '../../memory/batch.ts'
import type { ColumnBatch } from '../../memory/column-batch.ts'
import type { StateKey } from '../../memory/state-key.ts'
import type { LoopCode } from '../../codegen/records/record-loops.ts'
import type { Row } from '../../model/schema.ts'
import type { RecordPointers, RecordTable } from '../../state/record-table.ts'

/**
 * The rows of rankings. A ranking has the address of each of its rows beside the row's slot, so that a row that moves is
 * read where it lies, and no index of the rows is kept. What a restore brings back is in an index by key and slot, and
 * leaves it when its ranking is next asked for.
 */
export class RankedRows implements RecordPointers {
  readonly #places: RecordTable
  readonly #ranking: LoopCode
  readonly #rows: RecordTable
  readonly #loop: LoopCode
  readonly #spills: boolean
  /** Those of the ranking at hand, from the place on that was noted; 0: not there. */
  readonly #addresses: Int32Array
  #group = 0
  #end = 0

  constructor(places: RecordTable, rows: RecordTable, limit: number, where: 'in memory' | 'on disk too') {
    this.#places = places
    this.#ranking = places.code.loop as LoopCode
    this.#rows = rows
    this.#loop = rows.code.loop as LoopCode
    this.#spills = where === 'on disk too'
    this.#addresses = new Int32Array(limit)
    rows.pointers = this
    places.onRestored = (a) => {
      this.#ranking.unlink(a)
    }
  }

  /** Where the ranking at hand ends: that of the last `enter` or `enterRow`. */
  get end(): number {
    return this.#end
  }

  /** The columns that `enter` takes rows of. */
  open(columns: Columns): void {
    this.#loop.open(columns)
  }

  /** Stores a row of the columns that has just entered a ranking at a place. */
  enter(group: number, key: number, place: number, batch: Batch, row: number): void {
    this.#note(group, key, place)
    const of = this.#rows.groupAt(group)
    const old = this.#addresses[place] as number
    const slot = this.#ranking.slot(place)
    const a = this.#loop.enter(of, old, slot, row)
    this.#entered(place, old, a === 0 ? this.#loop.put(of, old, slot, batch.rows()[row] as Row) : a)
  }

  /** The same of a row that is an object. */
  enterRow(group: number, key: StateKey, place: number, row: Row): void {
    this.#note(group, key, place)
    const old = this.#addresses[place] as number
    this.#entered(place, old, this.#loop.put(this.#rows.groupAt(group), old, this.#ranking.slot(place), row))
  }

  #entered(place: number, old: number, a: number): void {
    if (old === 0) this.#rows.groupAt(this.#group).pointedAt++
    this.#addresses[place] = a
    this.#ranking.link(place, a)
    if (this.#spills) this.#promote(place)
  }

  /** Notes the addresses of the ranking at hand from a place on. */
  #note(group: number, key: StateKey, place: number): void {
    const addresses = this.#addresses
    this.#group = group
    this.#end = this.#ranking.links(place, addresses)
    if (this.#rows.groupAt(group).n === 0) return
    for (let i = place; i < this.#end; i++) {
      if (addresses[i] !== 0) continue
      const a = this.#rows.take(group, key, this.#ranking.slot(i))
      addresses[i] = a
      this.#ranking.link(i, a)
    }
  }

  /** Rows that are on disk are in use again. */
  #promote(first: number): void {
    if (!this.#loop.promote(this.#rows.groupAt(this.#group), this.#addresses, first, this.#end)) return
    for (let i = first; i < this.#end; i++) this.#ranking.link(i, this.#addresses[i] as number)
  }

  /**
   * Puts the rows at places [first, end) of the ranking at hand, at most 1024, into `out` with their ranks; what it
   * returns says LoopCode.give.
   */
  give(first: number, end: number, out: ColumnBatch): 0 | 1 | -1 {
    return this.#loop.give(this.#addresses, first, end, out)
  }

  /** The row at a place of the ranking at hand; undefined when it is gone. */
  row(place: number): Row | undefined {
    const a = this.#addresses[place] as number
    return a === 0 ? undefined : this.#rows.code.row(a)
  }

  /** Removes all rows of the ranking at `record`, which is to be removed. */
  clear(group: number, record: number): void {
    const key = this.#places.code.key(record)
    this.#ranking.select(record)
    this.#ranking.allLinks(this.#addresses)
    this.#rows.holding(() => {
      this.#addresses.forEach((a, slot) => {
        if (a !== 0) this.#rows.bury(group, a)
        if (this.#rows.groupAt(group).n > 0) this.#rows.remove(group, key, slot)
      })
    })
  }

  has(group: number, a: number): boolean {
    const { code } = this.#rows
    const ranking = this.#places.find(group, code.key(a))
    if (ranking === 0) return false
    this.#ranking.select(ranking)
    return this.#ranking.placeOfSlot(Number(code.user(a))) >= 0
  }

  move(group: number, a: number, move: () => number): void {
    const ranking = this.#places.find(group, this.#rows.code.key(a))
    if (ranking === 0) return
    this.#ranking.select(ranking)
    const place = this.#ranking.placeOfLink(a)
    // also in a record that a barrier has passed: links are no part of what it stands for
    if (place >= 0) this.#ranking.link(place, move())
  }
}
