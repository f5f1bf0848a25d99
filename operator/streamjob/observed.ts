import type { ErrorReport } from '../../runtime/model/errors.ts'
import type { JobReport, SavepointReport } from '../../runtime/control/job-report.ts'
import type { Change } from '../../runtime/plan/change.ts'
import type { Problem } from '../../runtime/graph/problems.ts'
import type { HeldRevision, StreamJob, StreamJobSpec } from '../api/stream-job.ts'
import type { Pod } from '../kube/objects.ts'
import type { WaitingPlan } from './choose-spec.ts'
import type { Wanted } from './wanted.ts'

export interface KeepSpec {
  /** earlier: only what an operator kept that knew no revisions; then the last good one stays. */
  kind: 'newest' | 'earlier'
  change: Change | undefined
  /** The specs that get a revision each, the oldest first. */
  specs: readonly StreamJobSpec[]
  /** The ConfigMap from which earlier ones were read. */
  leftover: string | undefined
}

/** All that one pass knows: read at its start, never changed. Plain data. */
export interface Observed {
  /** By the clock of the API server, as all stamps in objects. */
  now: number
  job: StreamJob
  /** Pods rendered otherwise from the same spec have to wait for their turn; until then `wanted` is what runs. */
  isDeferred: boolean
  /** From the newest spec that passed; undefined when none ever did. */
  wanted: Wanted | undefined
  /** What is wrong with the newest spec; then `wanted` is from an older one. */
  problems: readonly Problem[]
  /** The newest spec that has held; undefined when none has, or its text is not what the status vouches for. */
  stableSpec: StreamJobSpec | undefined
  /** The newest spec is good and waits to be approved. */
  plan: WaitingPlan | undefined
  /** Specs that are not kept yet: the newest one, which has passed. */
  keepSpec: KeepSpec | undefined
  /** The kept spec that `wanted` is of because `spec.upgrade.rollbackTo` names it. */
  held: HeldRevision | undefined
  /**
   * What the pods that run the job were made from: `wanted`, unless an upgrade is to replace them. Undefined when
   * `wanted` is.
   */
  running: Wanted | undefined
  /** Pods owned by this job, by uid, of any template; those being deleted among them. */
  pods: readonly Pod[]
  /** Pods with the name of this job that belong to nobody: `kubectl delete --cascade=orphan` leaves them so. */
  orphans: readonly Pod[]
  /** Where the newest checkpoint that is known lies; undefined when there is none. */
  stateLocation: string | undefined
  /** Pods and the Service that we need and that belong to someone else, each with its kind. */
  taken: readonly string[]
  /** Where workers of `running` find their coordinator; undefined while that is not known. */
  coordinatorAddress: string | undefined
  /** The coordinator of `running`. */
  coordinator: CoordinatorView
  /** The coordinator of `wanted`, while its pods stand by to take over from those of `running`. */
  successor: { address: string | undefined; coordinator: CoordinatorView } | undefined
  /** What the coordinator says of the savepoint of the operation under way. */
  savepoint: SavepointReport | undefined
  /** StreamSavepoints of which the coordinator knows more than they say; empty unless the job is being deleted. */
  unreadSavepoints: readonly string[]
  /** Something outside that the job needs before it may start: a DruidDatasource, a savepoint. */
  waitsFor: ErrorReport | undefined
}

export type CoordinatorView =
  | { kind: 'reached'; report: JobReport }
  | { kind: 'unreachable'; why: ErrorReport }
  /** The pod is missing or has no address yet. */
  | { kind: 'absent' }
