import type { Batch } from '../../memory/batch.ts'
import type { KeyGrouper } from '../../codegen/contracts.ts'
import { compileKeyCodec, type KeyCodec } from '../../codegen/keys/key-codec.ts'
import { compileKeyGrouper } from '../../codegen/keys/key-grouper.ts'
import { compileRankRow } from '../../codegen/rows/rank-row.ts'
import { rankFields, type LoopCode, type RecordLoop } from '../../codegen/records/record-loops.ts'
import type { RecordTable } from '../../state/record-table.ts'
import { compileRowClass } from '../../codegen/rows/row.ts'
import { BATCH_ROWS } from '../../exchange/record-writer.ts'
import { MillraceError } from '../../model/errors.ts'
import { fieldOf, fieldsOf, type Field, type Row } from '../../model/schema.ts'
import type { Timestamp } from '../../model/time.ts'
import type { TopNVerb } from '../../graph/verbs/top-n.ts'
import { LogStateStore } from '../../state/log-state-store.ts'
import type { MapTable, TableShape } from '../../state/state-store.ts'
import { emitBatches } from '../emit-batches.ts'
import type { OperatorContext } from '../operator-context.ts'
import { refuseUnordered } from '../order-field.ts'
import type { OperatorStage, OperatorState } from '../stage.ts'
import { storedState } from '../stored-state.ts'

const SLOT: Field = { name: 'slot', type: 'long', nullable: false }

export function createTopNStage(verb: TopNVerb, context: OperatorContext): OperatorStage {
  return new TopNStage(verb, context)
}

/**
 * The n best rows of each key, of equal ones the earlier first (Flink's AppendOnlyTopNFunction). Without ranks a
 * row that enters is put out; with ranks also every row that it moves down, so that what comes out is a stream of
 * upserts by key and rank. Per key one record of the values (and slots) from best to worst decides; most rows touch
 * nothing else. With ranks the rows lie under key and slot: the row that enters takes the slot of the one that leaves.
 */
class TopNStage implements OperatorStage {
  readonly state: OperatorState
  readonly #context: OperatorContext
  readonly #store: LogStateStore
  readonly #by: Field
  readonly #places: RecordTable
  readonly #loop: LoopCode
  readonly #rows: MapTable | undefined
  readonly #keys: KeyCodec
  readonly #withRank: (row: Row, rank: number) => Row
  readonly #grouper: KeyGrouper
  readonly #groups = new Uint16Array(BATCH_ROWS)
  readonly #ttlMs: number | undefined
  /** Slots of the ranking at hand. */
  readonly #slots: Int32Array

  constructor(verb: TopNVerb, context: OperatorContext) {
    const {
      node,
      inputs: [input],
      output,
      maxParallelism,
      spill,
      clock,
    } = context
    const by = input === undefined ? undefined : fieldOf(input.schema, verb.by)
    if (input === undefined || by === undefined)
      throw new MillraceError('INPUT_MISSING', `topN ${node.id} has no input with ${verb.by}`)
    const keyIn = node.keyBy ?? []
    const key = fieldsOf(input.schema, keyIn)
    const { n: count, order, ttlMs } = verb
    const slots = verb.rank !== undefined
    const places: TableShape = {
      kind: 'value',
      schema: { fields: [...key, ...rankFields({ count, slots })] },
      keyIn,
      ...(ttlMs === undefined ? {} : { ttlMs }),
    }
    const rows: TableShape = {
      kind: 'map',
      userKey: [SLOT],
      schema: input.schema,
      rowClass: compileRowClass(input.schema),
    }
    const loop: RecordLoop = { kind: 'rank', field: verb.by, count, order, slots }
    const store = new LogStateStore(
      { key, tables: { places, ...(slots ? { rows } : {}) } },
      { maxParallelism, spill, now: () => clock.now() },
      { places: loop },
    )
    this.state = storedState(store)
    this.#store = store
    this.#context = context
    this.#by = by
    this.#places = store.records('places')
    this.#loop = this.#places.code.loop as LoopCode
    this.#rows = slots ? store.map('rows') : undefined
    this.#keys = compileKeyCodec(key)
    this.#withRank = slots ? compileRankRow(input.schema, output.rowClass) : (row) => row
    this.#grouper = compileKeyGrouper(key, maxParallelism)
    this.#ttlMs = ttlMs
    this.#slots = new Int32Array(count)
  }

  async process(batch: Batch): Promise<void> {
    const { count } = batch
    const rows = batch.rows()
    const { next, clock, node, onError } = this.#context
    const ordered = this.#by.nullable ? refuseUnordered(rows, count, this.#by.name, node.id, onError) : count
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
    // when a ranking's time is over its rows go with it
    if (this.#ttlMs !== undefined)
      this.#places.sweep(group, since, (a) => {
        this.#rows?.clear(group, this.#places.code.key(a))
      })
  }

  /** Stores a row that was ranked and puts it out with all behind it. */
  #enter(rows: MapTable, row: Row, group: number, place: number, out: Row[]): void {
    const { ranked, slot } = this.#loop
    const end = ranked()
    // read before anything is written: writing may move the ranking
    for (let i = place; i < end; i++) this.#slots[i] = slot(i)
    const key = this.#keys.of(row)
    rows.set(group, key, this.#slots[place] ?? 0, row)
    out.push(this.#withRank(row, place + 1))
    for (let i = place + 1; i < end; i++) {
      const moved = rows.get(group, key, this.#slots[i] ?? 0)
      if (moved === undefined)
        throw new MillraceError(
          'STATE_CORRUPT',
          `topN ${this.#context.node.id}: the row at rank ${i + 1} of a key is gone`,
        )
      out.push(this.#withRank(moved, i + 1))
    }
  }
}
