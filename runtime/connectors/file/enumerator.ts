import { compileRowClass } from '../../codegen/rows/row.ts'
import type { Schema } from '../../model/schema.ts'
import type { Split } from '../../model/snapshot.ts'
import type { SourceContext, SplitEnumerator } from '../source.ts'
import { FileAccess, isUncut, nullableEventTime } from './file-access.ts'
import { byteRanges } from './line-split.ts'
import { isContainer, type FileSourceOptions } from './declaration.ts'
import type { FoundFile } from './input-file.ts'
import { InputFiles } from './input-files.ts'
import { storageRetry } from './storage-retry.ts'
import { SplitCursor } from './split-cursor.ts'
import { formatPosition, parsePosition, parseSplitId, splitId, type FileRange } from './split-id.ts'

const MIN_SPLIT_BYTES = 1024 * 1024
const MAX_SPLIT_BYTES = 64 * 1024 * 1024
/** Below the 15 s within which a user hears of a wrong place. */
const PATIENCE_MS = 8000

interface Cut {
  readonly range: FileRange
  readonly version: string | undefined
}

/**
 * Lists the files and cuts them: lines and Avro into byte ranges, Parquet by row group. A file keeps the cut of its
 * first listing for ever; new files are added when the job starts again, and with `lookAgain` while it runs. The enumerator looks up the event time of the
 * next record of each split, for the watermark and for replay.
 */
export class FileEnumerator implements SplitEnumerator {
  readonly #options: FileSourceOptions
  readonly #inputs: InputFiles
  readonly #access: FileAccess
  readonly #closing = new AbortController()
  readonly #eventTimeField: string | undefined

  constructor(context: SourceContext, options: FileSourceOptions) {
    this.#options = options
    this.#eventTimeField = context.verb.eventTime?.field
    const { format } = options
    // A format without names finds fields by their position: it needs all of them.
    const isNamed = isContainer(format) || format.isNamed === true
    const schema: Schema = {
      fields: context.schema.fields.filter((field) => !isNamed || field.name === this.#eventTimeField),
    }
    const { ports, baseDir } = context
    this.#inputs = new InputFiles({
      ports,
      baseDir,
      patterns: options.paths,
      retry: storageRetry(context, this.#closing.signal),
      patienceMs: PATIENCE_MS,
    })
    this.#access = new FileAccess({
      ports,
      baseDir,
      inputs: this.#inputs,
      format,
      schema,
      rows: compileRowClass(schema),
      eventTimeField: nullableEventTime(schema, this.#eventTimeField),
      // the readers read the same record and report it
      onBadRecord: () => undefined,
    })
  }

  async discover(known: readonly Split[], parallelism: number): Promise<Split[]> {
    const knownFiles = new Set(known.map((split) => parseSplitId(split.id).file))
    const files = await this.#inputs.list({ mayBeNone: this.#options.lookAgain !== undefined })
    const added = files.filter(({ name }) => !knownFiles.has(name))
    const fresh = (await this.#cut(added, parallelism)).map(({ range, version }) => ({
      id: splitId(range),
      position: formatPosition({ version, next: undefined, headTime: undefined, originTime: undefined }),
      finished: false,
    }))
    return this.#withTimes([...known, ...fresh])
  }

  async close(): Promise<void> {
    this.#closing.abort()
  }

  async #cut(files: readonly FoundFile[], parallelism: number): Promise<Cut[]> {
    const { format } = this.#options
    if (format === 'parquet') return this.#rowGroups(files)
    const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    const target = isUncut(format)
      ? Infinity
      : Math.min(MAX_SPLIT_BYTES, Math.max(MIN_SPLIT_BYTES, Math.ceil(total / parallelism)))
    return files.flatMap(({ name, sizeBytes, version }) =>
      byteRanges(sizeBytes, target).map((range) => ({ range: { kind: 'bytes', file: name, ...range }, version })),
    )
  }

  async #rowGroups(files: readonly FoundFile[]): Promise<Cut[]> {
    const cuts: Cut[] = []
    for (const { name, version } of files) {
      const { metadata } = await this.#access.parquetFile(await this.#inputs.open(name, version))
      metadata.row_groups.forEach((_, group) => cuts.push({ range: { kind: 'rowGroup', file: name, group }, version }))
    }
    return cuts
  }

  async #withTimes(splits: readonly Split[]): Promise<Split[]> {
    if (this.#eventTimeField === undefined) return [...splits]
    const heads: (number | undefined)[] = []
    for (const split of splits) heads.push(await this.#headTime(split))
    const times = heads.filter((time) => time !== undefined)
    const originTime = times.length === 0 ? undefined : times.reduce((least, time) => Math.min(least, time))
    return splits.map((split, index) =>
      split.finished
        ? split
        : {
            ...split,
            position: formatPosition({ ...parsePosition(split.position), headTime: heads[index], originTime }),
          },
    )
  }

  async #headTime(split: Split): Promise<number | undefined> {
    if (split.finished) return undefined
    // known since an earlier look: a reader that has moved on writes none
    const { headTime } = parsePosition(split.position)
    if (headTime !== undefined) return headTime
    const cursor = new SplitCursor(split, this.#eventTimeField, (position) => this.#access.open(split.id, position))
    await cursor.fill()
    return cursor.finished ? undefined : cursor.headTime()
  }
}
