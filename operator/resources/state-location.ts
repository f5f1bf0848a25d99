import { placeInStore } from '../../runtime/ports/store.ts'
import type { StreamJob } from '../api/stream-job.ts'

/**
 * Where a checkpoint of a job lies, as `spec.restore.path` of another job takes it. `path`: of its manifest in the job's
 * folder, which is made of namespace, name and uid (runtime/config.ts). `store`: of jobs that name none.
 */
export function stateLocation(
  { metadata: { namespace, name, uid }, spec }: StreamJob,
  { path }: { path: string },
  store: string,
): string {
  const folder = `${namespace ?? ''}/${name}/${uid ?? ''}/${path.slice(0, path.lastIndexOf('/'))}`
  return placeInStore(spec.checkpoints?.store ?? store, folder)
}
