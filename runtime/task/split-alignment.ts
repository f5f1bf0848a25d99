import type { Timestamp } from '../model/time.ts'
import { MAX_TIMESTAMP, MIN_TIMESTAMP } from '../model/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { WatermarkGenerator } from './watermark-generator.ts'

/** How often a subtask reports its minimum while it reads, and while all its splits wait for others. */
const TELL_EVERY_MS = 200
const TELL_WAITING_EVERY_MS = 10

export interface AlignmentParts {
  maxDriftMs: number
  generator: WatermarkGenerator
  clock: Clock
  /** Takes the splits that are not to be read, whenever they are others than before. */
  pause(splits: ReadonlySet<string>): void
  /**
   * Tells the coordinator the least watermark of the splits here; null when there is none that others are to wait
   * for.
   */
  tell(minimum: Timestamp | null): void
}

/**
 * One subtask's part in watermark alignment (Flink's SourceOperator under FLIP-182 and FLIP-217): splits whose
 * watermark is more than `maxDriftMs` ahead of the group's minimum, as last announced, are paused. The split with the
 * minimum is never paused, so that something always moves; idle and finished splits do not count. None of this is
 * state: after a restore the group waits until every split has reported again.
 */
export class SplitAlignment {
  readonly #parts: AlignmentParts
  #limit: Timestamp = MIN_TIMESTAMP
  #paused: ReadonlySet<string> = new Set()
  #minimum: Timestamp | null | undefined
  #told: Timestamp | null | undefined
  #toldAt = -Infinity

  constructor(parts: AlignmentParts) {
    this.#parts = parts
    this.#limit = MIN_TIMESTAMP + parts.maxDriftMs
  }

  get pausedSplits(): number {
    return this.#paused.size
  }

  /** The least watermark of the whole group; null when nobody holds it back. */
  onGroupMinimum(minimum: Timestamp | null): void {
    this.#limit = minimum === null ? MAX_TIMESTAMP : minimum + this.#parts.maxDriftMs
  }

  /** Called before each poll. True when there is nothing that may be read. */
  everythingWaits(): boolean {
    this.#look()
    return this.#paused.size > 0 && this.#paused.size === this.#parts.generator.unfinishedSplits
  }

  /** Called after each poll, or in its place. */
  afterPoll(gave: 'rows' | 'nothing'): void {
    this.#look()
    if (this.#minimum === this.#told) return
    const isWaiting = gave === 'nothing' && this.#paused.size > 0
    const now = this.#parts.clock.now()
    if (this.#told !== undefined && now - this.#toldAt < (isWaiting ? TELL_WAITING_EVERY_MS : TELL_EVERY_MS)) return
    this.#told = this.#minimum
    this.#toldAt = now
    this.#parts.tell(this.#minimum ?? null)
  }

  /** Everything has been read. */
  end(): void {
    if (this.#told !== null) this.#parts.tell(null)
    this.#told = null
  }

  #look(): void {
    const paused = new Set<string>()
    let minimum: Timestamp | null = null
    for (const [split, watermark] of this.#parts.generator.alignedTimes()) {
      if (watermark > this.#limit) paused.add(split)
      minimum = minimum === null ? watermark : Math.min(minimum, watermark)
    }
    this.#minimum = minimum
    if (paused.size === this.#paused.size && paused.isSubsetOf(this.#paused)) return
    this.#paused = paused
    this.#parts.generator.setPaused(paused)
    this.#parts.pause(paused)
  }
}
