import { MAX_TIMESTAMP, MIN_TIMESTAMP, type Timestamp } from '../model/time.ts'

/** A source's report of its time: a new watermark, or that it is idle for now. */
export type TimeSignal = Timestamp | 'idle'

/**
 * A gap between two looks that is longer was spent elsewhere, e.g. behind a slow sink: no split was idle then
 * (FLIP-471).
 */
const LONGEST_LOOK_MS = 1_000

/** So long the group waits for a split that has never given anything: it may be empty. */
const SILENT_MS = 1_000

/**
 * Bounded out-of-orderness per split, as Flink's BoundedOutOfOrdernessWatermarks: a split's watermark is its
 * largest event time − bound − 1; the source's is the smallest of its unfinished splits, and the end of time
 * when all have finished. Splits that have given nothing yet hold it back. With `idleAfterMs`, a split that gave
 * nothing for so long is left out until it gives something again; when all are, the source is idle (Flink's
 * WatermarksWithIdleness).
 */
export class WatermarkGenerator {
  readonly #outOfOrdernessMs: number
  readonly #idleAfterMs: number
  readonly #mayGrow: boolean
  readonly #now: () => number
  readonly #splits = new Map<string, { largest: Timestamp; activeAt: number }>()
  #current: Timestamp = MIN_TIMESTAMP
  #isIdle = false
  #paused: ReadonlySet<string> = new Set()
  /** Time spent looking; what a split's idleness is measured in. */
  #looked = 0
  #lookedAt: number

  constructor(
    options: {
      outOfOrdernessMs: number
      idleAfterMs?: number
      /** Splits may be added: a source that has none now is idle, and its time has not ended. */
      mayGrow?: boolean
      now: () => number
    },
    splits: Iterable<string>,
  ) {
    this.#outOfOrdernessMs = options.outOfOrdernessMs
    this.#idleAfterMs = options.idleAfterMs ?? Infinity
    this.#mayGrow = options.mayGrow ?? false
    this.#now = options.now
    this.#lookedAt = options.now()
    for (const split of splits) this.#splits.set(split, { largest: MIN_TIMESTAMP, activeAt: 0 })
  }

  onEventTime(split: string, largest: Timestamp): void {
    const known = this.#splits.get(split)
    if (known === undefined) {
      this.#splits.set(split, { largest, activeAt: this.#looked })
      return
    }
    known.activeAt = this.#looked
    if (largest > known.largest) known.largest = largest
  }

  /** A split that came to be while the source runs: as those it began with. */
  onAdded(split: string): void {
    if (!this.#splits.has(split)) this.#splits.set(split, { largest: MIN_TIMESTAMP, activeAt: this.#looked })
  }

  /** These are held up by alignment: they give nothing, and are not idle for it (as in Flink since FLINK-35886). */
  setPaused(paused: ReadonlySet<string>): void {
    this.#paused = paused
  }

  /**
   * The watermark of each split for which others of an alignment group wait; idle splits are left out. A split that has
   * given nothing yet is at the beginning of time, and after `SILENT_MS` no longer counts.
   */
  *alignedTimes(): Iterable<readonly [split: string, watermark: Timestamp]> {
    for (const [split, { largest, activeAt }] of this.#splits) {
      const silentMs = this.#looked - activeAt
      if (silentMs >= this.#idleAfterMs || (largest === MIN_TIMESTAMP && silentMs >= SILENT_MS)) continue
      yield [split, largest === MIN_TIMESTAMP ? MIN_TIMESTAMP : largest - this.#outOfOrdernessMs - 1]
    }
  }

  onFinished(split: string): void {
    this.#splits.delete(split)
  }

  get unfinishedSplits(): number {
    return this.#splits.size
  }

  /** Called at every look at the source. The new watermark when it has advanced or time goes on after idleness. */
  advance(): TimeSignal | undefined {
    this.#look()
    const active = [...this.#splits.values()].filter(({ activeAt }) => this.#looked - activeAt < this.#idleAfterMs)
    if (active.length === 0 && (this.#splits.size > 0 || this.#mayGrow)) return this.#goIdle()
    const smallest = active.reduce((least, { largest }) => Math.min(least, largest), MAX_TIMESTAMP)
    const watermark =
      smallest === MAX_TIMESTAMP || smallest === MIN_TIMESTAMP ? smallest : smallest - this.#outOfOrdernessMs - 1
    const wakes = this.#isIdle && watermark > MIN_TIMESTAMP
    if (watermark <= this.#current && !wakes) return undefined
    this.#isIdle = false
    this.#current = Math.max(this.#current, watermark)
    return this.#current
  }

  /** For so long since the last look the source was asked for nothing: no split was idle for it. */
  leaveOut(ms: number): void {
    this.#lookedAt += ms
  }

  #look(): void {
    const now = this.#now()
    this.#looked += Math.min(now - this.#lookedAt, LONGEST_LOOK_MS)
    this.#lookedAt = now
    for (const split of this.#paused) {
      const known = this.#splits.get(split)
      if (known !== undefined) known.activeAt = this.#looked
    }
  }

  #goIdle(): 'idle' | undefined {
    if (this.#isIdle) return undefined
    this.#isIdle = true
    return 'idle'
  }
}
