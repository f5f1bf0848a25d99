import type { CheckpointReport } from '../../runtime/control/job-report.ts'
import type { TakenSavepoint } from '../api/stream-job.ts'
import type { Decision } from './decision.ts'
import type { Observed } from './observed.ts'

/** As a coordinator names the savepoint with which it stops. That of a rescale has no name, and is not kept. */
const OF_A_STOP = /^suspended-\d+$/

/**
 * The savepoints that the operator has had taken, that are kept, and that this pass has learnt of, in the order in which
 * they were taken. Pure.
 */
export function takenSavepoints(observed: Observed, decision: Decision): TakenSavepoint[] {
  return [...beforeUpgrade(observed, decision), ...atStop(observed, decision)]
}

function beforeUpgrade({ job, savepoint }: Observed, { operation }: Decision): TakenSavepoint[] {
  const isLearnt = job.status?.operation?.step === 'savepoint' && operation?.step === 'stop'
  if (!isLearnt || savepoint?.phase !== 'completed') return []
  return [taken('Upgrade', savepoint.id, savepoint.checkpoint)]
}

function atStop({ job, coordinator }: Observed, { operation }: Decision): TakenSavepoint[] {
  // Otherwise nobody has asked it to stop, and it may name as many as it likes.
  const type = operation?.type ?? job.status?.operation?.type
  if (type === undefined) return []
  const newest = coordinator.kind === 'reached' ? coordinator.report.checkpoint : null
  const id = newest?.savepoint
  if (newest === null || id === undefined || !OF_A_STOP.test(id)) return []
  const known = job.status?.checkpoint
  if (known?.savepoint === id && known.attempt === newest.attempt && known.id === newest.id) return []
  return [taken(type === 'Delete' ? 'Final' : type === 'Upgrade' ? 'Upgrade' : 'Suspend', id, newest)]
}

function taken(
  trigger: TakenSavepoint['trigger'],
  id: string,
  { attempt, id: checkpoint, path, completedAt, durationMs, sizeBytes }: CheckpointReport,
): TakenSavepoint {
  return { trigger, id, attempt, checkpoint, path, completedAt, durationMs, sizeBytes }
}
