import { isFields } from '../../runtime/model/fields.ts'
import type { StreamJob, StreamJobSpec, StreamJobStatus } from '../api/stream-job.ts'
import { unlessNotFound } from '../kube/errors.ts'
import type { Kube } from '../kube/kube.ts'
import { controllerRevisions, revisionName } from '../resources/controller-revision.ts'
import { sealOf } from '../resources/hash.ts'
import { configMaps, lastGoodName } from '../resources/job-objects.ts'
import { isOwnedBy, JOB_LABEL, selectorOf } from '../resources/labels.ts'
import { isRolledBack } from './stability.ts'

/**
 * What runs depends on all of the spec but whether it should run, how it is to be upgraded and deleted, when savepoints are
 * taken, and how its parallelism follows the load.
 */
export function keptPart(spec: StreamJobSpec): StreamJobSpec {
  return Object.fromEntries(Object.entries(spec).filter(([name]) => !SETTINGS.has(name))) as unknown as StreamJobSpec
}

const SETTINGS: ReadonlySet<string> = new Set([
  'desiredState',
  'deletion',
  'upgrade',
  'savepoints',
  'autoscaler',
] satisfies (keyof StreamJobSpec)[])

/** A kept spec with what of the newest one counts at once. */
export function withSettingsOf(newest: StreamJobSpec, kept: StreamJobSpec): StreamJobSpec {
  return { ...Object.fromEntries(Object.entries(newest).filter(([name]) => SETTINGS.has(name))), ...keptPart(kept) }
}

export function keptHash(spec: StreamJobSpec): string {
  return sealOf(keptPart(spec))
}

/** Earlier operators wrote these first digits only. */
export const SHORT_HASH = 10

/** Whether the status names this spec. The right to write revisions does not include the status. */
export function isSealed(spec: StreamJobSpec, hash: string): boolean {
  return hash.length === SHORT_HASH ? keptHash(spec).startsWith(hash) : keptHash(spec) === hash
}

/** What is kept of a job's specs, as far as the status vouches for it. */
export interface KeptSpecs {
  /** The last good one; undefined when there is none. */
  lastGood: StreamJobSpec | undefined
  /** The newest one that has held; undefined when there is none. */
  stable: StreamJobSpec | undefined
  /** By their hashes. */
  texts: ReadonlyMap<string, StreamJobSpec>
  /** Those from which the pods that run may have been made, the likeliest first. */
  candidates: readonly StreamJobSpec[]
  /** The last good one is not there, or not as the operator wrote it. */
  isAltered: boolean
  /** Specs that an earlier operator kept, the oldest first: they have no revisions yet. */
  unlisted: readonly StreamJobSpec[]
  /** The ConfigMap of this job in which they are. */
  leftover: string | undefined
}

/** Whether the job has a revision of this spec. */
export function isListed(status: StreamJobStatus | undefined, hash: string): boolean {
  return status?.revisions?.some((one) => one.hash === hash) === true
}

/** Reads what was kept. Whatever in it the status does not vouch for is left out. */
export async function readKept(kube: Kube, job: StreamJob): Promise<KeptSpecs> {
  const { lastGood, stable, rollbackTo, revisions = [] } = job.status ?? {}
  const isEarlier = revisions.length === 0 && lastGood !== undefined
  const ofRollback = isRolledBack(job.status) ? stable : undefined
  const named = [lastGood?.running, rollbackTo?.hash, ofRollback, lastGood?.hash, stable]
  const hashes = [...named, ...revisions.map(({ hash }) => hash)].flatMap((hash) => hash || [])
  const { specs, leftover } = await (hashes.length === 0
    ? NOTHING
    : isEarlier
      ? readConfigMap(kube, job)
      : readRevisions(kube, job))
  const texts = new Map<string, StreamJobSpec>()
  for (const hash of hashes) {
    const spec = specs.find((one) => isSealed(one, hash))
    if (spec !== undefined) texts.set(hash, spec)
  }
  const last = texts.get(lastGood?.hash ?? '')
  return {
    lastGood: last,
    stable: texts.get(stable ?? ''),
    texts,
    candidates: [...texts.values()],
    isAltered: lastGood !== undefined && last === undefined,
    unlisted: isEarlier ? [...texts].flatMap(([hash, spec]) => (hash.length > SHORT_HASH ? spec : [])).reverse() : [],
    leftover,
  }
}

/** The status of a new job vouches for nothing, so nothing need be read. */
const NOTHING: Kept = { specs: [], leftover: undefined }

interface Kept {
  specs: readonly StreamJobSpec[]
  leftover: string | undefined
}

async function readRevisions(kube: Kube, job: StreamJob): Promise<Kept> {
  const { namespace = '', name } = job.metadata
  const { items } = await kube.list(controllerRevisions, {
    namespace,
    labelSelector: selectorOf({ [JOB_LABEL]: name }),
  })
  const named = new Set(job.status?.revisions?.map(({ hash }) => revisionName(name, hash)))
  const specs = items
    .filter((one) => named.has(one.metadata.name) && isOwnedBy(one, job) && isFields(one.data))
    .map(({ data }) => data as StreamJobSpec)
  return { specs, leftover: undefined }
}

/** Where operators kept the last few specs before there were revisions. */
async function readConfigMap(kube: Kube, job: StreamJob): Promise<Kept> {
  const ref = { namespace: job.metadata.namespace ?? '', name: lastGoodName(job.metadata.name) }
  const found = await unlessNotFound(kube.get(configMaps, ref))
  if (found?.data?.['uid'] !== job.metadata.uid) return { specs: [], leftover: undefined }
  const names = ['stable', 'previous', 'running', 'spec']
  const specs = names.flatMap((name) => parsedSpec(found?.data?.[name]) ?? [])
  return { specs, leftover: found !== undefined && isOwnedBy(found, job) ? ref.name : undefined }
}

function parsedSpec(text: string | undefined): StreamJobSpec | undefined {
  try {
    const spec: unknown = JSON.parse(text ?? '')
    return isFields(spec) ? (spec as unknown as StreamJobSpec) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
