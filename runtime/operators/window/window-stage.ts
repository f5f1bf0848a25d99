import { type Batch, RowBatch } from '../../memory/batch.ts'
import type { RowErrorHandler } from '../../codegen/contracts.ts'
import type { KeyedTableOptions, WindowTable } from './window-table.ts'
import { createSessionWindows } from './session-windows.ts'
import { createPaneWindows } from './pane-windows.ts'
import { MillraceError } from '../../model/errors.ts'
import { fieldsOf, type Row } from '../../model/schema.ts'
import { MAX_TIMESTAMP, MIN_TIMESTAMP, type Timestamp } from '../../model/time.ts'
import { keyGroupsOfSlot } from '../../plan/key-groups.ts'
import type { WindowVerb } from '../../graph/verbs/window.ts'
import type { Clock } from '../../ports/clock.ts'
import { TableSnapshots } from '../../state/table-snapshots.ts'
import { aggregateWatcher } from '../blocking.ts'
import { emitBatches } from '../emit-batches.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage, OperatorState, Stage } from '../stage.ts'
import { tableState } from '../stored-state.ts'

/** Rows a closing window may emit before the loop gets its turn. */
const FIRE_SLICE_ROWS = 4096

/**
 * A windowed aggregate over keyed rows: Flink's WindowOperator with EventTimeTrigger or ProcessingTimeTrigger, with
 * ContinuousProcessingTimeTrigger's results for open windows where `emit: { early }` asks for them. Unlike there, a
 * late row that changes a window that has fired gives one row per key and batch of input instead of one each, and
 * windows of processing time that are still open when a bounded input ends fire then.
 */
export class WindowStage implements OperatorStage {
  readonly state: OperatorState
  readonly #table: WindowTable
  readonly #watched: <T>(run: () => T) => T
  readonly #next: Stage
  readonly #late: Stage | undefined
  readonly #clock: Clock
  readonly #after: OperatorContext['after']
  readonly #onError: RowErrorHandler
  readonly #onLate: (count: number) => void
  readonly #lateRows: Row[] = []
  readonly #isEventTime: boolean
  readonly #earlyMs: number | undefined
  #time: Timestamp = MIN_TIMESTAMP
  #cancelFiring: (() => void) | undefined
  #cancelEarly: (() => void) | undefined

  constructor(verb: WindowVerb, context: OperatorContext) {
    const {
      node,
      inputs: [input],
      output,
      slot,
      parallelism,
      maxParallelism,
    } = context
    if (input === undefined) throw new MillraceError('INPUT_MISSING', `window ${node.id} has no input`)
    const keys = fieldsOf(input.schema, node.keyBy ?? [])
    const table = tableOf(verb, {
      keys,
      aggregates: context.functions.bound(verb.aggregates),
      inputSchema: input.schema,
      outputRowClass: output.rowClass,
      maxParallelism,
      groups: keyGroupsOfSlot(slot, maxParallelism, parallelism),
      operatorId: node.id,
      latenessMs: verb.latenessMs,
      tracking: verb.earlyMs === undefined ? 'none' : 'early',
      ...(verb.eventTime === undefined ? {} : { eventTime: verb.eventTime }),
    })
    this.state = tableState(new TableSnapshots(table))
    this.#table = table
    this.#watched = aggregateWatcher(verb.aggregates, context)
    this.#next = context.next
    this.#late = context.side('late')
    this.#clock = context.clock
    this.#after = context.after
    this.#onError = context.onError
    this.#onLate = context.onLate
    this.#isEventTime = verb.eventTime !== undefined
    this.#earlyMs = verb.earlyMs
    // restored windows whose time has passed fire at once
    if (!this.#isEventTime) this.#cancelFiring = this.#after(0, () => this.#onClock())
  }

  async process(batch: Batch): Promise<void> {
    const { count } = batch
    const rows = batch.rows()
    const lateRows = this.#lateRows
    const time = this.#isEventTime ? this.#time : this.#now()
    const late = this.#watched(() => this.#table.add(rows, count, time, this.#onError, lateRows))
    if (late > 0) {
      this.#onLate(late)
      if (this.#late !== undefined) await this.#late.process(new RowBatch(lateRows, late), 0)
      lateRows.length = 0
    }
    if (this.#isEventTime)
      await this.#put((emit) => {
        this.#table.refire(time, emit, this.#onError)
      })
    else this.#waitForWindow(time)
    this.#waitForEarly()
  }

  async onWatermark(time: Timestamp): Promise<void> {
    if (this.#isEventTime) {
      this.#time = time
      await this.#fire(time)
    } else if (time === MAX_TIMESTAMP) await this.#fire(time)
    await this.#next.onWatermark(time)
  }

  /** What is to come early goes out before the barrier: which keys have changed is not in the state. */
  async drain(): Promise<void> {
    if (this.#cancelEarly !== undefined) await this.#onEarly()
  }

  close(): Promise<void> {
    this.#cancelFiring?.()
    this.#cancelEarly?.()
    return Promise.resolve()
  }

  /**
   * Goes on from where windows have fired: neither a clock set back nor one that is behind another machine's undoes
   * that.
   */
  #now(): Timestamp {
    // only what was restored can be ahead of this: whatever fires here moves it
    if (this.#time === MIN_TIMESTAMP) this.#time = Math.max(MIN_TIMESTAMP, this.#table.firedUntil())
    this.#time = Math.max(this.#time, this.#clock.now())
    return this.#time
  }

  #waitForWindow(now: Timestamp): void {
    if (this.#cancelFiring !== undefined) return
    const end = this.#table.nextEnd()
    if (end !== undefined) this.#cancelFiring = this.#after(Math.max(0, end - now), () => this.#onClock())
  }

  async #onClock(): Promise<void> {
    this.#cancelFiring = undefined
    const now = this.#now()
    await this.#fire(now)
    this.#waitForWindow(now)
  }

  #waitForEarly(): void {
    if (this.#earlyMs !== undefined) this.#cancelEarly ??= this.#after(this.#earlyMs, () => this.#onEarly())
  }

  #onEarly(): Promise<void> {
    this.#cancelEarly?.()
    this.#cancelEarly = undefined
    return this.#put((emit) => {
      this.#table.early(emit, this.#onError)
    })
  }

  async #fire(time: Timestamp): Promise<void> {
    for (let more = true; more; ) {
      await this.#put((emit) => {
        more = this.#table.fire(time, FIRE_SLICE_ROWS, emit, this.#onError)
      })
      if (more)
        await new Promise<void>((resolve) => {
          this.#clock.nextTurn(resolve)
        })
    }
  }

  /** Hands on in batches what `make` emits. */
  async #put(make: (emit: (rows: Row[], count: number) => void) => void): Promise<void> {
    const made: Row[] = []
    this.#watched(() => {
      make((rows, count) => {
        for (let i = 0; i < count; i++) made.push(rows[i] as Row)
      })
    })
    await emitBatches(this.#next, made)
  }
}

function tableOf({ window }: WindowVerb, options: KeyedTableOptions): WindowTable {
  switch (window.kind) {
    case 'hop':
      return createPaneWindows({ ...options, window })
    case 'session':
      return createSessionWindows({ ...options, gapMs: window.gapMs })
    default:
      throw new MillraceError('WINDOW_KIND', `a window of the kind ${window.kind} does not go by time`)
  }
}
