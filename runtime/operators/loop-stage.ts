import { type Batch, RowBatch } from '../memory/batch.ts'
import { compileChainLoop, type ChainStep } from '../codegen/chain.ts'
import type { ChainLoop } from '../codegen/contracts.ts'
import type { Row } from '../model/schema.ts'
import type { Timestamp } from '../model/time.ts'
import { watched } from './blocking.ts'
import type { OperatorContext } from './operator-context.ts'
import type { RecordTallies } from './record-tally.ts'
import type { Stage } from './stage.ts'

type LoopContext = Pick<OperatorContext, 'clock' | 'onBlocked' | 'onError'> & { readonly tallies: RecordTallies }

/** filter and map, by expression or function: one generated loop. */
export class LoopStage implements Stage {
  readonly #loop: ChainLoop
  readonly #next: Stage
  readonly #context: LoopContext
  /** The operators of the loop that call the user's code. */
  readonly #calling: readonly string[]
  readonly #out: Row[] = []
  #rowsIn = 0

  constructor(steps: readonly ChainStep[], context: LoopContext, next: Stage) {
    this.#loop = compileChainLoop(steps)
    this.#calling = steps.flatMap((step) =>
      step.kind === 'userFilter' || step.kind === 'userMap' ? [step.operatorId] : [],
    )
    this.#context = context
    this.#next = next
    this.#countSteps(steps)
  }

  /** A step sees the rows that came in and that no step before it has dropped or refused. */
  #countSteps(steps: readonly ChainStep[]): void {
    const tallies = steps.map(({ operatorId }) => this.#context.tallies.of(operatorId))
    tallies.forEach((tally, index) => {
      tally.derive(() =>
        tallies
          .slice(0, index)
          .reduce((left, before, step) => left - before.refusedCount - (this.#loop.dropped[step] ?? 0), this.#rowsIn),
      )
    })
  }

  async process(batch: Batch): Promise<void> {
    const { count } = batch
    const rows = batch.rows()
    this.#rowsIn += count
    const passed =
      this.#calling.length === 0
        ? this.#run(rows, count)
        : watched(
            this.#context.clock,
            (ms) => {
              this.#onBlocked(ms)
            },
            () => this.#run(rows, count),
          )
    if (passed > 0) await this.#next.process(new RowBatch(this.#out, passed), 0)
  }

  #run(rows: Row[], count: number): number {
    return this.#loop(rows, count, this.#out, this.#context.onError)
  }

  #onBlocked(ms: number): void {
    this.#context.onBlocked(this.#calling[0] ?? '', this.#calling.join(', '), ms)
  }

  onWatermark(time: Timestamp): Promise<void> {
    return this.#next.onWatermark(time)
  }
}
