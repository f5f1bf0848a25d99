import type { StateFile, SubtaskSnapshot } from '../model/snapshot.ts'
import { MillraceError } from '../model/errors.ts'
import type { CheckpointReport } from '../model/job.ts'
import type { Store } from '../ports/store.ts'
import { isMarkedCommitted } from './commit-marker.ts'
import { JobLog } from './job-log.ts'
import {
  checkpointFolder,
  decodeManifest,
  encodeManifest,
  stateFilePath,
  withoutOutput,
  type Manifest,
} from './manifest.ts'
import { isSealed, sealedFor } from './sealed-file.ts'
import { checkedStateFile } from './state-file.ts'

/** A savepoint or checkpoint of any job, found by its location. */
export interface SavedState {
  location: string
  manifest: Manifest
  /** The UID of the job that wrote it; undefined for state from before it was sealed. */
  jobUid: string | undefined
  /** The folder of the job that wrote it: what paths in the manifest are relative to. */
  store: Store
}

/**
 * Opens `<store>/<namespace>/<job>/<uid>/checkpoints/<attempt>-<id>`, as a StreamSavepoint's status.location says it,
 * or the job's folder itself: then its newest checkpoint. A URL or a path. Throws RESTORE_MISSING when nothing is
 * there, MANIFEST_VERSION or MANIFEST_CORRUPT when it cannot be read, STORE_UNAVAILABLE when the store cannot.
 */
export async function openSavedState(openStore: (url: string) => Store, location: string): Promise<SavedState> {
  const trimmed = location.replace(/(\/manifest\.json)?\/*$/, '')
  const [, folder = trimmed, checkpoint] = /^(.*)\/(checkpoints\/\d+-\d+)$/.exec(trimmed) ?? []
  const store = openStore(folder)
  const path = checkpoint === undefined ? (await JobLog.read(store)).newest?.path : `${checkpoint}/manifest.json`
  const bytes = path === undefined ? undefined : await store.get(path)
  if (path === undefined || !bytes) {
    throw new MillraceError('RESTORE_MISSING', `there is no savepoint at ${location}`, {
      domain: 'user',
      hint: 'give the folder …/checkpoints/ATTEMPT-ID, or that of the job for its newest checkpoint',
    })
  }
  const manifest = decodeManifest({ path }, bytes)
  const demand = isSealed(bytes) ? 'required' : 'optional'
  const report = { path, attempt: manifest.attempt, id: manifest.id }
  const isCommitted = await isMarkedCommitted(store, report, undefined, demand)
  return { location, store, jobUid: sealedFor(bytes), manifest: isCommitted ? withoutOutput(manifest) : manifest }
}

/**
 * Copies a saved state into a job's own folder as checkpoint `0-<id>`, every file checked on the way, so that the job
 * stands on its own from then on. `predecessor`: as in JobTarget; it counts only when it wrote the state. Repeating it
 * writes the same again. Throws STATE_MISSING or STATE_CORRUPT.
 */
export async function importSavedState(
  saved: SavedState,
  store: Store,
  { job, jobUid, predecessor }: { job: string; jobUid: string; predecessor?: string | undefined },
): Promise<CheckpointReport> {
  const { manifest } = saved
  const predecessors = [
    ...(manifest.predecessors ?? []),
    ...(predecessor !== undefined && predecessor === saved.jobUid ? [predecessor] : []),
  ]
  const folder = checkpointFolder(0, manifest.id)
  const subtasks: Record<string, SubtaskSnapshot> = {}
  for (const [subtask, snapshot] of Object.entries(manifest.subtasks)) {
    const state: Record<string, StateFile[]> = {}
    for (const [operator, files] of Object.entries(snapshot.state)) {
      const copies: StateFile[] = []
      state[operator] = copies
      for (const file of files) {
        const path = stateFilePath(folder, operator, subtask, copies.length)
        const bytes = await checkedStateFile(saved.store, file)
        if (file.inline === undefined) await store.put(path, bytes)
        copies.push({ ...file, path })
      }
    }
    subtasks[subtask] = { ...snapshot, state }
  }
  const path = `${folder}/manifest.json`
  const own = { ...manifest, job, attempt: 0, subtasks, ...(predecessors.length === 0 ? {} : { predecessors }) }
  await store.put(path, encodeManifest(own, { path, job: jobUid }))
  const { id, kind, completedAt, durationMs, sizeBytes } = manifest
  return { attempt: 0, id, kind, path, completedAt, durationMs, sizeBytes }
}
