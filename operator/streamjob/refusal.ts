import type { Refusal } from '../api/stream-job.ts'
import { CoordinatorRefusal } from '../job-client.ts'
import { camelCase } from '../kube/camel-case.ts'
import { KubeError } from '../kube/errors.ts'
import { derivedReason } from '../kube/reasons.ts'
import type { KubeObject } from '../kube/objects.ts'
import type { Decision } from './decision.ts'
import type { Observed } from './observed.ts'

const SOONEST_MS = 1_000
const LATEST_MS = 60_000

/** What somebody else has against an act, for good: the API server, its admission, its quotas, a coordinator. */
export type Refused = Pick<Refusal, 'reason' | 'message'>

/**
 * Why the API server does not take this object, in its own words; undefined for an error that passes by itself.
 * 400 is a quantity that cannot be read, 403 a quota or an admission, 422 a field that is invalid.
 */
function refusalOf(error: unknown, { kind, metadata }: KubeObject): Refused | undefined {
  if (!(error instanceof KubeError)) return undefined
  const isForGood = [400, 403, 413, 422].includes(error.status) || /admission webhook|calling webhook/.test(error.words)
  if (!isForGood) return undefined
  return {
    reason: /exceeded quota|must specify (limits|requests)/.test(error.words)
      ? 'QuotaExceeded'
      : derivedReason(`${kind}Refused`),
    message: `${kind} ${metadata.name} was refused: ${error.words}`,
  }
}

/** Why a write of this object was refused for good, undefined when it was done. Throws what passes by itself. */
export async function refusalFrom(object: KubeObject, write: Promise<unknown>): Promise<Refused | undefined> {
  try {
    await write
    return undefined
  } catch (error) {
    const refusal = refusalOf(error, object)
    if (refusal === undefined) throw error
    return refusal
  }
}

/** Nothing of someone else is overwritten or used. */
export function nameTaken({ kind, metadata }: KubeObject): Refused {
  return { reason: 'NameTaken', message: takenMessage(`${kind} ${metadata.name}`) }
}

/** `object`: its kind and name. */
export function takenMessage(object: string): string {
  return `The ${object} exists and belongs to someone else: rename this job or remove it.`
}

/** As refusalOf, when a coordinator does not take a target: its image may be older than a verb of the graph. */
export function targetRefusalOf(error: unknown, revision: string): Refused | undefined {
  if (!(error instanceof CoordinatorRefusal)) return undefined
  if (error.status !== 422 && error.told.code !== 'ORDER_OUTDATED') return undefined
  return targetRefusal(error.told, revision)
}

/** What a coordinator has against a target, whenever it says so. */
export function targetRefusal({ code, message }: CoordinatorRefusal['told'], revision: string): Refused {
  return {
    reason: camelCase(code),
    message: `The coordinator does not take revision ${revision}: ${message} [${code}]`,
  }
}

/** The decision whose act has met this refusal: nothing gets on until somebody mends it, and it is tried again. */
export function refused(observed: Observed, decision: Decision, { reason, message }: Refused): Decision {
  const { job, now } = observed
  const since = job.status?.refusal?.since ?? new Date(now).toISOString()
  const told = `${message.replace(/\.?$/, '.')}${runsOn(observed)}`
  return {
    ...decision,
    reason,
    message: told,
    stalled: true,
    refusal: { act: decision.act.kind, reason, message, since },
    requeueAfterMs: Math.min(LATEST_MS, Math.max(SOONEST_MS, (now - Date.parse(since)) / 2)),
    events: [...decision.events, { type: 'Warning', reason, message: told }],
  }
}

/** What follows the trouble that a job has with its new pods or target: nothing when it does not run either. */
export function runsOn({ coordinator }: Observed): string {
  const isRunning = coordinator.kind === 'reached' && coordinator.report.phase === 'running'
  return isRunning ? ' The job runs on with its previous pods.' : ''
}

/** What was refused is told until it was taken: the status does not change while it is tried again. */
export function asRefusedBefore(observed: Observed, decision: Decision): Decision {
  const before = observed.job.status?.refusal
  if (before === undefined || before === null || before.act !== decision.act.kind) return decision
  return { ...refused(observed, decision, before), events: decision.events }
}
