import type { Batch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { CheckpointId } from '../../model/ids.ts'
import { fieldsOf, type Schema } from '../../model/schema.ts'
import type { Committable } from '../../model/snapshot.ts'
import { sleep } from '../../ports/clock.ts'
import { partPrefix } from '../file/part-names.ts'
import { StorageRetry } from '../kit/storage-retry.ts'
import type { ProbeContext, SinkContext, SinkWriter } from '../sink.ts'
import {
  missingFiles,
  parseCommittable,
  toCommittable,
  type DeltaCommittable,
  type PreparedFiles,
} from './committable.ts'
import { tableSchema, type DeltaSinkOptions } from './declaration.ts'
import { LogCheckpoints } from './log-checkpoints.ts'
import { AppendIntake, KeyedIntake, type SinkIntake } from './sink-intake.ts'
import { SinkTable } from './sink-table.ts'
import { appendFiles } from './table-appends.ts'
import { openTableFiles, type TableFiles } from './table-files.ts'
import { TableParts } from './table-parts.ts'
import { checkUpsertable, TableUpserts } from './table-upserts.ts'

/** Storage that stays away longer restarts the job, which then waits and reports. */
const PATIENCE_MS = 60_000
const LONGEST_PAUSE_MS = 50

/**
 * Writes a Delta table exactly once: files are written as rows come and end at the barrier, and a version of the table
 * that names them is put once the checkpoint is complete (see DeltaCommittable). Files of checkpoints that never completed
 * stay in the folder, where no reader sees them, until VACUUM removes them.
 */
export class DeltaWriter implements SinkWriter {
  readonly takesColumns: boolean
  readonly #context: SinkContext
  readonly #options: DeltaSinkOptions
  readonly #schema: Schema
  readonly #files: TableFiles
  readonly #retry: StorageRetry
  readonly #checkpoints: LogCheckpoints
  /** How the names of transactions of this sink begin, in every slot and attempt of the job. */
  readonly #appPrefix: string
  readonly #appId: string
  #opened: Opened | undefined
  #partNumber = 0
  /** Prepared and not seen committed. */
  #prepared: PreparedFiles[] = []

  constructor(context: SinkContext, options: DeltaSinkOptions) {
    const { ports, jobUid, operatorId, slot, attempt, schema } = context
    this.#context = context
    this.#options = options
    this.#schema = tableSchema(options, schema)
    this.takesColumns = options.mode === 'append'
    this.#files = openTableFiles(ports, context.baseDir, options.path)
    this.#appPrefix = `${partPrefix(jobUid).replace('part', 'millrace')}${operatorId}-`
    this.#appId = `${this.#appPrefix}${slot}-${attempt}-${ports.rng.id()}`
    this.#checkpoints = new LogCheckpoints({
      files: this.#files,
      compression: options.compression,
      now: () => ports.clock.now(),
      report: (error) => {
        context.reportTrouble(error)
      },
    })
    this.#retry = new StorageRetry({
      ports,
      name: `the Delta table ${this.#files.name}`,
      closedCode: 'DELTA_CLOSED',
      signal: context.stopping,
      reports: context,
    })
  }

  async open(recovered: readonly Committable[]): Promise<void> {
    const { operatorId } = this.#context
    const committables = recovered.map((one) => parseCommittable(one, this.#files.name, operatorId))
    // an edit of the job may have changed the mode since
    const replaces = this.#options.mode === 'upsert' || committables.some(({ key }) => key !== undefined)
    const table = new SinkTable({
      ...tableParts(this.#context, this.#options, this.#files),
      keeps: replaces ? 'files' : 'transactions only',
      pause: (lost) => this.#pause(lost),
      onVersion: (version, metadata) => this.#checkpoints.onVersion(version, metadata),
    })
    const partitionBy = await this.#retry.run('opening', PATIENCE_MS, () => table.prepare())
    this.#opened = { table, intake: this.#intake(partitionBy), upserts: this.#upserts(table) }
    if (committables.length === 0) return
    await this.#retry.run('committing to', PATIENCE_MS, () => this.#checkFiles(table, committables))
    await this.#commit(committables)
  }

  async write(batch: Batch): Promise<void> {
    await this.#state().intake.add(batch)
  }

  async prepareCommit(checkpoint: CheckpointId): Promise<Committable[]> {
    this.#prepared.push(...(await this.#state().intake.finish(checkpoint)))
    if (this.#prepared.length === 0) return []
    const { mode, key } = this.#options
    return [
      toCommittable({
        table: this.#files.name,
        appId: this.#appId,
        key: mode === 'upsert' ? key : undefined,
        prepared: this.#prepared,
      }),
    ]
  }

  async commit(committables: readonly Committable[]): Promise<void> {
    const { operatorId } = this.#context
    const parsed = committables.map((one) => parseCommittable(one, this.#files.name, operatorId))
    await this.#commit(parsed)
    const committed = parsed.flatMap(({ prepared }) => prepared.map(({ version }) => version))
    this.#prepared = this.#prepared.filter(({ version }) => !committed.includes(version))
  }

  async close(): Promise<void> {
    this.#opened = undefined
  }

  async #commit(committables: readonly DeltaCommittable[]): Promise<void> {
    const { table, upserts } = this.#state()
    const { clock } = this.#context.ports
    const appended = committables.filter(({ key }) => key === undefined)
    if (appended.length > 0)
      await this.#retry.run('committing to', PATIENCE_MS, () => appendFiles(table, appended, () => clock.now()))
    for (const committable of committables) {
      const { key } = committable
      if (key !== undefined) await this.#retry.run('committing to', PATIENCE_MS, () => upserts.upsert(committable, key))
    }
  }

  #state(): Opened {
    if (this.#opened !== undefined) return this.#opened
    throw new MillraceError('DELTA_SINK_NOT_OPEN', `the Delta sink ${this.#context.operatorId} was used before open`)
  }

  #intake(partitionBy: readonly string[]): SinkIntake {
    const { mode, key = [], tombstone, compression } = this.#options
    const { put, newName, now } = this.#writing()
    const parts = new TableParts({ put, schema: this.#schema, partitionBy, compression, newName, now })
    return mode === 'append'
      ? new AppendIntake(parts)
      : new KeyedIntake({ parts, key: fieldsOf(this.#schema, key), tombstone, put, newName, now })
  }

  #upserts(table: SinkTable): TableUpserts {
    const { attempt, ports } = this.#context
    return new TableUpserts({
      ...this.#writing(),
      table,
      files: this.#files,
      compression: this.#options.compression,
      appPrefix: this.#appPrefix,
      attempt,
      breathe: () =>
        new Promise((resolve) => {
          ports.clock.nextTurn(resolve)
        }),
    })
  }

  #writing(): {
    put: (path: string, parts: readonly Uint8Array[]) => Promise<void>
    newName: () => string
    now: () => number
  } {
    const { clock } = this.#context.ports
    return {
      put: (path, parts) => this.#retry.run('writing', PATIENCE_MS, () => this.#files.put(path, parts)),
      newName: () => this.#newName(),
      now: () => clock.now(),
    }
  }

  #pause(lost: number): Promise<void> {
    const { clock, rng } = this.#context.ports
    return sleep(clock, rng.next() * Math.min(LONGEST_PAUSE_MS, 2 ** Math.min(lost, 10)))
  }

  #newName(): string {
    const { jobUid, operatorId, slot, attempt, ports } = this.#context
    return `${partPrefix(jobUid)}${operatorId}-${slot}-${attempt}-${this.#partNumber++}-${ports.rng.id()}.parquet`
  }

  /** A version that names a file which is not there breaks the table for all who read it. */
  async #checkFiles(table: SinkTable, committables: readonly DeltaCommittable[]): Promise<void> {
    const state = await table.current()
    const missing = committables.flatMap((committable) => missingFiles(state, committable))
    for (const { path, sizeBytes } of missing.flatMap(({ files, deletes }) => [...files, ...deletes])) {
      const found = await this.#files.sizeBytes(path)
      if (found === sizeBytes) continue
      throw new MillraceError(
        'SINK_OUTPUT_LOST',
        `checkpointed output ${path} of the Delta table ${this.#files.name} has ${sizeBytes} bytes and ${found === undefined ? 'is gone' : `is there with ${found}`}`,
        {
          domain: 'platform',
          hint: 'VACUUM must keep files longer than the job may stand still; restore from another checkpoint, or put the file back',
        },
      )
    }
  }
}

interface Opened {
  readonly table: SinkTable
  readonly intake: SinkIntake
  readonly upserts: TableUpserts
}

/** Looks whether the table takes rows of the schema. Rejects as `open` of a writer would. */
export async function probeTable(context: ProbeContext, options: DeltaSinkOptions): Promise<string> {
  const table = new SinkTable({
    ...tableParts(context, options, openTableFiles(context.ports, context.baseDir, options.path)),
    keeps: options.mode === 'upsert' ? 'files' : 'transactions only',
    pause: () => Promise.resolve(),
    onVersion: () => Promise.resolve(),
  })
  return table.look()
}

function tableParts(
  { ports, schema }: Pick<SinkContext, 'ports' | 'schema'>,
  options: DeltaSinkOptions,
  files: TableFiles,
): Pick<
  ConstructorParameters<typeof SinkTable>[0],
  'files' | 'schema' | 'partitionBy' | 'check' | 'now' | 'newTableId'
> {
  const { mode, key = [], partitionBy } = options
  return {
    files,
    schema: tableSchema(options, schema),
    partitionBy,
    check: (state) => {
      if (mode === 'upsert') checkUpsertable(files.name, state, key)
    },
    now: () => ports.clock.now(),
    newTableId: () => uuidOf(ports.rng.id() + ports.rng.id()),
  }
}

/** 32 hex digits as a UUID of version 4. */
function uuidOf(hex: string): string {
  const variant = ((parseInt(hex.charAt(16), 16) & 3) | 8).toString(16)
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join('-')
}
