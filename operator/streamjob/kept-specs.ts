import { isFields } from '../../runtime/model/fields.ts'
import type { StreamJob, StreamJobSpec } from '../api/stream-job.ts'
import { unlessNotFound } from '../kube/errors.ts'
import type { Kube } from '../kube/kube.ts'
import { sealOf } from '../resources/hash.ts'
import { configMaps, lastGoodName } from '../resources/job-objects.ts'
import { isOwnedBy } from '../resources/labels.ts'
import { isRolledBack } from './stability.ts'

/** What runs depends on all of the spec but whether it should run, and how it is to be upgraded and deleted. */
export function keptHash(spec: StreamJobSpec): string {
  return sealOf({ ...spec, desiredState: undefined, deletion: undefined, upgrade: undefined })
}

/** Earlier operators wrote these first digits only. */
export const SHORT_HASH = 10

/** Whether the status names this spec. The right to write ConfigMaps does not include the status. */
export function isSealed(spec: StreamJobSpec, hash: string): boolean {
  return hash.length === SHORT_HASH ? keptHash(spec).startsWith(hash) : keptHash(spec) === hash
}

/** What is kept of a job's specs, as far as the status vouches for it. */
export interface KeptSpecs {
  /** The last good one; undefined when there is none. */
  lastGood: StreamJobSpec | undefined
  /** The newest one that has held; undefined when there is none. */
  stable: StreamJobSpec | undefined
  /** Those from which the pods that run may have been made, the likeliest first. */
  candidates: readonly StreamJobSpec[]
  /** The ConfigMap holds something else than the operator wrote for this job. */
  isAltered: boolean
  /** The ConfigMap has another owner. */
  isForeign: boolean
}

/** Reads the ConfigMap. Whatever in it the status does not vouch for is left out. */
export async function readKept(kube: Kube, job: StreamJob): Promise<KeptSpecs> {
  const ref = { namespace: job.metadata.namespace ?? '', name: lastGoodName(job.metadata.name) }
  const found = await unlessNotFound(kube.get(configMaps, ref))
  const seals = job.status?.lastGood
  const isForeign = found !== undefined && !isOwnedBy(found, job)
  if (found === undefined || seals === undefined)
    return { lastGood: undefined, stable: undefined, candidates: [], isAltered: false, isForeign }
  const isOfJob = found.data?.['uid'] === job.metadata.uid
  const specs = ['running', 'spec', 'previous', 'stable'].flatMap(
    (name) => (isOfJob && parsedSpec(found.data?.[name])) || [],
  )
  const lastGood = specs.find((spec) => isSealed(spec, seals.hash))
  const stable = specs.find((spec) => keptHash(spec) === job.status?.stable)
  const ofRollback = isRolledBack(job.status) ? job.status?.stable : undefined
  const hashes = [seals.running, ofRollback, seals.hash, job.status?.stable].flatMap((hash) => hash || [])
  const candidates = hashes.flatMap((hash) => specs.find((spec) => isSealed(spec, hash)) ?? [])
  return { lastGood, stable, candidates, isAltered: lastGood === undefined, isForeign }
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
