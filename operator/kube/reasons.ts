/** Why a condition is as it is, or what an Event tells. `act`: what a user does about it; absent: nothing. */
interface ReasonText {
  readonly means: string
  readonly act?: string
}

/**
 * Every reason that is a word of the operator, for docs/operations.md. Reasons that are made of an error's code, of a
 * kind, or of a word of Druid or the kubelet (`derivedReason`) explain themselves in their messages.
 */
export const REASONS = {
  Accepted: { means: 'The object was seen, or Druid has taken the specification.' },
  Adopted: { means: 'A supervisor that was there already is looked after from now on.' },
  AsWritten: { means: 'The supervisor is as its specification says.' },
  ChangedByOthers: {
    means: 'Somebody has changed the supervisor in Druid.',
    act: 'Change the resource instead, or choose another driftPolicy.',
  },
  CheckpointsFailing: {
    means: 'Checkpoints in a row did not complete.',
    act: 'Look at the store that the message names; the job runs on and its sources are read again from the last one.',
  },
  ScalingApplied: { means: 'The autoscaler gives operators another number of slots; the message says which and why.' },
  ScalingLimited: {
    means: 'Operators need more slots than they may have, or read no more with those that they were given.',
    act: 'Raise spec.autoscaler.maxReplicas, give the topic more partitions, or look for one key with most of the records.',
  },
  ScalingProposed: {
    means: 'The autoscaler would give operators another number of slots.',
    act: 'Set spec.autoscaler.mode to Apply, or spec.replicas by hand.',
  },
  ScalingTakenBack: {
    means: 'The pods for a change of the autoscaler were refused or did not come in time; the job runs on as before.',
    act: 'Look at the quota or the nodes that the message names; it is tried again after ten minutes.',
  },
  PlanReady: {
    means: 'An edit waits to be approved; what ran before runs on.',
    act: 'Look at status.plan, and approve it with the command in the message, or take the edit back.',
  },
  Completed: { means: 'The savepoint is complete and kept at the place that the message names.' },
  Configured: { means: 'Retention or compaction of the datasource was set or removed in Druid, as the resource says.' },
  ContainerFailed: {
    means: 'A container ended with an exit code.',
    act: 'Read its log with kubectl logs --previous; the message has its last words.',
  },
  ContainerKilled: { means: 'A container was ended by a signal.', act: 'Read its log with kubectl logs --previous.' },
  ControllerRevisionRefused: {
    means: 'The API server does not take the ControllerRevision in which a spec of the job is kept.',
    act: 'The message is what it said: a quota or an admission policy.',
  },
  Created: { means: 'The supervisor was created.' },
  DataSourceChanged: {
    means: 'The supervisor of that name writes to another datasource.',
    act: 'Name the supervisor that belongs to it, or rename this one.',
  },
  DeadlineExceeded: {
    means: 'A step has waited for longer than its time.',
    act: 'The message names what is waited for; it goes on by itself when that comes.',
  },
  DeletedWithLeftovers: {
    means: 'The object is gone and something of it stays behind.',
    act: 'Remove what the message names.',
  },
  Deleted: { means: 'The job is gone.' },
  Deleting: { means: 'The job takes its last savepoint and its pods go.' },
  DeletionWaits: { means: 'The deletion waits for a specification that was sent to Druid and not answered.' },
  Deploying: { means: 'The pods of the job are created and its first attempt starts.' },
  DriftCorrected: {
    means: 'A change that somebody made in Druid was undone.',
    act: 'Change the resource instead.',
  },
  DruidFailed: { means: 'Druid answered with an error of its own.', act: 'The message has it; it is tried again.' },
  DruidUnreachable: { means: 'Druid does not answer.', act: 'Look at its Router and at the network between both.' },
  Failed: { means: 'The job or the savepoint was given up.', act: 'The message says why.' },
  FinalSavepoint: { means: 'A deleted job has left its state at the place that the message names.' },
  Finished: { means: 'All inputs have ended and every result is committed.' },
  Healthy: { means: 'Records flow and checkpoints complete.' },
  ImagePullFailed: { means: 'The image of a pod cannot be fetched.', act: 'Correct the image or its pull secrets.' },
  InProgress: { means: 'The coordinator takes the savepoint.' },
  JobException: { means: 'A running job complains of what the message says.' },
  LateWriteCorrected: { means: 'A specification that an earlier operator sent late was replaced by the newest one.' },
  LeftAlone: {
    means:
      'The supervisor belongs to somebody else, or may not be used any more, and stays as it is when this resource goes.',
  },
  LostAndRestored: { means: 'Druid lost the supervisor over a refused specification; the one before runs again.' },
  ManagedByAnother: {
    means: 'Another operator looks after this object.',
    act: 'Let only one of them watch this namespace, or give each a class.',
  },
  NameTaken: {
    means: 'An object of that name belongs to somebody else.',
    act: 'Rename the job, or remove the other object.',
  },
  NetworkPolicyRefused: {
    means: 'The API server does not take the NetworkPolicy of the job.',
    act: 'The message is what it said: a quota or an admission policy.',
  },
  NoSupervisor: { means: 'Druid has no supervisor of that name.' },
  NotAdopted: {
    means: 'A supervisor was there already and is left as it is.',
    act: 'Make both equal, or choose another adoption.',
  },
  NotAllowed: {
    means: 'The namespace may not use that datasource of that Druid.',
    act: 'Ask who runs the operator for a rule in druids.NAME.allowed, or name a datasource that is allowed.',
  },
  NotReached: { means: 'The coordinator says nothing. A job that ran counts as running for ten seconds more.' },
  NotRunning: { means: 'The spec has not been seen running yet.' },
  NotStarting: { means: 'The supervisor is pending and has trouble.', act: 'The message has it.' },
  OOMKilled: {
    means: 'A container was killed for memory.',
    act: 'Raise resources.limits.memory, or let state go to disk with state.memory.',
  },
  Observing: { means: 'A changed spec runs and has to show that it holds.' },
  OffsetsOutOfRange: {
    means: 'Records that Druid wants to read next are gone from the topic.',
    act: 'Reset the supervisor, and keep records longer.',
  },
  Orphaned: {
    means: 'The job was deleted with --cascade=orphan and runs on.',
    act: 'The message says how to stop it.',
  },
  OwnedByAnother: {
    means: 'The supervisor is marked by another DruidDatasource.',
    act: 'Remove one of the two, or give them different names; the message says what to do when the other is of a cluster that is gone.',
  },
  PartitionsUnread: { means: 'Tasks have read nothing of some partitions for long.', act: 'The message names them.' },
  Passed: { means: 'The spec has run for its stability time and completed a checkpoint.' },
  PodConfigInvalid: {
    means: 'The kubelet cannot make a container.',
    act: 'The message names what is missing, such as a Secret or ConfigMap.',
  },
  PodCrashLooping: { means: 'A container ends again and again.', act: 'Read its log with kubectl logs --previous.' },
  PodEvicted: {
    means: 'A node has ended a pod for want of something.',
    act: 'Request as much memory and disk as it uses, or give it a priority.',
  },
  PodFailed: { means: 'A pod has ended and is replaced.' },
  PodRefused: {
    means: 'The API server does not take a pod of the job.',
    act: 'The message is what it said: a field of podTemplate, Pod Security, an admission policy.',
  },
  PodTerminating: {
    means: 'A pod is still there half a minute after its grace period; another one starts beside it.',
    act: 'When its node is surely off: kubectl delete pod --force.',
  },
  Progressing: { means: 'Nothing is in the way.' },
  QuotaExceeded: {
    means: 'A ResourceQuota does not leave room for a pod.',
    act: 'Raise it, or set the requests and limits that it counts.',
  },
  Reachable: { means: 'Druid answers again.' },
  Reached: { means: 'Druid answers.' },
  RecordsDeadLettered: {
    means: 'An operator puts records aside as dead letters.',
    act: 'The message has the first reason; the records are in the sink of onError.',
  },
  RecordsSkipped: { means: 'An operator leaves out records.', act: 'The message has the first reason.' },
  Recovered: { means: 'The job runs again.' },
  Recovering: { means: 'Lost pods are created again, and the job continues from its newest checkpoint.' },
  RecreatedAfterTerminate: { means: 'Somebody ended the supervisor in Druid; it was created again.' },
  Rejected: {
    means: 'The newest spec is not applied; the one before it stays in force.',
    act: 'Correct what the message names.',
  },
  RescaleCompleted: { means: 'The job runs with its new replicas.' },
  Rescaling: { means: 'A savepoint is taken and the job continues with other replicas.' },
  RestoreStarted: { means: 'The job starts from the state that the message names.' },
  Resumed: { means: 'The job, or the supervisor, runs again.' },
  Resuming: { means: 'A suspended job is started again from its savepoint.' },
  Retrying: { means: 'Druid is asked again.' },
  RollbackTo: {
    means: 'A kept spec runs, as spec.upgrade.rollbackTo says.',
    act: 'Remove the field to run the newest spec.',
  },
  RollbackToEnded: { means: 'The newest spec runs again, since spec.upgrade.rollbackTo was removed.' },
  RolledBack: {
    means: 'An edited spec did not hold; the one before it runs again, from the newest checkpoint.',
    act: 'Correct the spec; to try the same once more, change spec.restartNonce.',
  },
  Running: { means: 'What is wanted runs.' },
  SampleRefused: {
    means: 'The newest spec was tried on some records by the sampler of Druid and not sent; what runs goes on.',
    act: 'Correct what the message names; it is tried again at each look. `validation.sample: false` sends it untried.',
  },
  SavepointCompleted: { means: 'The savepoint is complete and kept at the place that the message names.' },
  SavepointFailed: { means: 'The savepoint did not complete.', act: 'The message says why; the job runs on.' },
  SavepointNotRecorded: {
    means: 'The API server does not take the StreamSavepoint of a savepoint that is there.',
    act: 'The message says where it lies: spec.restore.path of a job starts from it.',
  },
  SavepointStarted: { means: 'The coordinator was asked for the savepoint.' },
  SecretForbidden: {
    means: 'The operator may not read a Secret for Druid, or the Secret does not say that it may go there.',
    act: 'Add it to druidSecrets of the chart, or the host to its key allowed-hosts; the message says which.',
  },
  SecretInvalid: {
    means: 'What is in a Secret for Druid cannot be used.',
    act: 'Correct the key that the message names; it is read again.',
  },
  SecretMissing: {
    means: 'A Secret for Druid, or a key of it, is not there.',
    act: 'Make it; it is read again.',
  },
  SecretRefused: {
    means: 'The API server does not take the Secret with the token of the job.',
    act: 'The message is what it said: a quota or an admission policy.',
  },
  ServiceRefused: {
    means: 'The API server does not take the Service of the job.',
    act: 'The message is what it said: a quota or an admission policy.',
  },
  Settled: { means: 'No operation is under way.' },
  SpecChanged: { means: 'A changed spec was taken; the message says what the change asks for.' },
  SpecInvalid: {
    means: 'The spec is wrong; the last good one stays in force.',
    act: 'Correct what the message names.',
  },
  StateIncompatible: {
    means: 'The state of the job does not fit the changed spec; the last good one stays in force.',
    act: 'Give the changed operator a new id to start it without state, or undo the change.',
  },
  StateMissing: {
    means: 'The store has less of the job than its status knows.',
    act: 'Find out who removed checkpoints; the job has begun anew from what is there.',
  },
  StoppedWithoutSavepoint: {
    means: 'No savepoint could be taken before the job stopped: it continues from its newest checkpoint.',
  },
  SupervisorTypeChanged: { means: 'The supervisor of that name is of another type.', act: 'Rename this one.' },
  Suspended: { means: 'Nothing runs, as asked.' },
  Suspending: { means: 'A savepoint is taken and the pods go.' },
  TakenOver: { means: 'The operator that looked after this object is gone; this one does so from now on.' },
  TasksFailing: {
    means: 'The newest ingestion tasks of Druid failed.',
    act: 'The message has the error of the last one.',
  },
  TasksHandedOff: { means: 'Tasks that read a partition no more were made to publish what they had.' },
  TopicChanged: {
    means: 'The supervisor of that name reads another topic.',
    act: 'Its offsets are of that topic: end it first, or rename this one.',
  },
  Unauthorized: {
    means: 'Druid does not let the operator in.',
    act: 'Correct the login: that of spec.auth, or else the one for this Druid in the settings of the operator.',
  },
  Unschedulable: { means: 'No node takes a pod.', act: 'The message is what the scheduler said.' },
  UpToDate: { means: 'The supervisor is as the resource wants it.' },
  Updated: { means: 'The specification of the supervisor was sent.' },
  UpgradeCompleted: { means: 'The job runs its changed spec.' },
  UpgradeStarted: { means: 'Pods of the changed spec start beside those that run the job.' },
  Upgrading: { means: 'The job is on its way to its changed spec.' },
  Waiting: { means: 'The savepoint waits for the job.', act: 'The message says what the job lacks.' },
  WorkerHanging: { means: 'A worker ran for minutes and its coordinator did not hear of it: it is replaced.' },
} as const satisfies Readonly<Record<string, ReasonText>>

declare const derived: unique symbol

/** Made of a word of somebody else. */
export type DerivedReason = string & { readonly [derived]: true }

/** One CamelCase word: the reason of a condition or of an Event. */
export type Reason = keyof typeof REASONS | DerivedReason

/** A word that is CamelCase already, such as the kubelet's `Evicted`, or one that a status has kept. */
export function derivedReason(word: string): Reason {
  return word as Reason
}
