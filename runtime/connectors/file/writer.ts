import { basename } from 'node:path/posix'
import { MillraceError } from '../../model/errors.ts'
import type { CheckpointId } from '../../model/ids.ts'
import { fieldsOf } from '../../model/schema.ts'
import type { Committable } from '../../model/snapshot.ts'
import type { Batch } from '../../memory/batch.ts'
import { localPathOf } from '../kit/storage-option.ts'
import type { SinkContext, SinkWriter } from '../sink.ts'
import { isContainer, type FileSinkOptions } from './declaration.ts'
import { isRemote } from './input-files.ts'
import { LocalParts, localPartOf } from './local-parts.ts'
import { objectPartOf, ObjectParts, withoutOptions } from './object-parts.ts'
import { OutputParts } from './output-parts.ts'
import { partContent } from './part-content.ts'
import { committableInvalid } from './part-errors.ts'
import { PartNames } from './part-names.ts'
import type { PartPlace } from './part-place.ts'
import { resolvePath } from './paths.ts'
import { storageRetry } from './storage-retry.ts'

/**
 * Exactly-once part files: rows go into parts that nobody sees, which are durable at the barrier and visible when the
 * checkpoint is complete.
 */
export class FileWriter implements SinkWriter {
  readonly #context: SinkContext
  readonly #options: FileSinkOptions
  readonly #names: PartNames
  readonly #place: PartPlace
  #parts: OutputParts | undefined
  #isSwept = false

  constructor(context: SinkContext, options: FileSinkOptions) {
    this.#context = context
    this.#options = options
    this.#names = new PartNames(context, suffixOf(options))
    this.#place = isRemote(options.path) ? this.#objectParts(options.path) : this.#localParts(options.path)
  }

  get takesColumns(): boolean {
    return this.#options.format === 'parquet' && this.#options.partitionBy === undefined
  }

  /** Recovered files may be anyone's, and others may still have to commit theirs: nothing is deleted yet. */
  async open(recovered: readonly Committable[]): Promise<void> {
    const { schema, ports } = this.#context
    const { partitionBy, roll } = this.#options
    this.#parts = new OutputParts({
      place: this.#place,
      names: this.#names,
      newContent: await partContent(this.#context, this.#options),
      partitionFields: fieldsOf(schema, partitionBy ?? []),
      roll: { size: roll?.size, every: roll?.every },
      clock: ports.clock,
    })
    for (const committable of recovered) await this.#placeOf(committable).commit([committable])
  }

  write(batch: Batch): Promise<void> {
    return this.#opened().add(batch)
  }

  prepareCommit(_checkpoint: CheckpointId): Promise<Committable[]> {
    return this.#opened().finish()
  }

  /**
   * A complete checkpoint of this attempt proves that every writer has opened, and so committed what it recovered:
   * from here on pending parts of older attempts are nobody's.
   */
  async commit(committables: readonly Committable[]): Promise<void> {
    await this.#place.commit(committables)
    if (this.#isSwept) return
    this.#isSwept = true
    await this.#place.sweep()
  }

  async close(): Promise<void> {
    const parts = this.#parts
    this.#parts = undefined
    await parts?.discard()
  }

  #opened(): OutputParts {
    if (this.#parts === undefined)
      throw new MillraceError('FILE_SINK_NOT_OPEN', `the file sink ${this.#context.operatorId} was used before open`)
    return this.#parts
  }

  /** The place where a part of a restored checkpoint lies: the sink may have been given another since. */
  #placeOf(committable: Committable): PartPlace {
    const { path } = this.#options
    if (localPartOf(committable) !== undefined) return isRemote(path) ? this.#localParts(undefined) : this.#place
    const part = objectPartOf(committable)
    if (part === undefined) throw committableInvalid(this.#context.operatorId, JSON.stringify(committable))
    if (withoutOptions(part.place) === withoutOptions(path)) return this.#place
    if (isRemote(part.place) && this.#names.isOfJob(basename(part.upload.path))) return this.#objectParts(part.place)
    throw committableInvalid(
      this.#context.operatorId,
      `to complete ${JSON.stringify(part.upload.path)} in ${withoutOptions(part.place)}`,
    )
  }

  #localParts(path: string | undefined): LocalParts {
    const folder = path === undefined ? undefined : resolvePath(this.#context.baseDir, localPathOf(path))
    const isPartitioned = this.#options.partitionBy !== undefined
    return new LocalParts({ context: this.#context, names: this.#names, folder, isPartitioned })
  }

  #objectParts(place: string): ObjectParts {
    const retry = storageRetry(this.#context, this.#context.stopping)
    return new ObjectParts({ context: this.#context, names: this.#names, place, retry })
  }
}

function suffixOf({ format, compression }: FileSinkOptions): string {
  if (isContainer(format)) return format
  const packed = { none: '', gzip: '.gz', zstd: '.zst' }[compression]
  return `${format.file?.suffix ?? 'bin'}${packed}`
}
