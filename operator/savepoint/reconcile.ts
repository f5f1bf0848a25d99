import type { SavepointReport } from '../../runtime/control/job-report.ts'
import { errorReport, MillraceError } from '../../runtime/model/errors.ts'
import type { ErrorReport } from '../../runtime/model/errors.ts'
import { parseDurationMs } from '../../runtime/model/time.ts'
import { streamJobs } from '../api/stream-job.ts'
import type { StreamJob } from '../api/stream-job.ts'
import { streamSavepoints } from '../api/stream-savepoint.ts'
import type { StreamSavepoint, StreamSavepointStatus } from '../api/stream-savepoint.ts'
import type { ReconcileResult } from '../controller/controller.ts'
import type { JobClient, JobEndpoint } from '../job-client.ts'
import { withConditions } from '../kube/conditions.ts'
import { isNotFound } from '../kube/errors.ts'
import { isoSeconds } from '../kube/events.ts'
import type { EventNote, EventRecorder } from '../kube/events.ts'
import type { Kube, ObjectRef } from '../kube/kube.ts'
import { pods as podResource } from '../kube/resource-type.ts'
import { coordinatorName } from '../resources/coordinator-pod.ts'
import { jobToken } from '../resources/hash.ts'
import { HTTP_PORT } from '../resources/job-pod.ts'
import type { Clock } from '../../runtime/ports/clock.ts'

export interface SavepointParts { kube: Kube; clock: Clock; jobClient: JobClient; tokenKey: string; events: EventRecorder }

const DEFAULT_TIMEOUT_MS = 10 * 60_000
const POLL_MS = 500

/** One savepoint request from Pending to Completed or Failed; what has ended is never touched again. */
export async function reconcileSavepoint(parts: SavepointParts, ref: ObjectRef): Promise<ReconcileResult> {
  const savepoint = await readOrNothing(parts.kube.get(streamSavepoints, ref))
  if (savepoint === undefined || savepoint.metadata.deletionTimestamp !== undefined) return {}
  const { phase } = savepoint.status ?? {}
  if (phase === 'Completed' || phase === 'Failed') return {}
  // The id comes from the uid, so it need not be written before the coordinator is asked: a repeat has the same.
  const id = `ssp-${savepoint.metadata.uid ?? ''}`
  const next = nextStatus(savepoint, id, await askFor(parts, savepoint, id), parts.clock.now())
  await write(parts, savepoint, next)
  return next.phase === 'Completed' || next.phase === 'Failed' ? {} : { requeueAfterMs: POLL_MS }
}

type Answer = { kind: 'report'; report: SavepointReport } | { kind: 'refused'; error: ErrorReport } | { kind: 'notYet'; why: string }

async function askFor(parts: SavepointParts, savepoint: StreamSavepoint, id: string): Promise<Answer> {
  const job = await readOrNothing(parts.kube.get(streamJobs, { namespace: savepoint.metadata.namespace ?? '', name: savepoint.spec.job }))
  if (job === undefined) return { kind: 'notYet', why: `There is no StreamJob ${savepoint.spec.job} in this namespace.` }
  const endpoint = await endpointOf(parts, job)
  if (endpoint === undefined) return { kind: 'notYet', why: `The job ${job.metadata.name} has no coordinator (${job.status?.phase ?? 'Pending'}).` }
  try {
    const known = await parts.jobClient.savepoint(endpoint, id)
    if (known !== undefined) return { kind: 'report', report: known }
    const { phase } = await parts.jobClient.report(endpoint)
    if (phase !== 'running') return { kind: 'notYet', why: `The job ${job.metadata.name} is ${phase}; the savepoint is taken when it runs.` }
    return { kind: 'report', report: await parts.jobClient.requestSavepoint(endpoint, { id }) }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    return error.retriable ? { kind: 'notYet', why: error.message } : { kind: 'refused', error: errorReport(error) }
  }
}

async function endpointOf({ kube, tokenKey }: SavepointParts, job: StreamJob): Promise<JobEndpoint | undefined> {
  const pod = await readOrNothing(kube.get(podResource, { namespace: job.metadata.namespace ?? '', name: coordinatorName(job.metadata.name) }))
  const host = pod?.metadata.deletionTimestamp === undefined ? pod?.status?.podIP : undefined
  return host === undefined || host === '' ? undefined : { host, port: HTTP_PORT, token: jobToken(tokenKey, job.metadata.uid ?? '') }
}

/** Pure. */
export function nextStatus(savepoint: StreamSavepoint, id: string, answer: Answer, now: number): StreamSavepointStatus {
  const startedAt = savepoint.status?.startedAt ?? isoSeconds(now)
  const base = { observedGeneration: savepoint.metadata.generation ?? 0, id, startedAt }
  const done = (fields: Pick<StreamSavepointStatus, 'phase'> & Partial<StreamSavepointStatus>, reason: string, message: string): StreamSavepointStatus => ({
    ...base, ...fields,
    conditions: withConditions(savepoint.status?.conditions ?? [],
      [{ type: 'Ready', status: fields.phase === 'Completed' ? 'True' : 'False', reason, message }], { generation: base.observedGeneration, now }),
  })
  const failed = (error: ErrorReport): StreamSavepointStatus => done({ phase: 'Failed', completedAt: isoSeconds(now), error }, 'Failed', error.message)
  if (answer.kind === 'refused') return failed(answer.error)
  if (answer.kind === 'report') {
    const { report } = answer
    if (report.phase === 'failed') return failed(report.error)
    if (report.phase === 'completed') {
      const { path, attempt, sizeBytes, durationMs, completedAt } = report.checkpoint
      return done({ phase: 'Completed', path, attempt, sizeBytes, durationMs, completedAt: isoSeconds(completedAt) }, 'Completed', `Kept at ${path}.`)
    }
  }
  const timeoutMs = parseDurationMs(savepoint.spec.timeout ?? '10m') ?? DEFAULT_TIMEOUT_MS
  const why = answer.kind === 'notYet' ? answer.why : 'The coordinator takes it.'
  if (now >= Date.parse(startedAt) + timeoutMs) {
    return failed({ code: 'SAVEPOINT_TIMEOUT', message: `Not completed within ${timeoutMs} ms. ${why}`, domain: 'dependency', retriable: true })
  }
  return answer.kind === 'notYet' ? done({ phase: 'Pending' }, 'Waiting', why) : done({ phase: 'InProgress' }, 'InProgress', why)
}

async function write({ kube, events }: SavepointParts, savepoint: StreamSavepoint, status: StreamSavepointStatus): Promise<void> {
  const before = savepoint.status
  const isSame = before?.phase === status.phase && before?.conditions?.[0]?.message === status.conditions?.[0]?.message
  if (isSame) return
  const { namespace = '', name, resourceVersion } = savepoint.metadata
  await kube.patchStatus(streamSavepoints, { namespace, name }, { metadata: { resourceVersion }, status })
  const note = eventOf(status)
  if (note !== undefined) await events.record(savepoint, note)
}

function eventOf(status: StreamSavepointStatus): EventNote | undefined {
  if (status.phase === 'Completed') return { type: 'Normal', reason: 'SavepointCompleted', message: `${status.path ?? ''}, ${status.sizeBytes ?? 0} bytes in ${status.durationMs ?? 0} ms` }
  if (status.phase === 'Failed') return { type: 'Warning', reason: 'SavepointFailed', message: status.error?.message ?? 'unknown' }
  return status.phase === 'InProgress' ? { type: 'Normal', reason: 'SavepointStarted', message: `Asked for as ${status.id ?? ''}` } : undefined
}

async function readOrNothing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
