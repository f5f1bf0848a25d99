import { clipped } from '../../runtime/model/clipped.ts'
import type { JobReport } from '../../runtime/control/job-report.ts'
import type { CheckpointStatus, LastOperation, PodFailure, StreamJobStatus } from '../api/stream-job.ts'
import type { Fact } from '../kube/conditions.ts'
import { withConditions } from '../kube/conditions.ts'
import { isoSeconds } from '../kube/events.ts'
import type { Pod } from '../kube/objects.ts'
import type { Reason } from '../kube/reasons.ts'
import { CHAIN_LABEL, JOB_LABEL, selectorOf, TEMPLATE_LABEL } from '../resources/labels.ts'
import { UNNAMED } from '../resources/template.ts'
import { camelCase } from '../kube/camel-case.ts'
import { autoscalerAfter } from './decide-scaling.ts'
import type { Decision } from './decision.ts'
import { keptHash } from './kept-specs.ts'
import { decisionsAfter } from './decisions.ts'
import type { Observed } from './observed.ts'
import { learntPause } from './operation.ts'
import { newestFailure } from './pod-failure.ts'
import { stabilityAfter, stableFact } from './stability.ts'
import { isLiving, isReady, podsOfTemplate } from './pod-sets.ts'
import { wantsToRun } from './wanted.ts'

/** How many operators with losses are listed; when every operator loses records, the first ones say enough. */
export const SHOWN_LOSSES = 16

/** What status should say after this decision and before its act. Pure. */
export function statusOf(observed: Observed, decision: Decision): StreamJobStatus {
  const { job, coordinator, now } = observed
  const before = job.status ?? {}
  const report = coordinator.kind === 'reached' ? coordinator.report : undefined
  const failure = explains(report) ? newestFailure(runningPods(observed)) : undefined
  const lastFailure = newestFailure(observed.pods, before.lastFailure)
  const ready = withFailure(readyFact(observed, decision), decision, failure)
  const lastOperation = lastOperationOf(observed, decision)
  // A spec that is only being kept is not acted on yet: Ready must not speak of it.
  const generation =
    decision.act.kind === 'keepSpec' || decision.act.kind === 'deleteLeftover'
      ? (before.observedGeneration ?? 0)
      : (job.metadata.generation ?? 0)
  const stability = stabilityAfter(observed, decision)
  return {
    observedGeneration: generation,
    phase: decision.phase,
    reason: ready.reason,
    message: ready.message,
    attempt: attemptOf(report, before.attempt ?? 0),
    revision: report?.revision ?? before.revision ?? null,
    ...templateOfStatus(observed, decision),
    ...scaleOf(observed),
    pods: podsOf(observed),
    checkpoint: checkpointOf(report) ?? before.checkpoint ?? null,
    restarts: report?.restarts ?? before.restarts ?? 0,
    ...(lastFailure === undefined ? {} : { lastFailure }),
    losses: report === undefined ? (before.losses ?? []) : (report.losses ?? []).slice(0, SHOWN_LOSSES),
    operation: decision.operation,
    refusal: decision.refusal ?? null,
    ...(lastOperation === undefined ? {} : { lastOperation }),
    ...lastGoodOf(observed, decision),
    ...(before.revisions === undefined ? {} : { revisions: before.revisions }),
    rollbackTo: observed.held ?? null,
    ...stability,
    plan: observed.plan ?? null,
    autoscaler: autoscalerAfter(observed, decision),
    decisions: decisionsAfter(observed, decision),
    finishedAt: decision.phase === 'Finished' ? (before.finishedAt ?? isoSeconds(now)) : null,
    conditions: withConditions(
      before.conditions ?? [],
      [
        ready,
        reconcilingFact(decision),
        stalledFact(observed, decision),
        healthyFact(report, failure),
        stableFact(observed, stability),
      ],
      { generation, now },
    ),
  }
}

/**
 * A coordinator that cannot read its log yet does not know, and one whose pods take the job back knows only its own until
 * it has claimed the next.
 */
function attemptOf(report: JobReport | undefined, known: number): number {
  if (report === undefined || report.attempt === 0) return known
  return report.phase === 'running' ? report.attempt : Math.max(report.attempt, known)
}

function templateOfStatus({ running, job }: Observed, decision: Decision): { template?: string } {
  const template = decision.template ?? running?.template ?? job.status?.template
  return template === undefined ? {} : { template }
}

/**
 * Names the spec of the pods that run while those of another one are to take over. Once pods of the wanted template run
 * the job, none are left that another spec must be kept for.
 */
function lastGoodOf(
  { job, running, wanted, isDeferred }: Observed,
  decision: Decision,
): Pick<StreamJobStatus, 'lastGood'> {
  const lastGood = job.status?.lastGood
  if (lastGood === undefined) return {}
  if (running === undefined || wanted === undefined || isDeferred) return { lastGood }
  if (decision.template !== undefined || running.template === wanted.template)
    return { lastGood: { ...lastGood, running: null } }
  const isNamed = (lastGood.running ?? null) !== null || keptHash(running.spec) === keptHash(wanted.spec)
  return { lastGood: isNamed ? lastGood : { ...lastGood, running: keptHash(running.spec) } }
}

const REASON_OF_PROBLEM: ReadonlyMap<string, Reason> = new Map([
  ['STATE_INCOMPATIBLE', 'StateIncompatible'],
  ['ROLLED_BACK', 'RolledBack'],
  ['PLAN_WAITS', 'PlanReady'],
])

/** The desired state is reached for this generation. */
function readyFact(observed: Observed, decision: Decision): Fact {
  const [problem] = observed.problems
  if (problem !== undefined && observed.job.metadata.deletionTimestamp === undefined) {
    return {
      type: 'Ready',
      status: 'False',
      reason: REASON_OF_PROBLEM.get(problem.code) ?? 'SpecInvalid',
      message: problemText(observed, decision),
    }
  }
  const isReady =
    decision.phase === 'Running' ||
    decision.phase === 'Degraded' ||
    decision.phase === 'Finished' ||
    (decision.phase === 'Suspended' && !wantsToRun(observed.job))
  return { type: 'Ready', status: isReady ? 'True' : 'False', reason: decision.reason, message: decision.message }
}

/** What a coordinator sees of a process that died. A pod that died long ago explains no other error. */
const SEEN_OF_A_DEATH: readonly string[] = ['WORKER_LOST', 'CHANNEL_LOST', 'START_TIMEOUT', 'CRASH_LOOP']

/** Whether the death of a pod may be why the job does not run: its coordinator says so, or is itself not there. */
function explains(report: JobReport | undefined): boolean {
  return report === undefined || (report.error !== null && SEEN_OF_A_DEATH.includes(report.error.code))
}

/** What a job recovers from is mostly that a pod died: the coordinator sees only a connection that was closed. */
function withFailure(fact: Fact, { operation }: Decision, failure: PodFailure | undefined): Fact {
  if (failure === undefined || operation?.type !== 'Recover') return fact
  return { ...fact, message: `${failure.message} ${fact.message}` }
}

/** The message about pods whose spec is lost. */
export const UNKEPT = 'What runs is left as it is, and nobody looks after it.'

function problemText({ problems, wanted, pods }: Observed, { refusal }: Decision): string {
  const lines = problems.slice(0, 5).map(({ code, path, message, hint, position }) => {
    const at = position === undefined ? '' : ` (line ${position.line}, column ${position.column})`
    return `${clipped(path, 200)}${at}: ${clipped(message, 400)} [${code}]${hint === undefined ? '' : `; ${clipped(hint, 200)}`}`
  })
  if (problems.length > 5) lines.push(`and ${problems.length - 5} more`)
  const inForce = refusal?.message ?? 'The last valid spec stays in force.'
  const without = pods.length === 0 ? 'Nothing runs.' : UNKEPT
  lines.push(wanted === undefined ? without : inForce)
  return lines.join('\n')
}

function reconcilingFact(decision: Decision): Fact {
  const isWorking = decision.operation !== null
  return {
    type: 'Reconciling',
    status: isWorking ? 'True' : 'False',
    reason: isWorking ? decision.reason : 'Settled',
    message: isWorking ? decision.message : '',
  }
}

function stalledFact(observed: Observed, decision: Decision): Fact {
  if (observed.problems.length > 0)
    return {
      type: 'Stalled',
      status: 'True',
      reason: REASON_OF_PROBLEM.get(observed.problems[0]?.code ?? '') ?? 'SpecInvalid',
      message:
        observed.plan === undefined
          ? 'The newest spec is not applied: correct it.'
          : 'The newest spec waits to be approved.',
    }
  if (decision.stalled === true)
    return { type: 'Stalled', status: 'True', reason: decision.reason, message: decision.message }
  return { type: 'Stalled', status: 'False', reason: 'Progressing', message: '' }
}

/** Records flow and checkpoints complete; does not gate Ready. */
function healthyFact(report: JobReport | undefined, failure: PodFailure | undefined): Fact {
  if (report === undefined)
    return { type: 'Healthy', status: 'Unknown', reason: 'NotReached', message: 'The coordinator says nothing.' }
  if (report.error !== null && failure !== undefined)
    return {
      type: 'Healthy',
      status: 'False',
      reason: failure.reason,
      message: `${failure.message} ${report.error.message}`,
    }
  if (report.error !== null)
    return { type: 'Healthy', status: 'False', reason: camelCase(report.error.code), message: report.error.message }
  if (report.checkpointFailures > 0) {
    return {
      type: 'Healthy',
      status: 'False',
      reason: 'CheckpointsFailing',
      message: `${report.checkpointFailures} checkpoints in a row did not complete.`,
    }
  }
  return { type: 'Healthy', status: 'True', reason: 'Healthy', message: '' }
}

function checkpointOf(report: JobReport | undefined): CheckpointStatus | undefined {
  const newest = report?.checkpoint
  if (report === undefined || newest === undefined || newest === null) return undefined
  const { attempt, id, kind, savepoint, path, sizeBytes, durationMs, completedAt } = newest
  return {
    attempt,
    id,
    kind,
    savepoint: savepoint ?? null,
    path,
    sizeBytes,
    durationMs,
    completedAt: isoSeconds(completedAt),
    failures: report.checkpointFailures,
  }
}

function lastOperationOf(observed: Observed, decision: Decision): LastOperation | undefined {
  const { job, now } = observed
  const ended = job.status?.operation
  const pause = learntPause(observed, decision)
  if (decision.ended === undefined || ended === undefined || ended === null) {
    const last = job.status?.lastOperation
    return last === undefined || pause === undefined ? last : { ...last, pauseMs: pause.pauseMs }
  }
  return {
    id: ended.id,
    type: decision.ended.type,
    result: decision.ended.result,
    startedAt: ended.startedAt,
    finishedAt: new Date(now).toISOString(),
    pauseMs: pause?.pauseMs ?? null,
  }
}

/**
 * The pods of one chain: an HPA must multiply exactly what `spec.replicas` means. Successors beside them do not count.
 */
function scaleOf({ job, running, pods }: Observed): { replicas: number; selector: string } {
  if (running === undefined) return { replicas: job.status?.replicas ?? 0, selector: job.status?.selector ?? '' }
  const { scaleChain, template } = running
  const counted = pods.filter((pod) => pod.metadata.labels?.[CHAIN_LABEL] === scaleChain)
  const own = podsOfTemplate(counted, template)
  const base = selectorOf({ [JOB_LABEL]: job.metadata.name, [CHAIN_LABEL]: scaleChain })
  const apart = template === UNNAMED ? `!${TEMPLATE_LABEL}` : selectorOf({ [TEMPLATE_LABEL]: template })
  return { replicas: own.length, selector: own.length === counted.length ? base : `${base},${apart}` }
}

function runningPods({ running, pods }: Observed): readonly Pod[] {
  return running === undefined ? pods : podsOfTemplate(pods, running.template)
}

function podsOf(observed: Observed): string {
  const { job, running } = observed
  const ready = runningPods(observed).filter((pod) => isLiving(pod) && isReady(pod))
  const needed = running === undefined || !wantsToRun(job) ? 0 : running.workers.length + 1
  return `${ready.length}/${needed}`
}
