import type { JobReport } from '../../runtime/control/job-report.ts'
import type { Operation } from '../api/stream-job.ts'
import type { Pod } from '../kube/objects.ts'
import { templateOf } from '../resources/template.ts'
import { withCoordinator } from '../resources/worker-pod.ts'
import type { Decision } from './decision.ts'
import type { Observed } from './observed.ts'
import { keptHash } from './kept-specs.ts'
import { begin, isLate, renewed, savepointId, working } from './operation.ts'
import {
  brokenPods,
  isLiving,
  isReady,
  missingPods,
  namesOf,
  placeOf,
  podFailed,
  podsOfTemplate,
  strayWorkers,
} from './pod-sets.ts'
import { blockedPod } from './pod-trouble.ts'
import type { Trouble } from './pod-trouble.ts'
import { hasStarted } from './restore-source.ts'
import { runsOn } from './refusal.ts'
import { waiting } from './waiting.ts'
import type { Wanted } from './wanted.ts'

/** What an upgrade is from, and what it is to. */
interface Upgrade {
  readonly observed: Observed
  readonly running: Wanted
  readonly wanted: Wanted
  readonly operation: Operation
}

/**
 * The pods that run the job are of another template than is wanted (image, environment, podTemplate). Successors start
 * idle beside them; when all are ready, a savepoint, the old ones stop, and the job is handed over. Until then the old
 * pods are kept alive, and whatever is wrong with the new ones is only reported. Undefined when the pods that run are
 * those that are wanted.
 */
export function decideUpgrade(observed: Observed, wanted: Wanted): Decision | undefined {
  const { running } = observed
  if (running === undefined || running.template === wanted.template) return undefined
  const upgrade: Upgrade = { observed, running, wanted, operation: underWay(observed, wanted) }
  const { step } = upgrade.operation
  if ((step === 'start' || step === 'savepoint') && nothingRuns(upgrade)) return replace(upgrade)
  return removeOthers(upgrade) ?? STEPS[step](upgrade)
}

/** An upgrade that was in the middle of something else begins again: another template is wanted by now. */
function underWay(observed: Observed, wanted: Wanted): Operation {
  const isRollout = observed.running !== undefined && keptHash(observed.running.spec) === keptHash(wanted.spec)
  const operation: Operation = { ...begin(observed, 'Upgrade', 'start'), cause: isRollout ? 'operator' : 'spec' }
  const isMissing = missingSuccessors(observed, wanted).length > 0
  const isOver = operation.step === 'deploy' || operation.step === 'removePods'
  return isOver || (operation.step === 'stop' && isMissing) ? renewed(observed, operation, 'start') : operation
}

const STEPS: Readonly<Record<Operation['step'], (upgrade: Upgrade) => Decision>> = {
  start,
  savepoint,
  stop,
  replace,
  removePods: start,
  deploy: start,
}

/** No attempt that new pods could disturb: it never ran, has failed, or cannot run for what is wrong with its pods. */
function nothingRuns({ observed, running }: Upgrade): boolean {
  const { coordinator, job, pods } = observed
  const isBlocked = blockedPod(podsOfTemplate(pods, running.template).filter(isLiving)) !== undefined
  if (coordinator.kind === 'reached') {
    const { phase, attempt } = coordinator.report
    if (phase === 'running') return false
    return isBlocked || phase === 'failed' || phase === 'finished' || (attempt === 0 && !hasStarted(job))
  }
  return isBlocked || (coordinator.kind === 'absent' && !hasStarted(job))
}

function replace(upgrade: Upgrade): Decision {
  const { observed, running, operation } = upgrade
  const { coordinator } = observed
  if (coordinator.kind === 'reached' && coordinator.report.phase === 'running')
    return start({ ...upgrade, operation: renewed(observed, operation, 'start') })
  const old = podsOfTemplate(observed.pods, running.template).filter(isLiving)
  return working(
    { ...operation, step: 'replace' },
    {
      act: { kind: 'deletePods', pods: old },
      message: `The job does not run: replacing ${old.length} pods.`,
      requeueAfterMs: 300,
    },
  )
}

/** Another template was wanted for a while. */
function removeOthers({ observed, running, wanted, operation }: Upgrade): Decision | undefined {
  const others = observed.pods.filter(
    (pod) => isLiving(pod) && templateOf(pod) !== running.template && templateOf(pod) !== wanted.template,
  )
  if (others.length === 0) return undefined
  return working(operation, {
    act: { kind: 'deletePods', pods: others },
    message: `Removing ${namesOf(others)}, which are not wanted any more.`,
    requeueAfterMs: 0,
  })
}

function start(upgrade: Upgrade): Decision {
  const { observed, wanted, operation } = upgrade
  const upkeep = keepRunning(upgrade) ?? startSuccessors(upgrade)
  if (upkeep !== undefined) return upkeep
  const { message, trouble } = waitsFor(upgrade)
  if (message === undefined && !hasTarget(upgrade)) return giveTarget(upgrade)
  if (message === undefined)
    return working(renewed(observed, operation, 'savepoint'), {
      act: { kind: 'none' },
      message: `${wanted.workers.length + 1} new pods are ready to take over.`,
      requeueAfterMs: 0,
    })
  return waiting(observed, operation, {
    message: `${message}${runsOn(observed)}`,
    trouble: trouble && { ...trouble, message: `${trouble.message}${runsOn(observed)}` },
    requeueAfterMs: 500,
  })
}

/** The pods that run the job are looked after as without an upgrade; undefined when nothing is wrong with them. */
function keepRunning({ observed, running, operation }: Upgrade): Decision | undefined {
  const { coordinator, coordinatorAddress } = observed
  const pods = podsOfTemplate(observed.pods, running.template)
  const lost = [...brokenPods(pods), ...strayWorkers(pods, coordinatorAddress)]
  if (lost.length > 0)
    return working(operation, {
      act: { kind: 'deletePods', pods: lost },
      message: `Replacing ${namesOf(lost)}.`,
      requeueAfterMs: 300,
      events: brokenPods(pods).map(podFailed),
    })
  const report = coordinator.kind === 'reached' ? coordinator.report : undefined
  const isNeeded = (pod: Pod): boolean =>
    placeOf(pod) === placeOf(running.coordinator) ||
    (report?.targetRevision ?? null) === null ||
    report?.expectedWorkers.includes(placeOf(pod)) === true
  const missing = missingPods(running, pods, { address: coordinatorAddress, now: observed.now }).filter(isNeeded)
  // Every other pass goes on with the successors: perhaps they are taken where pods of the old template are not any more.
  if (missing.length > 0 && observed.job.status?.refusal?.act !== 'createPods')
    return working(operation, {
      act: { kind: 'createPods', pods: missing },
      message: `Creating ${namesOf(missing)}, which went away.`,
      requeueAfterMs: 300,
    })
  if (report === undefined || !needsTarget(report, running)) return undefined
  return working(operation, {
    act: { kind: 'putTarget', desiredState: 'running', template: running.template },
    message: 'The job goes on until other pods can take over.',
    requeueAfterMs: 300,
  })
}

/**
 * The coordinator stopped for successors that are not wanted any more, it started without finding its target in the log,
 * or it waits for a worker of a target that is not kept any more, which nobody creates.
 */
function needsTarget(
  { phase, targetRevision, expectedWorkers, registeredWorkers }: JobReport,
  running: Wanted,
): boolean {
  if (phase === 'suspended' || targetRevision === null) return true
  if (phase !== 'waiting' && phase !== 'recovering') return false
  const known = new Set([...registeredWorkers, ...running.workers.map(placeOf)])
  return expectedWorkers.some((worker) => !known.has(worker))
}

/** Pods of other templates are in no place of this one. */
function missingSuccessors({ pods, successor, now }: Observed, wanted: Wanted): Pod[] {
  return missingPods(wanted, podsOfTemplate(pods, wanted.template), { address: successor?.address, now })
}

function startSuccessors({ observed, wanted, operation }: Upgrade): Decision | undefined {
  const pods = podsOfTemplate(observed.pods, wanted.template)
  const lost = [...brokenPods(pods), ...strayWorkers(pods, observed.successor?.address)]
  if (lost.length > 0)
    return working(operation, {
      act: { kind: 'deletePods', pods: lost },
      message: `Replacing ${namesOf(lost)}.${runsOn(observed)}`,
      requeueAfterMs: 300,
      events: brokenPods(pods).map(podFailed),
    })
  const missing = missingSuccessors(observed, wanted)
  if (missing.length === 0) return undefined
  const isFirst = pods.length === 0 && observed.job.status?.operation?.id !== operation.id
  return working(operation, {
    act: { kind: 'startSuccessors', pods: missing, probes: probes(wanted, observed.successor?.address) },
    message: `Creating ${namesOf(missing)} beside the running pods.`,
    requeueAfterMs: 300,
    events: isFirst
      ? [
          {
            type: 'Normal',
            reason: 'UpgradeStarted',
            message: `The spec asks for other pods: ${wanted.workers.length + 1} start beside those that run.`,
          },
        ]
      : [],
  })
}

/** All pods of the set as they would be created, before the coordinator has an address to give to its workers. */
function probes(wanted: Wanted, address: string | undefined): Pod[] {
  return address === undefined ? wanted.workers.map((pod) => withCoordinator(pod, 'not-known-yet:0')) : []
}

function hasTarget({ observed, wanted }: Upgrade): boolean {
  const { coordinator } = observed.successor ?? { coordinator: { kind: 'absent' } as const }
  return coordinator.kind === 'reached' && coordinator.report.targetRevision === wanted.revision
}

/** The new coordinator reads the spec before anything stops for it: its image may know less than the operator's. */
function giveTarget({ wanted, operation }: Upgrade): Decision {
  return working(operation, {
    act: { kind: 'putTarget', desiredState: 'suspended', template: wanted.template },
    message: 'The new coordinator reads the spec.',
    requeueAfterMs: 200,
  })
}

/**
 * What successors are waited for, `message` undefined when for nothing; `trouble` when waiting alone will not help;
 * `isSilent` when nothing is known to be wrong with them, and their coordinator has not answered.
 */
function waitsFor({ observed, wanted }: Upgrade): { message?: string; trouble?: Trouble; isSilent?: boolean } {
  const pods = podsOfTemplate(observed.pods, wanted.template).filter(isLiving)
  const unready = pods.filter((pod) => !isReady(pod))
  const { coordinator } = observed.successor ?? { coordinator: { kind: 'absent' } as const }
  const registered = coordinator.kind === 'reached' ? coordinator.report.registeredWorkers : []
  const unknown = wanted.workers.map(placeOf).filter((place) => !registered.includes(place))
  const isWhole = pods.length > wanted.workers.length
  if (isWhole && unready.length === 0 && unknown.length === 0) return {}
  if (isWhole && unready.length === 0 && coordinator.kind === 'unreachable')
    return { message: 'The new coordinator does not answer.', isSilent: true }
  const message = !isWhole
    ? `${pods.length} of ${wanted.workers.length + 1} new pods are there.`
    : unready.length > 0
      ? `New pods are not ready yet: ${namesOf(unready)}.`
      : `New workers have not registered yet: ${unknown.join(', ')}.`
  const blocked = blockedPod(pods)
  return blocked === undefined ? { message } : { message, trouble: blocked }
}

/** Proves that the state can be written, while the job still runs, and stays as what an upgrade can be undone with. */
function savepoint(upgrade: Upgrade): Decision {
  const { observed, operation } = upgrade
  const { message, isSilent } = waitsFor(upgrade)
  const waitsOn = isSilent === true && !isLate(observed, operation)
  if ((message !== undefined && !waitsOn) || missingSuccessors(observed, upgrade.wanted).length > 0)
    return start({ ...upgrade, operation: renewed(observed, operation, 'start') })
  const upkeep = keepRunning(upgrade)
  if (upkeep !== undefined) return upkeep
  const wait = (why: string): Decision =>
    working(operation, { act: { kind: 'none' }, message: why, requeueAfterMs: 500 })
  if (message !== undefined) return wait(message)
  const { coordinator } = observed
  const isRunning = coordinator.kind === 'reached' && coordinator.report.phase === 'running'
  if (observed.savepoint?.phase === 'completed' || (!isRunning && isGivenUp(observed, operation)))
    return stop({ ...upgrade, operation: renewed(observed, operation, 'stop') })
  if (coordinator.kind !== 'reached') return wait('Waiting for the coordinator, to take a savepoint.')
  if (!isRunning) return wait(`The job is ${coordinator.report.phase}: a savepoint is taken when it runs.`)
  if (observed.savepoint?.phase === 'failed') return tryAgain(operation, observed.savepoint.error.message)
  if (observed.savepoint !== undefined) return wait('The savepoint is being taken.')
  return working(operation, {
    act: { kind: 'requestSavepoint', id: savepointId(operation) },
    message: 'Taking a savepoint before the new pods take over.',
    requeueAfterMs: 300,
  })
}

/** The old coordinator has not answered in time, or cannot be asked: the job continues from its newest checkpoint. */
function isGivenUp(observed: Observed, operation: Operation): boolean {
  const { coordinator } = observed
  return (
    (coordinator.kind === 'unreachable' && coordinator.why.code === 'TOKEN_KEY_GONE') || isLate(observed, operation)
  )
}

function tryAgain(operation: Operation, why: string): Decision {
  const next = { ...operation, tries: operation.tries + 1 }
  return working(next, {
    act: { kind: 'none' },
    message: `The savepoint failed: ${why}. The running pods stay; trying again.`,
    requeueAfterMs: Math.min(60_000, 5_000 * next.tries),
    events: [{ type: 'Warning', reason: 'SavepointFailed', message: why }],
  })
}

/** The old coordinator stops the job at a barrier. If it does not answer in time, the new one's claim fences it. */
function stop({ observed, running, wanted, operation }: Upgrade): Decision {
  const { coordinator } = observed
  const isOver =
    coordinator.kind === 'absent' ||
    (coordinator.kind === 'reached' && ['suspended', 'finished', 'failed'].includes(coordinator.report.phase))
  if (!isOver && !isGivenUp(observed, operation))
    return working(operation, {
      act:
        coordinator.kind === 'reached'
          ? { kind: 'putTarget', desiredState: 'suspended', template: running.template }
          : { kind: 'none' },
      message: 'The previous pods stop the job at a savepoint.',
      requeueAfterMs: 200,
    })
  return {
    ...working(renewed(observed, operation, 'deploy'), {
      act: { kind: 'putTarget', desiredState: 'running', template: wanted.template },
      message: `The new coordinator gets revision ${wanted.revision}.`,
      requeueAfterMs: 200,
    }),
    template: wanted.template,
  }
}
