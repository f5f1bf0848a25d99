import { MillraceError } from '../../model/errors.ts'
import { isFields, membersOf } from '../../model/fields.ts'
import type { Committable, Json } from '../../model/snapshot.ts'
import type { WrittenAction } from './log-actions.ts'
import type { TableState } from './table-state.ts'

/** A file that is written and in no version of the table yet. */
export interface NewFile {
  readonly path: string
  readonly partition: readonly (readonly [name: string, value: string | null])[]
  readonly sizeBytes: number
  readonly modifiedMs: number
  readonly stats: string
}

/**
 * The files of one checkpoint, whose id is the version of the `txn` that commits them. An upsert may have several of one
 * checkpoint: its generations, the oldest first.
 */
export interface PreparedFiles {
  readonly version: number
  readonly files: readonly NewFile[]
  /** Files of the keys that an upsert deletes. They never become a part of the table. */
  readonly deletes: readonly NewFile[]
}

/**
 * The part of a checkpoint that belongs to one writer: all that it prepared and did not see committed, oldest first.
 *
 * Each writer, that is each slot of each attempt, is an application of its own to Delta, and the ids of its checkpoints
 * are the versions of its `txn`. A commit adds the files of all versions that the table does not know yet and names the
 * newest, in one entry of the log. So it may be repeated, by any process and any number of times, also after a restore
 * with another parallelism deals the committables to other slots; and because a committable holds what came before,
 * it does not matter which of two is committed first: the later one brings the files of both, and the earlier one
 * finds its version there. One application for a slot of all attempts would not do: its version would have to go up,
 * and does not when a job is restored from an older savepoint, while an older attempt's commit may still be to come.
 */
export interface DeltaCommittable {
  readonly table: string
  readonly appId: string
  /** The columns by which the rows replace those of the table; undefined: they are appended. */
  readonly key: readonly string[] | undefined
  readonly prepared: readonly PreparedFiles[]
}

const APP_ID = /^millrace-[0-9a-f]{8}-(.+)-\d+-\d+-[0-9a-f]{16}$/
const FOLDERS = /^(?:[A-Za-z_][A-Za-z0-9_]*=[A-Za-z0-9._-]*\/)*$/
const PART = /^part-[0-9a-f]{8}-(.+)-\d+-\d+-\d+-[0-9a-f]{16}\.parquet$/

export function toCommittable({ table, appId, key, prepared }: DeltaCommittable): Committable {
  return {
    table,
    appId,
    ...(key === undefined ? {} : { key: [...key] }),
    prepared: prepared.map(({ version, files, deletes }) => ({
      version,
      files: files.map(fileJson),
      ...(deletes.length === 0 ? {} : { deletes: deletes.map(fileJson) }),
    })),
  }
}

function fileJson({ path, partition, sizeBytes, modifiedMs, stats }: NewFile): Json {
  return { path, partition: partition.map(([name, value]) => [name, value]), sizeBytes, modifiedMs, stats }
}

/** What the table does not have yet. */
export function missingFiles({ transactions }: TableState, { appId, prepared }: DeltaCommittable): PreparedFiles[] {
  const known = transactions.get(appId) ?? -1
  return prepared.filter(({ version }) => version > known)
}

/** The action by which a version says that it has all that was prepared. */
export function transactionOf({ appId, prepared }: DeltaCommittable, lastUpdated: number): WrittenAction {
  return { txn: { appId, version: Math.max(...prepared.map(({ version }) => version)), lastUpdated } }
}

/** The attempt that wrote a transaction of this operator of a job; undefined for one of others. */
export function attemptOf(appId: string, appPrefix: string): number | undefined {
  const [, attempt] = appId.startsWith(appPrefix)
    ? (/^\d+-(\d+)-[0-9a-f]{16}$/.exec(appId.slice(appPrefix.length)) ?? [])
    : []
  return attempt === undefined ? undefined : Number(attempt)
}

/**
 * A committable comes from a manifest, and so from anyone whose savepoint is taken over: it may add to this table files
 * of this operator, and nothing else. Throws COMMITTABLE_INVALID.
 */
export function parseCommittable(value: Committable, table: string, operatorId: string): DeltaCommittable {
  const { table: named, appId, key, prepared } = membersOf(value)
  if (typeof appId !== 'string' || APP_ID.exec(appId)?.[1] !== operatorId)
    throw invalid(`the transaction ${JSON.stringify(appId)} is none of the sink ${operatorId}`)
  if (named !== table) throw invalid(`it holds files of the table ${JSON.stringify(named)}, the sink writes ${table}`)
  if (!Array.isArray(prepared)) throw invalid('it has no files')
  if (key !== undefined && !isKey(key)) throw invalid('its key is no list of columns')
  return {
    table,
    appId,
    key,
    prepared: prepared.map((item: unknown) => {
      const { version, files, deletes = [] } = membersOf(item)
      if (!isCount(version) || !Array.isArray(files) || !Array.isArray(deletes))
        throw invalid('it has files without a version')
      return {
        version,
        files: files.map((file: unknown) => parseFile(file, operatorId)),
        deletes: deletes.map((file: unknown) => parseFile(file, operatorId)),
      }
    }),
  }
}

function isKey(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string')
}

function parseFile(value: unknown, operatorId: string): NewFile {
  const { path, partition, sizeBytes, modifiedMs, stats } = membersOf(value)
  const cut = typeof path === 'string' ? path.lastIndexOf('/') + 1 : 0
  if (typeof path !== 'string' || !FOLDERS.test(path.slice(0, cut)) || PART.exec(path.slice(cut))?.[1] !== operatorId)
    throw invalid(`${JSON.stringify(path)} is no file of the sink ${operatorId}`)
  if (!isCount(sizeBytes) || !isCount(modifiedMs) || typeof stats !== 'string' || !isJsonObject(stats))
    throw invalid(`${path} has no size, time or statistics`)
  if (!Array.isArray(partition) || !partition.every(isPartitionValue)) throw invalid(`${path} has no partition values`)
  return { path, partition, sizeBytes, modifiedMs, stats }
}

function isPartitionValue(value: unknown): value is [string, string | null] {
  if (!Array.isArray(value) || value.length !== 2) return false
  const [name, part] = value as unknown[]
  return typeof name === 'string' && (part === null || typeof part === 'string')
}

function isJsonObject(text: string): boolean {
  try {
    return isFields(JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function invalid(why: string): MillraceError {
  return new MillraceError('COMMITTABLE_INVALID', `the checkpoint has output that cannot be committed: ${why}`, {
    domain: 'platform',
    hint: 'the savepoint was changed, or was written by another sink: start without it',
  })
}
