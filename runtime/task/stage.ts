import type { Batch } from '../memory/batch.ts'
import type { SinkWriter } from '../connectors/sink.ts'
import type { RecordWriter } from '../exchange/record-writer.ts'
import { MAX_TIMESTAMP, type Timestamp } from '../model/time.ts'
import type { RecordTally } from '../operators/record-tally.ts'
import type { Stage } from '../operators/stage.ts'
import type { TimeShares } from './time-shares.ts'

/** Counts the rows that come to a stage. */
export class CountedStage implements Stage {
  readonly #stage: Stage
  readonly #tally: RecordTally

  constructor(stage: Stage, tally: RecordTally) {
    this.#stage = stage
    this.#tally = tally
  }

  get takesColumns(): boolean {
    return this.#stage.takesColumns === true
  }

  process(batch: Batch, input: number): Promise<void> {
    this.#tally.seen += batch.count
    return this.#stage.process(batch, input)
  }

  onWatermark(time: Timestamp): Promise<void> {
    return this.#stage.onWatermark(time)
  }
}

/** A chain's end in a sink, whose writer may be opened only once the chain has been compiled. */
export class SinkStage implements Stage {
  readonly #writer: () => SinkWriter
  readonly #onOut: (count: number) => void

  constructor(writer: () => SinkWriter, onOut: (count: number) => void) {
    this.#writer = writer
    this.#onOut = onOut
  }

  get takesColumns(): boolean {
    return this.#writer().takesColumns === true
  }

  async process(batch: Batch): Promise<void> {
    await this.#writer().write(batch)
    this.#onOut(batch.count)
  }

  onWatermark(time: Timestamp): Promise<void> {
    if (time === MAX_TIMESTAMP) this.#writer().endInput?.()
    return Promise.resolve()
  }
}

/**
 * An end of a chain whose readers are other chains: writes to every exchange and waits while one is full. Behind a side
 * output it gets its watermarks from the subtask, after the chain has handled them.
 */
export class ExchangeStage implements Stage {
  readonly writers: readonly RecordWriter[]
  readonly #time: TimeShares
  readonly #onOut: (count: number) => void
  #wake: (() => void) | undefined

  constructor(writers: readonly RecordWriter[], time: TimeShares, onOut: (count: number) => void) {
    this.writers = writers
    this.#time = time
    this.#onOut = onOut
  }

  async process(batch: Batch): Promise<void> {
    for (const writer of this.writers) writer.write(batch)
    this.#onOut(batch.count)
    while (this.#mustWait())
      await this.#time.during(
        'backpressured',
        new Promise<void>((resolve) => {
          this.#wake = resolve
        }),
      )
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
