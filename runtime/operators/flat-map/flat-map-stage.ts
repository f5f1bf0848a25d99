import { type Batch, BATCH_ROWS } from '../../memory/batch.ts'
import { compileRowMaker, refusePromise } from '../../codegen/rows/row-maker.ts'
import { compileUnnest, type RowExpander } from '../../codegen/unnest.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import type { Timestamp } from '../../model/time.ts'
import type { FlatMapVerb } from '../../graph/verbs/flat-map.ts'
import { watched } from '../blocking.ts'
import { emitBatches } from '../emit-batches.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage } from '../stage.ts'

/**
 * One row becomes any number of rows; without state. A row of which one new row is wrong gives none. Flink's
 * FlatMapFunction.
 */
export function createFlatMapStage(verb: FlatMapVerb, context: OperatorContext): OperatorStage {
  return new FlatMapStage(expanderOf(verb, context), 'unnest' in verb ? 'unnest' : verb.function.function, context)
}

function expanderOf(verb: FlatMapVerb, { inputs: [input], output, functions, node }: OperatorContext): RowExpander {
  if (input === undefined) throw new MillraceError('INPUT_MISSING', `flatMap ${node.id} has no input`)
  if ('unnest' in verb) return compileUnnest(input.schema, verb.unnest, output.rowClass)
  const call = functions.function(verb.function)
  const make = compileRowMaker(output.schema, output.rowClass)
  return (row, out) => {
    for (const value of iterable(call(row))) out.push(make(value))
  }
}

function iterable(value: unknown): Iterable<unknown> {
  if (typeof value === 'object' && value !== null && Symbol.iterator in value) return value as Iterable<unknown>
  if (value instanceof Promise) refusePromise(value)
  throw new MillraceError(
    'VALUE_INVALID',
    `the function gave the ${typeof value} ${String(value)}, not a list of rows`,
    { domain: 'user', hint: 'return [] for none, or write a generator' },
  )
}

class FlatMapStage implements OperatorStage {
  readonly #expand: RowExpander
  /** What is named when it takes too long. */
  readonly #name: string
  readonly #context: OperatorContext

  constructor(expand: RowExpander, name: string, context: OperatorContext) {
    this.#expand = expand
    this.#name = name
    this.#context = context
  }

  async process(batch: Batch): Promise<void> {
    const { count } = batch
    const rows = batch.rows()
    const { clock, next, node, onBlocked } = this.#context
    for (let at = 0; at < count; ) {
      const out: Row[] = []
      at = watched(
        clock,
        (ms) => {
          onBlocked(node.id, this.#name, ms)
        },
        () => this.#fill(rows, at, count, out),
      )
      await emitBatches(next, out)
    }
  }

  /** Expands rows until there is a batch; returns how far it came. */
  #fill(rows: readonly Row[], from: number, count: number, out: Row[]): number {
    let at = from
    for (; at < count && out.length < BATCH_ROWS; at++) {
      const row = rows[at] as Row
      const before = out.length
      try {
        this.#expand(row, out)
      } catch (error) {
        out.length = before
        this.#context.onError(error, row, this.#context.node.id)
      }
    }
    return at
  }

  onWatermark(time: Timestamp): Promise<void> {
    return this.#context.next.onWatermark(time)
  }
}
