import type { ChainLoop, KeyGrouper, RowErrorHandler, WindowTable } from '../codegen/contracts.ts'
import type { SinkWriter } from '../connectors/sink.ts'
import type { RecordWriter } from '../exchange/record-writer.ts'
import { BATCH_ROWS } from '../exchange/record-writer.ts'
import type { Row } from '../model/schema.ts'
import { MIN_TIMESTAMP, type Timestamp } from '../model/time.ts'
import type { Clock } from '../ports/clock.ts'

/**
 * A stretch of a subtask's chain: takes batches and watermarks in order and hands on what comes of them.
 * Never called concurrently; a call resolves when the batch has gone all the way, which is how a slow end
 * holds back the input. rows[0..count) are the stage's until it resolves, count ≤ 1024.
 */
export interface Stage {
  process(rows: Row[], count: number): Promise<void>
  onWatermark(time: Timestamp): Promise<void>
}

/** filter and map: one generated loop. */
export class LoopStage implements Stage {
  readonly #loop: ChainLoop
  readonly #next: Stage
  readonly #onError: RowErrorHandler
  readonly #out: Row[] = []

  constructor(loop: ChainLoop, onError: RowErrorHandler, next: Stage) {
    this.#loop = loop
    this.#onError = onError
    this.#next = next
  }

  async process(rows: Row[], count: number): Promise<void> {
    const passed = this.#loop(rows, count, this.#out, this.#onError)
    if (passed > 0) await this.#next.process(this.#out, passed)
  }

  onWatermark(time: Timestamp): Promise<void> { return this.#next.onWatermark(time) }
}

/** Rows a closing window may emit before the loop gets its turn. */
const FIRE_SLICE_ROWS = 4096

/** A windowed aggregate over keyed rows. */
export class WindowStage implements Stage {
  readonly table: WindowTable
  readonly #grouper: KeyGrouper
  readonly #next: Stage
  readonly #clock: Clock
  readonly #onError: RowErrorHandler
  readonly #onLate: (count: number) => void
  readonly #groups = new Uint16Array(BATCH_ROWS)
  #watermark: Timestamp = MIN_TIMESTAMP

  constructor(parts: {
    table: WindowTable; grouper: KeyGrouper; next: Stage; clock: Clock
    onError: RowErrorHandler; onLate: (count: number) => void
  }) {
    this.table = parts.table
    this.#grouper = parts.grouper
    this.#next = parts.next
    this.#clock = parts.clock
    this.#onError = parts.onError
    this.#onLate = parts.onLate
  }

  process(rows: Row[], count: number): Promise<void> {
    this.#grouper(rows, count, this.#groups)
    const late = this.table.add(rows, count, this.#groups, this.#watermark, this.#onError)
    if (late > 0) this.#onLate(late)
    return Promise.resolve()
  }

  async onWatermark(time: Timestamp): Promise<void> {
    this.#watermark = time
    for (let more = true; more;) {
      const fired: Row[] = []
      more = this.table.fire(time, FIRE_SLICE_ROWS, (rows, count) => { for (let i = 0; i < count; i++) fired.push(rows[i] as Row) })
      for (let at = 0; at < fired.length; at += BATCH_ROWS) {
        const batch = fired.slice(at, at + BATCH_ROWS)
        await this.#next.process(batch, batch.length)
      }
      if (more) await new Promise<void>((resolve) => { this.#clock.nextTurn(resolve) })
    }
    await this.#next.onWatermark(time)
  }
}

export class SinkStage implements Stage {
  readonly #writer: SinkWriter
  readonly #onOut: (count: number) => void

  constructor(writer: SinkWriter, onOut: (count: number) => void) {
    this.#writer = writer
    this.#onOut = onOut
  }

  async process(rows: Row[], count: number): Promise<void> {
    await this.#writer.write(rows, count)
    this.#onOut(count)
  }

  onWatermark(): Promise<void> { return Promise.resolve() }
}

/** The end of a chain whose readers are other chains: writes to every exchange and waits while one is full. */
export class ExchangeStage implements Stage {
  readonly writers: readonly RecordWriter[]
  readonly #onOut: (count: number) => void
  #wake: (() => void) | undefined

  constructor(writers: readonly RecordWriter[], onOut: (count: number) => void) {
    this.writers = writers
    this.#onOut = onOut
  }

  async process(rows: Row[], count: number): Promise<void> {
    for (const writer of this.writers) writer.write(rows, count)
    this.#onOut(count)
    while (this.#mustWait()) await new Promise<void>((resolve) => { this.#wake = resolve })
  }

  /** Throws when a channel is lost: the subtask has failed. */
  #mustWait(): boolean {
    for (const writer of this.writers) if (writer.failure) throw writer.failure
    return this.writers.some((writer) => writer.isFull)
  }

  onWatermark(time: Timestamp): Promise<void> {
    for (const writer of this.writers) writer.watermark(time)
    return Promise.resolve()
  }

  /** Called when a channel has drained, was attached or was lost. */
  wake(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
