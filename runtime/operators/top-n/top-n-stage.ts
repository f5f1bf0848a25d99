import { type Batch, BATCH_ROWS, type Columns } from '../../memory/batch.ts'
import { ColumnBatch } from '../../memory/column-batch.ts'
import { isNumberKey } from '../../memory/state-key.ts'
import type { KeyGrouper } from '../../codegen/contracts.ts'
import { compileKeyCodec, type KeyCodec } from '../../codegen/keys/key-codec.ts'
import { type ColumnGrouper, compileColumnGrouper, compileKeyGrouper } from '../../codegen/keys/key-grouper.ts'
import { compileColumnRows } from '../../codegen/rows/column-rows.ts'
import { compileRankRow } from '../../codegen/rows/rank-row.ts'
import { rankFields, type LoopCode, type RankBy, type RankLoop } from '../../codegen/records/record-loops.ts'
import type { RecordTable } from '../../state/record-table.ts'
import { compileRowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import { isOrderedByDigits } from '../../model/order-numbers.ts'
import { fieldsOf, type Field, type Row } from '../../model/schema.ts'
import type { Timestamp } from '../../model/time.ts'
import type { TopNVerb } from '../../graph/verbs/top-n.ts'
import { rankByOf, refuseUnranked } from './rank-by.ts'
import { LogStateStore } from '../../state/log-state-store.ts'
import type { TableShape } from '../../state/state-store.ts'
import { emitBatches } from '../emit-batches.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage, OperatorState } from '../stage.ts'
import { storedState } from '../stored-state.ts'
import { RankedRows } from './ranked-rows.ts'

const SLOT: Field = { name: 'slot', type: 'long', nullable: false }

/** The means of ranking the columns of a batch, where the key is one number and rows are ordered by another. */
interface ColumnPath {
  readonly rows: RankedRows
  readonly keyPlace: number
  readonly byPlace: number
  readonly grouper: ColumnGrouper
  readonly out: ColumnBatch
}

export function createTopNStage(verb: TopNVerb, context: OperatorContext): OperatorStage {
  return new TopNStage(verb, context)
}

/**
 * The n best rows of each key, of equal ones the earlier first (Flink's AppendOnlyTopNFunction). Without ranks a
 * row that enters is put out; with ranks also every row that it moves down, so that what comes out is a stream of
 * upserts by key and rank. Per key one record of the values (and slots) from best to worst decides; most rows touch
 * nothing else. With ranks the rows are kept too: the row that enters takes the slot of the one that leaves.
 */
class TopNStage implements OperatorStage {
  readonly state: OperatorState
  readonly #context: OperatorContext
  readonly #store: LogStateStore
  readonly #by: readonly RankBy[]
  readonly #places: RecordTable
  readonly #loop: LoopCode
  readonly #rows: RankedRows | undefined
  readonly #columns: ColumnPath | undefined
  readonly #keys: KeyCodec
  readonly #withRank: (row: Row, rank: number) => Row
  readonly #grouper: KeyGrouper
  readonly #groups = new Uint16Array(BATCH_ROWS)
  readonly #ttlMs: number | undefined

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
    const by = rankByOf(verb, input.schema, node.id)
    const keyIn = node.keyBy ?? []
    const key = fieldsOf(input.schema, keyIn)
    const { n: count, ttlMs } = verb
    const slots = verb.rank !== undefined
    const loop: RankLoop = { kind: 'rank', by, count, slots }
    const places: TableShape = {
      kind: 'value',
      schema: { fields: [...key, ...rankFields(loop)] },
      keyIn,
      ...(ttlMs === undefined ? {} : { ttlMs }),
    }
    const rows: TableShape = {
      kind: 'slots',
      userKey: [SLOT],
      keyIn,
      schema: input.schema,
      rowClass: compileRowClass(input.schema),
    }
    const isNumber = isNumberKey(key)
    const store = new LogStateStore(
      { key, tables: { places, ...(slots ? { rows } : {}) } },
      { maxParallelism, spill, now: () => clock.now() },
      { places: loop, ...(slots ? { rows: { kind: 'ranked', from: isNumber ? 'columns' : 'rows' } } : {}) },
    )
    this.state = storedState(store)
    this.#store = store
    this.#context = context
    this.#by = by
    this.#places = store.records('places')
    this.#loop = this.#places.code.loop as LoopCode
    this.#rows = slots
      ? new RankedRows(this.#places, store.records('rows'), count, spill === undefined ? 'in memory' : 'on disk too')
      : undefined
    this.#keys = compileKeyCodec(key)
    this.#withRank = slots ? compileRankRow(input.schema, output.rowClass) : (row) => row
    this.#grouper = compileKeyGrouper(key, maxParallelism)
    this.#ttlMs = ttlMs
    const [keyField] = key
    const [{ field: value } = { field: undefined }, ...further] = by
    if (
      this.#rows !== undefined &&
      isNumber &&
      keyField !== undefined &&
      value !== undefined &&
      further.length === 0 &&
      !isOrderedByDigits(value)
    )
      this.#columns = {
        rows: this.#rows,
        keyPlace: input.schema.fields.indexOf(keyField),
        byPlace: input.schema.fields.indexOf(value),
        grouper: compileColumnGrouper(input.schema.fields, key, maxParallelism),
        out: new ColumnBatch(node.schema.fields, compileColumnRows(node.schema, output.rowClass)),
      }
  }

  get takesColumns(): boolean {
    return this.#columns !== undefined && this.#context.next.takesColumns === true
  }

  process(batch: Batch): Promise<void> {
    const columns = this.takesColumns ? batch.columns : undefined
    const path = this.#columns
    return columns === undefined || path === undefined || columns.nulls(path.byPlace) !== undefined
      ? this.#processRows(batch.rows(), batch.count)
      : this.#processColumns(batch, columns, path)
  }

  async #processRows(rows: Row[], count: number): Promise<void> {
    const { next, clock } = this.#context
    const ordered = refuseUnranked(rows, count, this.#by, this.#context)
    this.#grouper(rows, ordered, this.#groups)
    const now = this.#ttlMs === undefined ? 0 : clock.now()
    const since = now - (this.#ttlMs ?? 0)
    for (let i = 0; i < ordered; ) {
      const out: Row[] = []
      for (; i < ordered && out.length < BATCH_ROWS; i++)
        this.#offer(rows[i] as Row, this.#groups[i] ?? 0, now, since, out)
      await emitBatches(next, out)
    }
  }

  onWatermark(time: Timestamp): Promise<void> {
    return this.#context.next.onWatermark(time)
  }

  close(): Promise<void> {
    this.#store.close()
    return Promise.resolve()
  }

  #offer(row: Row, group: number, now: number, since: number, out: Row[]): void {
    const place = this.#loop.offer(this.#places.groupAt(group), row, now, since)
    if (place >= 0 && this.#rows === undefined) out.push(row)
    if (place >= 0 && this.#rows !== undefined) this.#enter(this.#rows, row, group, place, out)
    this.#sweep(group, since)
  }

  /** When a ranking's time is over its rows go with it. */
  #sweep(group: number, since: number): void {
    if (this.#ttlMs !== undefined)
      this.#places.sweep(group, since, (a) => {
        this.#rows?.clear(group, a)
      })
  }

  /** No row is made: texts go as bytes from the batch to the records, and from them to the batch that goes on. */
  async #processColumns(batch: Batch, columns: Columns, { rows, keyPlace, byPlace, grouper, out }: ColumnPath) {
    const { count } = batch
    const groups = this.#groups
    const [keys, values] = [columns.numbers(keyPlace), columns.numbers(byPlace)]
    grouper(columns, count, groups)
    this.#places.code.touch(groups, keys, count, this.#places.groupAt)
    rows.open(columns)
    const now = this.#ttlMs === undefined ? 0 : this.#context.clock.now()
    const since = now - (this.#ttlMs ?? 0)
    for (let i = 0; i < count; i++) {
      const group = groups[i] as number
      const key = keys[i] as number
      const place = this.#loop.offerKey(this.#places.groupAt(group), key, values[i] as number, now, since)
      if (place >= 0) {
        rows.enter(group, key, place, batch, i)
        // a promise for each row that enters would cost as much as the row
        const fits = rows.end - place <= BATCH_ROWS - out.count
        if (!fits || rows.give(place, rows.end, out) <= 0) await this.#put(rows, place, out)
      }
      this.#sweep(group, since)
    }
    await this.#flush(out)
  }

  /** Puts out the rows of the ranking at hand from a place on. */
  async #put(rows: RankedRows, place: number, out: ColumnBatch): Promise<void> {
    for (let first = place; first < rows.end; ) {
      if (out.count === BATCH_ROWS) await this.#flush(out)
      const until = Math.min(rows.end, first + BATCH_ROWS - out.count)
      const given = rows.give(first, until, out)
      if (given < 0) throw this.#lost(first, until)
      if (given === 0) {
        await this.#flush(out)
        await emitBatches(this.#context.next, this.#rankedRows(rows, first, until))
      }
      first = until
    }
  }

  async #flush(out: ColumnBatch): Promise<void> {
    if (out.count > 0) await this.#context.next.process(out, 0)
    out.clear()
  }

  /** The rows at places of the ranking at hand. */
  #rankedRows(rows: RankedRows, first: number, end: number): Row[] {
    const ranked: Row[] = []
    for (let place = first; place < end; place++) {
      const row = rows.row(place)
      if (row === undefined) throw this.#lost(place, place + 1)
      ranked.push(this.#withRank(row, place + 1))
    }
    return ranked
  }

  #lost(first: number, end: number): MillraceError {
    const ranks =
      end - first === 1 ? `the row at rank ${end} of a key is` : `rows at ranks ${first + 1} to ${end} of a key are`
    return new MillraceError('STATE_CORRUPT', `topN ${this.#context.node.id}: ${ranks} gone`)
  }

  /** Stores a row that was ranked and puts it out with all behind it. */
  #enter(rows: RankedRows, row: Row, group: number, place: number, out: Row[]): void {
    rows.enterRow(group, this.#keys.of(row), place, row)
    out.push(...this.#rankedRows(rows, place, rows.end))
  }
}
