import type { StateFile, SubtaskSnapshot } from '../model/snapshot.ts'
import { MillraceError } from '../model/errors.ts'
import type { Attempt, CheckpointId, SubtaskId } from '../model/ids.ts'
import type { CheckpointReport } from '../model/job.ts'
import type { Store } from '../ports/store.ts'
import { seal, type SealDemand, type SealedPlace, unseal } from './sealed-file.ts'

/**
 * A checkpoint on disk. It is written last, after every file that it names is durable. A restore needs the manifest and
 * the files that it names, nothing else. JSON; paths are relative to the job's folder in the store. Version 1 had one
 * file per operator and subtask where version 2 has a list; a manifest of version 3 has the bytes of small ones itself.
 */
export interface Manifest {
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
  /** UIDs of the jobs that are gone and whose work this one continues; absent where there are none. */
  predecessors?: readonly string[]
  subtasks: Readonly<Record<SubtaskId, SubtaskSnapshot>>
}

/** `place`: where it is to be written. */
export function encodeManifest(manifest: Manifest, place: SealedPlace): Uint8Array {
  // who knows no inline state reads all that has none
  const version = stateFilesOf(manifest).some(({ inline }) => inline !== undefined) ? 3 : 2
  return seal(place, JSON.stringify({ version, ...manifest }))
}

/**
 * A manifest of either version. `job` is absent where state of any job is read. Throws MANIFEST_CORRUPT naming the path
 * when the bytes are none, MANIFEST_VERSION for a later one, and as `unseal`.
 */
export function decodeManifest(
  { path, job }: { path: string; job?: string },
  bytes: Uint8Array,
  demand?: SealDemand,
): Manifest {
  const text = unseal({ path, job }, bytes, demand)
  let value: Partial<WrittenManifest> | Partial<FirstManifest>
  try {
    value = JSON.parse(text) as Partial<WrittenManifest> | Partial<FirstManifest>
  } catch (cause) {
    throw new MillraceError('MANIFEST_CORRUPT', `${path} is not JSON`, { domain: 'platform', cause })
  }
  if (value.version !== 1 && value.version !== 2 && value.version !== 3) {
    throw new MillraceError(
      'MANIFEST_VERSION',
      `${path} has version ${String((value as { version?: unknown }).version)}; this program reads 1 to 3`,
      { domain: 'user' },
    )
  }
  if (typeof value.attempt !== 'number' || typeof value.id !== 'number' || typeof value.subtasks !== 'object') {
    throw new MillraceError('MANIFEST_CORRUPT', `${path} lacks attempt, id or subtasks`, { domain: 'platform' })
  }
  const { version: _version, ...manifest } =
    value.version === 1 ? listed(value as FirstManifest) : (value as WrittenManifest)
  checkStateFiles(path, manifest)
  checkPredecessors(path, manifest)
  return manifest
}

/** A manifest may come from anyone whose savepoint is taken over: what it names must lie in its own folder. */
function checkStateFiles(path: string, manifest: Manifest): void {
  for (const file of stateFilesOf(manifest)) {
    const why = flawOf(file, manifest.maxParallelism)
    if (why !== undefined)
      throw new MillraceError('MANIFEST_CORRUPT', `${path} names the state file ${String(file.path)}, ${why}`, {
        domain: 'platform',
      })
  }
}

function flawOf({ path, sizeBytes, sha256, groups, inline }: StateFile, maxParallelism: number): string | undefined {
  if (!STATE_FILE.test(path)) return 'which is not a state file of a checkpoint'
  if (!/^[0-9a-f]{64}$/.test(sha256)) return `whose checksum is ${sha256}`
  if (inline !== undefined && typeof inline !== 'string') return 'whose bytes are no text'
  let end = 0
  for (const [group, offset, length] of groups) {
    if (!isWhole(group) || group >= maxParallelism) return `with the key group ${group} of ${maxParallelism}`
    if (!isWhole(offset) || !isWhole(length) || offset < end)
      return `with a block at ${offset} of ${length} bytes behind one that ends at ${end}`
    end = offset + length
  }
  return isWhole(sizeBytes) && end <= sizeBytes ? undefined : `of ${sizeBytes} bytes with blocks up to ${end}`
}

/** They become prefixes of what is ended outside. */
function checkPredecessors(path: string, { predecessors = [] }: Manifest): void {
  const isUid = (uid: unknown): boolean => typeof uid === 'string' && /^[\w-]{1,64}$/.test(uid)
  if (!Array.isArray(predecessors) || !predecessors.every(isUid))
    throw new MillraceError('MANIFEST_CORRUPT', `${path} names predecessors that are no UIDs`, { domain: 'platform' })
}

const isWhole = (value: unknown): boolean => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

/**
 * The manifest of a checkpoint in the log of `job`, which says whether it must have a seal. Throws MANIFEST_MISSING, or
 * as decodeManifest.
 */
export async function readManifest(
  store: Store,
  { path, attempt, id }: Pick<CheckpointReport, 'path' | 'attempt' | 'id'>,
  job: string,
  demand: SealDemand,
): Promise<Manifest> {
  const bytes = await store.get(path)
  if (!bytes)
    throw new MillraceError('MANIFEST_MISSING', `manifest ${path} is not in the store`, { domain: 'platform' })
  const manifest = decodeManifest({ path, job }, bytes, demand)
  if (manifest.attempt !== attempt || manifest.id !== id)
    throw new MillraceError(
      'MANIFEST_CORRUPT',
      `${path} is of checkpoint ${manifest.attempt}-${manifest.id}, the log says ${attempt}-${id}`,
      { domain: 'platform' },
    )
  return manifest
}

/** The state of all operators in all subtasks. */
export function stateFilesOf({ subtasks }: Pick<Manifest, 'subtasks'>): StateFile[] {
  return Object.values(subtasks).flatMap(({ state }) => Object.values(state).flat())
}

type WrittenManifest = Manifest & { version: 2 | 3 }
type FirstSubtask = Omit<SubtaskSnapshot, 'state'> & { state: Readonly<Record<string, StateFile>> }
type FirstManifest = Omit<Manifest, 'subtasks'> & {
  version: 1
  subtasks: Readonly<Record<SubtaskId, FirstSubtask>>
}

function listed(first: FirstManifest): WrittenManifest {
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

/** The same with nothing left to commit. */
export function withoutOutput(manifest: Manifest): Manifest {
  const subtasks = Object.entries(manifest.subtasks).map(
    ([id, snapshot]) => [id, { ...snapshot, committables: {} }] as const,
  )
  return { ...manifest, subtasks: Object.fromEntries(subtasks) }
}

/** As `stateFilePath` makes them. */
const STATE_FILE = /^checkpoints\/\d+-\d+\/[^/]+\.state$/

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
