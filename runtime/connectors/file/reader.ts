import { RowBatch } from '../../memory/batch.ts'
import type { RowClass } from '../../codegen/rows/row.ts'
import type { Split } from '../../model/snapshot.ts'
import type { Timestamp } from '../../model/time.ts'
import type { ReaderContext, SourceBatch, SourceReader } from '../source.ts'
import { FileAccess, nullableEventTime } from './file-access.ts'
import type { FileSourceOptions } from './declaration.ts'
import { PendingResult } from '../kit/pending-result.ts'
import { pacing, type Pacing } from '../kit/pacing.ts'
import { InputFiles, isRemote } from './input-files.ts'
import { storageRetry } from './storage-retry.ts'
import { SplitCursor } from './split-cursor.ts'

/**
 * Reads the splits of one slot. Without replay one after the other; with `rate: 1000x` the rows of all splits as
 * their event time comes, on a clock whose origin all slots share. A split is opened only when its first row is due,
 * so that a year of row groups is not decoded at once.
 */
export class FileReader implements SourceReader {
  readonly #context: ReaderContext
  readonly #access: FileAccess
  readonly #follows: boolean
  readonly #pending: PendingResult<'filled'>
  readonly #closing = new AbortController()
  #cursors: SplitCursor[] = []
  #paused: ReadonlySet<string> = new Set()
  #pacing: Pacing | undefined

  constructor(context: ReaderContext, options: FileSourceOptions, rows: RowClass) {
    const { ports, baseDir } = context
    this.#context = context
    this.#follows = options.lookAgain !== undefined
    this.#pending = new PendingResult(ports.clock)
    this.#access = new FileAccess({
      ports,
      baseDir,
      inputs: new InputFiles({
        ports,
        baseDir,
        patterns: options.paths,
        retry: storageRetry(context, this.#closing.signal),
        patienceMs: Infinity,
      }),
      format: options.format,
      schema: context.schema,
      rows,
      eventTimeField: nullableEventTime(context.schema, context.verb.eventTime?.field),
      onBadRecord: (error, where, raw) => {
        context.onBadRecord(error, where, raw)
      },
    })
  }

  async open(splits: readonly Split[]): Promise<void> {
    const { verb, ports, parallelism } = this.#context
    this.#cursors = splits.map((split) => this.#cursorOf(split))
    const origin = verb.rate?.kind === 'replay' ? await this.#originTime() : undefined
    this.#pacing = pacing(verb.rate, origin, parallelism, ports.clock.now())
  }

  addSplits(splits: readonly Split[]): void {
    this.#cursors.push(...splits.map((split) => this.#cursorOf(split)))
  }

  async poll(maxRows: number): Promise<SourceBatch | undefined> {
    const now = this.#context.ports.clock.now()
    const allowed = this.#pacing?.allowance(maxRows, now) ?? maxRows
    if (allowed < 1) return undefined
    const dueTime = this.#pacing?.dueTime(now) ?? Infinity
    const cursor = await this.#nextCursor(dueTime)
    const rows = cursor?.take(allowed, dueTime)
    if (!cursor || !rows || rows.length === 0) return undefined
    this.#pacing?.onEmitted(rows.length)
    return { split: cursor.id, batch: new RowBatch(rows) }
  }

  snapshot(): Split[] {
    return this.#cursors.map((cursor) => cursor.snapshot())
  }

  isFinished(): boolean {
    return !this.#follows && this.#cursors.every((cursor) => cursor.finished)
  }

  pauseSplits(paused: ReadonlySet<string>): void {
    this.#paused = paused
  }

  headTimes(): (readonly [split: string, time: Timestamp])[] {
    const heads: (readonly [string, Timestamp])[] = []
    for (const cursor of this.#cursors) {
      const time = cursor.finished ? undefined : cursor.headTime()
      if (time !== undefined) heads.push([cursor.id, time])
    }
    return heads
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#cursors = []
  }

  /** The split to read from now, filled; undefined when none has a row that is due. */
  async #nextCursor(dueTime: Timestamp): Promise<SplitCursor | undefined> {
    for (;;) {
      const cursor =
        dueTime === Infinity ? this.#cursors.find((candidate) => this.#isReadable(candidate)) : this.#earliest()
      if (!cursor || (cursor.headTime() ?? -Infinity) > dueTime) return undefined
      if (!(await this.#fill(cursor))) return undefined
      if (!cursor.finished) return cursor
    }
  }

  /** False while the rows are still on their way: objects are read between polls, so that barriers are not held up. */
  async #fill(cursor: SplitCursor): Promise<boolean> {
    if (cursor.hasRows) return true
    if (!isRemote(cursor.id)) {
      await cursor.fill()
      return true
    }
    if (!this.#pending.isUnderWay) this.#pending.start(cursor.fill().then(() => 'filled'))
    return (await this.#pending.take()) !== undefined
  }

  #cursorOf(split: Split): SplitCursor {
    return new SplitCursor(split, this.#context.verb.eventTime?.field, (position) =>
      this.#access.open(split.id, position),
    )
  }

  #earliest(): SplitCursor | undefined {
    let earliest: SplitCursor | undefined
    for (const cursor of this.#cursors) {
      if (!this.#isReadable(cursor)) continue
      if (!earliest || (cursor.headTime() ?? -Infinity) < (earliest.headTime() ?? -Infinity)) earliest = cursor
    }
    return earliest
  }

  #isReadable(cursor: SplitCursor): boolean {
    return !cursor.finished && !this.#paused.has(cursor.id)
  }

  /** The enumerator's, the same in every slot; splits that did not come from it are peeked at here. */
  async #originTime(): Promise<Timestamp | undefined> {
    const given = this.#cursors.find((cursor) => cursor.originTime !== undefined)?.originTime
    if (given !== undefined) return given
    let origin: Timestamp | undefined
    for (const cursor of this.#cursors) {
      await cursor.fill()
      const time = cursor.finished ? undefined : cursor.headTime()
      if (time !== undefined && (origin === undefined || time < origin)) origin = time
    }
    return origin
  }
}
