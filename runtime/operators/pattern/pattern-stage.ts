import { type Batch, BATCH_ROWS } from '../../memory/batch.ts'
import type { KeyGrouper } from '../../codegen/contracts.ts'
import { compileKeyGrouper } from '../../codegen/keys/key-grouper.ts'
import { compilePattern, type PatternCode } from '../../codegen/pattern-code.ts'
import type { Cell } from '../../memory/pattern-view.ts'
import { compileRowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import { fieldsOf, type Row, type Schema } from '../../model/schema.ts'
import { MAX_TIMESTAMP, MIN_TIMESTAMP, type Timestamp } from '../../model/time.ts'
import { keyGroupsOfSlot } from '../../plan/key-groups.ts'
import type { PatternVerb } from '../../graph/verbs/pattern/pattern.ts'
import { TimerHeap } from '../../state/timer-heap.ts'
import { emitBatches } from '../emit-batches.ts'
import type { OperatorContext } from '../operator-context.ts'
import { refuseUnordered } from '../order-field.ts'
import type { OperatorStage, OperatorState, Stage } from '../stage.ts'
import { compileAutomaton } from './pattern-automaton.ts'
import { isEmpty, PatternKeys, type LiveKey } from './pattern-keys.ts'
import { PatternMatcher } from './pattern-runs.ts'

export function createPatternStage(verb: PatternVerb, context: OperatorContext): OperatorStage {
  return new PatternStage(verb, context)
}

/** Rows that are shown to automata before the loop gets its turn. */
const SLICE_ROWS = 1024

/** What an entry of the heap is for. */
const FOR_ROWS = 0
const FOR_RUNS = 1

/**
 * Sequences of rows under one key: Flink's CepOperator. Rows wait until the watermark has passed them and are then
 * shown to the automaton of their key in the order of event time, those of one time in the order in which they
 * came; rows behind the watermark are late. A row for which a condition throws is to the pattern as if it had not
 * come. A key of which no match is under way has no state.
 */
class PatternStage implements OperatorStage {
  readonly state: OperatorState
  readonly #context: OperatorContext
  readonly #verb: PatternVerb
  readonly #code: PatternCode
  readonly #grouper: KeyGrouper
  readonly #keys: PatternKeys
  readonly #matcher: PatternMatcher
  readonly #timedOutEnd: Stage | undefined
  readonly #lateEnd: Stage | undefined
  readonly #groups = new Uint16Array(BATCH_ROWS)
  /** When keys must be looked at, by their numbers; looking once too often does no harm. */
  readonly #heap = new TimerHeap()
  #watermark: Timestamp = MIN_TIMESTAMP
  #out: Row[] = []
  #timedOut: Row[] = []

  constructor(verb: PatternVerb, context: OperatorContext) {
    const {
      node,
      inputs: [input],
      output,
      slot,
      parallelism,
      maxParallelism,
    } = context
    if (input === undefined) throw new MillraceError('INPUT_MISSING', `pattern ${node.id} has no input`)
    const keyBy = node.keyBy ?? []
    this.#context = context
    this.#verb = verb
    this.#code = compilePattern(verb, {
      schema: input.schema,
      outputRowClass: output.rowClass,
      timedOutRowClass: compileRowClass({ fields: verb.timedOut.map(({ field }) => field) }),
    })
    this.#grouper = compileKeyGrouper(fieldsOf(input.schema, keyBy), maxParallelism)
    const automaton = compileAutomaton(verb.steps, this.#code)
    this.#matcher = new PatternMatcher(automaton, verb, {
      onMatch: (cell, time) => {
        this.#emit(this.#code.select, cell, time, this.#out)
      },
      onTimeout: (cell, time) => {
        if (this.#timedOutEnd !== undefined) this.#emit(this.#code.timedOut, cell, time, this.#timedOut)
      },
    })
    this.#keys = new PatternKeys({
      input,
      keyBy,
      states: automaton.states,
      shape: shapeOf(verb, keyBy, input.schema),
      groups: keyGroupsOfSlot(slot, maxParallelism, parallelism),
      maxParallelism,
    })
    this.#timedOutEnd = context.side('timedOut')
    this.#lateEnd = context.side('late')
    this.state = {
      scope: 'keyed',
      appends: true,
      size: () => this.#keys.size(),
      freeze: (extent) => this.#keys.freeze(extent, this.#watermark),
      restore: (group, bytes) => {
        this.#keys.restore(group, bytes)
      },
      restored: () => {
        for (const live of this.#keys.all()) this.#schedule(live)
      },
    }
  }

  async process(batch: Batch): Promise<void> {
    const { count } = batch
    const rows = batch.rows()
    const { node, onError, onLate } = this.#context
    const { field, offsetMs } = this.#verb.eventTime
    const ordered = refuseUnordered(rows, count, field, node.id, onError)
    this.#grouper(rows, ordered, this.#groups)
    const late: Row[] = []
    for (let i = 0; i < ordered; i++) {
      const row = rows[i] as Row
      const group = this.#groups[i] ?? 0
      const time = Number(row[field]) + offsetMs
      if (time <= this.#watermark || time <= this.#keys.passed(group)) late.push(row)
      else this.#keep(this.#keys.of(group, row), row, time)
    }
    if (late.length === 0) return
    onLate(late.length)
    if (this.#lateEnd !== undefined) await emitBatches(this.#lateEnd, late)
  }

  async onWatermark(time: Timestamp): Promise<void> {
    this.#watermark = Math.max(this.#watermark, time)
    if (time === MAX_TIMESTAMP && this.#verb.withinMs === undefined) this.#endRuns()
    for (let more = true; more; ) {
      more = this.#advance(time)
      await this.#flush()
      if (more)
        await new Promise<void>((resolve) => {
          this.#context.clock.nextTurn(resolve)
        })
    }
    await this.#context.next.onWatermark(time)
  }

  #keep(live: LiveKey, row: Row, time: Timestamp): void {
    this.#keys.touch(live)
    const last = live.waitingRows.at(-1)
    if (last !== undefined && time < last.time) live.isSorted = false
    live.waitingRows.push({ row, time })
    if (time < live.rowEntry) this.#heap.push((live.rowEntry = time), live.number, FOR_ROWS)
  }

  /** Looks at keys that are due until a slice is full; true when there are more. */
  #advance(time: Timestamp): boolean {
    const heap = this.#heap
    for (let budget = SLICE_ROWS; heap.size > 0 && heap.time <= time; ) {
      if (budget <= 0) return true
      const { time: due, group: number, hash: what } = heap
      heap.pop()
      const live = this.#keys.numbered(number)
      if (live === undefined) continue
      if (what === FOR_RUNS && due === live.runEntry) live.runEntry = Infinity
      if (what === FOR_ROWS && due === live.rowEntry) live.rowEntry = Infinity
      budget -= 1 + this.#advanceKey(live, time, budget)
    }
    return false
  }

  /** Shows a key its rows up to `time`, at most so many; returns how many. */
  #advanceKey(live: LiveKey, time: Timestamp, budget: number): number {
    sortRows(live)
    if ((live.waitingRows[0]?.time ?? Infinity) <= time || (this.#matcher.nextExpiry(live) ?? Infinity) <= time)
      this.#keys.touch(live)
    let shown = 0
    for (
      let waiting = live.waitingRows[0];
      waiting !== undefined && waiting.time <= time && shown < budget;
      waiting = live.waitingRows[shown]
    ) {
      shown++
      this.#matcher.expire(live, waiting.time)
      try {
        this.#matcher.take(live, waiting.row, waiting.time)
      } catch (error) {
        this.#context.onError(error, waiting.row, this.#context.node.id)
      }
    }
    if (shown === live.waitingRows.length) live.waitingRows.length = 0
    else live.waitingRows.splice(0, shown)
    if ((live.waitingRows[0]?.time ?? Infinity) > time) this.#matcher.expire(live, time)
    this.#schedule(live)
    return shown
  }

  /** A key in which nothing is left goes, unless the heap will come back to it: it may well be needed again before. */
  #schedule(live: LiveKey): void {
    sortRows(live)
    const row = live.waitingRows[0]?.time
    if (row !== undefined && row < live.rowEntry) this.#heap.push((live.rowEntry = row), live.number, FOR_ROWS)
    const end = this.#matcher.nextExpiry(live)
    if (end !== undefined && end < MAX_TIMESTAMP && end < live.runEntry)
      this.#heap.push((live.runEntry = end), live.number, FOR_RUNS)
    if (isEmpty(live) && live.runEntry === Infinity) this.#keys.remove(live)
  }

  /** At the end of the input nothing can be completed any more. */
  #endRuns(): void {
    for (const live of this.#keys.all()) this.#heap.push(MAX_TIMESTAMP, live.number, FOR_RUNS)
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
}

function sortRows(live: LiveKey): void {
  if (!live.isSorted) live.waitingRows.sort((one, other) => one.time - other.time)
  live.isSorted = true
}

/** What the numbers of a snapshot refer to: the form of the steps. Conditions and what is selected are not among it. */
export function shapeOf(
  { steps, eventTime, withinMs, after }: PatternVerb,
  keyBy: readonly string[],
  { fields }: Schema,
): string {
  const forms = steps.map(({ name, not, follows, min, max, optional, greedy, loop, until }) =>
    [
      name,
      not ? 'not' : `${min}..${max ?? ''}`,
      follows,
      loop,
      ...(optional ? ['optional'] : []),
      ...(greedy ? ['greedy'] : []),
      ...(until === undefined ? [] : ['until']),
    ].join(' '),
  )
  const columns = fields.map(({ name, type, nullable }) => `${name}:${type}${nullable ? '?' : ''}`)
  return `steps (${forms.join(', ')}) within ${withinMs ?? 'no'} ms, after ${after.kind}${'step' in after ? ` ${after.step}` : ''}, by (${keyBy.join(', ')}) of (${columns.join(', ')}) at ${eventTime.field}`
}
