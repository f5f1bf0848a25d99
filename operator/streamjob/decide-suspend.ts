import type { Decision } from './decision.ts'
import type { Observed } from './observed.ts'
import { begin, ending } from './operation.ts'
import { carryOnStopping } from './stop.ts'

/** desiredState is Suspended: a savepoint, then no pods. */
export function decideSuspend(observed: Observed): Decision {
  if (observed.pods.length === 0) {
    return ending(observed, 'Succeeded', {
      phase: 'Suspended',
      reason: 'Suspended',
      message: 'Suspended as asked; no pods run.',
    })
  }
  return carryOnStopping(observed, begin(observed, 'Suspend', 'savepoint'))
}
