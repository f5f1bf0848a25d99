import { clipped } from '../../runtime/model/clipped.ts'
import type { DecisionRecord } from '../api/stream-job.ts'
import type { Act, Decision } from './decision.ts'
import type { Observed } from './observed.ts'
import { isLiving, isReady, namesOf } from './pod-sets.ts'

const MOST = 10
const LONGEST = 300

/**
 * The newest decisions with what they were made on, the newest last. A decision that only repeats the one before it
 * adds nothing, so that the reasons for not acting do not push out what was done. Pure.
 */
export function decisionsAfter(observed: Observed, decision: Decision): readonly DecisionRecord[] {
  const before = observed.job.status?.decisions ?? []
  const record: DecisionRecord = {
    at: new Date(observed.now).toISOString(),
    saw: clipped(sawOf(observed), LONGEST),
    did: clipped(didOf(decision.act), LONGEST),
    reason: decision.reason,
    because: clipped(decision.message, LONGEST),
  }
  const last = before.at(-1)
  const isRepeated = last?.did === record.did && last.reason === record.reason && last.because === record.because
  return isRepeated ? before : [...before, record].slice(-MOST)
}

function sawOf({ job, pods, coordinator, problems, wanted, running }: Observed): string {
  const ready = pods.filter((pod) => isLiving(pod) && isReady(pod)).length
  const spec = problems.length === 0 ? '' : `, a spec with ${problems[0]?.code ?? 'problems'}`
  const templates = wanted?.template === running?.template ? '' : `, pods of another template wanted`
  return `generation ${job.metadata.generation ?? 0}${spec}, ${ready} of ${pods.length} pods ready${templates}, ${saidBy(coordinator)}`
}

function saidBy(coordinator: Observed['coordinator']): string {
  if (coordinator.kind === 'absent') return 'no coordinator'
  if (coordinator.kind === 'unreachable') return `no answer of the coordinator (${coordinator.why.code})`
  const { phase, attempt, revision, error } = coordinator.report
  const trouble = error === null ? '' : `, ${error.code}`
  return `coordinator ${phase}, attempt ${attempt}, revision ${revision ?? 'none'}${trouble}`
}

function didOf(act: Act): string {
  switch (act.kind) {
    case 'none':
      return 'nothing'
    case 'keepSpec':
      return 'keep the spec'
    case 'deleteLeftover':
      return 'delete the ConfigMap in which an earlier operator kept specs'
    case 'createPods':
    case 'startSuccessors':
      return `create ${namesOf(act.pods)}`
    case 'deletePods':
      return `delete ${namesOf(act.pods)}`
    case 'putTarget':
      return `tell the coordinator of template ${act.template}: ${act.desiredState}`
    case 'requestSavepoint':
      return `ask for savepoint ${act.id}`
    case 'putAutoscaler':
      return act.policy === null ? 'have the load watched no more' : 'have the coordinator watch the load'
    case 'release':
      return 'release the job'
  }
}
