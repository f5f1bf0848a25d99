import { type Batch, BATCH_ROWS, RowBatch } from '../../memory/batch.ts'
import type { KeyGrouper } from '../../codegen/contracts.ts'
import { compileKeyCodec, type KeyCodec } from '../../codegen/keys/key-codec.ts'
import { compileKeyGrouper } from '../../codegen/keys/key-grouper.ts'
import type { RankBy } from '../../codegen/records/record-loops.ts'
import { compileRankRow } from '../../codegen/rows/rank-row.ts'
import { MillraceError } from '../../model/errors.ts'
import { fieldsOf, type Row } from '../../model/schema.ts'
import { MIN_TIMESTAMP, type Timestamp } from '../../model/time.ts'
import type { StateKey } from '../../memory/state-key.ts'
import type { TopNVerb } from '../../graph/verbs/top-n.ts'
import { finalRanking, type FinalRanking } from './final-ranking.ts'
import { rankByOf, refuseUnranked } from './rank-by.ts'
import { LogStateStore } from '../../state/log-state-store.ts'
import type { TimerTable } from '../../state/state-store.ts'
import { emitBatches } from '../emit-batches.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage, OperatorState } from '../stage.ts'
import { storedState } from '../stored-state.ts'

/** Keys whose rankings may come before the loop gets its turn. */
const FIRE_SLICE = 256

/**
 * The n best rows of each key, once, from the best on, when the watermark has passed the event time that all rows of the
 * key have (Flink's WindowRankOperator). State as TopNStage with ranks, and a timer per key.
 */
export class FinalTopNStage implements OperatorStage {
  readonly state: OperatorState
  readonly #context: OperatorContext
  readonly #store: LogStateStore
  readonly #by: readonly RankBy[]
  readonly #time: { field: string; offsetMs: number }
  readonly #ranking: FinalRanking
  readonly #timers: TimerTable
  readonly #keys: KeyCodec
  readonly #grouper: KeyGrouper
  readonly #groups = new Uint16Array(BATCH_ROWS)
  readonly #ranked: (row: Row, rank: number) => Row
  #passed: Timestamp = MIN_TIMESTAMP

  constructor(verb: TopNVerb, time: { field: string; offsetMs: number }, context: OperatorContext) {
    const {
      node,
      inputs: [input],
      output,
      maxParallelism,
      spill,
      clock,
    } = context
    if (input === undefined) throw new MillraceError('INPUT_MISSING', `topN ${node.id} has no input`)
    const by = rankByOf(verb, input.schema, node.id)
    const key = fieldsOf(input.schema, node.keyBy ?? [])
    const ranking = finalRanking({ operatorId: node.id, key, schema: input.schema, by, limit: verb.n })
    const store = new LogStateStore(
      { key, tables: { ...ranking.tables, ends: { kind: 'timers' } } },
      { maxParallelism, spill, now: () => clock.now() },
      ranking.loops,
    )
    this.state = storedState(store)
    this.#store = store
    this.#context = context
    this.#by = by
    this.#time = time
    this.#ranking = ranking.open(store)
    this.#timers = store.timers('ends')
    this.#keys = compileKeyCodec(key)
    this.#grouper = compileKeyGrouper(key, maxParallelism)
    this.#ranked = verb.rank === undefined ? (row) => row : compileRankRow(input.schema, output.rowClass)
  }

  async process(batch: Batch): Promise<void> {
    const { onLate } = this.#context
    const rows = batch.rows()
    const count = refuseUnranked(rows, batch.count, this.#by, this.#context)
    this.#grouper(rows, count, this.#groups)
    const late: Row[] = []
    for (let i = 0; i < count; i++) {
      const row = rows[i] as Row
      const end = this.#endOf(row)
      if (end <= this.#passed) late.push(row)
      else this.#offer(row, this.#groups[i] ?? 0, end)
    }
    if (late.length === 0) return
    onLate(late.length)
    await this.#context.side('late')?.process(new RowBatch(late, late.length), 0)
  }

  async onWatermark(time: Timestamp): Promise<void> {
    this.#passed = time
    for (let more = true; more; ) {
      const out: Row[] = []
      more = this.#timers.due(time, FIRE_SLICE, (group, key) => {
        this.#finish(group, key, out)
      })
      await emitBatches(this.#context.next, out)
      if (more)
        await new Promise<void>((resolve) => {
          this.#context.clock.nextTurn(resolve)
        })
    }
    await this.#context.next.onWatermark(time)
  }

  close(): Promise<void> {
    this.#store.close()
    return Promise.resolve()
  }

  /** A row whose time is null is as one of the beginning of time: late. */
  #endOf(row: Row): Timestamp {
    const time = row[this.#time.field]
    return typeof time === 'number' ? time + this.#time.offsetMs : MIN_TIMESTAMP
  }

  #offer(row: Row, group: number, end: Timestamp): void {
    const key = this.#keys.of(row)
    if (!this.#ranking.offer(group, key, row)) return
    this.#timers.at(group, key, end)
  }

  /** Puts out the ranking of a key and forgets it. */
  #finish(group: number, key: StateKey, out: Row[]): void {
    this.#ranking.take(group, key).forEach((row, place) => {
      out.push(this.#ranked(row, place + 1))
    })
  }
}
