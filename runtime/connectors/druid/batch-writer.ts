import { basename, join } from 'node:path'
import type { Batch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import { isFields, membersOf } from '../../model/fields.ts'
import type { CheckpointId } from '../../model/ids.ts'
import type { Row } from '../../model/schema.ts'
import type { Committable, SinkNote } from '../../model/snapshot.ts'
import { schemeOf } from '../../ports/store.ts'
import type { FileSinkOptions } from '../file/declaration.ts'
import { localPartOf } from '../file/local-parts.ts'
import { objectPartOf, withoutOptions } from '../file/object-parts.ts'
import { PartNames } from '../file/part-names.ts'
import { resolvePath } from '../file/paths.ts'
import { FileWriter } from '../file/writer.ts'
import { recordFormat } from '../kit/format-option.ts'
import { StorageRetry } from '../kit/storage-retry.ts'
import { localPathOf } from '../kit/storage-option.ts'
import type { SinkContext, SinkWriter } from '../sink.ts'
import { BatchLoader } from './batch-loader.ts'
import { intervalOf, type BatchLoad } from './batch-task.ts'
import { DruidService } from './druid-service.ts'
import type { ReplaceOptions } from './declared/replace-option.ts'

const SUFFIX = 'jsonl'

/**
 * Replaces an interval of a datasource by all rows of a bounded job. Rows wait in files, exactly once, as those of the
 * file sink do; when the input has ended and the checkpoint that says so is complete, one task of Druid loads them all,
 * and they are deleted. The names of the files are notes of every checkpoint. The sink has one slot: tasks of several
 * would replace each other's rows.
 */
export class BatchWriter implements SinkWriter {
  readonly #context: SinkContext
  readonly #options: ReplaceOptions
  readonly #place: string
  readonly #partNames: PartNames
  readonly #files: FileWriter
  readonly #retry: StorageRetry
  readonly #loader: BatchLoader
  readonly #names: string[] = []
  #hasEnded = false
  #isLoaded = false

  constructor(context: SinkContext, options: ReplaceOptions) {
    this.#context = context
    this.#options = options
    this.#place = placeOf(context.baseDir, options.files)
    this.#partNames = new PartNames(context, SUFFIX)
    this.#files = new FileWriter(context, fileOptions(options.files))
    const name = `the Druid at ${options.url}`
    this.#retry = new StorageRetry({
      ports: context.ports,
      name,
      closedCode: 'DRUID_CLOSED',
      signal: context.stopping,
      reports: context,
    })
    this.#loader = new BatchLoader({
      service: new DruidService(options, context.ports, context.stopping),
      retry: this.#retry,
      context,
      checkFiles: (names) => this.#checkFiles(names),
    })
  }

  async open(recovered: readonly Committable[], notes: readonly SinkNote[] = []): Promise<void> {
    for (const note of notes) this.#names.push(...this.#namesOf(note))
    const [load] = recovered.filter(isLoad).map((one) => this.#loadOf(this.#namesOf(one['load'])))
    if (load !== undefined && (await this.#loader.isDone(load))) {
      this.#isLoaded = true
      await this.#deleteFiles(load.names)
    }
    // what is loaded has no files any more that could be committed
    await this.#files.open(this.#isLoaded ? [] : recovered.filter((one) => !isLoad(one)))
  }

  write(batch: Batch): Promise<void> {
    const rows = batch.rows()
    for (let index = 0; index < batch.count; index++) this.#checkTime(rows[index])
    return this.#files.write(batch)
  }

  async prepareCommit(checkpoint: CheckpointId): Promise<Committable[]> {
    const parts = await this.#files.prepareCommit(checkpoint)
    this.#names.push(...parts.map(nameOfPart))
    return this.#hasEnded && !this.#isLoaded ? [...parts, { load: this.#note() }] : parts
  }

  notes(): readonly SinkNote[] {
    return this.#names.length === 0 ? [] : [this.#note()]
  }

  endInput(): void {
    this.#hasEnded = true
  }

  async commit(committables: readonly Committable[]): Promise<void> {
    if (this.#isLoaded) return
    await this.#files.commit(committables.filter((one) => !isLoad(one)))
    for (const one of committables.filter(isLoad)) {
      const load = this.#loadOf(this.#namesOf(one['load']))
      await this.#loader.run(load)
      this.#isLoaded = true
      await this.#deleteFiles(load.names)
    }
  }

  close(): Promise<void> {
    return this.#files.close()
  }

  /** Druid would leave the row out without a word. */
  #checkTime(row: Row | undefined): void {
    const { timestamp, fromMs, toMs } = this.#options
    const at = row?.[timestamp]
    if (typeof at === 'number' && at >= fromMs && at < toMs) return
    throw new MillraceError(
      'RECORD_INVALID',
      `field '${timestamp}' is ${typeof at === 'number' ? isoOf(at) : 'null'}, and the sink replaces ${intervalOf(this.#options)} only`,
      { domain: 'user', hint: 'filter the rows before the sink, or replace more of the datasource' },
    )
  }

  #loadOf(names: readonly string[]): BatchLoad {
    return { options: this.#options, schema: this.#context.schema, place: this.#place, names }
  }

  #note(): SinkNote {
    const { datasource } = this.#options
    return {
      datasource,
      interval: intervalOf(this.#options),
      place: withoutOptions(this.#place),
      names: [...this.#names],
    }
  }

  /**
   * A note comes from a manifest, and so from anyone whose savepoint is taken over: it may name files of this sink in
   * its own folder, and nothing else.
   */
  #namesOf(note: unknown): readonly string[] {
    const { datasource, interval, place, names } = membersOf(note)
    const isOwn = (name: unknown): name is string => typeof name === 'string' && this.#partNames.isOfOperator(name)
    if (!Array.isArray(names) || !names.every(isOwn))
      throw new MillraceError(
        'COMMITTABLE_INVALID',
        `the checkpoint names files that are none of the sink ${this.#context.operatorId}`,
        { domain: 'platform', hint: 'the savepoint was changed, or was written by another sink: start without it' },
      )
    const own = [this.#options.datasource, intervalOf(this.#options), withoutOptions(this.#place)]
    const kept = [datasource, interval, place]
    if (own.some((value, index) => value !== kept[index]))
      throw new MillraceError(
        'SINK_CHANGED',
        `the sink ${this.#context.operatorId} has collected rows for ${kept.join(', ')}, and is to replace ${own.join(', ')} now`,
        {
          domain: 'user',
          hint: 'put the options of the sink back until the job has finished, or start without the state',
        },
      )
    return names
  }

  async #checkFiles(names: readonly string[]): Promise<void> {
    for (const name of names)
      if (!(await this.#storage('looking for files of', () => this.#exists(name))))
        throw new MillraceError(
          'SINK_OUTPUT_LOST',
          `${name} is gone from ${withoutOptions(this.#place)}, and holds rows that are to be loaded into ${this.#options.datasource}`,
          { domain: 'platform', hint: 'put the file back, or start without the state of the job' },
        )
  }

  async #exists(name: string): Promise<boolean> {
    const { files, openObjects } = this.#context.ports
    if (isLocal(this.#place)) return files.exists(join(this.#place, name))
    return (await openObjects(this.#place).head(name)) !== undefined
  }

  async #deleteFiles(names: readonly string[]): Promise<void> {
    const { files, openObjects } = this.#context.ports
    for (const name of names)
      await this.#storage('deleting files of', () =>
        isLocal(this.#place) ? files.delete(join(this.#place, name)) : openObjects(this.#place).delete(name),
      )
  }

  #storage<T>(doing: string, call: () => Promise<T>): Promise<T> {
    return this.#retry.run(`${doing} loads of`, STORAGE_PATIENCE_MS, call)
  }
}

const STORAGE_PATIENCE_MS = 60_000

function isLoad(committable: Committable): committable is { readonly load: SinkNote } {
  return isFields(committable) && 'load' in committable
}

function nameOfPart(part: Committable): string {
  const local = localPartOf(part)
  return basename(local?.to ?? objectPartOf(part)?.upload.path ?? '')
}

function isLocal(place: string): boolean {
  return schemeOf(place) === 'file'
}

function placeOf(baseDir: string, files: string): string {
  return isLocal(files) ? resolvePath(baseDir, localPathOf(files)) : files
}

function fileOptions(path: string): FileSinkOptions {
  const format = recordFormat.read('json', () => undefined)
  if (format === undefined) throw new MillraceError('FORMAT_UNKNOWN', 'there is no format json', { domain: 'bug' })
  return {
    path,
    format,
    timestampFormat: 'epochMillis',
    compression: 'none',
    partitionBy: undefined,
    roll: undefined,
  }
}

function isoOf(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms)
}
