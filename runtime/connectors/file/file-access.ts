import type { RowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Schema } from '../../model/schema.ts'
import type { RowScanner } from '../../codegen/contracts.ts'
import type { Ports } from '../../ports/ports.ts'
import type { RecordFormat } from '../../formats/format.ts'
import { lineEnd, lineEndBehindQuotes, LineSplit } from './line-split.ts'
import type { ContainerHeader } from '../../formats/avro-container.ts'
import { isContainer, type Container } from './declaration.ts'
import type { InputFile } from './input-file.ts'
import type { InputFiles } from './input-files.ts'
import type { ParquetFile } from './parquet-split.ts'
import { parseSplitId, type FilePosition } from './split-id.ts'
import type { BadRecordHandler, SplitStream } from './split-stream.ts'

export interface FileAccessParts {
  ports: Ports
  baseDir: string
  inputs: InputFiles
  format: RecordFormat | Container
  schema: Schema
  rows: RowClass
  eventTimeField: string | undefined
  onBadRecord: BadRecordHandler
}

const MAX_HEAD_BYTES = 64 * 1024
/** A source that looks for new files never ends, and must not keep the footers and headers of all. */
const MOST_KEPT = 64

/** Opens splits of all formats; footers and headers are read once per file, a scanner is generated once. */
export class FileAccess {
  readonly #parts: FileAccessParts
  readonly #parquet = new Map<string, Promise<ParquetFile>>()
  readonly #avro = new Map<string, Promise<ContainerHeader>>()
  /** By the first line of the file, where it has one that tells its columns. */
  readonly #scanners = new Map<string | undefined, RowScanner>()

  constructor(parts: FileAccessParts) {
    this.#parts = parts
  }

  /** Rejects as InputFiles.open. */
  async open(id: string, { next, version }: Pick<FilePosition, 'next' | 'version'>): Promise<SplitStream> {
    const { inputs, format, schema, rows, eventTimeField, onBadRecord } = this.#parts
    const range = parseSplitId(id)
    const file = await inputs.open(range.file, version)
    if (range.kind === 'rowGroup') {
      const { ParquetSplit } = await parquet()
      return new ParquetSplit({
        file: await this.parquetFile(file),
        group: range.group,
        next,
        schema,
        rows,
        eventTimeField,
        onBadRecord,
      })
    }
    if (format === 'avro') {
      const { AvroSplit } = await avro()
      const header = await this.#avroHeader(file)
      return new AvroSplit({ ...range, file, header, next, schema, rows, eventTimeField, onBadRecord })
    }
    const scanner = await this.#scannerOf(file)
    return new LineSplit({
      file,
      start: range.start,
      end: range.end,
      next,
      hasHead: this.#hasHead,
      recordEnd: isUncut(this.#parts.format) ? lineEndBehindQuotes : lineEnd,
      scanner,
      eventTimeField,
      onBadRecord,
    })
  }

  get #hasHead(): boolean {
    const { format } = this.#parts
    return !isContainer(format) && format.file?.head !== undefined
  }

  async #scannerOf(file: InputFile): Promise<RowScanner> {
    const { ports, baseDir, schema, rows, format } = this.#parts
    if (isContainer(format))
      throw new MillraceError('SPLIT_INVALID', `${file.path} is ${format}, but its split is a range of lines`)
    const head = this.#hasHead ? firstLine(await file.read(0, MAX_HEAD_BYTES)) : undefined
    const known = this.#scanners.get(head)
    if (known !== undefined) return known
    const scanner = await format.scanner({ schema, ports, baseDir }, rows, head)
    this.#scanners.set(head, scanner)
    return scanner
  }

  #avroHeader(input: InputFile): Promise<ContainerHeader> {
    return keptOf(this.#avro, input.path, () => avro().then(({ avroHeader }) => avroHeader(input)))
  }

  parquetFile(input: InputFile): Promise<ParquetFile> {
    const files = {
      sizeBytes: () => Promise.resolve(input.sizeBytes),
      read: (_path: string, offset: number, length: number) => input.read(offset, length),
    }
    return keptOf(this.#parquet, input.path, () =>
      parquet().then(({ openParquetFile }) => openParquetFile(files, input.path)),
    )
  }
}

/** A footer or header, read once per file. */
function keptOf<T>(kept: Map<string, Promise<T>>, path: string, read: () => Promise<T>): Promise<T> {
  const known = kept.get(path)
  if (known !== undefined) return known
  const found = read()
  kept.set(path, found)
  const [oldest] = kept.keys()
  if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest)
  return found
}

/** Only from the beginning of such a file it is known where its records are. */
export function isUncut(format: RecordFormat | Container): boolean {
  return !isContainer(format) && format.file?.quotesLineEnds === true
}

/** Parquet is decoded by packages of 200 KB of code, which most workers never run. */
function parquet() {
  return import('./parquet-split.ts')
}

/** As `parquet`. */
function avro() {
  return import('./avro-split.ts')
}

/** The event-time field when the schema lets it be null (a null one is then a bad record), for the readers to check. */
export function nullableEventTime(schema: Schema, field: string | undefined): string | undefined {
  return schema.fields.some((candidate) => candidate.name === field && candidate.nullable) ? field : undefined
}

function firstLine(bytes: Uint8Array): string {
  const end = bytes.indexOf(10)
  return Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end))
    .toString('utf8')
    .replace(/\r$/, '')
}
