import { type Batch, BATCH_ROWS } from '../../memory/batch.ts'
import type { KeyGrouper } from '../../codegen/contracts.ts'
import { compileKeyCodec, type KeyCodec } from '../../codegen/keys/key-codec.ts'
import { compileKeyGrouper } from '../../codegen/keys/key-grouper.ts'
import { compileRowMaker, refusePromise, type RowMaker } from '../../codegen/rows/row-maker.ts'
import { compileRowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import { memberOf } from '../../model/fields.ts'
import { fieldsOf, type Field, type Row, type Schema } from '../../model/schema.ts'
import { MAX_TIMESTAMP, MIN_TIMESTAMP, type Timestamp } from '../../model/time.ts'
import type { OperatorNode } from '../../graph/job-graph.ts'
import type { ProcessVerb } from '../../graph/verbs/process.ts'
import type { LogStateStore } from '../../state/log-state-store.ts'
import { createStateStore, type StateStore, type TimerTable } from '../../state/state-store.ts'
import { watched } from '../blocking.ts'
import { emitBatches } from '../emit-batches.ts'
import type { OperatorContext } from '../operator-context.ts'
import type { OperatorStage, OperatorState, Stage } from '../stage.ts'
import { storedState } from '../stored-state.ts'
import type { UserFunction, UserFunctions } from '../user-functions.ts'
import { ProcessingTimers } from './processing-timers.ts'
import { StateMirror } from './state-mirror.ts'
import {
  ProcessContext,
  PROCESSING_TIMERS,
  tableName,
  tablesOf,
  TIMERS,
  type Turn,
  TurnHolder,
} from './process-context.ts'

/** Timers that may fire before the loop gets its turn. */
const FIRE_SLICE = 1024

/**
 * A user's function over each row, with state and timers of event time and of processing time under its key. Flink's
 * KeyedProcessFunction, and its ProcessFunction where there is no key. A call that throws puts out nothing; what it did to its state stays.
 */
export function createProcessStage(verb: ProcessVerb, context: OperatorContext): OperatorStage {
  return new ProcessStage(verb, context)
}

const NO_SIDES: readonly (readonly [Side, number])[] = []

interface Side {
  make: RowMaker
  out: Row[]
  end: Stage | undefined
}

interface Keyed {
  grouper: KeyGrouper
  codec: KeyCodec
  timers: TimerTable
  processing: ProcessingTimers
  fields: readonly Field[]
}

class ProcessStage implements OperatorStage {
  readonly state?: OperatorState
  readonly #context: OperatorContext
  readonly #store: StateStore | undefined
  readonly #functions: Functions
  readonly #view: ProcessContext
  readonly #turn = new TurnHolder()
  readonly #keyed: Keyed | undefined
  readonly #eventTime: ProcessVerb['eventTime']
  readonly #groups = new Uint16Array(BATCH_ROWS)
  readonly #sides: ReadonlyMap<string, Side>
  readonly #mirrors: readonly StateMirror[]
  #out: Row[] = []

  constructor(verb: ProcessVerb, context: OperatorContext) {
    const {
      node,
      inputs: [input],
      output,
      maxParallelism,
      spill,
      clock,
    } = context
    if (input === undefined) throw new MillraceError('INPUT_MISSING', `process ${node.id} has no input`)
    this.#context = context
    this.#functions = functionsOf(verb, context.functions)
    this.#eventTime = verb.eventTime
    const keys = fieldsOf(input.schema, node.keyBy ?? [])
    const store =
      keys.length === 0
        ? undefined
        : createStateStore(
            { key: keys, tables: tablesOf(verb.state, readMirrors(verb, context)) },
            { maxParallelism, spill, now: () => clock.now() },
          )
    this.#store = store
    if (store !== undefined) {
      this.state = storedState(store)
      this.#keyed = {
        grouper: compileKeyGrouper(keys, maxParallelism),
        codec: compileKeyCodec(keys),
        timers: store.timers(TIMERS),
        processing: new ProcessingTimers(store.timers(PROCESSING_TIMERS), context, () => this.#fireProcessing()),
        fields: keys,
      }
      // restored timers whose time has passed fire at once
      if (this.#functions.onProcessingTimer !== undefined) this.#keyed.processing.wake(0)
    }
    this.#mirrors = store === undefined ? [] : mirrorsOf(verb, context, { keys, store })
    this.#sides = new Map(
      sideOutputsOf(verb, node).map(([name, schema]) => [
        name,
        { make: compileRowMaker(schema, compileRowClass(schema)), out: [], end: context.side(name) },
      ]),
    )
    const make = compileRowMaker(output.schema, output.rowClass)
    this.#view = new ProcessContext({
      turn: this.#turn,
      keys,
      declared: verb.state,
      store,
      timers: {
        event:
          this.#keyed === undefined
            ? 'timers need keyBy'
            : verb.eventTime === undefined
              ? 'timers need event time; processingTimers go without'
              : this.#functions.onTimer === undefined
                ? 'timers need a function onTimer(time, context)'
                : this.#keyed.timers,
        processing:
          this.#keyed === undefined
            ? 'timers need keyBy'
            : this.#functions.onProcessingTimer === undefined
              ? 'processingTimers need a function onProcessingTimer(time, context)'
              : this.#keyed.processing,
      },
      watermark: MIN_TIMESTAMP,
      now: () => clock.now(),
      emit: (row) => {
        this.#out.push(make(row))
      },
      emitSide: (name, row) => {
        this.#emitSide(name, row)
      },
    })
  }

  async process(batch: Batch): Promise<void> {
    const { count } = batch
    const rows = batch.rows()
    this.#keyed?.grouper(rows, count, this.#groups)
    for (let at = 0; at < count; ) {
      at = this.#watched(() => this.#slice(rows, at, count))
      await this.#flush()
    }
    this.#keyed?.processing.wait()
  }

  /** Rows until there is a batch to hand on; returns how far it came. */
  #slice(rows: readonly Row[], from: number, count: number): number {
    let at = from
    for (; at < count && this.#out.length < BATCH_ROWS; at++) {
      const row = rows[at] as Row
      const key = this.#keyed?.codec.of(row) ?? ''
      this.#call(this.#functions.onRow, row, { group: this.#groups[at] ?? 0, key, row, timestamp: this.#timeOf(row) })
    }
    return at
  }

  #timeOf(row: Row): Timestamp | null {
    const time = this.#eventTime === undefined ? null : row[this.#eventTime.field]
    return typeof time === 'number' ? time + (this.#eventTime?.offsetMs ?? 0) : null
  }

  async drain(): Promise<void> {
    for (const mirror of this.#mirrors) await mirror.tell(() => this.#nextTurn())
  }

  close(): Promise<void> {
    this.#keyed?.processing.close()
    this.#store?.close()
    return Promise.resolve()
  }

  async onWatermark(time: Timestamp): Promise<void> {
    this.#view.watermark = time
    const keyed = this.#keyed
    const { onTimer, onProcessingTimer } = this.#functions
    if (keyed !== undefined) {
      await this.#fire(keyed.timers, time, (group, key, at) => {
        if (onTimer !== undefined) this.#call(onTimer, at, { group, key, row: undefined, timestamp: at })
      })
      if (time === MAX_TIMESTAMP && onProcessingTimer !== undefined) {
        keyed.processing.end()
        await this.#fireProcessing(MAX_TIMESTAMP)
      } else keyed.processing.wait()
    }
    // no row may come behind the end
    if (time === MAX_TIMESTAMP) await this.drain()
    await this.#context.next.onWatermark(time)
  }

  async #fireProcessing(time = this.#context.clock.now()): Promise<void> {
    const { onProcessingTimer } = this.#functions
    if (this.#keyed === undefined || onProcessingTimer === undefined) return
    await this.#fire(this.#keyed.processing.table, time, (group, key, at) => {
      this.#call(onProcessingTimer, at, { group, key, row: undefined, timestamp: null, timer: at })
    })
  }

  /** Fires what is due in slices, with a turn of the loop between them. */
  async #fire(timers: TimerTable, time: Timestamp, fire: Parameters<TimerTable['due']>[2]): Promise<void> {
    for (let more = true; more; ) {
      more = this.#watched(() => timers.due(time, FIRE_SLICE, fire))
      await this.#flush()
      if (more) await this.#nextTurn()
    }
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#context.clock.nextTurn(resolve)
    })
  }

  #call(call: UserFunction, argument: Row | Timestamp, turn: Turn & { timer?: Timestamp }): void {
    const before = this.#out.length
    const sides =
      this.#sides.size === 0 ? NO_SIDES : [...this.#sides.values()].map((side) => [side, side.out.length] as const)
    this.#turn.set(turn)
    try {
      const result = call(argument, this.#view)
      if (result instanceof Promise) refusePromise(result)
    } catch (error) {
      this.#out.length = before
      for (const [side, length] of sides) side.out.length = length
      this.#context.onError(
        error,
        turn.row ?? { ...this.#view.key, timer: turn.timer ?? turn.timestamp },
        this.#context.node.id,
      )
    } finally {
      this.#turn.set(undefined)
    }
  }

  #emitSide(name: string, row: unknown): void {
    const side = this.#sides.get(name)
    if (side === undefined) {
      throw new MillraceError(
        'OUTPUT_UNKNOWN',
        `there is no side output ${JSON.stringify(name)}; declared are ${[...this.#sides.keys()].join(', ') || 'none'}`,
        { domain: 'user' },
      )
    }
    const made = side.make(row)
    if (side.end !== undefined) side.out.push(made)
  }

  async #flush(): Promise<void> {
    const out = this.#out
    this.#out = []
    await emitBatches(this.#context.next, out)
    for (const side of this.#sides.values()) {
      const rows = side.out
      if (rows.length === 0 || side.end === undefined) continue
      side.out = []
      await emitBatches(side.end, rows)
    }
  }

  #watched<T>(run: () => T): T {
    const { clock, node, onBlocked } = this.#context
    return watched(
      clock,
      (ms) => {
        onBlocked(node.id, this.#functions.name, ms)
      },
      run,
    )
  }
}

/** Those who read the changes of a table, by its name. */
function readMirrors({ stateMirror = [] }: ProcessVerb, { side, readersOf }: OperatorContext): Map<string, string> {
  return new Map(stateMirror.filter((name) => side(name) !== undefined).map((name) => [name, readersOf(name)]))
}

function mirrorsOf(
  { state, stateMirror = [] }: ProcessVerb,
  { node, side }: OperatorContext,
  { keys, store }: { keys: readonly Field[]; store: LogStateStore },
): StateMirror[] {
  return stateMirror.flatMap((name) => {
    const [end, table, schema] = [side(name), memberOf(state, name), memberOf(node.sideOutputs ?? {}, name)]
    if (end === undefined || table === undefined || table.kind === 'list' || schema === undefined) return []
    return [new StateMirror({ keys, table, schema, end, changes: store.changes(tableName(name)) })]
  })
}

/** Those to which the function itself gives rows. */
function sideOutputsOf({ stateMirror = [] }: ProcessVerb, { sideOutputs = {} }: OperatorNode): [string, Schema][] {
  return Object.entries(sideOutputs).filter(([name]) => !stateMirror.includes(name))
}

interface Functions {
  name: string
  onRow: UserFunction
  onTimer: UserFunction | undefined
  onProcessingTimer: UserFunction | undefined
}

/**
 * A function, or an object (an instance of a class too) with `onRow` and, where timers are set, `onTimer` or
 * `onProcessingTimer`.
 */
function functionsOf(verb: ProcessVerb, functions: UserFunctions): Functions {
  const found = functions.find(verb.function)
  const name = verb.function.function
  if (typeof found === 'function')
    return { name, onRow: found as UserFunction, onTimer: undefined, onProcessingTimer: undefined }
  const { onRow, onTimer, onProcessingTimer } = (typeof found === 'object' && found !== null ? found : {}) as {
    onRow?: unknown
    onTimer?: unknown
    onProcessingTimer?: unknown
  }
  if (typeof onRow !== 'function' || !isOptionalFunction(onTimer) || !isOptionalFunction(onProcessingTimer)) {
    throw new MillraceError(
      'FUNCTION_MISSING',
      `${name} of module ${verb.function.module} is neither a function nor an object with onRow(row, context) and, if need be, onTimer(time, context) and onProcessingTimer(time, context)`,
      { domain: 'user' },
    )
  }
  return {
    name,
    onRow: (row, view) => onRow.call(found, row, view),
    onTimer: onTimer === undefined ? undefined : (time, view) => onTimer.call(found, time, view),
    onProcessingTimer:
      onProcessingTimer === undefined ? undefined : (time, view) => onProcessingTimer.call(found, time, view),
  }
}

function isOptionalFunction(value: unknown): value is ((...values: unknown[]) => unknown) | undefined {
  return value === undefined || typeof value === 'function'
}
