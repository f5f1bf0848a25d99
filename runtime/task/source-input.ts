import { BATCH_ROWS } from '../memory/batch.ts'
import type { MaxEventTime } from '../codegen/contracts.ts'
import type { SourceReader } from '../connectors/source.ts'
import { MillraceError } from '../model/errors.ts'
import type { CheckpointId } from '../model/ids.ts'
import type { SnapshotExtent, Split } from '../model/snapshot.ts'
import { MAX_TIMESTAMP, type Timestamp } from '../model/time.ts'
import type { Clock } from '../ports/clock.ts'
import type { Input, InputStep, TriggerMode } from './input.ts'
import { EventTimeCheck } from './event-time-check.ts'
import { SourcePace } from './source-pace.ts'
import { SplitAlignment, type AlignmentParts } from './split-alignment.ts'
import { WatermarkGenerator, type TimeSignal } from './watermark-generator.ts'

/** How soon a reader that had nothing is asked again. */
const POLL_AGAIN_MS = 5
/**
 * While rows flow, watermarks follow each other at this distance at least (Flink's default is 200 ms): each one flushes
 * every exchange behind it, and small frames cost more than the rows in them.
 */
const WATERMARK_EVERY_MS = 10

/** Feeds a subtask from a source's reader: rows, then the watermark they allow, barriers when asked. */
export class SourceInput implements Input {
  readonly #operatorId: string
  readonly #reader: SourceReader
  readonly #maxEventTime: MaxEventTime | undefined
  readonly #generator: WatermarkGenerator
  readonly #clock: Clock
  readonly #alignment: SplitAlignment | undefined
  readonly #timeCheck: EventTimeCheck
  readonly #pace: SourcePace
  /** The splits in checkpoints that are not complete yet, for readers that want to know when they are. */
  readonly #snapshots = new Map<CheckpointId, Split[]>()
  #restsSince: number | undefined
  #lastTimeAt = -Infinity
  #barrier: { checkpoint: CheckpointId; extent: SnapshotExtent } | undefined
  #time: TimeSignal | undefined
  #lastSplit: string | undefined
  #stopAfterBarrier = false
  #stopped = false
  #ended = false

  constructor(parts: {
    operatorId: string
    reader: SourceReader
    splits: readonly Split[]
    eventTime: { max: MaxEventTime; outOfOrdernessMs: number; idleAfterMs?: number } | undefined
    align?: Pick<AlignmentParts, 'maxDriftMs' | 'tell'>
    /** Called once, with a time that must be of another unit and what to do about it. */
    onOddTime: (time: Timestamp, hint: string) => void
    /** The share of the time in which it reads, until a checkpoint completes. */
    readingShare: number
    clock: Clock
  }) {
    this.#operatorId = parts.operatorId
    this.#reader = parts.reader
    this.#maxEventTime = parts.eventTime?.max
    this.#clock = parts.clock
    this.#timeCheck = new EventTimeCheck(parts.onOddTime)
    this.#pace = new SourcePace(parts.readingShare, parts.clock)
    const { outOfOrdernessMs = 0, idleAfterMs } = parts.eventTime ?? {}
    this.#generator = new WatermarkGenerator(
      {
        outOfOrdernessMs,
        ...(idleAfterMs === undefined ? {} : { idleAfterMs }),
        mayGrow: parts.reader.addSplits !== undefined,
        now: () => parts.clock.now(),
      },
      parts.splits.filter((split) => !split.finished).map((split) => split.id),
    )
    this.#alignment = parts.align && this.#aligned(parts.align)
  }

  #aligned(align: Pick<AlignmentParts, 'maxDriftMs' | 'tell'>): SplitAlignment {
    const reader = this.#reader
    const pauseSplits = reader.pauseSplits?.bind(reader)
    if (pauseSplits === undefined)
      throw new MillraceError(
        'ALIGNMENT_UNSUPPORTED',
        `source ${this.#operatorId} is to be aligned with others, and its connector cannot pause splits`,
        { domain: 'user', hint: 'take eventTime.align out of it' },
      )
    // or the first poll would read ahead
    this.#noteHeadTimes()
    return new SplitAlignment({ ...align, generator: this.#generator, clock: this.#clock, pause: pauseSplits })
  }

  trigger(checkpoint: CheckpointId, extent: SnapshotExtent, mode: TriggerMode): void {
    this.#barrier = { checkpoint, extent }
    this.#stopAfterBarrier = mode === 'stopAfter'
  }

  async next(): Promise<InputStep> {
    if (this.#time !== undefined) return this.#takeTime(this.#time)
    if (this.#barrier !== undefined) return this.#takeBarrier(this.#barrier)
    if (this.#stopped || this.#ended) return { kind: 'idle', retryMs: undefined }
    const restMs = this.#restMs()
    if (restMs > 0) return { kind: 'idle', retryMs: restMs }
    const batch = this.#alignment?.everythingWaits() === true ? undefined : await this.#reader.poll(BATCH_ROWS)
    this.#pace.polled(batch === undefined ? 'nothing' : 'rows')
    if (batch === undefined || batch.split !== this.#lastSplit) this.#noteFinishedSplits()
    this.#lastSplit = batch?.split
    if (this.#reader.isFinished()) this.#ended = true
    if (this.#maxEventTime) {
      this.#noteHeadTimes()
      for (const part of batch ? [batch.batch, ...Object.values(batch.sides ?? {})] : []) {
        if (batch && part.count > 0) this.#noteTime(batch.split, this.#maxEventTime(part.rows(), part.count))
      }
      if (batch === undefined || this.#clock.now() - this.#lastTimeAt >= WATERMARK_EVERY_MS)
        this.#time = this.#generator.advance()
    }
    if (this.#ended) this.#time = MAX_TIMESTAMP
    if (this.#ended) this.#alignment?.end()
    else this.#alignment?.afterPoll(batch === undefined ? 'nothing' : 'rows')
    if (batch)
      return {
        kind: 'batch',
        batch: batch.batch,
        input: 0,
        ...(batch.sides === undefined ? {} : { sides: batch.sides }),
      }
    return this.#time === undefined ? { kind: 'idle', retryMs: POLL_AGAIN_MS } : this.#takeTime(this.#time)
  }

  /** Splits that wait for their turn meanwhile may have rows: taken for idle, they would give late ones. */
  #restMs(): number {
    const restMs = this.#pace.restMs()
    if (restMs > 0) this.#restsSince ??= this.#clock.now()
    else if (this.#restsSince !== undefined) {
      this.#generator.leaveOut(this.#clock.now() - this.#restsSince)
      this.#restsSince = undefined
    }
    return restMs
  }

  #noteTime(split: string, largest: Timestamp): void {
    this.#timeCheck.see(largest)
    this.#generator.onEventTime(split, largest)
  }

  #takeTime(time: TimeSignal): InputStep {
    this.#time = undefined
    this.#lastTimeAt = this.#clock.now()
    return time === 'idle' ? { kind: 'idleInput' } : { kind: 'watermark', time }
  }

  #takeBarrier(barrier: { checkpoint: CheckpointId; extent: SnapshotExtent }): InputStep {
    this.#barrier = undefined
    if (this.#stopAfterBarrier) this.#stopped = true
    return { kind: 'barrier', ...barrier }
  }

  addSplits(splits: readonly Split[]): void {
    if (!this.#reader.addSplits)
      throw new MillraceError(
        'SPLITS_FIXED',
        `source ${this.#operatorId} was given new splits while it runs, and its connector takes none`,
      )
    this.#reader.addSplits(splits)
    for (const split of splits) this.#generator.onAdded(split.id)
  }

  onGroupMinimum(minimum: Timestamp | null): void {
    this.#alignment?.onGroupMinimum(minimum)
  }

  pausedSplits(): number {
    return this.#alignment?.pausedSplits ?? 0
  }

  /** A known next record counts as seen: it will come with a time at or after the watermark that follows. */
  #noteHeadTimes(): void {
    for (const [split, time] of this.#reader.headTimes?.() ?? []) this.#generator.onEventTime(split, time)
  }

  #noteFinishedSplits(): void {
    for (const split of this.#reader.snapshot()) if (split.finished) this.#generator.onFinished(split.id)
  }

  snapshot(checkpoint: CheckpointId): Readonly<Record<string, readonly Split[]>> {
    const splits = this.#reader.snapshot()
    if (this.#reader.notifyCheckpointComplete !== undefined) this.#snapshots.set(checkpoint, splits)
    return { [this.#operatorId]: splits }
  }

  async notifyComplete(checkpoint: CheckpointId): Promise<void> {
    this.#pace.lift()
    const splits = this.#snapshots.get(checkpoint)
    if (splits === undefined) return
    for (const earlier of this.#snapshots.keys()) if (earlier <= checkpoint) this.#snapshots.delete(earlier)
    await this.#reader.notifyCheckpointComplete?.(splits)
  }

  lagRecords(): number | undefined {
    return this.#reader.lagRecords?.()
  }

  close(): Promise<void> {
    return this.#reader.close()
  }
}
