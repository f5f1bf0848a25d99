import type { KeyGrouper } from '../../codegen/contracts.ts'
import { compileKeyCodec, type KeyCodec, type StateKey } from '../../codegen/key-codec.ts'
import { compileKeyGrouper } from '../../codegen/key-grouper.ts'
import { compilePattern, type PatternCode } from '../../codegen/pattern-code.ts'
import type { Cell } from '../../codegen/pattern-view.ts'
import { compileRowClass } from '../../codegen/row.ts'
import { BATCH_ROWS } from '../../exchange/record-writer.ts'
import { MillraceError } from '../../model/errors.ts'
import { fieldsOf, type Row } from '../../model/schema.ts'
import type { GroupState } from '../../model/snapshot.ts'
import { MIN_TIMESTAMP, type Timestamp } from '../../model/time.ts'
import { keyGroupsOfSlot } from '../../plan/key-groups.ts'
import type { PatternVerb } from '../../plan/pattern-verb.ts'
import { TimerHeap } from '../../state/timer-heap.ts'
import { emitBatches } from '../emit-batches.ts'
import type { OperatorContext } from '../operator-context.ts'
import { refuseUnordered } from '../order-field.ts'
import type { OperatorStage, OperatorState, Stage } from '../stage.ts'
import { compileAutomaton } from './pattern-automaton.ts'
import { PatternMatcher } from './pattern-runs.ts'
import { PatternSnapshots, type KeyState } from './pattern-snapshot.ts'

export function createPatternStage(verb: PatternVerb, context: OperatorContext): OperatorStage { return new PatternStage(verb, context) }

/** Rows that are shown to automata before the loop gets its turn. */
const SLICE_ROWS = 1024

interface LiveKey extends KeyState {
  group: number
  key: StateKey
  /** When it must be looked at; its entry in the heap. Infinity: never. */
  due: Timestamp
  isSorted: boolean
}

/**
 * Sequences of rows under one key: Flink's CepOperator. Rows wait until the watermark has passed them and are then shown to
 * the automaton of their key in the order of event time, those of one time in the order in which they came; rows behind the
 * watermark are late. A row for which a condition throws is to the pattern as if it had not come. A key of which no match
 * is under way has no state.
 */
class PatternStage implements OperatorStage {
  readonly state: OperatorState
  readonly #context: OperatorContext
  readonly #verb: PatternVerb
  readonly #code: PatternCode
  readonly #grouper: KeyGrouper
  readonly #keys: KeyCodec
  readonly #matcher: PatternMatcher
  readonly #snapshots: PatternSnapshots
  readonly #timedOutEnd: Stage | undefined
  readonly #lateEnd: Stage | undefined
  readonly #groups = new Uint16Array(BATCH_ROWS)
  /** By key group. */
  readonly #live: (Map<StateKey, LiveKey> | undefined)[] = []
  readonly #heap = new TimerHeap()
  /** Keys by the number that the heap knows them by. */
  readonly #timed: (LiveKey | undefined)[] = []
  readonly #free: number[] = []
  /** How far each group had come when it was restored. */
  readonly #passed: Float64Array
  #watermark: Timestamp = MIN_TIMESTAMP
  #out: Row[] = []
  #timedOut: Row[] = []

  constructor(verb: PatternVerb, context: OperatorContext) {
    const { node, inputs: [input], output, maxParallelism } = context
    if (input === undefined) throw new MillraceError('INPUT_MISSING', `pattern ${node.id} has no input`)
    const keys = fieldsOf(input.schema, node.keyBy ?? [])
    this.#context = context
    this.#verb = verb
    this.#code = compilePattern(verb, { schema: input.schema, outputRowClass: output.rowClass, timedOutRowClass: compileRowClass({ fields: verb.timedOut.map(({ field }) => field) }) })
    this.#grouper = compileKeyGrouper(keys, maxParallelism)
    this.#keys = compileKeyCodec(keys)
    const automaton = compileAutomaton(verb.steps, this.#code)
    this.#matcher = new PatternMatcher(automaton, verb, {
      onMatch: (cell, time) => { this.#emit(this.#code.select, cell, time, this.#out) },
      onTimeout: (cell, time) => { if (this.#timedOutEnd !== undefined) this.#emit(this.#code.timedOut, cell, time, this.#timedOut) },
    })
    this.#snapshots = new PatternSnapshots(input, automaton.states, shapeOf(verb, node.keyBy ?? [], input.schema))
    this.#timedOutEnd = context.side('timedOut')
    this.#lateEnd = context.side('late')
    this.#passed = new Float64Array(maxParallelism).fill(MIN_TIMESTAMP)
    this.state = { scope: 'keyed', size: () => this.#size(), snapshot: () => this.#snapshot(), restore: (group, bytes) => { this.#restore(group, bytes) } }
  }

  async process(rows: Row[], count: number): Promise<void> {
    const { node, onError, onLate } = this.#context
    const { field, offsetMs } = this.#verb.eventTime
    const ordered = refuseUnordered(rows, count, field, node.id, onError)
    this.#grouper(rows, ordered, this.#groups)
    const late: Row[] = []
    for (let i = 0; i < ordered; i++) {
      const row = rows[i] as Row
      const group = this.#groups[i] ?? 0
      const time = Number(row[field]) + offsetMs
      if (time <= this.#watermark || time <= (this.#passed[group] ?? MIN_TIMESTAMP)) late.push(row)
      else this.#keep(this.#keyOf(group, this.#keys.of(row)), row, time)
    }
    if (late.length === 0) return
    onLate(late.length)
    if (this.#lateEnd !== undefined) await emitBatches(this.#lateEnd, late)
  }

  async onWatermark(time: Timestamp): Promise<void> {
    this.#watermark = Math.max(this.#watermark, time)
    for (let more = true; more;) {
      more = this.#advance(time)
      await this.#flush()
      if (more) await new Promise<void>((resolve) => { this.#context.clock.nextTurn(resolve) })
    }
    await this.#context.next.onWatermark(time)
  }

  #keyOf(group: number, key: StateKey): LiveKey {
    const keys = this.#live[group] ??= new Map<StateKey, LiveKey>()
    const known = keys.get(key)
    if (known !== undefined) return known
    const live: LiveKey = { group, key, due: Infinity, isSorted: true, seq: 0, waitingRows: [], runs: [], waiting: [] }
    keys.set(key, live)
    return live
  }

  #keep(live: LiveKey, row: Row, time: Timestamp): void {
    const last = live.waitingRows.at(-1)
    if (last !== undefined && time < last.time) live.isSorted = false
    live.waitingRows.push({ row, time })
    if (time < live.due) this.#schedule(live, time)
  }

  /** An entry of the heap whose key is due at another time by then is void. */
  #schedule(live: LiveKey, due: Timestamp): void {
    live.due = due
    const number = this.#free.pop() ?? this.#timed.length
    this.#timed[number] = live
    this.#heap.push(due, number, 0)
  }

  /** Looks at keys that are due until a slice is full; true when there are more. */
  #advance(time: Timestamp): boolean {
    const heap = this.#heap
    for (let budget = SLICE_ROWS; heap.size > 0 && heap.time <= time;) {
      if (budget <= 0) return true
      const { time: due, group: number } = heap
      heap.pop()
      const live = this.#timed[number]
      this.#timed[number] = undefined
      this.#free.push(number)
      if (live?.due === due) budget -= 1 + this.#advanceKey(live, time, budget)
    }
    return false
  }

  /** Shows a key its rows up to `time`, at most so many; returns how many. */
  #advanceKey(live: LiveKey, time: Timestamp, budget: number): number {
    if (!live.isSorted) live.waitingRows.sort((one, other) => one.time - other.time)
    live.isSorted = true
    let shown = 0
    for (let waiting = live.waitingRows[0]; waiting !== undefined && waiting.time <= time && shown < budget; waiting = live.waitingRows[shown]) {
      shown++
      this.#matcher.expire(live, waiting.time)
      try {
        this.#matcher.take(live, waiting.row, waiting.time)
      } catch (error) {
        this.#context.onError(error, waiting.row, this.#context.node.id)
      }
    }
    live.waitingRows.splice(0, shown)
    const next = live.waitingRows[0]?.time ?? Infinity
    if (next > time) this.#matcher.expire(live, time)
    this.#reschedule(live)
    return shown
  }

  #reschedule(live: LiveKey): void {
    live.due = Infinity
    const due = Math.min(live.waitingRows[0]?.time ?? Infinity, this.#matcher.nextExpiry(live) ?? Infinity)
    if (due < Infinity) this.#schedule(live, due)
    else if (live.runs.length === 0 && live.waiting.length === 0) this.#live[live.group]?.delete(live.key)
  }

  #emit(rowOf: PatternCode['select'], cell: Cell, time: Timestamp, out: Row[]): void {
    try {
      out.push(rowOf(cell, time))
    } catch (error) {
      this.#context.onError(error, cell.row, this.#context.node.id)
    }
  }

  async #flush(): Promise<void> {
    const [out, timedOut] = [this.#out, this.#timedOut]
    this.#out = []
    this.#timedOut = []
    await emitBatches(this.#context.next, out)
    if (this.#timedOutEnd !== undefined) await emitBatches(this.#timedOutEnd, timedOut)
  }

  #size(): number {
    let size = 0
    for (const keys of this.#live) for (const key of keys?.values() ?? []) size += key.waitingRows.length + key.runs.length + key.waiting.length
    return size
  }

  /** Every own group once a watermark has come: what is late must stay so. */
  #snapshot(): GroupState[] {
    const { slot, maxParallelism, parallelism } = this.#context
    const { first, endExclusive } = keyGroupsOfSlot(slot, maxParallelism, parallelism)
    const blocks: GroupState[] = []
    for (let group = first; group < endExclusive; group++) {
      const keys = [...this.#live[group]?.values() ?? []]
      const passed = Math.max(this.#watermark, this.#passed[group] ?? MIN_TIMESTAMP)
      if (keys.length > 0 || passed > MIN_TIMESTAMP) blocks.push([group, this.#snapshots.write(keys, passed > MIN_TIMESTAMP ? passed : undefined)])
    }
    return blocks
  }

  #restore(group: number, bytes: Uint8Array): void {
    const { keys, passed } = this.#snapshots.read(bytes)
    if (passed !== undefined) this.#passed[group] = Math.max(passed, this.#passed[group] ?? MIN_TIMESTAMP)
    for (const key of keys) {
      const row = key.waitingRows[0]?.row ?? key.runs[0]?.cell.row ?? key.waiting[0]?.row
      if (row === undefined) continue
      const live = Object.assign(this.#keyOf(group, this.#keys.of(row)), key)
      live.waitingRows.sort((one, other) => one.time - other.time)
      this.#reschedule(live)
    }
  }
}

/** Everything that the numbers of a snapshot refer to. What is selected is not among it. */
function shapeOf({ steps, eventTime, withinMs, after }: PatternVerb, keyBy: readonly string[], schema: { fields: readonly { name: string; type: string; nullable: boolean }[] }): string {
  const fields = schema.fields.map(({ name, type, nullable }) => `${name}:${type}${nullable ? '?' : ''}`).join(', ')
  return JSON.stringify({ keyBy, fields, eventTime, withinMs, after, steps })
}
