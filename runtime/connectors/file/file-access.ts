import { compileJsonScanner } from '../../codegen/json-scanner.ts'
import type { RowClass } from '../../codegen/row.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Schema } from '../../model/schema.ts'
import type { RowScanner } from '../../codegen/contracts.ts'
import type { Ports } from '../../ports/ports.ts'
import { JsonSplit } from './json-split.ts'
import { resolvePath } from './options.ts'
import { openParquetFile, ParquetSplit, type ParquetFile } from './parquet-split.ts'
import { parseSplitId } from './split-id.ts'
import type { BadRecordHandler, SplitStream } from './split-stream.ts'

export interface FileAccessParts {
  ports: Ports
  baseDir: string
  schema: Schema
  rows: RowClass
  eventTimeField: string | undefined
  onBadRecord: BadRecordHandler
}

/** Opens splits of both formats; footers are read once per file, the scanner is generated once. */
export class FileAccess {
  readonly #parts: FileAccessParts
  readonly #parquet = new Map<string, Promise<ParquetFile>>()
  #scanner: RowScanner | undefined

  constructor(parts: FileAccessParts) { this.#parts = parts }

  /** Throws FILE_MISSING when the file of the split is gone. */
  async open(id: string, next: number | undefined): Promise<SplitStream> {
    const { ports, schema, rows, eventTimeField, onBadRecord } = this.#parts
    const range = parseSplitId(id)
    const path = resolvePath(this.#parts.baseDir, range.file)
    if (!await ports.files.exists(path)) {
      throw new MillraceError('FILE_MISSING', `${path} is gone; it was there when the job first listed its files`, { domain: 'user', path })
    }
    if (range.kind === 'rowGroup') {
      return new ParquetSplit({ file: await this.parquetFile(path), group: range.group, next, schema, rows, eventTimeField, onBadRecord })
    }
    const scanner = this.#scanner ??= compileJsonScanner(schema, rows)
    return new JsonSplit({ files: ports.files, path, start: range.start, end: range.end, next, scanner, eventTimeField, onBadRecord })
  }

  parquetFile(path: string): Promise<ParquetFile> {
    let file = this.#parquet.get(path)
    if (!file) {
      file = openParquetFile(this.#parts.ports.files, path)
      this.#parquet.set(path, file)
    }
    return file
  }
}

/** The event-time field when the schema lets it be null (a null one is then a bad record), for the readers to check. */
export function nullableEventTime(schema: Schema, field: string | undefined): string | undefined {
  return schema.fields.some((candidate) => candidate.name === field && candidate.nullable) ? field : undefined
}
