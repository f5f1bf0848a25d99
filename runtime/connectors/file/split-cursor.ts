import type { Row } from '../../model/schema.ts'
import type { Split } from '../../model/snapshot.ts'
import type { Timestamp } from '../../model/time.ts'
import { formatPosition, parsePosition, type FilePosition } from './split-id.ts'
import type { RowChunk, SplitStream } from './split-stream.ts'

const CHUNK_ROWS = 1024

export type OpenSplit = (position: FilePosition) => Promise<SplitStream>

/** Where a reader stands in one split: what is read ahead, what was given out. */
export class SplitCursor {
  readonly id: string
  readonly #open: OpenSplit
  readonly #eventTimeField: string | undefined
  #position: FilePosition
  #finished: boolean
  #stream: SplitStream | undefined
  #chunk: RowChunk = { rows: [], nextAfter: [] }
  #given = 0

  constructor(split: Split, eventTimeField: string | undefined, open: OpenSplit) {
    this.id = split.id
    this.#open = open
    this.#eventTimeField = eventTimeField
    this.#position = parsePosition(split.position)
    this.#finished = split.finished
  }

  get finished(): boolean {
    return this.#finished
  }

  get originTime(): Timestamp | undefined {
    return this.#position.originTime
  }

  /** A row is read ahead. */
  get hasRows(): boolean {
    return this.#given < this.#chunk.rows.length
  }

  /**
   * Event time of the next row as far as it is known: of the row read ahead, else what the enumerator saw.
   * Undefined when nothing is known or the source has no event time.
   */
  headTime(): Timestamp | undefined {
    const row = this.#chunk.rows[this.#given]
    return row === undefined ? this.#position.headTime : this.#timeOf(row)
  }

  /** Makes sure a row is read ahead, or finds that the split is finished. Opens the file at the first call. */
  async fill(): Promise<void> {
    if (this.#finished || this.hasRows) return
    this.#stream ??= await this.#open(this.#position)
    const chunk = await this.#stream.read(CHUNK_ROWS)
    this.#chunk = chunk ?? { rows: [], nextAfter: [] }
    this.#given = 0
    if (chunk === undefined) {
      this.#finished = true
      this.#stream = undefined
    }
  }

  /** Gives out at most `maxRows` rows that are read ahead, up to the first whose event time is after `dueTime`. */
  take(maxRows: number, dueTime: Timestamp): Row[] {
    const { rows, nextAfter } = this.#chunk
    const from = this.#given
    let to = Math.min(rows.length, from + maxRows)
    if (dueTime !== Infinity) to = this.#firstAfter(dueTime, from, to)
    if (to === from) return []
    this.#given = to
    const { version } = this.#position
    this.#position = { version, next: nextAfter[to - 1], headTime: undefined, originTime: undefined }
    return from === 0 && to === rows.length ? rows : rows.slice(from, to)
  }

  snapshot(): Split {
    return { id: this.id, position: formatPosition(this.#position), finished: this.#finished }
  }

  #firstAfter(dueTime: Timestamp, from: number, to: number): number {
    for (let index = from; index < to; index++) {
      const row = this.#chunk.rows[index]
      if (row !== undefined && (this.#timeOf(row) ?? -Infinity) > dueTime) return index
    }
    return to
  }

  #timeOf(row: Row): Timestamp | undefined {
    const time = this.#eventTimeField === undefined ? undefined : row[this.#eventTimeField]
    return typeof time === 'number' ? time : undefined
  }
}
