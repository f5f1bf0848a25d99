import type { Batch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { CheckpointId } from '../../model/ids.ts'
import type { Committable } from '../../model/snapshot.ts'
import { sleep } from '../../ports/clock.ts'
import { partPrefix } from '../file/part-names.ts'
import { StorageRetry } from '../kit/storage-retry.ts'
import type { ProbeContext, SinkContext, SinkWriter } from '../sink.ts'
import { parseCommittable, toCommittable, type DeltaCommittable, type PreparedFiles } from './committable.ts'
import type { DeltaSinkOptions } from './declaration.ts'
import { TableAppends } from './table-appends.ts'
import { openTableFiles, type TableFiles } from './table-files.ts'
import { TableParts } from './table-parts.ts'

/** Storage that stays away longer restarts the job, which then waits and reports. */
const PATIENCE_MS = 60_000
const LONGEST_PAUSE_MS = 50

/**
 * Appends to a Delta table exactly once: files are written as rows come and end at the barrier, and a version of the
 * table that names them is put once the checkpoint is complete (see DeltaCommittable). Files of checkpoints that never
 * completed stay in the folder, where no reader sees them, until VACUUM removes them.
 */
export class DeltaWriter implements SinkWriter {
  readonly takesColumns = true
  readonly #context: SinkContext
  readonly #options: DeltaSinkOptions
  readonly #files: TableFiles
  readonly #appends: TableAppends
  readonly #retry: StorageRetry
  readonly #appId: string
  #parts: TableParts | undefined
  #partNumber = 0
  /** Prepared and not seen committed. */
  #prepared: PreparedFiles[] = []

  constructor(context: SinkContext, options: DeltaSinkOptions) {
    const { ports, jobUid, operatorId, slot, attempt, schema } = context
    this.#context = context
    this.#options = options
    this.#files = openTableFiles(ports, context.baseDir, options.path)
    this.#appId = `${partPrefix(jobUid).replace('part', 'millrace')}${operatorId}-${slot}-${attempt}-${ports.rng.id()}`
    this.#retry = new StorageRetry({
      ports,
      name: `the Delta table ${this.#files.name}`,
      closedCode: 'DELTA_CLOSED',
      signal: context.stopping,
      reports: context,
    })
    this.#appends = new TableAppends({
      files: this.#files,
      schema,
      partitionBy: options.partitionBy,
      now: () => ports.clock.now(),
      newTableId: () => uuidOf(ports.rng.id() + ports.rng.id()),
      pause: (lost) => sleep(ports.clock, ports.rng.next() * Math.min(LONGEST_PAUSE_MS, 2 ** Math.min(lost, 10))),
    })
  }

  async open(recovered: readonly Committable[]): Promise<void> {
    const { schema, operatorId, ports } = this.#context
    const committables = recovered.map((one) => parseCommittable(one, this.#files.name, operatorId))
    const partitionBy = await this.#retry.run('opening', PATIENCE_MS, () => this.#appends.prepare())
    this.#parts = new TableParts({
      put: (path, parts) => this.#retry.run('writing', PATIENCE_MS, () => this.#files.put(path, parts)),
      schema,
      partitionBy,
      compression: this.#options.compression,
      newName: () => this.#newName(),
      now: () => ports.clock.now(),
    })
    if (committables.length === 0) return
    await this.#retry.run('committing to', PATIENCE_MS, async () => {
      await this.#checkFiles(committables)
      await this.#appends.append(committables)
    })
  }

  async write(batch: Batch): Promise<void> {
    await this.#opened().add(batch)
  }

  async prepareCommit(checkpoint: CheckpointId): Promise<Committable[]> {
    const files = await this.#opened().finish()
    if (files.length > 0) this.#prepared.push({ version: checkpoint, files })
    if (this.#prepared.length === 0) return []
    return [toCommittable({ table: this.#files.name, appId: this.#appId, prepared: this.#prepared })]
  }

  async commit(committables: readonly Committable[]): Promise<void> {
    const { operatorId } = this.#context
    const parsed = committables.map((one) => parseCommittable(one, this.#files.name, operatorId))
    await this.#retry.run('committing to', PATIENCE_MS, () => this.#appends.append(parsed))
    const committed = parsed.flatMap(({ prepared }) => prepared.map(({ version }) => version))
    this.#prepared = this.#prepared.filter(({ version }) => !committed.includes(version))
  }

  async close(): Promise<void> {
    this.#parts = undefined
  }

  #opened(): TableParts {
    if (this.#parts !== undefined) return this.#parts
    throw new MillraceError('DELTA_SINK_NOT_OPEN', `the Delta sink ${this.#context.operatorId} was used before open`)
  }

  #newName(): string {
    const { jobUid, operatorId, slot, attempt, ports } = this.#context
    return `${partPrefix(jobUid)}${operatorId}-${slot}-${attempt}-${this.#partNumber++}-${ports.rng.id()}.parquet`
  }

  /** A version that names a file which is not there breaks the table for all who read it. */
  async #checkFiles(committables: readonly DeltaCommittable[]): Promise<void> {
    for (const { path, sizeBytes } of await this.#appends.filesToAdd(committables)) {
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

/** Looks whether the table takes rows of the schema. Rejects as `open` of a writer would. */
export async function probeTable(
  { ports, baseDir, schema }: ProbeContext,
  { path, partitionBy }: DeltaSinkOptions,
): Promise<string> {
  const appends = new TableAppends({
    files: openTableFiles(ports, baseDir, path),
    schema,
    partitionBy,
    now: () => ports.clock.now(),
    newTableId: () => uuidOf(ports.rng.id() + ports.rng.id()),
    pause: () => Promise.resolve(),
  })
  return appends.look()
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
