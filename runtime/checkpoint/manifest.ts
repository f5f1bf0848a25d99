import type { StateFile, SubtaskSnapshot } from '../model/snapshot.ts'
import { MillraceError } from '../model/errors.ts'
import type { Attempt, CheckpointId, SubtaskId } from '../model/ids.ts'
import type { CheckpointReport } from '../model/job.ts'
import type { Store } from '../ports/store.ts'

/**
 * A checkpoint on disk. It is written last, after every file that it names is durable. A restore needs the manifest and
 * the files that it names, nothing else. JSON; paths are relative to the job's folder in the store. Version 1 had one
 * file per operator and subtask where version 2 has a list.
 */
export interface Manifest {
  version: 2
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

/**
 * A manifest of either version. Throws MANIFEST_CORRUPT naming the path when the bytes are none, MANIFEST_VERSION
 * for a later one.
 */
export function decodeManifest(path: string, bytes: Uint8Array): Manifest {
  let value: Partial<Manifest> | Partial<FirstManifest>
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8')) as Partial<Manifest> | Partial<FirstManifest>
  } catch (cause) {
    throw new MillraceError('MANIFEST_CORRUPT', `${path} is not JSON`, { domain: 'platform', cause })
  }
  if (value.version !== 1 && value.version !== 2) {
    throw new MillraceError(
      'MANIFEST_VERSION',
      `${path} has version ${String((value as { version?: unknown }).version)}; this program reads 1 and 2`,
      { domain: 'user' },
    )
  }
  if (typeof value.attempt !== 'number' || typeof value.id !== 'number' || typeof value.subtasks !== 'object') {
    throw new MillraceError('MANIFEST_CORRUPT', `${path} lacks attempt, id or subtasks`, { domain: 'platform' })
  }
  return value.version === 1 ? listed(value as FirstManifest) : (value as Manifest)
}

/** The manifest of a checkpoint in the log. Throws MANIFEST_MISSING, or as decodeManifest. */
export async function readManifest(store: Store, { path }: CheckpointReport): Promise<Manifest> {
  const bytes = await store.get(path)
  if (!bytes)
    throw new MillraceError('MANIFEST_MISSING', `manifest ${path} is not in the store`, { domain: 'platform' })
  return decodeManifest(path, bytes)
}

type FirstSubtask = Omit<SubtaskSnapshot, 'state'> & { state: Readonly<Record<string, StateFile>> }
type FirstManifest = Omit<Manifest, 'version' | 'subtasks'> & {
  version: 1
  subtasks: Readonly<Record<SubtaskId, FirstSubtask>>
}

function listed(first: FirstManifest): Manifest {
  const subtasks = Object.entries(first.subtasks).map(
    ([id, snapshot]) =>
      [
        id,
        {
          ...snapshot,
          state: Object.fromEntries(Object.entries(snapshot.state).map(([operator, file]) => [operator, [file]])),
        },
      ] as const,
  )
  return { ...first, version: 2, subtasks: Object.fromEntries(subtasks) }
}

/** The folder of all checkpoints in the job's folder of the store. */
export const CHECKPOINTS = 'checkpoints/'

/** The folder of a checkpoint's files in the job's folder of the store. */
export function checkpointFolder(attempt: Attempt, checkpoint: CheckpointId): string {
  return `${CHECKPOINTS}${attempt}-${checkpoint}`
}

/** The checkpoint in whose folder a file is; undefined for other files. */
export function checkpointOf(path: string): { attempt: Attempt; id: CheckpointId } | undefined {
  const [, attempt, id] = /^checkpoints\/(\d+)-(\d+)\//.exec(path) ?? []
  return attempt === undefined ? undefined : { attempt: Number(attempt), id: Number(id) }
}

/** Where a checkpoint keeps the state of an operator in a subtask: the file at `index` of its list. */
export function stateFilePath(folder: string, operator: string, subtask: SubtaskId, index: number): string {
  return `${folder}/${operator}.${subtask}${index === 0 ? '' : `.${index}`}.state`
}
