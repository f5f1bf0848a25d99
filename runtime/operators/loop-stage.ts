import type { ChainLoop, RowErrorHandler } from '../codegen/contracts.ts'
import type { Row } from '../model/schema.ts'
import type { Timestamp } from '../model/time.ts'
import type { Stage } from './stage.ts'

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
    if (passed > 0) await this.#next.process(this.#out, passed, 0)
  }

  onWatermark(time: Timestamp): Promise<void> { return this.#next.onWatermark(time) }
}
