import { streamJobs } from '../api/stream-job.ts'
import type { Kube } from '../kube/kube.ts'
import { pods } from '../kube/resource-type.ts'
import { JOB_LABEL } from '../resources/labels.ts'

/**
 * The UID of the job whose state lies at `location`, when that job and all its pods are gone for good: then nobody else
 * will ever end what it left open outside. Undefined while it is there, and for a location that is not of a job of this
 * namespace, since only its jobs are looked at. The coordinator compares the UID with the one that sealed the state.
 */
export async function predecessorOf(kube: Kube, namespace: string, location: string): Promise<string | undefined> {
  const place = placeOf(location)
  if (place === undefined || place.namespace !== namespace) return undefined
  const jobs = await kube.list(streamJobs, { namespace })
  if (jobs.items.some(({ metadata }) => metadata.uid === place.uid)) return undefined
  const left = await kube.list(pods, { namespace, labelSelector: `${JOB_LABEL}=${place.job}` })
  // Pods without an owner may be its own: `kubectl delete --cascade=orphan` leaves them running.
  const isLeft = left.items.some(
    ({ metadata: { ownerReferences = [] } }) =>
      ownerReferences.length === 0 || ownerReferences.some(({ uid }) => uid === place.uid),
  )
  return isLeft ? undefined : place.uid
}

/** As the runtime names the folder of a job, or of a checkpoint in it (`openSavedState`). */
function placeOf(location: string): { namespace: string; job: string; uid: string } | undefined {
  const folder = location.replace(/(\/manifest\.json)?\/*$/, '').replace(/\/checkpoints\/\d+-\d+$/, '')
  const [, namespace, job, uid] = /\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(folder) ?? []
  return namespace === undefined || job === undefined || uid === undefined ? undefined : { namespace, job, uid }
}
