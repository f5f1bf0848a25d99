import { MillraceError } from '../../model/errors.ts'
import { isFields } from '../../model/fields.ts'
import type { Committable } from '../../model/snapshot.ts'

/** More files in one statement are refused by Databricks ("COPY INTO", FILES). */
export const MOST_FILES = 1000

/** The rows of one checkpoint of one writer, in files that are written and not loaded. */
export interface Staged {
  readonly table: string
  readonly volume: string
  /** `<job>/<operator>`, within the volume. */
  readonly folder: string
  /** The name of the writer: `<attempt>-<slot>-<id>`. No other one ever has it. */
  readonly writer: string
  /** Counts what the writer has staged, from 0. */
  readonly number: number
  /** Without their folder. */
  readonly files: readonly string[]
  /** How many rows are in them. */
  readonly rows: number
  readonly columns: readonly string[]
  /** The columns by which the rows replace those of the table; undefined: they are appended. */
  readonly key: readonly string[] | undefined
}

/** Asks the first commit of an attempt to delete what older attempts left. */
export const SWEEP: Committable = { sweep: 'olderAttempts' }

export function isSweep(committable: Committable): boolean {
  return isFields(committable) && 'sweep' in committable
}

export function toCommittable({ key, files, columns, ...rest }: Staged): Committable {
  return { ...rest, files: [...files], columns: [...columns], ...(key === undefined ? {} : { key: [...key] }) }
}

/** The attempt of a writer. */
export function attemptOf(writer: string): number {
  return Number(WRITER.exec(writer)?.[1])
}

const WRITER = /^(\d{1,15})-\d{1,9}-[0-9a-f]{1,32}$/
const FILE = /^(\d{1,15}-\d{1,9}-[0-9a-f]{1,32})-\d{1,15}\.parquet$/

/** The writer that wrote a file; undefined for a file of another kind. */
export function writerOfFile(name: string): string | undefined {
  return FILE.exec(name)?.[1]
}

/**
 * A committable comes from a manifest, and so from anyone whose savepoint is taken over: it may load files of this
 * operator, and nothing else. The job may be another one, whose savepoint is continued. Throws COMMITTABLE_INVALID,
 * SINK_CHANGED.
 */
export function parseCommittable(
  value: Committable,
  target: { readonly table: string; readonly volume: string; readonly operatorId: string },
): Staged {
  const { table, volume, folder, writer, number, files, rows, columns, key } = isFields(value) ? value : {}
  const isSound =
    typeof table === 'string' &&
    typeof volume === 'string' &&
    isFolderOf(target.operatorId, folder) &&
    typeof writer === 'string' &&
    WRITER.test(writer) &&
    isCount(number) &&
    isCount(rows) &&
    isNames(files) &&
    files.length <= MOST_FILES &&
    files.every((file) => writerOfFile(file) === writer) &&
    isNames(columns) &&
    (key === undefined || isNames(key))
  if (!isSound)
    throw new MillraceError(
      'COMMITTABLE_INVALID',
      `the checkpoint has output that cannot be committed: it names files that are none of the sink ${target.operatorId}`,
      { domain: 'platform', hint: 'the savepoint was changed, or was written by another sink: start without it' },
    )
  if (table !== target.table || volume !== target.volume)
    throw new MillraceError(
      'SINK_CHANGED',
      `the sink ${target.operatorId} has rows in ${volume} for ${table}, and is to load those in ${target.volume} into ${target.table} now`,
      {
        domain: 'user',
        hint: 'put the table and volume of the sink back until they are loaded, or start without the state',
      },
    )
  return { table, volume, folder, writer, number, files, rows, columns, key }
}

function isFolderOf(operatorId: string, folder: unknown): folder is string {
  if (typeof folder !== 'string') return false
  const [job = '', operator, ...more] = folder.split('/')
  return /^\w[\w.-]*$/.test(job) && operator === operatorId && more.length === 0
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string' && name !== '')
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
