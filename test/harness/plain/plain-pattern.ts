import type { Row } from '../../../runtime/model/schema.ts'
import type { PatternStep } from '../../../runtime/graph/verbs/pattern/pattern-steps.ts'

/*
 * What a pattern means, written down as conditions on a list of rows: every sequence of (step, row) is tried. Slow, and
 * without states: the twin of the automaton.
 */

/** A row and the step that took it. */
export interface Taken {
  step: number
  at: number
}
/** What has been taken before the row that is asked: rows by step. */
export type Before = (step: number) => readonly Row[]
export type PlainCondition = (row: Row, before: Before) => boolean

export interface PlainStep
  extends Pick<PatternStep, 'not' | 'follows' | 'min' | 'max' | 'optional' | 'greedy' | 'loop'> {
  where: PlainCondition
  until?: PlainCondition
}

export type PlainAfter = { kind: 'noSkip' | 'toNext' | 'pastLast' } | { kind: 'toFirst' | 'toLast'; step: number }

export interface PlainPattern {
  steps: readonly PlainStep[]
  within?: number
  after: PlainAfter
}

export interface PlainResult {
  matches: (readonly Taken[])[]
  timedOut: (readonly Taken[])[]
}

/** `rows` in their order, with the time of each. */
export function plainPattern(
  { steps, within = Infinity, after }: PlainPattern,
  rows: readonly Row[],
  times: readonly number[],
): PlainResult {
  const open: (readonly Taken[])[] = []
  const complete: (readonly Taken[])[] = []
  const last = steps.length - 1
  const stepAt = (i: number): PlainStep => steps[i] as PlainStep
  const timeOf = (i: number): number => times[i] ?? NaN
  const rowAt = (i: number): Row => rows[i] as Row

  /** Where a sequence may go on. */
  const nextSteps = (taken: readonly Taken[]): number[] => {
    const now = taken.at(-1)?.step ?? -1
    const count = taken.filter(({ step }) => step === now).length
    const found = now >= 0 && count < (stepAt(now).max ?? Infinity) ? [now] : []
    if (now >= 0 && count < stepAt(now).min) return found
    for (let step = now + 1; step <= last; step++) {
      if (stepAt(step).not) continue
      found.push(step)
      if (!stepAt(step).optional) break
    }
    return found
  }
  /**
   * Whether the rows behind the sequence up to `end` may lie there while it waits for `step`; `taking`: the last of
   * them is what it waits for.
   */
  const passes = (taken: readonly Taken[], step: number, end: number, taking: boolean): boolean => {
    const now = taken.at(-1)
    const before: Before = (of) => taken.filter((one) => one.step === of).map(({ at }) => rowAt(at))
    const takes = (of: number, row: Row): boolean =>
      stepAt(of).where(row, before) && stepAt(of).until?.(row, before) !== true
    const { follows, loop, where, until } = stepAt(step)
    const isInner = now?.step === step
    const between = isInner
      ? loop
      : follows === 'next'
        ? 'strict'
        : follows === 'followedBy'
          ? 'relaxed'
          : 'combinations'
    const from = now === undefined ? end : now.at + 1
    const greedy = isInner || step === 0 || !stepAt(step - 1).greedy ? undefined : step - 1
    // The row of `until` frees the step behind a loop that has begun.
    let isFreed = false
    for (let at = from; at <= end; at++) {
      const row = rowAt(at)
      const isTaken = taking && at === end
      if (isTaken ? !takes(step, row) : between === 'strict') return false
      if (!isTaken && between === 'relaxed' && where(row, before)) return false
      if (!isTaken && isInner && until?.(row, before) === true) return false
      isFreed ||= greedy !== undefined && now?.step === greedy && stepAt(greedy).until?.(row, before) === true
      if (greedy !== undefined && !isFreed && takes(greedy, row)) return false
      if (forbids(taken, at, before)) return false
    }
    return true
  }
  /** The step right behind the last one taken says what must not come. */
  const forbids = (taken: readonly Taken[], at: number, before: Before): boolean => {
    const now = taken.at(-1)
    const guard = now === undefined ? undefined : steps[now.step + 1]
    if (now === undefined || guard?.not !== true || !guard.where(rowAt(at), before)) return false
    if (guard.follows !== 'next') return true
    return at === now.at + 1 && taken.filter(({ step }) => step === now.step).length >= stepAt(now.step).min
  }
  const explore = (taken: readonly Taken[]): void => {
    const now = taken.at(-1)
    const end = taken[0] === undefined ? Infinity : timeOf(taken[0].at) + within
    const count = rows.findIndex((_, at) => timeOf(at) >= end)
    const reach = count < 0 ? rows.length : count
    if (now !== undefined) {
      const enough = taken.filter(({ step }) => step === now.step).length >= stepAt(now.step).min
      const isAll = enough && steps.every((step, i) => i <= now.step || step.optional || (step.not && i === last))
      const before: Before = (of) => taken.filter((one) => one.step === of).map(({ at }) => rowAt(at))
      const awaitsEnd = isAll && stepAt(last).not
      const isKept = awaitsEnd && !rows.some((row, at) => at > now.at && at < reach && stepAt(last).where(row, before))
      if (awaitsEnd ? isKept : isAll) complete.push(taken)
      if (!isKept && within < Infinity && nextSteps(taken).some((step) => passes(taken, step, reach - 1, false)))
        open.push(taken)
    }
    for (const step of nextSteps(taken)) {
      for (let at = (now?.at ?? -1) + 1; at < reach; at++)
        if (passes(taken, step, at, true)) explore([...taken, { step, at }])
    }
  }
  explore([])
  return skipped(complete, open, after, stepAt(last).not)
}

/** Takes matches by first row, then by completion; each skips those that begin before where it goes on. */
function skipped(
  complete: readonly (readonly Taken[])[],
  open: readonly (readonly Taken[])[],
  after: PlainAfter,
  areAllAtTheEnd: boolean,
): PlainResult {
  if (after.kind === 'noSkip') return { matches: [...complete], timedOut: [...open] }
  const start = (taken: readonly Taken[]): number => taken[0]?.at ?? -1
  const end = (taken: readonly Taken[]): number => (areAllAtTheEnd ? 0 : (taken.at(-1)?.at ?? -1))
  let waiting = [...complete].sort(
    (one, other) => start(one) - start(other) || end(one) - end(other) || byRows(one, other),
  )
  let timedOut = [...open]
  const matches: (readonly Taken[])[] = []
  for (let [match] = waiting; match !== undefined; [match] = waiting) {
    const found = match
    matches.push(found)
    const bound = boundOf(found, after)
    waiting = waiting.slice(1).filter((other) => start(other) >= bound)
    timedOut = timedOut.filter(
      (other) =>
        start(other) >= bound || start(other) < start(found) || (areAllAtTheEnd && start(other) === start(found)),
    )
  }
  return { matches, timedOut }
}

function boundOf(match: readonly Taken[], after: Exclude<PlainAfter, { kind: 'noSkip' }>): number {
  switch (after.kind) {
    case 'pastLast':
      return (match.at(-1)?.at ?? -1) + 1
    case 'toNext':
      return (match[0]?.at ?? -1) + 1
    case 'toFirst':
      return match.find(({ step }) => step === after.step)?.at ?? -1
    case 'toLast':
      return match.findLast(({ step }) => step === after.step)?.at ?? -1
    default:
      return -1
  }
}

function byRows(one: readonly Taken[], other: readonly Taken[]): number {
  for (let i = 0; i < Math.max(one.length, other.length); i++) {
    const [left, right] = [one[i], other[i]]
    if (left === undefined || right === undefined) return left === undefined ? 1 : -1
    if (left.at !== right.at || left.step !== right.step) return left.at - right.at || left.step - right.step
  }
  return 0
}
