import { type Batch, BATCH_ROWS } from '../../memory/batch.ts'
import type { KeyGrouper } from '../../codegen/contracts.ts'
import { compileKeyCodec, type KeyCodec } from '../../codegen/keys/key-codec.ts'
import { compileKeyGrouper } from '../../codegen/keys/key-grouper.ts'
import type { RankBy } from '../../codegen/records/record-loops.ts'
import { compileRankRow } from '../../codegen/rows/rank-row.ts'
import { MillraceError } from '../../model/errors.ts'
import { fieldsOf, type Row } from '../../model/schema.ts'
import type { Timestamp } from '../../model/time.ts'
import type { TopNVerb } from '../../graph/verbs/top-n.ts'
import { createStateStore, type StateStore } from '../../state/state-store.ts'
import { emitBatches } from '../emit-batches.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage, OperatorState } from '../stage.ts'
import { storedState } from '../stored-state.ts'
import { rankByOf, refuseUnranked } from './rank-by.ts'
import { rankedList, RankedLists } from './ranked-lists.ts'

/** What TopNStage does, by texts: slower, since the whole ranking of a key is read for each of its rows. */
export class TextTopNStage implements OperatorStage {
  readonly state: OperatorState
  readonly #context: OperatorContext
  readonly #store: StateStore
  readonly #by: readonly RankBy[]
  readonly #rankings: RankedLists
  readonly #keys: KeyCodec
  readonly #grouper: KeyGrouper
  readonly #groups = new Uint16Array(BATCH_ROWS)
  /** Absent: ranks are not put out. */
  readonly #withRank: ((row: Row, rank: number) => Row) | undefined

  constructor(verb: TopNVerb, context: OperatorContext) {
    const {
      node,
      inputs: [input],
      output,
      maxParallelism,
      spill,
      clock,
    } = context
    if (input === undefined) throw new MillraceError('INPUT_MISSING', `topN ${node.id} has no input`)
    const key = fieldsOf(input.schema, node.keyBy ?? [])
    const { ttlMs } = verb
    const ranked = rankedList({ schema: input.schema, ...(ttlMs === undefined ? {} : { ttlMs }) })
    const store = createStateStore({ key, tables: { ranked } }, { maxParallelism, spill, now: () => clock.now() })
    this.#by = rankByOf(verb, input.schema, node.id)
    this.state = storedState(store)
    this.#store = store
    this.#context = context
    this.#rankings = new RankedLists(store.list('ranked'), this.#by, verb.n)
    this.#keys = compileKeyCodec(key)
    this.#grouper = compileKeyGrouper(key, maxParallelism)
    this.#withRank = verb.rank === undefined ? undefined : compileRankRow(input.schema, output.rowClass)
  }

  async process(batch: Batch): Promise<void> {
    const rows = batch.rows()
    const count = refuseUnranked(rows, batch.count, this.#by, this.#context)
    this.#grouper(rows, count, this.#groups)
    for (let i = 0; i < count; ) {
      const out: Row[] = []
      for (; i < count && out.length < BATCH_ROWS; i++) this.#offer(rows[i] as Row, this.#groups[i] ?? 0, out)
      await emitBatches(this.#context.next, out)
    }
  }

  onWatermark(time: Timestamp): Promise<void> {
    return this.#context.next.onWatermark(time)
  }

  close(): Promise<void> {
    this.#store.close()
    return Promise.resolve()
  }

  /** Puts out a row that enters, with ranks also those that it moves down. */
  #offer(row: Row, group: number, out: Row[]): void {
    const ranking = this.#rankings.offer(group, this.#keys.of(row), row)
    if (ranking === undefined) return
    const { rows, place } = ranking
    const withRank = this.#withRank
    if (withRank === undefined) out.push(row)
    else for (let at = place; at < rows.length; at++) out.push(withRank(rows[at] as Row, at + 1))
  }
}
