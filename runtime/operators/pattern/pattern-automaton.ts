import type { PatternCode, PatternCondition } from '../../codegen/pattern-code.ts'
import type { PatternStep } from '../../graph/verbs/pattern/pattern-steps.ts'

/**
 * A pattern as a non-deterministic automaton, as Flink's NFACompiler builds it: states are copied for counts, an
 * edge takes the row, ignores it, or goes on to another state to which the same row is shown (`proceed`). Places
 * where this differs from NFACompiler are marked with "unlike".
 */
export interface State {
  id: number
  /** `final`: a match. `stop`: the row that must not come has come. `pending`: a match once its time is over. */
  kind: 'normal' | 'final' | 'stop' | 'pending'
  step: number
  readonly edges: Edge[]
  /** No further row is needed. */
  completes: boolean
  /** Complete when its time is over. */
  awaitsEnd: boolean
}

export interface Edge {
  action: 'take' | 'ignore' | 'proceed'
  to: State
  /** Place of the step from whose state it goes. */
  step: number
  /** Absent: always. */
  when?: PatternCondition
  /** The place of the `not` step whose guard this is. */
  guard?: number
}

export interface Automaton {
  start: State
  states: readonly State[]
}

export function compileAutomaton(steps: readonly PatternStep[], code: Pick<PatternCode, 'where' | 'until'>): Automaton {
  return new AutomatonCompiler(steps, code).compile()
}

const always: PatternCondition = () => true

function not(condition: PatternCondition): PatternCondition {
  return (row, cell) => !condition(row, cell)
}
function narrowed(by: PatternCondition, when: PatternCondition | undefined): PatternCondition {
  return when === undefined ? by : both(by, when)
}
function both(one: PatternCondition, other: PatternCondition): PatternCondition {
  return (row, cell) => one(row, cell) && other(row, cell)
}

class AutomatonCompiler {
  readonly #steps: readonly PatternStep[]
  readonly #code: Pick<PatternCode, 'where' | 'until'>
  readonly #states: State[] = []
  /** States that Flink does not have come last: savepoints from before they were added keep their numbers. */
  readonly #added: State[] = []
  readonly #stop: State

  constructor(steps: readonly PatternStep[], code: Pick<PatternCode, 'where' | 'until'>) {
    this.#steps = steps
    this.#code = code
    this.#stop = this.#state(steps.length, 'stop')
  }

  compile(): Automaton {
    let sink = this.#state(this.#steps.length, 'final')
    for (let i = this.#steps.length - 1; i >= 0; i--)
      sink = this.#steps[i]?.not === true ? this.#absent(i, sink) : this.#convert(i, sink)
    const states = [...this.#states, ...this.#added]
    states.forEach((state, id) => {
      state.id = id
    })
    for (const state of states) {
      state.completes = reaches(state, 'final')
      state.awaitsEnd = reaches(state, 'pending')
    }
    return { start: sink, states }
  }

  #state(step: number, kind: State['kind'], among = this.#states): State {
    const state: State = { id: NaN, kind, step, edges: [], completes: false, awaitsEnd: false }
    among.push(state)
    return state
  }

  #where(i: number): PatternCondition {
    return this.#code.where[i] ?? always
  }

  /** createMiddleStates of NOT_FOLLOW, which else is but a guard of the states around it, and of NOT_NEXT. */
  #absent(i: number, sink: State): State {
    const comes = this.#where(i)
    if (this.#steps[i]?.follows === 'next') {
      const next = this.#state(i, 'normal')
      next.edges.push(
        { action: 'proceed', step: i, to: sink, when: not(comes) },
        { action: 'proceed', step: i, to: this.#stop, when: comes },
      )
      return next
    }
    if (sink.kind !== 'final') return sink
    const pending = this.#state(i, 'pending')
    pending.edges.push(
      { action: 'proceed', step: i, to: this.#stop, when: comes, guard: i },
      { action: 'ignore', step: i, to: pending, when: not(comes) },
    )
    return pending
  }

  /** convertPattern: the states of one step in front of those behind it. */
  #convert(i: number, sink: State): State {
    const step = this.#steps[i] as PatternStep
    const until = this.#code.until[i]
    const take = until === undefined ? this.#where(i) : both(not(until), this.#where(i))
    const within = ignored(step.loop, this.#where(i))
    const inner = within !== undefined && until !== undefined ? both(not(until), within) : within
    const { begun, skipped } = this.#behindGreedy(i, { sink, take, until })
    const behind = this.#withoutGuards(i, begun)
    let last = step.max === undefined ? this.#looping(i, behind, take, inner) : behind
    const between = { take, ignore: inner, isFirst: false }
    for (let n = step.min; n < (step.max ?? step.min); n++)
      last = this.#single(i, { ...between, to: last, proceed: behind })
    for (let n = 1; n < step.min; n++) last = this.#single(i, { ...between, to: last })
    return this.#single(i, {
      take,
      ignore: ignored(follows(step), this.#where(i)),
      isFirst: true,
      to: last,
      ...(step.optional ? { proceed: skipped } : {}),
    })
  }

  /**
   * updateWithGreedyCondition: the step behind sees no row that this one would take. `begun` is where a loop goes on to,
   * `skipped` where the step was left out. Unlike there the row of `until` frees the step behind from then on in every
   * way that a match has taken, also where a row that fits neither came before: it ends a loop that has begun.
   */
  #behindGreedy(
    i: number,
    { sink, take, until }: { sink: State; take: PatternCondition; until: PatternCondition | undefined },
  ): { begun: State; skipped: State } {
    const step = this.#steps[i] as PatternStep
    if (!step.greedy) return { begun: sink, skipped: sink }
    const free = sink.edges.map((edge) => ({ ...edge }))
    const leadsBack = ({ to }: Edge): boolean => to === sink
    for (const edge of sink.edges) edge.when = narrowed(not(take), edge.when)
    if (until === undefined) return { begun: sink, skipped: sink }
    const skipped = step.optional ? this.#state(sink.step, 'normal', this.#added) : sink
    if (skipped !== sink)
      for (const edge of sink.edges) skipped.edges.push({ ...edge, to: leadsBack(edge) ? skipped : edge.to })
    const freed = this.#state(sink.step, 'normal', this.#added)
    for (const edge of free) {
      freed.edges.push({ ...edge, to: leadsBack(edge) ? freed : edge.to })
      sink.edges.push({ ...edge, to: leadsBack(edge) ? freed : edge.to, when: narrowed(until, edge.when) })
    }
    for (const edge of sink.edges.slice(0, free.length)) edge.when = narrowed(not(until), edge.when)
    return { begun: sink, skipped }
  }

  /**
   * createSingletonState: one row. Where it may be left out, ignoring a row leads to a twin that can no more
   * proceed, so that each way is gone once. Unlike there the twins of inner states carry the guard behind the step,
   * not that before it.
   */
  #single(
    i: number,
    {
      to,
      proceed,
      take,
      ignore,
      isFirst,
    }: { to: State; proceed?: State; take: PatternCondition; ignore: PatternCondition | undefined; isFirst: boolean },
  ): State {
    const state = this.#state(i, 'normal')
    const guarded = [state]
    state.edges.push({ action: 'take', step: i, to, when: take })
    if (proceed !== undefined) state.edges.push({ action: 'proceed', step: i, to: proceed })
    if (ignore !== undefined) {
      const waiting = proceed === undefined ? state : this.#state(i, 'normal')
      if (waiting !== state) {
        waiting.edges.push(
          { action: 'take', step: i, to, when: take },
          { action: 'ignore', step: i, to: waiting, when: ignore },
        )
        guarded.push(waiting)
      }
      state.edges.push({ action: 'ignore', step: i, to: waiting, when: ignore })
    }
    for (const guard of isFirst ? this.#guards(i) : this.#guardsBehind(i))
      for (const one of guarded) this.#guard(one, guard)
    return state
  }

  /** createLooping. */
  #looping(i: number, behind: State, take: PatternCondition, ignore: PatternCondition | undefined): State {
    const loop = this.#state(i, 'normal')
    loop.edges.push({ action: 'proceed', step: i, to: behind }, { action: 'take', step: i, to: loop, when: take })
    const guarded = [loop]
    if (ignore !== undefined) {
      const waiting = this.#state(i, 'normal')
      waiting.edges.push(
        { action: 'take', step: i, to: loop, when: take },
        { action: 'ignore', step: i, to: waiting, when: ignore },
      )
      loop.edges.push({ action: 'ignore', step: i, to: waiting, when: ignore })
      guarded.push(waiting)
    }
    for (const guard of this.#guardsBehind(i)) for (const one of guarded) this.#guard(one, guard)
    return loop
  }

  #guard(state: State, guard: number): void {
    state.edges.push({ action: 'proceed', step: state.step, to: this.#stop, when: this.#where(guard), guard })
  }

  /** getCurrentNotCondition: the rows that must not come until a step takes one, seen from the step at `i`. */
  #guards(i: number): number[] {
    const guards: number[] = []
    for (let before = i - 1; before >= 0; before--) {
      const step = this.#steps[before] as PatternStep
      const isGuard = step.not && step.follows !== 'next'
      if (isGuard) guards.push(before)
      else if (step.not || !step.optional) break
    }
    return guards
  }

  /** addStopStateToLooping: what must not come behind a loop must not come in it either. */
  #guardsBehind(i: number): number[] {
    const behind = this.#steps[i + 1]
    return behind?.not === true && behind.follows !== 'next' ? [i + 1] : []
  }

  /** copyWithoutTransitiveNots: once an optional step has taken a row, the guards before it are over. */
  #withoutGuards(i: number, sink: State): State {
    const guards = this.#steps[i]?.optional === true ? this.#guards(i) : []
    return guards.length === 0 ? sink : this.#copy(sink, new Set(guards), new Map())
  }

  #copy(state: State, without: ReadonlySet<number>, copies: Map<State, State>): State {
    if (state.kind !== 'normal') return state
    const known = copies.get(state)
    if (known !== undefined) return known
    const copy = this.#state(state.step, state.kind, this.#added.includes(state) ? this.#added : this.#states)
    copies.set(state, copy)
    for (const edge of state.edges) {
      if (edge.guard !== undefined && without.has(edge.guard)) continue
      copy.edges.push(
        edge.action === 'take' && edge.to !== state ? edge : { ...edge, to: this.#copy(edge.to, without, copies) },
      )
    }
    return copy
  }
}

function follows({ follows }: PatternStep): PatternStep['loop'] {
  return follows === 'next' ? 'strict' : follows === 'followedBy' ? 'relaxed' : 'combinations'
}

/** getIgnoreCondition: which rows may lie before the one that is waited for. */
function ignored(contiguity: PatternStep['loop'], where: PatternCondition): PatternCondition | undefined {
  switch (contiguity) {
    case 'strict':
      return undefined
    case 'relaxed':
      return not(where)
    case 'combinations':
      return always
  }
}

/** Over steps that may be left out. */
function reaches(state: State, kind: State['kind']): boolean {
  return state.kind === kind || state.edges.some((edge) => edge.action === 'proceed' && reaches(edge.to, kind))
}
