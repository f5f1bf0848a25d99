import { type Batch, BATCH_ROWS, RowBatch } from '../../memory/batch.ts'
import type { KeyGrouper } from '../../codegen/contracts.ts'
import { compileKeyCodec, type KeyCodec } from '../../codegen/keys/key-codec.ts'
import { compileKeyGrouper } from '../../codegen/keys/key-grouper.ts'
import { compileReducer, type Reducer } from '../../codegen/aggregates/reducer.ts'
import { MillraceError } from '../../model/errors.ts'
import { fieldsOf, type Row } from '../../model/schema.ts'
import type { Timestamp } from '../../model/time.ts'
import type { ReduceVerb } from '../../graph/verbs/reduce.ts'
import type { StateKey } from '../../memory/state-key.ts'
import { createStateStore, type StateStore, type ValueTable } from '../../state/state-store.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage, OperatorState } from '../stage.ts'
import { storedState } from '../stored-state.ts'

const TABLE = 'reduced'

/**
 * Flink's StreamGroupedReduceOperator: the first row of a key comes out as it is, each further one reduced with
 * what came out last.
 */
export function createReduceStage(verb: ReduceVerb, context: OperatorContext): OperatorStage {
  return new ReduceStage(verb, context)
}

class ReduceStage implements OperatorStage {
  readonly state: OperatorState
  readonly #context: OperatorContext
  readonly #store: StateStore
  readonly #grouper: KeyGrouper
  readonly #codec: KeyCodec
  readonly #rows: ValueTable
  readonly #reduce: Reducer
  readonly #groups = new Uint16Array(BATCH_ROWS)
  readonly #keys: StateKey[] = []
  readonly #out: Row[] = []

  constructor(verb: ReduceVerb, context: OperatorContext) {
    const {
      node,
      inputs: [input],
      output,
      maxParallelism,
      spill,
      clock,
    } = context
    if (input === undefined) throw new MillraceError('INPUT_MISSING', `reduce ${node.id} has no input`)
    const keys = fieldsOf(input.schema, node.keyBy ?? [])
    const store = createStateStore(
      {
        key: keys,
        tables: {
          [TABLE]: { kind: 'value', schema: node.schema, ...(verb.ttlMs === undefined ? {} : { ttlMs: verb.ttlMs }) },
        },
      },
      { maxParallelism, spill, now: () => clock.now() },
    )
    this.state = storedState(store)
    this.#store = store
    this.#context = context
    this.#grouper = compileKeyGrouper(keys, maxParallelism)
    this.#codec = compileKeyCodec(keys)
    this.#rows = store.value(TABLE)
    this.#reduce = compileReducer(verb.fields, output.rowClass)
  }

  async process(batch: Batch): Promise<void> {
    const { count } = batch
    const rows = batch.rows()
    this.#grouper(rows, count, this.#groups)
    for (let i = 0; i < count; i++) this.#keys[i] = this.#codec.of(rows[i] as Row)
    this.#rows.expect(this.#groups, this.#keys, count)
    let made = 0
    for (let i = 0; i < count; i++) {
      const row = rows[i] as Row
      try {
        this.#out[made] = this.#next(row, this.#groups[i] as number, this.#keys[i] as StateKey)
        made++
      } catch (error) {
        this.#context.onError(error, row, this.#context.node.id)
      }
    }
    if (made > 0) await this.#context.next.process(new RowBatch(this.#out, made), 0)
  }

  #next(row: Row, group: number, key: StateKey): Row {
    const previous = this.#rows.get(group, key)
    const next = previous === undefined ? row : this.#reduce(previous, row)
    this.#rows.set(group, key, next)
    return next
  }

  onWatermark(time: Timestamp): Promise<void> {
    return this.#context.next.onWatermark(time)
  }

  close(): Promise<void> {
    this.#store.close()
    return Promise.resolve()
  }
}
