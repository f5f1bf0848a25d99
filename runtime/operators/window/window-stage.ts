import type { KeyGrouper, RowErrorHandler, WindowTable } from '../../codegen/contracts.ts'
import { compileKeyGrouper } from '../../codegen/key-grouper.ts'
import { compileWindowTable } from '../../codegen/window-table.ts'
import { BATCH_ROWS } from '../../exchange/record-writer.ts'
import { MillraceError } from '../../model/errors.ts'
import { fieldsOf, type Row } from '../../model/schema.ts'
import { MIN_TIMESTAMP, type Timestamp } from '../../model/time.ts'
import type { WindowVerb } from '../../plan/job-graph.ts'
import type { Clock } from '../../ports/clock.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage, OperatorState, Stage } from '../stage.ts'

/** Rows a closing window may emit before the loop gets its turn. */
const FIRE_SLICE_ROWS = 4096

/** A windowed aggregate over keyed rows. */
export class WindowStage implements OperatorStage {
  readonly state: OperatorState
  readonly #table: WindowTable
  readonly #grouper: KeyGrouper
  readonly #next: Stage
  readonly #clock: Clock
  readonly #onError: RowErrorHandler
  readonly #onLate: (count: number) => void
  readonly #groups = new Uint16Array(BATCH_ROWS)
  #watermark: Timestamp = MIN_TIMESTAMP

  constructor(verb: WindowVerb, context: OperatorContext) {
    const { node, inputs: [input], output, maxParallelism } = context
    if (input === undefined) throw new MillraceError('INPUT_MISSING', `window ${node.id} has no input`)
    const keys = fieldsOf(input.schema, node.keyBy ?? [])
    const table = compileWindowTable({
      keys, window: verb.window, aggregates: verb.aggregates, inputSchema: input.schema,
      outputRowClass: output.rowClass, eventTime: verb.eventTime, maxParallelism, operatorId: node.id,
    })
    this.state = {
      scope: 'keyed', size: () => table.size(), snapshot: () => table.snapshot(),
      restore: (group, bytes) => { table.restore(group, bytes) },
    }
    this.#table = table
    this.#grouper = compileKeyGrouper(keys, maxParallelism)
    this.#next = context.next
    this.#clock = context.clock
    this.#onError = context.onError
    this.#onLate = context.onLate
  }

  process(rows: Row[], count: number): Promise<void> {
    this.#grouper(rows, count, this.#groups)
    const late = this.#table.add(rows, count, this.#groups, this.#watermark, this.#onError)
    if (late > 0) this.#onLate(late)
    return Promise.resolve()
  }

  async onWatermark(time: Timestamp): Promise<void> {
    this.#watermark = time
    for (let more = true; more;) {
      const fired: Row[] = []
      more = this.#table.fire(time, FIRE_SLICE_ROWS, (rows, count) => { for (let i = 0; i < count; i++) fired.push(rows[i] as Row) })
      for (let at = 0; at < fired.length; at += BATCH_ROWS) {
        const batch = fired.slice(at, at + BATCH_ROWS)
        await this.#next.process(batch, batch.length, 0)
      }
      if (more) await new Promise<void>((resolve) => { this.#clock.nextTurn(resolve) })
    }
    await this.#next.onWatermark(time)
  }
}

