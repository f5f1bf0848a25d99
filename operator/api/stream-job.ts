import type { Condition, KubeObject } from '../kube/objects.ts'
import type { Reason } from '../kube/reasons.ts'
import type { ResourceType } from '../kube/resource-type.ts'
import type { OperatorLoss, ScalingLimit, ScalingProposal } from '../../runtime/control/job-report.ts'
import type { SavepointTrigger } from './stream-savepoint.ts'

export const GROUP = 'millrace.dev'
export const API_VERSION = `${GROUP}/v1alpha1`
/** Held until the job has let go of everything outside: a final savepoint was tried and its pods are gone. */
export const FINALIZER = `${GROUP}/release`

export const streamJobs: ResourceType<StreamJob> = {
  group: GROUP,
  version: 'v1alpha1',
  plural: 'streamjobs',
  kind: 'StreamJob',
}

/** crds/streamjobs.yaml in types; a test holds both together. */
export interface StreamJob extends KubeObject {
  spec: StreamJobSpec
  status?: StreamJobStatus
}

export interface StreamJobSpec {
  /** Parallelism of every operator that has none of its own. */
  replicas?: number
  maxParallelism?: number
  maxBadShare?: string
  checkpoints?: { interval?: string; store?: string }
  /** How many bytes of the rows that operators keep may be in a worker's memory, and where the rest goes. */
  state?: { memory: string; folder?: string }
  /**
   * Where the code of user functions is; the operator never loads it. Read by validateJob and by
   * modules-volume.ts.
   */
  modules?: Readonly<Record<string, unknown>>
  /** Read by validateJob only. */
  graph: readonly unknown[]
  desiredState?: 'Running' | 'Suspended'
  image?: string
  imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never'
  imagePullSecrets?: readonly { name: string }[]
  env?: readonly EnvVar[]
  /** Applies to every worker container. */
  resources?: Readonly<Record<string, unknown>>
  coordinator?: { resources?: Readonly<Record<string, unknown>> }
  podTemplate?: Readonly<Record<string, unknown>>
  /** Any new text restarts the pods through a savepoint. */
  restartNonce?: string
  /** What the job's first start takes its state from. */
  restore?: RestoreFrom
  /** Savepoints at regular times, and which of them stay. */
  savepoints?: SavepointPolicy
  deletion?: { deadline?: string; savepoint?: 'Take' | 'Skip' }
  upgrade?: UpgradePolicy
  /** The parallelism follows the load. */
  autoscaler?: AutoscalerSpec
}

export type RestoreFrom =
  /** A StreamSavepoint of this namespace. */
  | { readonly savepoint: string }
  | { readonly path: string }
  /** The newest completed StreamSavepoint of the job of that name; of several lives of it, with `uid`, of that one. */
  | { readonly latestOf: string; readonly uid?: string }

export interface SavepointPolicy {
  every: string
  /** How many completed ones stay. */
  keep?: number
  /** None but the newest one stays for longer. */
  maxAge?: string
}

export interface UpgradePolicy {
  /** Whether a changed spec that does not hold for `stability` gives way to the one before it. */
  rollback?: 'Enabled' | 'Disabled'
  stability?: string
  /** As long as it is there, the kept spec of this number runs, whatever else the spec says. */
  rollbackTo?: number
  /** How many kept specs are listed in the status, besides those in use. */
  revisionHistoryLimit?: number
}

export interface AutoscalerSpec {
  /** Recommend: what it would do stands in the status. Off: the load is not watched. */
  mode?: 'Off' | 'Recommend' | 'Apply'
  minReplicas?: number
  maxReplicas: number
  /** Percent of its time in which a slot is to work. */
  targetUtilization?: number
  /** Records that wait are to be worked off in this time. */
  catchUp?: string
  /** Slots go when fewer would have been enough for so long. */
  scaleDownAfter?: string
}

export interface EnvVar {
  name: string
  value?: string
  valueFrom?: Readonly<Record<string, unknown>>
}

export type StreamJobPhase =
  | 'Pending'
  | 'Deploying'
  | 'Running'
  /** It runs, and what the outside refuses it or what it loses stands in reason and message. */
  | 'Degraded'
  | 'Rescaling'
  | 'Upgrading'
  | 'Recovering'
  | 'Suspending'
  | 'Suspended'
  | 'Finished'
  | 'Failed'
  | 'Deleting'

/** How a pod or one of its containers ended, in the words of the kubelet. */
export interface PodFailure {
  pod: string
  /** OOMKilled, ContainerKilled, ContainerFailed, PodEvicted, or the kubelet's own reason. */
  reason: Reason
  /** What happened, and what to do. */
  message: string
  /** ISO 8601, by the clock of the node. */
  at: string
}

export interface StreamJobStatus {
  observedGeneration?: number
  phase?: StreamJobPhase
  /** Why, in one CamelCase word and in one sentence: those of the Ready condition. */
  reason?: string
  message?: string
  /** The n-th start of the job. */
  attempt?: number
  /** Hash of the spec that runs. */
  revision?: string | null
  /** The template of the pods that run the job: another one takes over only when its pods are ready. */
  template?: string
  /** For the scale subresource: `selector` matches exactly `replicas` pods. */
  replicas?: number
  selector?: string
  /** `ready/wanted`. */
  pods?: string
  checkpoint?: CheckpointStatus | null
  restarts?: number
  /** The newest end of a pod or container that nobody asked for. */
  lastFailure?: PodFailure
  /** Operators that left out records in this attempt. */
  losses?: readonly OperatorLoss[]
  /** The operation under way: written before its first act, so that a restarted operator goes on with it. */
  operation?: Operation | null
  lastOperation?: LastOperation
  /** What has happened and is not reported yet, the oldest first; null when nothing. */
  untold?: readonly Untold[] | null
  /** What the API server does not take of this job; null when nothing. */
  refusal?: Refusal | null
  /** The newest spec that passed. */
  lastGood?: LastGood
  /** Specs that were kept, each in the ControllerRevision `<job>-<first 10 of hash>`, the newest first. */
  revisions?: readonly KeptRevision[]
  /** The revision that `spec.upgrade.rollbackTo` has brought back. */
  rollbackTo?: HeldRevision | null
  /** Seal of the newest spec that has held, as in `lastGood`; empty when the last one failed after all. */
  stable?: string
  /** The spec that runs and has not held for long enough yet, and since when. */
  observing?: { hash: string; since: string } | null
  /** The spec that did not hold: the stable one runs in its place until the spec is another. */
  rolledBack?: { hash: string; at: string; message: string } | null
  finishedAt?: string | null
  autoscaler?: AutoscalerStatus | null
  /** An edit that waits to be approved, and what it would do. */
  plan?: PlanStatus | null
  /** The newest ones, the newest last: what was seen, what was done, and why. */
  decisions?: readonly DecisionRecord[]
  conditions?: Condition[]
}

/** One decision of the operator over a job. */
export interface DecisionRecord {
  /** ISO 8601, by the time of the API server. */
  at: string
  saw: string
  did: string
  /** CamelCase, as in the Ready condition. */
  reason: string
  because: string
}

export interface PlanStatus {
  /** The gravest of the steps. */
  class: string
  steps: readonly { class: string; field: string; what: string }[]
  /** What the annotation millrace.dev/approved-plan has to say. */
  hash: string
}

/** What the autoscaler did, and what it would do. */
export interface AutoscalerStatus {
  /** Operators that have another number of slots than `spec.replicas` says. */
  scaled: readonly ScaledOperator[]
  /** `spec.replicas` as it was then: another one wins over `scaled`. */
  base: number
  /** When it last changed something, and why. */
  at?: string | null
  because?: string
  /** Hash of the spec that it changed the parallelism of. */
  spec?: string
  /** While the change is under way: what is taken up again when it cannot be carried out. */
  before?: readonly ScaledOperator[] | null
  /** A change could not be carried out: none is tried until then. */
  held?: { until: string; message: string } | null
  /** What the coordinator would have: not applied (yet). */
  proposals: readonly ScalingProposal[]
  /** Why operators that are short of slots get no more. */
  limits: readonly ScalingLimit[]
}

export interface ScaledOperator {
  operator: string
  replicas: number
}

export interface LastGood {
  generation: number
  hash: string
  /** Hash of the spec of the pods that run, while those of this one are to take over. */
  running?: string | null
  change: 'none' | 'rescale' | 'graph' | 'incompatible'
  /** A ConfigMap in which an earlier operator kept specs: deleted as soon as the status names their revisions. */
  leftover?: string | null
}

export interface HeldRevision {
  revision: number
  hash: string
}

export interface KeptRevision {
  hash: string
  /** Counts up; a text that is kept again gets a new number. */
  revision: number
  at: string
  /** The job's, when the spec was kept; absent for those that an earlier operator kept. */
  generation?: number
  /** From the spec that was kept before it. */
  change?: LastGood['change']
}

export interface CheckpointStatus {
  attempt: number
  id: number
  kind: 'checkpoint' | 'savepoint'
  /** Null: not a savepoint that is kept. */
  savepoint?: string | null
  completedAt: string
  path: string
  sizeBytes: number
  durationMs: number
  /** Checkpoints in a row that failed since. */
  failures: number
}

export type OperationType = 'Deploy' | 'Rescale' | 'Upgrade' | 'Recover' | 'Suspend' | 'Resume' | 'Delete'

export interface Operation {
  /** Idempotency key of everything done for it. */
  id: string
  type: OperationType
  step: 'start' | 'savepoint' | 'stop' | 'replace' | 'removePods' | 'deploy'
  /** For an upgrade: whether the spec asks for other pods, or only this operator renders them otherwise. */
  cause?: 'operator' | 'spec'
  /** How often its savepoint was asked for again. */
  tries: number
  startedAt: string
  /** When waiting for others ends and the step's fallback is taken. */
  deadline: string
}

/** Written with the status that it follows from, and removed when it is an Event or counted. */
export type Untold = { id: string } & (
  | { event: { type: 'Normal' | 'Warning'; reason: Reason; message: string } }
  | { ended: { type: OperationType; result: LastOperation['result']; ms: number } }
  | { paused: { type: OperationType; ms: number } }
  | { savepoint: TakenSavepoint }
)

/** A savepoint that the operator has had taken and that is kept: it becomes a StreamSavepoint. */
export interface TakenSavepoint {
  trigger: Exclude<SavepointTrigger, 'Manual' | 'Periodic'>
  /** The name by which the coordinator knows it. */
  id: string
  attempt: number
  checkpoint: number
  path: string
  completedAt: number
  durationMs: number
  sizeBytes: number
}

export interface Refusal {
  /** What the operator was about to do. */
  act: string
  /** CamelCase. */
  reason: Reason
  /** In the words of whoever refused. */
  message: string
  /** Refused since then, perhaps for changing reasons. */
  since: string
}

export interface LastOperation {
  id: string
  type: OperationType
  result: 'Succeeded' | 'WithoutSavepoint' | 'Superseded'
  startedAt: string
  finishedAt: string
  /** Absent or null until the first record after it was seen, and for operations that pause nothing. */
  pauseMs?: number | null
}
