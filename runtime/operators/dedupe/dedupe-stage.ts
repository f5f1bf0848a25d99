import { type Batch, BATCH_ROWS, RowBatch } from '../../memory/batch.ts'
import type { KeyGrouper } from '../../codegen/contracts.ts'
import { compileKeyGrouper } from '../../codegen/keys/key-grouper.ts'
import { latestFields, type LoopCode } from '../../codegen/records/record-loops.ts'
import type { RecordTable } from '../../state/record-table.ts'
import { MillraceError } from '../../model/errors.ts'
import { fieldsOf, type Field, type Row } from '../../model/schema.ts'
import type { Timestamp } from '../../model/time.ts'
import type { DedupeVerb } from '../../graph/verbs/dedupe.ts'
import { LogStateStore } from '../../state/log-state-store.ts'
import type { OperatorContext } from '../operator-context.ts'
import { refuseUnordered } from '../order-field.ts'
import type { OperatorStage, OperatorState } from '../stage.ts'
import { storedState } from '../stored-state.ts'

export function createDedupeStage(verb: DedupeVerb, context: OperatorContext): OperatorStage {
  return new DedupeStage(verb, context)
}

/**
 * One row per key. `first`: the first row of a key passes, later ones are dropped (Flink's
 * ProcTimeDeduplicateKeepFirstRowFunction). `last`: a row passes when it is not older than the last row that passed
 * (Flink's RowTimeDeduplicateFunction), so the output is a stream of upserts by key. State holds only the key and the
 * order of a row: nothing else decides.
 */
class DedupeStage implements OperatorStage {
  readonly state: OperatorState
  readonly #context: OperatorContext
  readonly #store: LogStateStore
  readonly #table: RecordTable
  readonly #loop: LoopCode
  readonly #grouper: KeyGrouper
  readonly #groups = new Uint16Array(BATCH_ROWS)
  readonly #ttlMs: number | undefined
  readonly #orderBy: Field | undefined

  constructor(verb: DedupeVerb, context: OperatorContext) {
    const {
      node,
      inputs: [input],
      maxParallelism,
      spill,
      clock,
    } = context
    if (input === undefined) throw new MillraceError('INPUT_MISSING', `dedupe ${node.id} has no input`)
    const keyIn = node.keyBy ?? []
    const key = fieldsOf(input.schema, keyIn)
    const { keep, ttlMs } = verb
    const orderBy = keep.which === 'first' ? undefined : fieldsOf(input.schema, [keep.orderBy])[0]
    const schema = { fields: [...key, ...(orderBy === undefined ? [] : latestFields(orderBy, key))] }
    const store = new LogStateStore(
      { key, tables: { kept: { kind: 'value', schema, keyIn, ...(ttlMs === undefined ? {} : { ttlMs }) } } },
      { maxParallelism, spill, now: () => clock.now() },
      { kept: orderBy === undefined ? { kind: 'first' } : { kind: 'latest', field: orderBy } },
    )
    this.state = storedState(store)
    this.#store = store
    this.#context = context
    this.#table = store.records('kept')
    this.#loop = this.#table.code.loop as LoopCode
    this.#grouper = compileKeyGrouper(key, maxParallelism)
    this.#ttlMs = ttlMs
    this.#orderBy = orderBy
  }

  async process(batch: Batch): Promise<void> {
    const { count } = batch
    const rows = batch.rows()
    const { next, clock, node, onError } = this.#context
    const ordered =
      this.#orderBy?.nullable === true ? refuseUnordered(rows, count, this.#orderBy.name, node.id, onError) : count
    this.#grouper(rows, ordered, this.#groups)
    const now = this.#ttlMs === undefined ? 0 : clock.now()
    const since = now - (this.#ttlMs ?? 0)
    const out: Row[] = []
    this.#loop.keep(rows, ordered, this.#groups, this.#table.groupAt, now, since, out)
    if (this.#ttlMs !== undefined) for (let i = 0; i < ordered; i++) this.#table.sweep(this.#groups[i] ?? 0, since)
    if (out.length > 0) await next.process(new RowBatch(out), 0)
  }

  onWatermark(time: Timestamp): Promise<void> {
    return this.#context.next.onWatermark(time)
  }

  close(): Promise<void> {
    this.#store.close()
    return Promise.resolve()
  }
}
