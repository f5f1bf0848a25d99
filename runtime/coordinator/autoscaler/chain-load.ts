import type { SubtaskMetrics } from '../../control/messages.ts'
import type { SubtaskId } from '../../model/ids.ts'

/** What the slots of one chain did in one interval, together. */
export interface ChainLoad {
  /** Slots that reported. */
  readonly slots: number
  /** Milliseconds of a slot, on average. */
  readonly elapsedMs: number
  /** How many slots' worth of time was work: 1.5 of 2 slots. */
  readonly busySlots: number
  /** The share of the time, 0 to 1, in which slots waited for readers. */
  readonly backpressured: number
  /** Records and rows that were taken in. */
  readonly recordsIn: number
  /** Records that waited outside at the end, and how many more than at the beginning; null when nobody knows. */
  readonly lag: { readonly records: number; readonly growth: number } | null
}

type Sample = Pick<SubtaskMetrics, 'recordsIn' | 'lagRecords'> & {
  readonly time: NonNullable<SubtaskMetrics['time']>
}

/**
 * Turns the counters of the heartbeats of one attempt into loads of intervals. A subtask counts in an interval only from
 * its first heartbeat on.
 */
export class LoadCounter {
  readonly #newest = new Map<SubtaskId, Sample>()
  #before = new Map<SubtaskId, Sample>()

  /** Metrics without usable times are left out: they are a worker's own words. */
  observe(subtask: SubtaskId, { time, recordsIn, lagRecords }: SubtaskMetrics): void {
    if (time === undefined || ![time.elapsed, time.idle, time.backpressured, recordsIn].every(isCount)) return
    this.#newest.set(subtask, { time, recordsIn, lagRecords: isCount(lagRecords) ? lagRecords : null })
  }

  /** The load of these subtasks, which are the slots of one chain, since the last `endInterval`. Undefined: none reported. */
  load(subtasks: readonly SubtaskId[]): ChainLoad | undefined {
    const pairs = subtasks.flatMap((subtask) => {
      const [before, now] = [this.#before.get(subtask), this.#newest.get(subtask)]
      return before === undefined || now === undefined || now.time.elapsed <= before.time.elapsed
        ? []
        : [{ before, now }]
    })
    if (pairs.length === 0) return undefined
    const slots = pairs.map(({ before, now }) => {
      const elapsed = now.time.elapsed - before.time.elapsed
      const idle = now.time.idle - before.time.idle
      const backpressured = now.time.backpressured - before.time.backpressured
      return {
        elapsed,
        busy: clamp((elapsed - idle - backpressured) / elapsed),
        backpressured: clamp(backpressured / elapsed),
        recordsIn: Math.max(0, now.recordsIn - before.recordsIn),
      }
    })
    const mean = (of: (slot: (typeof slots)[number]) => number): number => sum(slots.map(of)) / slots.length
    return {
      slots: slots.length,
      elapsedMs: mean(({ elapsed }) => elapsed),
      busySlots: sum(slots.map(({ busy }) => busy)),
      backpressured: mean(({ backpressured }) => backpressured),
      recordsIn: sum(slots.map(({ recordsIn }) => recordsIn)),
      lag: lagOf(pairs),
    }
  }

  endInterval(): void {
    this.#before = new Map(this.#newest)
  }
}

function lagOf(pairs: readonly { before: Sample; now: Sample }[]): ChainLoad['lag'] {
  const known = pairs.flatMap(({ before, now }) =>
    before.lagRecords === null || now.lagRecords === null ? [] : [{ before: before.lagRecords, now: now.lagRecords }],
  )
  if (known.length < pairs.length) return null
  const records = sum(known.map(({ now }) => now))
  return { records, growth: records - sum(known.map(({ before }) => before)) }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share))
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
