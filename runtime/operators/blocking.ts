import type { Aggregate } from '../graph/verbs/kit/aggregate-fields.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logger } from '../ports/logger.ts'
import type { Metric } from '../telemetry/metric.ts'
import type { MetricRegistry } from '../telemetry/metric-registry.ts'
import type { OperatorContext } from './operator-context.ts'

/** Nothing else happens in a process while a function of the user runs; longer than this is worth a warning. */
const BLOCKING_MS = 1_000

export const BLOCKED_SECONDS: Metric = {
  name: 'millrace_operator_blocked_seconds',
  type: 'gauge',
  help: 'How long functions of the job held up their processes in this attempt',
  scope: 'operator',
}

/** What happens when functions of the user held up a process: a warning, and the time is measured by operator. */
export function blockedHandler(logger: Logger, metrics: MetricRegistry): OperatorContext['onBlocked'] {
  const blockedMs = new Map<string, number>()
  metrics.collect(BLOCKED_SECONDS, () => [...blockedMs].map(([operator, ms]) => ({ operator, value: ms / 1000 })))
  return (operator, name, ms) => {
    blockedMs.set(operator, (blockedMs.get(operator) ?? 0) + ms)
    logger.warn('a function of the job held up its whole process', { operator, function: name, ms })
  }
}

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
