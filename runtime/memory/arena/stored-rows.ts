import type { Log, RecordArena } from './record-arena.ts'
import { NO_SLAB } from './segment-memory.ts'

/**
 * Where word 0 of a record (record-layout.ts) holds the part of the row's log; word 1 is the row's number in that log.
 */
export const PART_SHIFT = 20

/** A row log whose rows are in an arena: the address of each row. */
export interface AddressedLog {
  readonly a: Int32Array
}

/**
 * Rows of a join in an arena, which may be on disk: a log of records, none of which changes, from which rows are only
 * dropped all at once. A row that moves, because its segment is released, is found again by its number.
 */
class StoredRows implements Log {
  seg = 0
  readonly segs: number[] = []
  readonly resident = false
  readonly rests = true
  /** Words of texts. */
  taken = 0
  readonly #arena: RecordArena
  readonly #logs: (AddressedLog | undefined)[] = []

  constructor(arena: RecordArena) {
    this.#arena = arena
  }

  enter(log: AddressedLog, part: number): this {
    this.#logs[part] = log
    return this
  }

  /** The segment whose end has room for a record of so many bytes. */
  room(bytes: number): number {
    const arena = this.#arena
    if ((arena.end[this.seg] ?? 0) + bytes > (arena.size[this.seg] ?? 0)) arena.roll(this, bytes)
    return this.seg
  }

  compact(segment: number): void {
    const arena = this.#arena
    const words = arena.i32[segment] ?? NO_SLAB.i32
    const base = arena.base[segment] ?? 0
    const end = arena.end[segment] ?? 0
    for (let o = 0; o < end; ) {
      const a = (segment << 15) | (o >> 3)
      const q = base + (o >> 2)
      const addresses = this.#logs[(words[q] ?? 0) >>> PART_SHIFT]?.a
      const row = words[q + 1] ?? 0
      o += arena.recordBytes(a)
      if (addresses?.[row] === a) addresses[row] = arena.copy(this, a)
    }
  }

  newestIn(): number {
    return Infinity
  }

  release(): void {
    for (const segment of [...this.segs]) this.#arena.release(segment)
    this.#logs.length = 0
  }
}

/** The rows of a pane, of whose parts either each has a log of its own, to be read in its order, or all have one. */
export class StoredPane {
  readonly #arena: RecordArena
  readonly #isShared: boolean
  readonly #rows: StoredRows[] = []

  /** `logs`: where there are many panes a log for each part would be too many. */
  constructor(arena: RecordArena, logs: 'for each part' | 'for all parts') {
    this.#arena = arena
    this.#isShared = logs === 'for all parts'
  }

  /** Words that the texts take. */
  get taken(): number {
    return this.#rows.reduce((sum, { taken }) => sum + taken, 0)
  }

  /** Where the rows of a part's log are to lie. */
  enter(log: AddressedLog, part: number): StoredRows {
    const at = this.#isShared ? 0 : part
    return (this.#rows[at] ??= new StoredRows(this.#arena)).enter(log, part)
  }

  /** Rows can be read as soon as they were added. */
  flush(): void {
    /* nothing waits */
  }

  /** Gives all rows back. */
  release(): void {
    this.#rows.forEach((rows) => {
      rows.release()
    })
    this.#rows.length = 0
  }
}
