import type { Batch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Schema } from '../../model/schema.ts'
import type { Committable } from '../../model/snapshot.ts'
import type { ProbeContext, SinkContext, SinkWriter } from '../sink.ts'
import {
  attemptOf,
  isSweep,
  MOST_FILES,
  parseCommittable,
  SWEEP,
  toCommittable,
  writerOfFile,
  type Staged,
} from './committable.ts'
import { tableFields, type DatabricksSinkOptions } from './declaration.ts'
import { Gate } from './gate.ts'
import { LoadedMarks } from './loaded-marks.ts'
import { DatabricksService } from './service.ts'
import { copyInto, mergeInto, type StagedRows } from './sql.ts'
import { StagedFiles } from './staged-files.ts'
import { checkFits, createTable, tableOf } from './table.ts'
import { Volume } from './volume.ts'
import { OutcomeUnknown, Warehouse, type Executed } from './warehouse.ts'

/** A workspace that stays away longer restarts the job, which then waits and reports. */
const PATIENCE_MS = 60_000

/**
 * Writes a table of Databricks exactly once. Rows wait in files of a volume; when the checkpoint is complete that has
 * them, one statement loads them, a mark says so, and they are deleted. A statement may be repeated, by any slot of any
 * attempt: COPY INTO skips what it has loaded, and a MERGE cannot come behind a newer one (see Gate).
 */
export class DatabricksWriter implements SinkWriter {
  readonly takesColumns: boolean
  readonly #context: SinkContext
  readonly #options: DatabricksSinkOptions
  readonly #schema: Schema
  readonly #service: DatabricksService
  readonly #warehouse: Warehouse
  readonly #volume: Volume
  readonly #marks: LoadedMarks
  readonly #gate: Gate
  readonly #name: string
  readonly #folder: string
  #files: StagedFiles | undefined
  #nextFile = 0
  #nextNumber = 0
  #hasAskedToSweep = false

  constructor(context: SinkContext, options: DatabricksSinkOptions) {
    const { ports, jobUid, operatorId, slot, attempt, schema, stopping } = context
    this.takesColumns = options.mode === 'append'
    this.#context = context
    this.#options = options
    this.#schema = tableFields(options, schema)
    this.#service = new DatabricksService(options, { ports, reports: context, signal: stopping })
    this.#warehouse = new Warehouse(this.#service, options.warehouse)
    this.#volume = new Volume(this.#service, options.volume)
    this.#marks = new LoadedMarks(this.#volume)
    this.#gate = new Gate({
      context,
      service: this.#service,
      warehouse: this.#warehouse,
      volume: this.#volume,
      table: options.table,
    })
    this.#name = `${attempt}-${slot}-${ports.rng.id()}`
    this.#folder = `${jobUid}/${operatorId}`
  }

  async open(recovered: readonly Committable[]): Promise<void> {
    const { clock } = this.#context.ports
    const staged = recovered.filter((one) => !isSweep(one)).map((one) => this.#stagedOf(one))
    this.#checkMode(staged)
    await this.#service.retry('looking at a table', PATIENCE_MS, () =>
      lookAtTable(this.#service, this.#options, this.#schema),
    )
    await this.#volume.makeFolder(this.#folder)
    this.#files = new StagedFiles({
      options: this.#options,
      schema: this.#schema,
      put: (name, bytes) => this.#volume.put(`${this.#folder}/${name}`, bytes),
      newName: () => `${this.#name}-${this.#nextFile++}.parquet`,
      now: () => clock.now(),
    })
    for (const one of staged.toSorted(byAge(this.#folder))) await this.#load(one)
  }

  async write(batch: Batch): Promise<void> {
    await this.#staging().add(batch)
  }

  async prepareCommit(): Promise<Committable[]> {
    const { files, rows } = await this.#staging().finish()
    const isFirst = !this.#hasAskedToSweep && this.#context.slot === 0
    this.#hasAskedToSweep = true
    const sweep = isFirst ? [SWEEP] : []
    if (files.length === 0) return sweep
    if (files.length > MOST_FILES)
      throw new MillraceError(
        'DATABRICKS_TOO_MANY_FILES',
        `a checkpoint of the sink ${this.#context.operatorId} has ${files.length} files, and one statement loads ${MOST_FILES}`,
        { domain: 'user', hint: 'take checkpoints more often, or give the sink more slots' },
      )
    const { table, volume, mode, key } = this.#options
    return [
      ...sweep,
      toCommittable({
        table,
        volume,
        folder: this.#folder,
        writer: this.#name,
        number: this.#nextNumber++,
        files,
        rows,
        columns: this.#schema.fields.map(({ name }) => name),
        key: mode === 'upsert' ? key : undefined,
      }),
    ]
  }

  async commit(committables: readonly Committable[]): Promise<void> {
    for (const one of committables) if (!isSweep(one)) await this.#load(this.#stagedOf(one))
    if (committables.some(isSweep)) await this.#sweep()
  }

  async close(): Promise<void> {
    this.#files = undefined
  }

  /** What replaces rows has to come one after the other, and slots of an append do not. */
  #checkMode(staged: readonly Staged[]): void {
    if (this.#options.mode === 'upsert' || staged.every(({ key }) => key === undefined)) return
    throw new MillraceError(
      'SINK_CHANGED',
      `the sink ${this.#context.operatorId} has rows that replace others by their key, and has mode: append now`,
      {
        domain: 'user',
        hint: 'put mode: upsert back until the rows are loaded, or start without the state',
      },
    )
  }

  async #load(staged: Staged): Promise<void> {
    const { folder, files } = staged
    const state = this.#marks.stateOf(staged, await this.#volume.list(folder))
    if (state === 'lost') throw this.#lost(staged)
    if (state === 'waiting') {
      await this.#run(staged)
      await this.#marks.put(staged, staged.writer === this.#name ? 'its writer' : 'another writer')
    }
    for (const file of files) await this.#volume.delete(`${folder}/${file}`)
  }

  async #run(staged: Staged): Promise<void> {
    const { table, volume, folder, files, columns, key } = staged
    const rows: StagedRows = { table, folder: `${volume}/${folder}`, files, columns }
    if (key === undefined) {
      const doing = `copying rows into ${table}`
      const copied = await this.#service.retry(doing, PATIENCE_MS, () =>
        this.#warehouse.execute({ text: copyInto(rows) }),
      )
      this.#checkCopied(staged, copied)
    } else await this.#service.retry(`merging rows into ${table}`, PATIENCE_MS, () => this.#merge(rows, key))
  }

  async #merge(rows: StagedRows, key: readonly string[]): Promise<void> {
    const gate = await this.#gate.open()
    try {
      await this.#warehouse.execute({ text: mergeInto(rows, key, gate) })
    } catch (error) {
      if (error instanceof OutcomeUnknown) this.#gate.close()
      throw error
    }
  }

  /** A statement copies all files, or none when they were copied before. */
  #checkCopied({ table, rows }: Staged, { result }: Executed): void {
    const [first] = Array.isArray(result['data_array']) ? (result['data_array'] as unknown[]) : []
    const copied = Array.isArray(first) ? Number(first[0]) : NaN
    if (Number.isNaN(copied) || copied === 0 || copied === rows) return
    throw new MillraceError(
      'DATABRICKS_COPY_PARTIAL',
      `${copied} of ${rows} rows were copied into ${table}, where it has to be all or none`,
      { domain: 'dependency', hint: 'compare the table with the files of the volume, which are kept' },
    )
  }

  /** Files of writers of older attempts that no checkpoint has loaded or will load. */
  async #sweep(): Promise<void> {
    const { attempt, operatorId, predecessors } = this.#context
    for (const name of await this.#volume.list(this.#folder)) {
      const writer = writerOfFile(name)
      if (writer !== undefined && attemptOf(writer) < attempt) await this.#volume.delete(`${this.#folder}/${name}`)
    }
    for (const job of predecessors) {
      const folder = `${job}/${operatorId}`
      for (const name of await this.#volume.list(folder))
        if (writerOfFile(name) !== undefined) await this.#volume.delete(`${folder}/${name}`)
    }
  }

  #stagedOf(committable: Committable): Staged {
    const { table, volume } = this.#options
    return parseCommittable(committable, { table, volume, operatorId: this.#context.operatorId })
  }

  #lost({ volume, folder, files, table }: Staged): MillraceError {
    return new MillraceError(
      'SINK_OUTPUT_LOST',
      `${volume}/${folder}/${files[0]} or another of ${files.length} files is gone, and no mark says that ${table} has its rows`,
      { domain: 'platform', hint: 'put the files back, or start without the state of the job' },
    )
  }

  #staging(): StagedFiles {
    if (this.#files !== undefined) return this.#files
    throw new MillraceError('SINK_NOT_OPEN', `the sink ${this.#context.operatorId} was used before open`)
  }
}

/** Attempts and numbers go up; what is restored from another job is older than all of the own one. */
function byAge(ownFolder: string): (one: Staged, other: Staged) => number {
  return (one, other) =>
    Number(one.folder === ownFolder) - Number(other.folder === ownFolder) ||
    attemptOf(one.writer) - attemptOf(other.writer) ||
    one.number - other.number
}

async function lookAtTable(
  service: DatabricksService,
  { table }: Pick<DatabricksSinkOptions, 'table'>,
  schema: Schema,
): Promise<void> {
  checkFits(table, await tableOf(service, table, `Make it: ${createTable(table, schema)}`), schema)
}

/** Looks for the table and the warehouse. Rejects as `open` of a writer would. */
export async function probeTable(context: ProbeContext, options: DatabricksSinkOptions): Promise<string> {
  const { ports, schema, stopping } = context
  const service = new DatabricksService(options, { ports, reports: context, signal: stopping })
  await lookAtTable(service, options, tableFields(options, schema))
  return `${options.table} takes the rows; ${await new Warehouse(service, options.warehouse).look()}`
}
