import type { SubtaskSnapshot } from '../model/snapshot.ts'
import { MillraceError } from '../model/errors.ts'
import type { Attempt, CheckpointId, SubtaskId } from '../model/ids.ts'

/**
 * What a checkpoint is, on disk: written last, after every file it names is durable. Restoring needs this and
 * the files it names, nothing else. JSON with version 1; paths are relative to the job's folder in the store.
 */
export interface Manifest {
  version: 1
  job: string
  attempt: Attempt
  id: CheckpointId
  kind: 'checkpoint' | 'savepoint'
  completedAt: number
  durationMs: number
  sizeBytes: number
  maxParallelism: number
  /** The spec that ran, so that a restore can say what changed. */
  revision: string
  /** That spec itself: whether another job can take the state over is decided by it. */
  spec: unknown
  subtasks: Readonly<Record<SubtaskId, SubtaskSnapshot>>
}

export function encodeManifest(manifest: Manifest): Uint8Array {
  return Buffer.from(JSON.stringify(manifest), 'utf8')
}

/** Throws MANIFEST_CORRUPT naming the path when the bytes are no manifest of this version. */
export function decodeManifest(path: string, bytes: Uint8Array): Manifest {
  let value: Partial<Manifest>
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<Manifest>
  } catch (cause) {
    throw new MillraceError('MANIFEST_CORRUPT', `${path} is not JSON`, { domain: 'platform', cause })
  }
  if (value.version !== 1) {
    throw new MillraceError('MANIFEST_VERSION', `${path} has version ${String(value.version)}; this program reads 1`, { domain: 'user' })
  }
  if (typeof value.attempt !== 'number' || typeof value.id !== 'number' || typeof value.subtasks !== 'object') {
    throw new MillraceError('MANIFEST_CORRUPT', `${path} lacks attempt, id or subtasks`, { domain: 'platform' })
  }
  return value as Manifest
}

/** Where a checkpoint's files lie in the job's folder of the store. */
export function checkpointFolder(attempt: Attempt, checkpoint: CheckpointId): string {
  return `checkpoints/${attempt}-${checkpoint}`
}
