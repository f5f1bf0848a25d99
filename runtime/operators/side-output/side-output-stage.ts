import { type Batch, RowBatch } from '../../memory/batch.ts'
import { compileRouter, type Router } from '../../codegen/router.ts'
import type { Row } from '../../model/schema.ts'
import type { Timestamp } from '../../model/time.ts'
import type { SideOutputVerb } from '../../graph/verbs/side-output.ts'
import { watched } from '../blocking.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage, Stage } from '../stage.ts'

/** Deals rows to named outputs; without state. Flink's OutputTag. */
export function createSideOutputStage(verb: SideOutputVerb, context: OperatorContext): OperatorStage {
  return new SideOutputStage(verb, context)
}

class SideOutputStage implements OperatorStage {
  readonly #route: Router
  readonly #context: OperatorContext
  /** The main output, then those with a condition; undefined where nobody reads. */
  readonly #ends: readonly (Stage | undefined)[]
  readonly #outs: Row[][]
  readonly #counts: number[]
  /** Functions of the user that conditions call. */
  readonly #called: readonly string[]

  constructor(verb: SideOutputVerb, context: OperatorContext) {
    const { functions, node } = context
    this.#route = compileRouter(
      verb.outputs.map((output) => ('function' in output ? { call: functions.function(output.function) } : output)),
      node.id,
    )
    this.#context = context
    this.#ends = [context.next, ...verb.outputs.map(({ name }) => context.side(name))]
    this.#outs = this.#ends.map(() => [])
    this.#counts = this.#ends.map(() => 0)
    this.#called = verb.outputs.flatMap((output) => ('function' in output ? [output.function.function] : []))
  }

  async process(batch: Batch): Promise<void> {
    const { count } = batch
    const rows = batch.rows()
    const { clock, node, onBlocked, onError } = this.#context
    this.#counts.fill(0)
    const route = (): void => {
      this.#route(rows, count, this.#outs, this.#counts, onError)
    }
    if (this.#called.length > 0)
      watched(
        clock,
        (ms) => {
          onBlocked(node.id, this.#called.join(', '), ms)
        },
        route,
      )
    else route()
    for (const [index, end] of this.#ends.entries()) {
      const dealt = this.#counts[index] ?? 0
      if (dealt > 0) await end?.process(new RowBatch(this.#outs[index] as Row[], dealt), 0)
    }
  }

  onWatermark(time: Timestamp): Promise<void> {
    return this.#context.next.onWatermark(time)
  }
}
