import { MillraceError } from '../model/errors.ts'
import type { Attempt, CheckpointId } from '../model/ids.ts'
import type { Store } from '../ports/store.ts'
import type { JobLog, LogView } from './job-log.ts'
import { commitMarkerPath } from './commit-marker.ts'
import { CHECKPOINTS, checkpointOf, decodeManifest, stateFilesOf } from './manifest.ts'

/** Completed checkpoints kept besides savepoints, which are the user's. */
const KEPT = 3

/**
 * Deletes what no restore needs any more: checkpoints behind the newest three, and the files that no checkpoint or
 * savepoint left refers to. Files first, then the manifest, the log's entry last, so that a crash between leaves an
 * entry whose files are gone only for checkpoints that newer ones stand behind. Called by the newest attempt only.
 */
export async function retire(log: JobLog, store: Store, attempt: Attempt): Promise<void> {
  const view = log.view()
  if (view.attempt !== attempt) return
  const checkpoints = view.checkpoints.filter((item) => item.savepoint === null && item.checkpoint !== view.newest)
  await discard(log, store, checkpoints.slice(0, Math.max(0, checkpoints.length - KEPT + 1)))
}

/**
 * Deletes a savepoint that its owner gave up; one that is not in the log is gone already. Throws SAVEPOINT_IN_USE for
 * the newest of all checkpoints, which a restore would need. Called by the newest attempt only.
 */
export async function discardSavepoint(log: JobLog, store: Store, id: string): Promise<void> {
  const view = log.view()
  for (const item of view.checkpoints.filter(({ savepoint }) => savepoint === id)) {
    if (item.checkpoint === view.newest) {
      throw new MillraceError(
        'SAVEPOINT_IN_USE',
        `savepoint ${id} is the newest checkpoint: the job would restore from it`,
        { domain: 'platform', retriable: true },
      )
    }
    await discard(log, store, [item])
  }
}

/**
 * Deletes the files of checkpoints that were never completed: the files in the folders of checkpoints before `upTo`
 * that no manifest in the log names. Called by the newest attempt only, once a checkpoint of its own that is not
 * `whole` is in the log: `upTo`. Returns how many files it has deleted.
 *
 * None of them can be named any more. An older attempt completes no checkpoint after the claim of this one, and no
 * attempt names files of an older one: its first checkpoint is whole. In this attempt a subtask may name files that
 * it wrote for an aborted checkpoint, but it writes one checkpoint after the other: all files from before `upTo`
 * that it may still name are named in `upTo`. Files of `upTo` and later ones stay, whether named or not: the next
 * checkpoint may be under way.
 */
export async function sweep(log: JobLog, store: Store, upTo: { attempt: Attempt; id: CheckpointId }): Promise<number> {
  const { attempt, checkpoints } = log.view()
  if (attempt !== upTo.attempt) return 0
  const named = new Set(checkpoints.flatMap(({ checkpoint }) => [checkpoint.path, commitMarkerPath(checkpoint)]))
  for (const { checkpoint } of checkpoints) for (const path of await filesOf(store, checkpoint.path)) named.add(path)
  const found = [...(await store.list(CHECKPOINTS)), ...(await store.unfinished(CHECKPOINTS))]
  const left = found.filter((path) => !named.has(path) && isBefore(checkpointOf(path), upTo))
  for (const path of left) await store.delete(path)
  return left.length
}

function isBefore(
  one: { attempt: Attempt; id: CheckpointId } | undefined,
  { attempt, id }: { attempt: Attempt; id: CheckpointId },
): boolean {
  return one !== undefined && (one.attempt < attempt || (one.attempt === attempt && one.id < id))
}

async function discard(log: JobLog, store: Store, items: LogView['checkpoints']): Promise<void> {
  if (items.length === 0) return
  const gone = new Set(items.map(({ sequence }) => sequence))
  const left = log.view().checkpoints.filter(({ sequence }) => !gone.has(sequence))
  const wanted = new Set<string>()
  for (const { checkpoint } of left) for (const path of await filesOf(store, checkpoint.path)) wanted.add(path)
  for (const {
    sequence,
    checkpoint: { path },
  } of items) {
    const own = await store.list(path.slice(0, path.lastIndexOf('/') + 1))
    const files = new Set([...own, ...(await filesOf(store, path))]).difference(wanted)
    files.delete(path)
    for (const file of files) await store.delete(file)
    await store.delete(path)
    await log.forget(sequence)
  }
}

/** The files in the store that a manifest names; none when the manifest is gone. */
async function filesOf(store: Store, path: string): Promise<string[]> {
  const bytes = await store.get(path)
  if (!bytes) return []
  return stateFilesOf(decodeManifest({ path }, bytes)).flatMap((file) => (file.inline === undefined ? [file.path] : []))
}
