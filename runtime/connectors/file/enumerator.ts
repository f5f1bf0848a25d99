import { compileRowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Schema } from '../../model/schema.ts'
import type { Split } from '../../model/snapshot.ts'
import type { SourceContext, SplitEnumerator } from '../source.ts'
import { FileAccess, isUncut, nullableEventTime } from './file-access.ts'
import { byteRanges } from './line-split.ts'
import type { FileSourceOptions } from './declaration.ts'
import { resolvePath, stableName } from './paths.ts'
import { SplitCursor } from './split-cursor.ts'
import { formatPosition, parsePosition, parseSplitId, splitId, type FileRange } from './split-id.ts'

const MIN_SPLIT_BYTES = 1024 * 1024
const MAX_SPLIT_BYTES = 64 * 1024 * 1024

/**
 * Lists the files and cuts them: lines into byte ranges, Parquet by row group. A file keeps the cut of its
 * first listing for ever; new files are added when the job starts again. The enumerator looks up the event time of the
 * next record of each split, for the watermark and for replay.
 */
export class FileEnumerator implements SplitEnumerator {
  readonly #context: SourceContext
  readonly #options: FileSourceOptions
  readonly #access: FileAccess
  readonly #eventTimeField: string | undefined

  constructor(context: SourceContext, options: FileSourceOptions) {
    this.#context = context
    this.#options = options
    this.#eventTimeField = context.verb.eventTime?.field
    const { format } = options
    // A format without names finds fields by their position: it needs all of them.
    const isNamed = format === 'parquet' || format.isNamed === true
    const schema: Schema = {
      fields: context.schema.fields.filter((field) => !isNamed || field.name === this.#eventTimeField),
    }
    this.#access = new FileAccess({
      ports: context.ports,
      baseDir: context.baseDir,
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
    const added = (await this.#list()).filter((path) => !knownFiles.has(stableName(this.#context.baseDir, path)))
    const fresh = (await this.#cut(added, parallelism)).map((range) => ({
      id: splitId(range),
      position: null,
      finished: false,
    }))
    return this.#withTimes([...known, ...fresh])
  }

  async close(): Promise<void> {
    this.#context.ports.logger.debug('file enumerator closed', { operator: this.#context.operatorId })
  }

  async #list(): Promise<string[]> {
    const { baseDir, ports } = this.#context
    const found = new Set<string>()
    for (const pattern of this.#options.paths) {
      const paths = await ports.files.glob(resolvePath(baseDir, pattern))
      if (paths.length === 0) {
        throw new MillraceError('FILE_MISSING', `no file matches ${JSON.stringify(pattern)} in ${baseDir}`, {
          domain: 'user',
          hint: 'relative paths count from the folder of the job file; of a folder write the files: folder/*.jsonl',
        })
      }
      for (const path of paths) found.add(path)
    }
    return [...found].sort()
  }

  async #cut(paths: readonly string[], parallelism: number): Promise<FileRange[]> {
    const { baseDir, ports } = this.#context
    const ranges: FileRange[] = []
    if (this.#options.format === 'parquet') {
      for (const path of paths) {
        const { metadata } = await this.#access.parquetFile(path)
        metadata.row_groups.forEach((_, group) =>
          ranges.push({ kind: 'rowGroup', file: stableName(baseDir, path), group }),
        )
      }
      return ranges
    }
    const sizes = await Promise.all(paths.map((path) => ports.files.sizeBytes(path)))
    const total = sizes.reduce((sum, size) => sum + size, 0)
    const target = isUncut(this.#options.format)
      ? Infinity
      : Math.min(MAX_SPLIT_BYTES, Math.max(MIN_SPLIT_BYTES, Math.ceil(total / parallelism)))
    paths.forEach((path, index) => {
      for (const range of byteRanges(sizes[index] ?? 0, target))
        ranges.push({ kind: 'bytes', file: stableName(baseDir, path), ...range })
    })
    return ranges
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
            position: formatPosition({ next: parsePosition(split.position).next, headTime: heads[index], originTime }),
          },
    )
  }

  async #headTime(split: Split): Promise<number | undefined> {
    if (split.finished) return undefined
    const position = formatPosition({
      next: parsePosition(split.position).next,
      headTime: undefined,
      originTime: undefined,
    })
    const cursor = new SplitCursor({ ...split, position }, this.#eventTimeField, (next) =>
      this.#access.open(split.id, next),
    )
    await cursor.fill()
    return cursor.finished ? undefined : cursor.headTime()
  }
}
