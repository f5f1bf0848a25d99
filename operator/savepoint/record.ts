import type { StreamJob, TakenSavepoint } from '../api/stream-job.ts'
import { API_VERSION } from '../api/stream-job.ts'
import { streamSavepoints } from '../api/stream-savepoint.ts'
import type { StreamSavepoint } from '../api/stream-savepoint.ts'
import { isAlreadyExists, isConflict, KubeError, unlessNotFound } from '../kube/errors.ts'
import { isoSeconds } from '../kube/events.ts'
import type { EventRecorder } from '../kube/events.ts'
import type { Kube } from '../kube/kube.ts'
import { CLASS_LABEL, JOB_LABEL, JOB_UID_LABEL } from '../resources/labels.ts'
import { stateLocation } from '../resources/state-location.ts'
import { nextStatus } from './status.ts'

interface RecordParts {
  kube: Kube
  events: EventRecorder
  store: string
}

/**
 * Writes a savepoint that is there already as a completed StreamSavepoint, which outlives the job. Safe to repeat.
 * Resolves with `later` when it must be repeated. What the API server does not take at all is said in an Event, which
 * names where the savepoint lies.
 */
export async function recordSavepoint(
  parts: RecordParts,
  job: StreamJob,
  savepoint: TakenSavepoint,
): Promise<'written' | 'later'> {
  try {
    await complete(parts, job, await createdOrThere(parts.kube, recordOf(job, savepoint)), savepoint)
    return 'written'
  } catch (error) {
    if (!(error instanceof KubeError)) throw error
    if (isConflict(error) || error.retriable) return 'later'
    return parts.events.recordOnce(job, {
      id: `${job.metadata.uid ?? ''}-${savepoint.id}`,
      type: 'Warning',
      reason: 'SavepointNotRecorded',
      message: `A savepoint (${savepoint.trigger}) is at ${stateLocation(job, savepoint, parts.store)}, and no StreamSavepoint could be made of it: ${error.words}`,
    })
  }
}

async function createdOrThere(kube: Kube, wanted: StreamSavepoint): Promise<StreamSavepoint | undefined> {
  try {
    return await kube.create(streamSavepoints, wanted)
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
  }
  const { namespace = '', name, labels } = wanted.metadata
  const there = await unlessNotFound(kube.get(streamSavepoints, { namespace, name }))
  return there?.metadata.labels?.[JOB_UID_LABEL] === labels?.[JOB_UID_LABEL] ? there : undefined
}

async function complete(
  parts: RecordParts,
  job: StreamJob,
  record: StreamSavepoint | undefined,
  { id, checkpoint, ...rest }: TakenSavepoint,
): Promise<void> {
  if (record === undefined || record.status?.phase === 'Completed') return
  const report = { id, phase: 'completed', checkpoint: { ...rest, id: checkpoint, kind: 'savepoint' } } as const
  const now = parts.kube.now()
  const status = nextStatus(record, id, { kind: 'report', report, job }, { now, store: parts.store })
  const { namespace = '', name, resourceVersion } = record.metadata
  // What took it has Events of its own.
  await parts.kube.patchStatus(
    streamSavepoints,
    { namespace, name },
    { metadata: { resourceVersion }, status: { ...status, startedAt: isoSeconds(rest.completedAt - rest.durationMs) } },
  )
}

/** The name comes from the savepoint, so that a repeat finds what there is. */
function recordOf(job: StreamJob, { trigger, attempt, checkpoint, completedAt }: TakenSavepoint): StreamSavepoint {
  return savepointOf(job, {
    name: `${job.metadata.name}-${compactUtc(completedAt)}-${attempt}-${checkpoint}`,
    spec: { trigger, deletionPolicy: 'Retain' },
  })
}

/** Belongs to nobody: it outlives the job. */
export function savepointOf(
  { metadata }: StreamJob,
  { name, spec }: { name: string; spec: Omit<StreamSavepoint['spec'], 'job'> },
): StreamSavepoint {
  const { namespace = '', name: job, uid = '', labels } = metadata
  const ofClass = labels?.[CLASS_LABEL]
  return {
    apiVersion: API_VERSION,
    kind: 'StreamSavepoint',
    metadata: {
      name,
      namespace,
      labels: {
        [JOB_LABEL]: job,
        [JOB_UID_LABEL]: uid,
        ...(ofClass === undefined ? {} : { [CLASS_LABEL]: ofClass }),
      },
    },
    spec: { job, ...spec },
  }
}

/** `20261123-072500`: as part of a name. */
export function compactUtc(ms: number): string {
  const [date = '', time = ''] = new Date(ms).toISOString().split('T')
  return `${date.replaceAll('-', '')}-${time.slice(0, 8).replaceAll(':', '')}`
}
