import { MillraceError } from '../../model/errors.ts'
import { membersOf, type Fields } from '../../model/fields.ts'
import { CheckpointState } from './checkpoint-state.ts'
import { readCheckpoint, readWholeCheckpoint } from './log-checkpoint.ts'
import { invalidLog, parseActions, writtenActions, type LogAction, type WrittenAction } from './log-actions.ts'
import { StateBuilder, type TableState } from './table-state.ts'
import type { TableFiles } from './table-files.ts'

const LOG = '_delta_log'
const LAST_CHECKPOINT = `${LOG}/_last_checkpoint`

interface Checkpoint {
  readonly version: number
  /** Undefined: it is one file. */
  readonly parts: number | undefined
}

export interface NewCheckpoint {
  readonly version: number
  readonly bytes: Uint8Array
  readonly actions: number
  /** Files of the table at that version. */
  readonly files: number
}

/**
 * The log of one table (Delta's PROTOCOL.md). Versions are read in order and never change, so that a state is kept and
 * only what is new is read. Methods reject with DELTA_LOG_INVALID for what is no log, and as TableFiles does.
 */
export class DeltaLog {
  readonly #files: TableFiles
  readonly #keeps: 'files' | 'transactions only'
  #known: StateBuilder | undefined

  constructor(files: TableFiles, keeps: 'files' | 'transactions only') {
    this.#files = files
    this.#keeps = keeps
  }

  /** The newest state; undefined when there is no table. */
  async refresh(): Promise<TableState | undefined> {
    const known = (this.#known ??= await this.#beginning())
    await this.#applyNew(known)
    if (known.version < 0) {
      if ((await this.#findBeginning()) === 'no table') return undefined
      // another writer created the table after its version 0 was asked for
      await this.#applyNew(known)
      if (known.version < 0) return undefined
    }
    const state = known.state()
    if (state !== undefined) return state
    throw invalidLog(`the log of ${this.#files.name}`, 'it has no protocol and metadata')
  }

  /** The state as of a version. Throws DELTA_VERSION_GONE when the log does not reach back to it. */
  async stateAt(version: number): Promise<TableState> {
    const checkpoint = lastCheckpoint(await this.#files.namesIn(LOG), version)
    const builder = await this.#beginningAt(checkpoint)
    while (builder.version < version) {
      const actions = await this.actionsOf(builder.version + 1)
      if (actions === undefined) break
      builder.apply(builder.version + 1, actions)
    }
    const state = builder.state()
    if (builder.version === version && state !== undefined) return state
    throw this.gone(version)
  }

  /** Undefined when there is no such version yet, or no more. */
  async actionsOf(version: number): Promise<LogAction[] | undefined> {
    const path = logPath(version)
    const bytes = await this.#files.read(path)
    return bytes === undefined ? undefined : parseActions(bytes, `${path} of ${this.#files.name}`)
  }

  /** Puts a version behind all that are there. 'taken' when another writer was faster: refresh, and try again. */
  async commit(version: number, actions: readonly WrittenAction[]): Promise<'committed' | 'taken'> {
    const lines = actions.map((action) => `${JSON.stringify(action)}\n`).join('')
    const result = await this.#files.createIfAbsent(logPath(version), Buffer.from(lines))
    return result === 'created' ? 'committed' : 'taken'
  }

  /**
   * All that a checkpoint of that version has. Throws DELTA_VERSION_GONE as `stateAt` does, and DELTA_CHECKPOINT_TOO_LARGE
   * for more actions than `most`.
   */
  async checkpointState(version: number, most: number): Promise<CheckpointState> {
    const state = new CheckpointState()
    const apply = (action: Fields, place: string): void => {
      state.apply(action, place)
      if (state.actions > most) throw this.#tooLarge(most)
    }
    const before = lastCheckpoint(await this.#files.namesIn(LOG), version)
    for (const path of before === undefined ? [] : checkpointPaths(before.version, before.parts))
      for await (const actions of readWholeCheckpoint(this.#files, path))
        for (const action of actions) apply(action, path)
    for (let next = (before?.version ?? -1) + 1; next <= version; next++) {
      const bytes = await this.#files.read(logPath(next))
      if (bytes === undefined) throw this.gone(next)
      for (const { action, place } of writtenActions(bytes, `${logPath(next)} of ${this.#files.name}`))
        apply(action, place)
    }
    return state
  }

  /** Puts a checkpoint, and the pointer to it unless there is a newer one. */
  async putCheckpoint({ version, bytes, actions, files }: NewCheckpoint): Promise<void> {
    for (const path of checkpointPaths(version, undefined)) await this.#files.put(path, [bytes])
    const known = await this.#files.read(LAST_CHECKPOINT)
    if (known !== undefined && parsePointer(known, LAST_CHECKPOINT).version >= version) return
    const pointer = { version, size: actions, sizeInBytes: bytes.length, numOfAddFiles: files }
    await this.#files.put(LAST_CHECKPOINT, [Buffer.from(JSON.stringify(pointer))])
  }

  #tooLarge(most: number): MillraceError {
    return new MillraceError(
      'DELTA_CHECKPOINT_TOO_LARGE',
      `the Delta table ${this.#files.name} has more than ${most} files and transactions, and so many are not held in memory`,
      { domain: 'user', hint: 'compact the table (OPTIMIZE), or let Spark or delta-rs write its checkpoints' },
    )
  }

  gone(version: number): MillraceError {
    return new MillraceError(
      'DELTA_VERSION_GONE',
      `the log of the Delta table ${this.#files.name} has no version ${version} any more`,
      {
        domain: 'user',
        hint: 'delta.logRetentionDuration of the table keeps its log longer; start the source without its old state',
      },
    )
  }

  async #beginning(): Promise<StateBuilder> {
    const pointer = await this.#files.read(LAST_CHECKPOINT)
    const named = pointer === undefined ? undefined : parsePointer(pointer, `${LAST_CHECKPOINT} of ${this.#files.name}`)
    if (named !== undefined && (await this.#isThere(named))) return this.#beginningAt(named)
    return this.#beginningAt(lastCheckpoint(await this.#files.namesIn(LOG), Infinity))
  }

  /** The pointer is a hint: it may be older than the cleaning of the log, or name a checkpoint of another form. */
  async #isThere({ version, parts }: Checkpoint): Promise<boolean> {
    for (const path of checkpointPaths(version, parts))
      if ((await this.#files.sizeBytes(path)) === undefined) return false
    return true
  }

  async #beginningAt(checkpoint: Checkpoint | undefined): Promise<StateBuilder> {
    const builder = new StateBuilder(this.#keeps)
    if (checkpoint === undefined) return builder
    const { version, parts } = checkpoint
    for (const path of checkpointPaths(version, parts))
      for await (const actions of readCheckpoint(this.#files, path)) builder.apply(version, actions)
    builder.version = version
    return builder
  }

  async #applyNew(known: StateBuilder): Promise<void> {
    for (;;) {
      const actions = await this.actionsOf(known.version + 1)
      if (actions === undefined) return
      known.apply(known.version + 1, actions)
    }
  }

  /** A table whose first versions were cleaned up and whose pointer is lost must not be taken for no table. */
  async #findBeginning(): Promise<'no table' | 'version 0'> {
    const names = await this.#files.namesIn(LOG)
    const versions = names.filter((name) => /^\d{20}\./.test(name)).sort()
    const [first] = versions
    if (first === undefined) return 'no table'
    if (`${LOG}/${first}` === logPath(0)) return 'version 0'
    throw invalidLog(
      `the log of ${this.#files.name}`,
      `it has ${first}, but neither version 0 nor a checkpoint that can be read`,
    )
  }
}

export function logPath(version: number): string {
  return `${LOG}/${digits(version)}.json`
}

function digits(version: number, width = 20): string {
  return String(version).padStart(width, '0')
}

function checkpointPaths(version: number, parts: number | undefined): string[] {
  const start = `${LOG}/${digits(version)}.checkpoint`
  if (parts === undefined) return [`${start}.parquet`]
  return Array.from({ length: parts }, (_, part) => `${start}.${digits(part + 1, 10)}.${digits(parts, 10)}.parquet`)
}

/** The newest checkpoint that is whole and not after `version`. */
function lastCheckpoint(names: readonly string[], version: number): Checkpoint | undefined {
  const found = new Set(names)
  return names
    .map((name) => /^(\d{20})\.checkpoint(?:\.\d{10}\.(\d{10}))?\.parquet$/.exec(name))
    .filter((match) => match !== null)
    .map(
      ([, at, parts]): Checkpoint => ({ version: Number(at), parts: parts === undefined ? undefined : Number(parts) }),
    )
    .filter((one) => one.version <= version && (one.parts ?? 1) <= MAX_PARTS)
    .sort((a, b) => b.version - a.version)
    .find((one) => checkpointPaths(one.version, one.parts).every((path) => found.has(path.slice(LOG.length + 1))))
}

const MAX_PARTS = 100_000

function parsePointer(bytes: Uint8Array, where: string): Checkpoint {
  let pointer: unknown
  try {
    pointer = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (cause) {
    throw invalidLog(where, 'it is not JSON', cause)
  }
  const { version, parts } = membersOf(pointer)
  const isCount = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value)
  if (!isCount(version) || version < 0) throw invalidLog(where, 'its version is no whole number')
  if (parts === undefined || parts === null) return { version, parts: undefined }
  if (!isCount(parts) || parts < 1 || parts > MAX_PARTS) throw invalidLog(where, `it has ${String(parts)} parts`)
  return { version, parts }
}
