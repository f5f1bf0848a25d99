import type { OperationType, StreamJobPhase } from '../api/stream-job.ts'
import type { Reason } from '../kube/reasons.ts'

/** What users see while an operation is under way. */
export const PHASE_OF: Readonly<Record<OperationType, StreamJobPhase>> = {
  Deploy: 'Deploying',
  Rescale: 'Rescaling',
  Upgrade: 'Upgrading',
  Recover: 'Recovering',
  Suspend: 'Suspending',
  Resume: 'Deploying',
  Delete: 'Deleting',
}

/** The reason of Reconciling and of a Ready that is not yet true. */
export const REASON_OF: Readonly<Record<OperationType, Reason>> = {
  Deploy: 'Deploying',
  Rescale: 'Rescaling',
  Upgrade: 'Upgrading',
  Recover: 'Recovering',
  Suspend: 'Suspending',
  Resume: 'Resuming',
  Delete: 'Deleting',
}

/**
 * Which operation may replace one that is under way. An operation that is not listed waits until that one has ended.
 * Deleting and suspending pre-empt, and a suspended job only resumes or is deleted.
 */
export const SUPERSEDES: Readonly<Record<OperationType, readonly OperationType[]>> = {
  Deploy: ['Rescale', 'Upgrade', 'Suspend', 'Delete'],
  Rescale: ['Upgrade', 'Suspend', 'Delete'],
  Upgrade: ['Suspend', 'Delete'],
  Recover: ['Rescale', 'Upgrade', 'Suspend', 'Delete'],
  Suspend: ['Resume', 'Upgrade', 'Delete'],
  Resume: ['Rescale', 'Upgrade', 'Suspend', 'Delete'],
  Delete: [],
}

export function maySupersede(underWay: OperationType, next: OperationType): boolean {
  return SUPERSEDES[underWay].includes(next)
}
