import { MillraceError } from '../model/errors.ts'
import type { Attempt } from '../model/ids.ts'
import type { Store } from '../ports/store.ts'
import type { JobLog, LogView } from './job-log.ts'

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
  for (const item of checkpoints.slice(0, Math.max(0, checkpoints.length - KEPT + 1))) await discard(log, store, item)
}

/**
 * Deletes a savepoint that its owner gave up; one that is not in the log is gone already. Throws SAVEPOINT_IN_USE for
 * the newest of all checkpoints, which a restore would need. Called by the newest attempt only.
 */
export async function discardSavepoint(log: JobLog, store: Store, id: string): Promise<void> {
  const view = log.view()
  for (const item of view.checkpoints.filter(({ savepoint }) => savepoint === id)) {
    if (item.checkpoint === view.newest) {
      throw new MillraceError('SAVEPOINT_IN_USE', `savepoint ${id} is the newest checkpoint: the job would restore from it`, { domain: 'platform', retriable: true })
    }
    await discard(log, store, item)
  }
}

async function discard(log: JobLog, store: Store, { sequence, checkpoint }: LogView['checkpoints'][number]): Promise<void> {
  const folder = checkpoint.path.slice(0, checkpoint.path.lastIndexOf('/') + 1)
  for (const path of await store.list(folder)) await store.delete(path)
  await log.forget(sequence)
}
