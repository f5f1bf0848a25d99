import type { Aggregate } from '../graph/verbs/kit/aggregate-fields.ts'
import type { Clock } from '../ports/clock.ts'
import type { OperatorContext } from './operator-context.ts'

/** Nothing else happens in a process while a function of the user runs; longer than this is worth a warning. */
export const BLOCKING_MS = 1_000

/** Runs code of the user, a batch at a time, and reports when it took longer than BLOCKING_MS. */
export function watched<T>(clock: Clock, onBlocked: (ms: number) => void, run: () => T): T {
  const start = clock.now()
  try {
    return run()
  } finally {
    const took = clock.now() - start
    if (took > BLOCKING_MS) onBlocked(took)
  }
}

/** How an operator runs its aggregates: watched when the user wrote some of them. */
export function aggregateWatcher(
  aggregates: readonly Aggregate[],
  { node, clock, onBlocked }: Pick<OperatorContext, 'node' | 'clock' | 'onBlocked'>,
): <T>(run: () => T) => T {
  const names = aggregates.flatMap(({ user }) => (user === undefined ? [] : [user.function.function])).join(', ')
  return names === ''
    ? (run) => run()
    : (run) =>
        watched(
          clock,
          (ms) => {
            onBlocked(node.id, names, ms)
          },
          run,
        )
}
