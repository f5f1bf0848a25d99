import type { Cell } from '../../memory/pattern-view.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import { MAX_TIMESTAMP, type Timestamp } from '../../model/time.ts'
import type { AfterMatch, PatternVerb } from '../../graph/verbs/pattern/pattern.ts'
import type { Automaton, Edge, State } from './pattern-automaton.ts'

/** A match under way: where it stands and what it has taken. */
export interface Run {
  state: State
  cell: Cell
}

/** What happens to one key. */
export interface PatternEvents {
  onMatch(cell: Cell, time: Timestamp): void
  onTimeout(cell: Cell, time: Timestamp): void
}

/** Everything that is known of one key, in the order of event time. */
export interface KeyRuns {
  /** In the order of their first rows. */
  runs: Run[]
  /**
   * Complete, but one that began before may still be completed and skip them; in the order in which they will come
   * out.
   */
  waiting: Cell[]
  /** Rows seen, as far as something depends on it. */
  seq: number
}

/**
 * Runs the automaton of a pattern over the rows of a key: Flink's NFA with AfterMatchSkipStrategy. Four things differ:
 * a match ends at a row that must not come even when that row would complete it; matches time out in the order of their
 * first rows, so that nothing depends on how often watermarks come; a match that times out in several states is
 * reported once; and among matches with the same first and last row, the one that took its rows earlier comes first.
 */
export class PatternMatcher {
  readonly #start: State
  readonly #verb: Pick<PatternVerb, 'withinMs' | 'after' | 'maxRuns'>
  readonly #events: PatternEvents
  /** Reused by each step. */
  readonly #shown: State[] = []
  readonly #edges: Edge[] = []

  constructor(automaton: Automaton, verb: Pick<PatternVerb, 'withinMs' | 'after' | 'maxRuns'>, events: PatternEvents) {
    this.#start = automaton.start
    this.#verb = verb
    this.#events = events
  }

  /**
   * Shows the key its next row; expire comes first. Throws what a condition throws, and PATTERN_LIMIT; the key is
   * then as if the row had never come.
   */
  take(key: KeyRuns, row: Row, time: Timestamp): void {
    const runs: Run[] = []
    const matches: Cell[] = []
    const taken = { row, time, seq: key.seq }
    for (const run of key.runs) this.#step(run.state, run.cell, taken, runs, matches)
    this.#step(this.#start, null, taken, runs, matches)
    if (runs.length === 0 && matches.length === 0 && key.runs.length === 0) return
    if (runs.length > this.#verb.maxRuns && runs.length > key.runs.length) {
      throw new MillraceError(
        'PATTERN_LIMIT',
        `this row would bring its key to ${runs.length} matches under way, at most ${this.#verb.maxRuns} are taken`,
        { domain: 'user', hint: 'shorten within, narrow the conditions, or raise maxRuns' },
      )
    }
    key.runs = runs
    key.seq++
    this.#settle(key, matches, time)
  }

  /** The next moment at which something is over without a row, at the latest the end of the input; undefined: none. */
  nextExpiry({ runs: [oldest] }: KeyRuns): Timestamp | undefined {
    if (oldest === undefined) return undefined
    return this.#verb.withinMs === undefined ? MAX_TIMESTAMP : oldest.cell.first.time + this.#verb.withinMs
  }

  /** Ends what began so long before `time` that it cannot be completed. */
  expire(key: KeyRuns, time: Timestamp): void {
    for (let end = this.nextExpiry(key); end !== undefined && end <= time; end = this.nextExpiry(key)) {
      // one row may begin as several steps
      const first = key.runs[0]?.cell.first.seq
      const over = key.runs.filter(({ cell }) => cell.first.seq === first)
      key.runs = key.runs.slice(over.length)
      const matches = new Set(over.filter(({ state }) => state.awaitsEnd).map(({ cell }) => cell))
      const late = new Set(this.#verb.withinMs === undefined ? [] : over.map(({ cell }) => cell))
      for (const cell of late) if (!matches.has(cell)) this.#events.onTimeout(cell, end)
      this.#settle(key, [...matches], end)
    }
  }

  /** computeNextStates: everything that comes of one run and the row. */
  #step(
    state: State,
    cell: Cell | null,
    taken: Pick<Cell, 'row' | 'time' | 'seq'>,
    runs: Run[],
    matches: Cell[],
  ): void {
    const [shown, edges] = [this.#shown, this.#edges]
    edges.length = 0
    shown.length = 1
    shown[0] = state
    for (let at = shown.pop(); at !== undefined; at = shown.pop()) {
      for (const edge of at.edges) {
        if (edge.when?.(taken.row, cell) === false) continue
        if (edge.to.kind === 'stop') return
        if (edge.action === 'proceed') shown.push(edge.to)
        else edges.push(edge)
      }
    }
    for (const { action, to, step } of edges) {
      if (action === 'ignore') {
        // what has not begun waits in no other way than by being there
        if (cell !== null) runs.push({ state: to, cell })
        continue
      }
      const next = cellAfter(cell, taken, step)
      if (to.completes) matches.push(next)
      if (to.kind !== 'final') runs.push({ state: to, cell: next })
    }
  }

  /** processMatchesAccordingToSkipStrategy. */
  #settle(key: KeyRuns, matches: Cell[], time: Timestamp): void {
    if (matches.length > 1) matches.sort(compareMatches)
    const { after } = this.#verb
    if (after.kind === 'noSkip') {
      for (const cell of matches) this.#events.onMatch(cell, time)
      return
    }
    if (matches.length > 0) key.waiting = merged(key.waiting, matches)
    for (let [match] = key.waiting; match !== undefined; [match] = key.waiting) {
      const oldest = key.runs[0]
      if (oldest !== undefined && oldest.cell.first.seq < match.first.seq) return
      key.waiting.shift()
      this.#events.onMatch(match, time === MAX_TIMESTAMP ? match.time : time)
      const bound = boundAfter(match, after)
      key.runs = key.runs.filter(({ cell }) => cell.first.seq >= bound)
      key.waiting = key.waiting.filter((cell) => cell.first.seq >= bound)
    }
  }
}

function cellAfter(prev: Cell | null, { row, time, seq }: Pick<Cell, 'row' | 'time' | 'seq'>, step: number): Cell {
  const cell = { prev, first: prev?.first, step, row, seq, time, view: undefined } as Omit<Cell, 'first'> & {
    first?: Cell
  } as Cell
  if (prev === null) cell.first = cell
  return cell
}

function merged(waiting: readonly Cell[], matches: readonly Cell[]): Cell[] {
  return [...waiting, ...matches].sort((one, other) => one.first.seq - other.first.seq)
}

function compareMatches(one: Cell, other: Cell): number {
  if (one.first.seq !== other.first.seq) return one.first.seq - other.first.seq
  const [left, right] = [pathOf(one), pathOf(other)]
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [l, r] = [left[i], right[i]]
    if (l === undefined || r === undefined) return l === undefined ? 1 : -1
    if (l !== r) return l.seq - r.seq || l.step - r.step
  }
  return 0
}

function pathOf(cell: Cell): Cell[] {
  const path: Cell[] = []
  for (let at: Cell | null = cell; at !== null; at = at.prev) path.push(at)
  return path.reverse()
}

/** Matches that begin before this row are skipped: AfterMatchSkipStrategy.prune. A step without rows skips nothing. */
function boundAfter(match: Cell, after: Exclude<AfterMatch, { kind: 'noSkip' }>): number {
  switch (after.kind) {
    case 'pastLast':
      return match.seq + 1
    case 'toNext':
      return match.first.seq + 1
    case 'toLast':
      return pathOf(match).findLast(({ step }) => step === after.step)?.seq ?? -1
    case 'toFirst':
      return pathOf(match).find(({ step }) => step === after.step)?.seq ?? -1
  }
}
