import type { CheckpointReport } from '../model/job.ts'
import type { Store } from '../ports/store.ts'
import { seal, type SealDemand, unseal } from './sealed-file.ts'

/**
 * A file beside a manifest that says that sinks have committed all output the checkpoint lists. A restore from such a
 * checkpoint asks the outside nothing about that output: Kafka forgets transactional ids and group offsets after seven
 * days, and results may have been moved away. It is written after the last commit, so that its absence means only that
 * the commit has to be repeated.
 */
export function commitMarkerPath({ path }: Pick<CheckpointReport, 'path'>): string {
  return `${path.slice(0, path.lastIndexOf('/'))}/committed`
}

/** `job`: the UID of the job whose store this is. */
export async function markCommitted(store: Store, checkpoint: CheckpointReport, job: string): Promise<void> {
  const path = commitMarkerPath(checkpoint)
  await store.put(path, seal({ path, job }, textOf(checkpoint)))
}

/** `job` is absent where state of any job is read; `demand` is that of its manifest. Throws as `unseal`. */
export async function isMarkedCommitted(
  store: Store,
  checkpoint: Pick<CheckpointReport, 'path' | 'attempt' | 'id'>,
  job: string | undefined,
  demand: SealDemand,
): Promise<boolean> {
  const path = commitMarkerPath(checkpoint)
  const bytes = await store.get(path)
  return bytes !== undefined && unseal({ path, job }, bytes, demand) === textOf(checkpoint)
}

function textOf({ attempt, id }: Pick<CheckpointReport, 'attempt' | 'id'>): string {
  return `checkpoint ${attempt}-${id}`
}
