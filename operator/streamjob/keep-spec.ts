import type { KeptRevision, LastGood, StreamJob, StreamJobSpec, StreamJobStatus } from '../api/stream-job.ts'
import { streamJobs } from '../api/stream-job.ts'
import { isAlreadyExists, isConflict, isNotFound, unlessNotFound } from '../kube/errors.ts'
import { isoSeconds } from '../kube/events.ts'
import type { Kube, ObjectRef } from '../kube/kube.ts'
import { controllerRevision, controllerRevisions, revisionName } from '../resources/controller-revision.ts'
import type { ControllerRevision } from '../resources/controller-revision.ts'
import { configMaps } from '../resources/job-objects.ts'
import { isOwnedBy, JOB_LABEL, selectorOf } from '../resources/labels.ts'
import { sealOf } from '../resources/hash.ts'
import { keptHash, keptPart } from './kept-specs.ts'
import type { Observed } from './observed.ts'
import { nameTaken, refusalFrom } from './refusal.ts'
import type { Refused } from './refusal.ts'
import { withinLimit, withRevision } from './revisions.ts'

/** First the texts, then `status` with their names, then what it does not name any more. */
export async function keepSpec(kube: Kube, observed: Observed, status: StreamJobStatus): Promise<Refused | undefined> {
  const { job, keepSpec: keep } = observed
  if (keep === undefined) return undefined
  const lastGood = { ...lastGoodAfter(observed), ...(keep.leftover === undefined ? {} : { leftover: keep.leftover }) }
  let revisions: readonly KeptRevision[] = job.status?.revisions ?? []
  for (const spec of keep.specs) {
    const hash = keptHash(spec)
    const { generation, change } = lastGood
    const known = hash === lastGood.hash ? { generation, change } : {}
    revisions = withRevision(revisions, { hash, at: isoSeconds(kube.now()), ...known })
    const refusal = await writeRevision(kube, job, spec, revisions[0]?.revision ?? 1)
    if (refusal !== undefined) return refusal
  }
  const { stable } = job.status ?? {}
  const named = withinLimit(
    revisions,
    { lastGood, ...(stable === undefined ? {} : { stable }) },
    job.spec.upgrade?.revisionHistoryLimit,
  )
  await kube.patchStatus(streamJobs, refOf(job), {
    metadata: { resourceVersion: job.metadata.resourceVersion },
    status: { ...status, lastGood, revisions: named, ...(keep.kind === 'newest' ? { rollbackTo: null } : {}) },
  })
  // A revision that the first spec of a job finds was left by a death before the status named it: it goes with the next one.
  if ((job.status?.revisions ?? []).length > 0) await deleteUnnamed(kube, job, named)
  return undefined
}

function lastGoodAfter({ job, keepSpec: keep, wanted, running }: Observed): LastGood {
  const before = job.status?.lastGood
  if (keep?.kind === 'earlier' && before !== undefined) return before
  const isReplaced = running !== undefined && running.template !== wanted?.template
  return {
    generation: job.metadata.generation ?? 0,
    hash: keptHash(job.spec),
    running: isReplaced ? keptHash(running.spec) : null,
    change: keep?.change?.class ?? 'graph',
  }
}

async function writeRevision(
  kube: Kube,
  job: StreamJob,
  spec: StreamJobSpec,
  revision: number,
): Promise<Refused | undefined> {
  const wanted = controllerRevision(job, { hash: keptHash(spec), spec: keptPart(spec), revision })
  let isTaken = false
  const write = createOrRaise(kube, job, wanted).then((outcome) => {
    isTaken = outcome === 'taken'
  })
  return (await refusalFrom(wanted, write)) ?? (isTaken ? nameTaken(wanted) : undefined)
}

/**
 * One of this job that is there has the same text, unless somebody has put another one in its place. One of someone else
 * is left alone.
 */
async function createOrRaise(kube: Kube, job: StreamJob, wanted: ControllerRevision): Promise<'kept' | 'taken'> {
  try {
    await kube.create(controllerRevisions, wanted)
    return 'kept'
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
  }
  const { namespace = '', name, labels } = wanted.metadata
  const there = await unlessNotFound(kube.get(controllerRevisions, { namespace, name }))
  if (there !== undefined && holds(there, job, wanted)) {
    if (there.revision === wanted.revision && there.metadata.labels?.[JOB_LABEL] === job.metadata.name) return 'kept'
    const { resourceVersion } = there.metadata
    const { revision } = wanted
    await kube.patch(controllerRevisions, { namespace, name }, { metadata: { resourceVersion, labels }, revision })
    return 'kept'
  }
  if (there !== undefined && !isOwnedBy(there, job)) return 'taken'
  if (there !== undefined) await deleteRevision(kube, there)
  await kube.create(controllerRevisions, wanted)
  return 'kept'
}

function holds(there: ControllerRevision, job: StreamJob, { data }: ControllerRevision): boolean {
  return isOwnedBy(there, job) && sealOf(there.data) === sealOf(data)
}

async function deleteUnnamed(kube: Kube, job: StreamJob, named: readonly KeptRevision[]): Promise<void> {
  const { namespace = '', name } = job.metadata
  const names = new Set(named.map(({ hash }) => revisionName(name, hash)))
  const { items } = await kube.list(controllerRevisions, {
    namespace,
    labelSelector: selectorOf({ [JOB_LABEL]: name }),
  })
  for (const one of items) if (isOwnedBy(one, job) && !names.has(one.metadata.name)) await deleteRevision(kube, one)
}

async function deleteRevision(kube: Kube, { metadata }: ControllerRevision): Promise<void> {
  const { namespace = '', name, uid } = metadata
  try {
    await kube.delete(controllerRevisions, { namespace, name }, uid === undefined ? {} : { preconditions: { uid } })
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error
  }
}

/** The ConfigMap of an earlier operator, once the status names revisions of all that was in it. */
export async function deleteLeftover(kube: Kube, job: StreamJob): Promise<void> {
  const { namespace = '', resourceVersion } = job.metadata
  const ref = { namespace, name: job.status?.lastGood?.leftover ?? '' }
  const there = await unlessNotFound(kube.get(configMaps, ref))
  const uid = there?.metadata.uid
  if (there !== undefined && isOwnedBy(there, job))
    await unlessNotFound(kube.delete(configMaps, ref, uid === undefined ? {} : { preconditions: { uid } }))
  await kube.patchStatus(streamJobs, refOf(job), {
    metadata: { resourceVersion },
    status: { lastGood: { leftover: null } },
  })
}

function refOf({ metadata }: StreamJob): ObjectRef {
  return { namespace: metadata.namespace ?? '', name: metadata.name }
}
