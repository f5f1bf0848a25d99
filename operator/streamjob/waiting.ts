import type { Operation } from '../api/stream-job.ts'
import type { Decision } from './decision.ts'
import type { Observed } from './observed.ts'
import { isLate, working } from './operation.ts'
import type { Trouble } from './pod-trouble.ts'

const STEADY_MS = 5_000

interface Wait {
  /** What is waited for, in a sentence. */
  message: string
  requeueAfterMs: number
  /** What will not pass by waiting alone. */
  trouble?: Trouble | undefined
}

/**
 * Nothing to do but to look again. Trouble is told at once. Without any, an operation beyond its deadline says what it
 * waits for. Both are looked at again more slowly, and go on by themselves when the hindrance is gone.
 */
export function waiting(
  observed: Observed,
  operation: Operation,
  { message, requeueAfterMs, trouble }: Wait,
): Decision {
  const late: Trouble | undefined = isLate(observed, operation) ? { reason: 'DeadlineExceeded', message } : undefined
  const told = trouble ?? late
  if (told === undefined) return working(operation, { act: { kind: 'none' }, message, requeueAfterMs })
  return {
    ...working(operation, {
      act: { kind: 'none' },
      message: told.message,
      requeueAfterMs: STEADY_MS,
      events: [{ type: 'Warning', reason: told.reason, message: told.message }],
    }),
    reason: told.reason,
    stalled: true,
  }
}
