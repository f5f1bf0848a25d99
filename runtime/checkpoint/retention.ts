import type { Attempt } from '../model/ids.ts'
import type { Store } from '../ports/store.ts'
import type { JobLog } from './job-log.ts'

/** Completed checkpoints kept besides savepoints, which are the user's. */
const KEPT = 3

/**
 * Deletes what no restore needs any more: the files of checkpoints behind the newest three. Files first, the log's entry last, so that a crash between leaves an entry
 * whose files are gone only for checkpoints that newer ones stand behind. Called by the newest attempt only.
 */
export async function retire(log: JobLog, store: Store, attempt: Attempt): Promise<void> {
  const view = log.view()
  if (view.attempt !== attempt) return
  const checkpoints = view.checkpoints.filter((item) => item.savepoint === null && item.checkpoint !== view.newest)
  for (const { sequence, checkpoint } of checkpoints.slice(0, Math.max(0, checkpoints.length - KEPT + 1))) {
    const folder = checkpoint.path.slice(0, checkpoint.path.lastIndexOf('/') + 1)
    for (const path of await store.list(folder)) await store.delete(path)
    await log.forget(sequence)
  }
}
