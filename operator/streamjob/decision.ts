import type { AutoscalerPolicy } from '../../runtime/control/job-report.ts'
import type { EventNote } from '../kube/events.ts'
import type {
  AutoscalerStatus,
  Operation,
  OperationType,
  Refusal,
  StreamJobPhase,
  LastOperation,
} from '../api/stream-job.ts'
import type { Pod } from '../kube/objects.ts'
import type { Reason } from '../kube/reasons.ts'

/** One step. Each may be done twice without harm. */
export type Act =
  | { kind: 'none' }
  | { kind: 'keepSpec' }
  /** The ConfigMap in which an earlier operator kept specs. */
  | { kind: 'deleteLeftover' }
  /** Creates the token and the Service too, when they are missing. */
  | { kind: 'createPods'; pods: readonly Pod[] }
  /** As createPods, when the API server would take each of them, and each of `probes`, which are not created yet. */
  | { kind: 'startSuccessors'; pods: readonly Pod[]; probes: readonly Pod[] }
  | { kind: 'deletePods'; pods: readonly Pod[] }
  /** To the coordinator of that template, which is `running` or `wanted`, the spec of that. */
  | { kind: 'putTarget'; desiredState: 'running' | 'suspended'; template: string }
  | { kind: 'requestSavepoint'; id: string }
  /** To the coordinator that runs the job. */
  | { kind: 'putAutoscaler'; policy: AutoscalerPolicy | null }
  | { kind: 'release' }

/** The part of the autoscaler's status that its own decisions write. */
export type Scaling = Required<Omit<AutoscalerStatus, 'proposals' | 'limits'>>

export interface Decision {
  act: Act
  phase: StreamJobPhase
  reason: Reason
  message: string
  /** What status.operation says before the act; null: none is under way. */
  operation: Operation | null
  /** The operation that ended with this decision. */
  ended?: { type: OperationType; result: LastOperation['result'] }
  /** Will not get on without somebody's help. */
  stalled?: boolean
  /** What was refused and is tried again. */
  refusal?: Refusal
  /** The template whose pods run the job from now on; absent: as before. */
  template?: string
  /** The newest spec gives way to the one before it. */
  rolledBack?: { hash: string; at: string; message: string }
  /** What the autoscaler changes, or takes back. */
  scaling?: Scaling
  events: readonly EventNote[]
  requeueAfterMs?: number
}
