import { type Batch, RowBatch } from '../../memory/batch.ts'
import type { RowErrorHandler } from '../../codegen/contracts.ts'
import { compileColumnRows } from '../../codegen/rows/column-rows.ts'
import { ColumnBatch } from '../../memory/column-batch.ts'
import { RunningAggregates, type RunningAggregatesOptions } from './running-aggregates.ts'
import { MillraceError } from '../../model/errors.ts'
import { fieldsOf, type Row } from '../../model/schema.ts'
import { MAX_TIMESTAMP, type Timestamp } from '../../model/time.ts'
import type { RunningAggregateVerb } from '../../graph/verbs/running-aggregate.ts'
import type { WindowVerb } from '../../graph/verbs/window.ts'
import { TableSnapshots } from '../../state/table-snapshots.ts'
import { aggregateWatcher } from '../blocking.ts'
import { emitBatches } from '../emit-batches.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage, OperatorState } from '../stage.ts'
import { tableState } from '../stored-state.ts'

/** Rows or entries that are handled before the loop gets its turn. */
const SLICE = 4096

/** What a stage does beside adding rows. */
interface Policy extends Pick<RunningAggregatesOptions, 'aggregates' | 'emission' | 'ttlMs'> {
  /** Keys that changed go out: after each batch, so many ms after the first change, or not at all. */
  changes: 'atOnce' | number | 'never'
  /** At the end of a bounded input every key goes out. */
  atEnd: 'all' | 'nothing'
}

/**
 * Aggregates of all rows of a key so far. Flink SQL's GroupAggFunction with MiniBatchGroupAggFunction's output, one
 * row per key and batch, as upserts by key: no retractions are sent. The time to live is StateTtlConfig's
 * OnCreateAndWrite.
 */
export function createRunningAggregateStage(
  { aggregates, emit, ttlMs }: RunningAggregateVerb,
  context: OperatorContext,
): OperatorStage {
  return new RunningAggregateStage(
    {
      aggregates,
      emission: { kind: emit.kind === 'everyRow' ? 'everyRow' : 'changed' },
      atEnd: 'nothing',
      changes: emit.kind === 'every' ? emit.ms : emit.kind === 'batch' ? 'atOnce' : 'never',
      ...(ttlMs === undefined ? {} : { ttlMs }),
    },
    context,
  )
}

/** Windows without time: Flink's countWindow, and GlobalWindows with the end-of-stream trigger. */
export function createTimelessWindowStage(
  { window, aggregates, earlyMs }: WindowVerb,
  context: OperatorContext,
): OperatorStage {
  if (window.kind === 'count')
    return new RunningAggregateStage(
      { aggregates, emission: { ...window, kind: 'counted' }, changes: 'never', atEnd: 'nothing' },
      context,
    )
  return new RunningAggregateStage(
    { aggregates, emission: { kind: 'changed' }, changes: earlyMs ?? 'never', atEnd: 'all' },
    context,
  )
}

class RunningAggregateStage implements OperatorStage {
  readonly state: OperatorState
  readonly #policy: Policy
  readonly #context: OperatorContext
  readonly #table: RunningAggregates
  readonly #watched: <T>(run: () => T) => T
  readonly #onError: RowErrorHandler
  readonly #out: Row[] = []
  #columns: ColumnBatch | undefined
  #cancelEmission: (() => void) | undefined
  #cancelExpiry: (() => void) | undefined

  constructor(policy: Policy, context: OperatorContext) {
    const {
      node,
      inputs: [input],
      output,
      maxParallelism,
    } = context
    if (input === undefined) throw new MillraceError('INPUT_MISSING', `aggregate ${node.id} has no input`)
    const keys = fieldsOf(input.schema, node.keyBy ?? [])
    const { aggregates, emission, ttlMs } = policy
    const table = new RunningAggregates({
      keys,
      aggregates: context.functions.bound(aggregates),
      emission,
      inputSchema: input.schema,
      outputRowClass: output.rowClass,
      maxParallelism,
      operatorId: node.id,
      ...(ttlMs === undefined ? {} : { ttlMs }),
    })
    this.state = tableState(new TableSnapshots(table))
    this.#policy = policy
    this.#context = context
    this.#table = table
    this.#watched = aggregateWatcher(aggregates, context)
    this.#onError = context.onError
    this.#waitForExpiry()
  }

  get takesColumns(): boolean {
    return this.#table.readsColumns
  }

  async process(batch: Batch): Promise<void> {
    const made = this.#watched(() =>
      this.#table.add(
        batch,
        this.#policy.ttlMs === undefined ? 0 : this.#context.clock.now(),
        this.#out,
        this.#onError,
      ),
    )
    if (made > 0) await this.#context.next.process(new RowBatch(this.#out, made), 0)
    const { changes } = this.#policy
    if (changes === 'atOnce') await this.#emitChanged()
    else if (changes !== 'never') this.#cancelEmission ??= this.#context.after(changes, () => this.#emitChanged())
  }

  /** Which keys have changed is not in the state: what is to come out goes before the barrier. */
  async drain(): Promise<void> {
    if (this.#cancelEmission !== undefined) await this.#emitChanged()
  }

  async onWatermark(time: Timestamp): Promise<void> {
    if (time === MAX_TIMESTAMP) {
      if (this.#policy.atEnd === 'all') await this.#emitAll()
      else await this.drain()
    }
    await this.#context.next.onWatermark(time)
  }

  close(): Promise<void> {
    this.#cancelEmission?.()
    this.#cancelExpiry?.()
    return Promise.resolve()
  }

  #emitChanged(): Promise<void> {
    this.#cancelEmission?.()
    this.#cancelEmission = undefined
    if (this.#context.next.takesColumns === true && this.#table.hasColumns) return this.#putColumns()
    return this.#put((emit) => {
      this.#table.takeChanged(emit, this.#onError)
    })
  }

  async #putColumns(): Promise<void> {
    const { node, output, next } = this.#context
    this.#columns ??= new ColumnBatch(node.schema.fields, compileColumnRows(node.schema, output.rowClass))
    for (
      let batch = this.#table.changedBatch(this.#columns, this.#onError);
      batch !== undefined;
      batch = this.#table.changedBatch(this.#columns, this.#onError)
    )
      if (batch.count > 0) await next.process(batch, 0)
  }

  async #emitAll(): Promise<void> {
    for (let group: number | undefined = 0; group !== undefined; ) {
      const from: number = group
      await this.#put((emit) => {
        group = this.#table.takeAll(from, SLICE, emit, this.#onError)
      })
      await this.#nextTurn()
    }
  }

  /** Twice in a time to live: a key stays at most half as long again in memory as it counts. */
  #waitForExpiry(): void {
    const { ttlMs } = this.#policy
    if (ttlMs !== undefined)
      this.#cancelExpiry = this.#context.after(Math.max(1, Math.ceil(ttlMs / 2)), () => this.#expire())
  }

  async #expire(): Promise<void> {
    if (this.#policy.changes !== 'never') await this.#emitChanged()
    for (let group: number | undefined = 0; group !== undefined; ) {
      group = this.#table.expire(this.#context.clock.now(), group, SLICE)
      await this.#nextTurn()
    }
    this.#waitForExpiry()
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#context.clock.nextTurn(resolve)
    })
  }

  async #put(make: (emit: (rows: Row[], count: number) => void) => void): Promise<void> {
    const made: Row[] = []
    this.#watched(() => {
      make((rows, count) => {
        for (let i = 0; i < count; i++) made.push(rows[i] as Row)
      })
    })
    await emitBatches(this.#context.next, made)
  }
}
