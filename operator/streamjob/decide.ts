import type { JobReport } from '../../runtime/control/job-report.ts'
import type { ErrorReport } from '../../runtime/model/errors.ts'
import type { Operation, OperationType } from '../api/stream-job.ts'
import type { Pod } from '../kube/objects.ts'
import { templateOf } from '../resources/template.ts'
import { subtaskOf } from '../resources/worker-pod.ts'
import { decideDelete } from './decide-delete.ts'
import { decideRetreat, decideScaling, isScaling, waitsToScale } from './decide-scaling.ts'
import { decideSuspend } from './decide-suspend.ts'
import { decideUpgrade } from './decide-upgrade.ts'
import type { Act, Decision } from './decision.ts'
import { hangingWorkers, stuckPod } from './lasting-pods.ts'
import type { CoordinatorView, Observed } from './observed.ts'
import { begin, ending, settled, working } from './operation.ts'
import {
  brokenPods,
  isLiving,
  listed,
  missingPods,
  namesOf,
  placeOf,
  podFailed,
  podsOfTemplate,
  strayWorkers,
} from './pod-sets.ts'
import { blockedPod } from './pod-trouble.ts'
import { asRefusedBefore, refused, takenMessage, targetRefusal } from './refusal.ts'
import { hasStarted } from './restore-source.ts'
import { heldBy } from './revisions.ts'
import { decideRollback } from './stability.ts'
import { UNKEPT } from './status.ts'
import { waiting } from './waiting.ts'
import type { Wanted } from './wanted.ts'
import { wantsToRun } from './wanted.ts'
import { camelCase } from '../kube/camel-case.ts'
import { derivedReason, type Reason } from '../kube/reasons.ts'

/** Deleted this long after the job finished: until then their logs can be read. */
const KEEP_FINISHED_MS = 10 * 60_000
const SOON_MS = 1_000
const STEADY_MS = 3_000
/** More than one call may take to fail. */
const SILENCE_MS = 10_000

/**
 * The next step for a job, from what is observed, whatever was done before. Pure. The rules are in the order of their
 * importance: delete, keep the spec, suspend, have pods of another template take over, create missing pods, set the
 * coordinator's target, tidy up.
 */
export function decide(observed: Observed): Decision {
  return asRefusedBefore(observed, nextStep(observed))
}

/**
 * The next pass would decide the same, whenever it comes, as long as neither the job nor its pods change and the
 * coordinator says the same; but for a spec that has to show that it holds (`windowLeftMs`). `job` is as it was written
 * after the decision.
 */
export function isAtRest({ job, pods, problems, isDeferred, waitsFor }: Observed, decision: Decision): boolean {
  const { untold } = job.status ?? {}
  return (
    (decision.phase === 'Running' || decision.phase === 'Degraded' || decision.phase === 'Failed') &&
    decision.act.kind === 'none' &&
    decision.operation === null &&
    job.metadata.deletionTimestamp === undefined &&
    // One that is terminating for long is replaced, and no watch says that it has been long.
    pods.every(isLiving) &&
    problems.length === 0 &&
    !isDeferred &&
    waitsFor === undefined &&
    (untold ?? []).length === 0 &&
    !waitsToScale(job)
  )
}

function nextStep(observed: Observed): Decision {
  const { job, wanted } = observed
  if (job.metadata.deletionTimestamp !== undefined) return decideDelete(observed)
  if (observed.keepSpec !== undefined) return keepSpec(observed)
  if (job.status?.lastGood?.leftover) return asBefore(observed, { kind: 'deleteLeftover' }, [])
  if (wanted === undefined) {
    const isEmpty = observed.pods.length === 0
    return settled(observed, {
      phase: isEmpty ? 'Pending' : (job.status?.phase ?? 'Pending'),
      reason: 'SpecInvalid',
      message: isEmpty ? 'The spec has never been valid; nothing runs.' : UNKEPT,
      stalled: true,
    })
  }
  if (!wantsToRun(job)) return decideSuspend(observed)
  return decideRun(observed, wanted)
}

function keepSpec(observed: Observed): Decision {
  const change = observed.keepSpec?.change
  const events: Decision['events'] =
    change === undefined || change.class === 'none'
      ? []
      : [{ type: 'Normal', reason: 'SpecChanged', message: `${change.class}: ${change.reasons.join('; ')}` }]
  return asBefore(observed, { kind: 'keepSpec' }, events)
}

/** The act is only written down: the job is what it was, until the next pass. */
function asBefore({ job: { status } }: Observed, act: Act, events: Decision['events']): Decision {
  return {
    act,
    phase: status?.phase ?? 'Pending',
    reason: status?.reason === undefined ? 'Accepted' : derivedReason(status.reason),
    message: status?.message ?? 'The spec is valid.',
    operation: status?.operation ?? null,
    requeueAfterMs: 0,
    events,
  }
}

function decideRun(observed: Observed, wanted: Wanted): Decision {
  const back = decideRollback(observed) ?? decideRetreat(observed)
  if (back !== undefined) return back
  if (isFinished(observed, wanted)) return finished(observed)
  if (observed.waitsFor !== undefined) {
    const { code, message } = observed.waitsFor
    const phase = observed.pods.length === 0 ? 'Pending' : (observed.job.status?.phase ?? 'Pending')
    return settled(observed, {
      phase,
      reason: camelCase(code),
      message,
      requeueAfterMs: STEADY_MS,
      events: [{ type: 'Warning', reason: camelCase(code), message }],
    })
  }
  const [taken] = observed.taken
  if (taken !== undefined) return nameTaken(observed, taken)
  return decideUpgrade(observed, wanted) ?? decideOneTemplate(observed, wanted)
}

/** Pods of the wanted template run the job, or are to start it. */
function decideOneTemplate(observed: Observed, wanted: Wanted): Decision {
  const abandoned = abandonedPods(observed, wanted)
  if (abandoned.length > 0) return removeAbandoned(observed, abandoned)
  const own = { ...observed, pods: podsOfTemplate(observed.pods, wanted.template) }
  const broken = brokenPods(own.pods)
  if (broken.length > 0) return replaceBroken(own, broken)
  return havePods(own, wanted) ?? replaceHanging(own) ?? lead(observed, own, wanted)
}

/**
 * Pods that were to take over and are not wanted any more. What has handed the job over stays until its successor runs
 * it.
 */
function abandonedPods({ pods, job }: Observed, wanted: Wanted): Pod[] {
  const operation = job.status?.operation
  if (operation?.type === 'Upgrade' && operation.step === 'deploy') return []
  return pods.filter((pod) => isLiving(pod) && templateOf(pod) !== wanted.template)
}

function removeAbandoned(observed: Observed, abandoned: readonly Pod[]): Decision {
  const { coordinator } = observed
  const phase = coordinator.kind === 'reached' && coordinator.report.phase === 'running' ? 'Running' : 'Recovering'
  return settled(observed, {
    act: { kind: 'deletePods', pods: abandoned },
    phase,
    reason: phase,
    message: `Removing ${namesOf(abandoned)}: the job runs on without them.`,
    requeueAfterMs: 0,
  })
}

/** Nothing of someone else is overwritten or used. */
function nameTaken(observed: Observed, object: string): Decision {
  const message = takenMessage(object)
  return settled(observed, {
    phase: 'Pending',
    reason: 'NameTaken',
    message,
    stalled: true,
    requeueAfterMs: STEADY_MS,
    events: [{ type: 'Warning', reason: 'NameTaken', message }],
  })
}

function isFinished({ job, coordinator }: Observed, wanted: Wanted): boolean {
  if (coordinator.kind === 'reached')
    return coordinator.report.phase === 'finished' && coordinator.report.revision === wanted.revision
  return job.status?.phase === 'Finished' && job.status.revision === wanted.revision
}

function finished(observed: Observed): Decision {
  const { job, now, pods } = observed
  const finishedAt =
    job.status?.finishedAt === undefined || job.status.finishedAt === null ? now : Date.parse(job.status.finishedAt)
  const isOld = now - finishedAt >= KEEP_FINISHED_MS
  // whatever was under way has brought the wanted revision to its end
  return ending(observed, 'Succeeded', {
    act: isOld && pods.length > 0 ? { kind: 'deletePods', pods } : { kind: 'none' },
    phase: 'Finished',
    reason: 'Finished',
    message: 'All inputs have ended and every result is committed.',
    events:
      job.status?.phase === 'Finished'
        ? []
        : [{ type: 'Normal', reason: 'Finished', message: 'All inputs have ended and every result is committed.' }],
    ...(pods.length > 0 ? { requeueAfterMs: Math.max(SOON_MS, finishedAt + KEEP_FINISHED_MS - now) } : {}),
  })
}

function replaceBroken(observed: Observed, broken: readonly Pod[]): Decision {
  const operation = begin(observed, 'Recover', 'deploy')
  return working(operation, {
    act: { kind: 'deletePods', pods: broken },
    message: `Replacing ${namesOf(broken)}.`,
    requeueAfterMs: SOON_MS,
    events: broken.map(podFailed),
  })
}

function replaceHanging(observed: Observed): Decision | undefined {
  const { coordinator, job, now, pods } = observed
  const operation = job.status?.operation
  if (coordinator.kind !== 'reached' || operation === undefined || operation === null) return undefined
  const hanging = hangingWorkers(pods, coordinator.report, { since: Date.parse(operation.startedAt), now })
  if (hanging.length === 0) return undefined
  const message = `${namesOf(hanging)} ran for minutes and the coordinator did not hear of it: replaced.`
  return working(operation, {
    act: { kind: 'deletePods', pods: hanging },
    message,
    requeueAfterMs: SOON_MS,
    events: [{ type: 'Warning', reason: 'WorkerHanging', message }],
  })
}

/** Creates what is missing; undefined when every pod of the plan is there. */
function havePods(observed: Observed, wanted: Wanted): Decision | undefined {
  const { pods, coordinatorAddress } = observed
  const lost = strayWorkers(pods, coordinatorAddress)
  if (lost.length > 0) {
    return working(begin(observed, 'Recover', 'deploy'), {
      act: { kind: 'deletePods', pods: lost },
      message: 'The coordinator has a new address; its workers are restarted.',
      requeueAfterMs: SOON_MS,
    })
  }
  const missing = missingPods(wanted, pods, { address: coordinatorAddress, now: observed.now })
  const operation = begin(observed, missingBecause(observed, wanted), 'deploy')
  if (missing.length > 0) {
    const events =
      observed.job.status?.operation?.id === operation.id
        ? []
        : [
            {
              type: 'Normal' as const,
              reason: BEGUN[operation.type],
              message: whyMissing(observed, wanted, operation, missing),
            },
          ]
    return working(operation, {
      act: { kind: 'createPods', pods: missing },
      message: `Creating ${namesOf(missing)}.`,
      events,
      requeueAfterMs: SOON_MS,
    })
  }
  if (coordinatorAddress === undefined) return waitForPods(observed, operation)
  return undefined
}

function missingBecause(observed: Observed, wanted: Wanted): OperationType {
  const { job, coordinator } = observed
  const underWay = job.status?.operation
  if (underWay?.type === 'Upgrade' || underWay?.type === 'Resume') return underWay.type
  if (job.status?.phase === 'Suspended' || underWay?.type === 'Suspend') return 'Resume'
  const runs = coordinator.kind === 'reached' ? coordinator.report.revision : job.status?.revision
  if (runs === undefined || runs === null) return 'Deploy'
  if (runs !== wanted.revision) return changeOperation(observed)
  return 'Recover'
}

/** The Event with which an operation begins. */
const BEGUN: Readonly<Record<OperationType, Reason>> = {
  Deploy: 'Deploying',
  Rescale: 'Rescaling',
  Upgrade: 'UpgradeStarted',
  Recover: 'Recovering',
  Suspend: 'Suspending',
  Resume: 'Resumed',
  Delete: 'Deleting',
}

function whyMissing(observed: Observed, wanted: Wanted, operation: Operation, missing: readonly Pod[]): string {
  if (operation.type === 'Recover') return `${namesOf(missing)} went away and is created again.`
  if (operation.type === 'Rescale')
    return `${wanted.workers.length} workers are wanted, ${observed.pods.filter((pod) => subtaskOf(pod) !== undefined).length} are there.`
  return `Creating a coordinator and ${wanted.workers.length} workers.`
}

/**
 * All pods are there: the coordinator does the rest. Its target is set until its report shows the target. `all`: with the
 * pods of other templates.
 */
function lead(all: Observed, observed: Observed, wanted: Wanted): Decision {
  const { coordinator, job } = observed
  if (coordinator.kind !== 'reached') {
    return (
      notHeard(observed) ??
      waitForPods(
        observed,
        begin(
          observed,
          job.status?.revision === undefined || job.status.revision === null ? 'Deploy' : 'Recover',
          'deploy',
        ),
      )
    )
  }
  const { report } = coordinator
  const isOtherStart = report.attempt === 0 && report.restore !== wanted.restore && !hasStarted(job)
  if (report.targetRevision !== wanted.revision || report.phase === 'suspended' || isOtherStart) {
    if (report.refused?.revision === wanted.revision && report.phase !== 'suspended')
      return stayRefused(observed, report.refused.error, wanted.revision)
    const type =
      report.revision === null
        ? missingBecause(observed, wanted)
        : report.phase === 'suspended'
          ? 'Resume'
          : changeOperation(observed)
    const operation = begin(observed, type, 'deploy')
    return working(operation, {
      act: { kind: 'putTarget', desiredState: 'running', template: wanted.template },
      message: `The coordinator gets revision ${wanted.revision}.`,
      requeueAfterMs: 300,
      events:
        wanted.restore === undefined
          ? []
          : [{ type: 'Normal', reason: 'RestoreStarted', message: `The job starts from ${wanted.restore}.` }],
    })
  }
  if (report.phase === 'failed') {
    const message = report.error?.message ?? 'The job failed.'
    const reason = report.error === null ? 'Failed' : camelCase(report.error.code)
    return settled(observed, {
      phase: 'Failed',
      reason,
      message,
      stalled: true,
      requeueAfterMs: STEADY_MS,
      events: [{ type: 'Warning', reason, message }],
    })
  }
  if (report.phase !== 'running' || report.revision !== wanted.revision) {
    const type =
      underWay(observed) ??
      (report.phase === 'recovering'
        ? 'Recover'
        : report.revision === wanted.revision || report.revision === null
          ? 'Deploy'
          : changeOperation(observed))
    return waitForPods(observed, begin(observed, type, 'deploy'))
  }
  return tidyUp(all, wanted, report)
}

/**
 * A question without an answer stops no job: with all of its pods there it runs on, and is asked again. Only silence that
 * lasts is something to recover from.
 */
function notHeard(observed: Observed): Decision | undefined {
  const { job, coordinator, now } = observed
  const { phase, reason, message, operation, conditions = [] } = job.status ?? {}
  if (coordinator.kind !== 'unreachable' || coordinator.why.code === 'TOKEN_KEY_GONE') return undefined
  if ((phase !== 'Running' && phase !== 'Degraded') || (operation ?? null) !== null) return undefined
  const silence = conditions.find((one) => one.type === 'Healthy' && one.reason === 'NotReached')
  if (silence !== undefined && now - Date.parse(silence.lastTransitionTime) >= SILENCE_MS) return undefined
  return settled(observed, {
    phase,
    reason: derivedReason(reason ?? phase),
    message: message ?? '',
    requeueAfterMs: SOON_MS,
  })
}

/** Asking again would bring the same answer: another spec is needed. */
function stayRefused(observed: Observed, error: ErrorReport, revision: string): Decision {
  const waiting = working(begin(observed, changeOperation(observed), 'deploy'), {
    act: { kind: 'none' },
    message: error.message,
    requeueAfterMs: STEADY_MS,
  })
  return refused(observed, waiting, targetRefusal(error, revision))
}

/** A job that is to run again resumes, whatever became of its suspension. */
function underWay({ job }: Observed): OperationType | undefined {
  const type = job.status?.operation?.type
  return type === 'Suspend' ? 'Resume' : type
}

/** What bringing the running job to the wanted revision is called. */
function changeOperation({ job, held }: Observed): OperationType {
  if (held !== undefined) return 'Upgrade'
  return isScaling(job.status) || job.status?.lastGood?.change === 'rescale' ? 'Rescale' : 'Upgrade'
}

function tidyUp(observed: Observed, wanted: Wanted, report: JobReport): Decision {
  const { runningWorkers, error } = report
  const surplus = surplusPods(observed, wanted, runningWorkers)
  const { held } = observed
  const running = `${runningWorkers.length} workers run.${observed.isDeferred ? ' The pods that this operator would render wait for their turn.' : ''}${held === undefined ? '' : ` ${heldBy(held)}`}`
  const outcome =
    error === null
      ? ({ phase: 'Running', reason: held === undefined ? 'Running' : 'RollbackTo', message: running } as const)
      : ({ phase: 'Degraded', reason: camelCase(error.code), message: `${running} ${error.message}` } as const)
  const tidying = { ...outcome, requeueAfterMs: STEADY_MS }
  if (surplus.length > 0)
    return ending(observed, 'Succeeded', { ...tidying, act: { kind: 'deletePods', pods: surplus } })
  return ending(observed, 'Succeeded', { ...tidying, ...decideScaling(observed, wanted, report) })
}

/** Pods of workers that are neither wanted nor running, and all that have handed the job over. */
function surplusPods({ pods }: Observed, wanted: Wanted, runningWorkers: readonly string[]): Pod[] {
  const needed = new Set([...wanted.workers.map(placeOf), ...runningWorkers, placeOf(wanted.coordinator)])
  return pods.filter((pod) => isLiving(pod) && (templateOf(pod) !== wanted.template || !needed.has(placeOf(pod))))
}

/** Says what holds it up. */
function waitForPods(observed: Observed, operation: Operation): Decision {
  const { coordinator, pods, now } = observed
  const trouble = blockedPod(pods) ?? stuckPod(pods, now)
  if (trouble !== undefined || coordinator.kind !== 'reached')
    return waiting(observed, operation, { message: whyUnreached(coordinator), trouble, requeueAfterMs: 500 })
  const { phase, error, expectedWorkers, registeredWorkers } = coordinator.report
  if (error !== null) {
    const { message } = error
    const decision = waiting(observed, operation, { message, requeueAfterMs: SOON_MS })
    const reason = camelCase(error.code)
    return { ...decision, reason, events: [{ type: 'Warning', reason, message }] }
  }
  const lacking = expectedWorkers.filter((subtask) => !registeredWorkers.includes(subtask))
  return waiting(observed, operation, {
    message: `The coordinator is ${phase}: ${registeredWorkers.length} of ${expectedWorkers.length} workers have registered${lacking.length === 0 ? '' : `, not ${listed(lacking)}`}.`,
    requeueAfterMs: 500,
  })
}

function whyUnreached(coordinator: CoordinatorView): string {
  return coordinator.kind === 'unreachable'
    ? `Waiting for the coordinator: ${coordinator.why.message}`
    : 'Waiting for the coordinator pod to have an address.'
}
