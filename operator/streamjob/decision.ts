import type { EventNote } from '../kube/events.ts'
import type { Operation, OperationType, Refusal, StreamJobPhase, LastOperation } from '../api/stream-job.ts'
import type { Pod } from '../kube/objects.ts'

/** One step. Each may be done twice without harm. */
export type Act =
  | { kind: 'none' }
  | { kind: 'addFinalizer' }
  | { kind: 'keepSpec' }
  /** Creates the token and the Service too, when they are missing. */
  | { kind: 'createPods'; pods: readonly Pod[] }
  | { kind: 'deletePods'; pods: readonly Pod[] }
  | { kind: 'putTarget'; desiredState: 'running' | 'suspended' }
  | { kind: 'requestSavepoint'; id: string }
  | { kind: 'release' }

export interface Decision {
  act: Act
  phase: StreamJobPhase
  /** CamelCase. */
  reason: string
  message: string
  /** What status.operation says before the act; null: none is under way. */
  operation: Operation | null
  /** The operation that ended with this decision. */
  ended?: { type: OperationType; result: LastOperation['result'] }
  /** Will not get on without somebody's help. */
  stalled?: boolean
  /** What was refused and is tried again. */
  refusal?: Refusal
  events: readonly EventNote[]
  requeueAfterMs?: number
}
