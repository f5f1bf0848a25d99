import { openParquetFile, ParquetSplit, type ParquetFile } from '../file/parquet-split.ts'
import type { SplitStream } from '../file/split-stream.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import type { Split } from '../../model/snapshot.ts'
import type { FileRows } from './file-rows.ts'
import { parquetBytes, storageError } from './table-rows.ts'
import type { DataFile } from './log-actions.ts'
import { encodePosition, parseSplit, type SplitKind, type TablePosition } from './split-position.ts'
import type { TableFiles } from './table-files.ts'

const CHUNK_ROWS = 1024

/** The files of one version that a split reads, and how their rows are read. */
export interface VersionFiles {
  readonly files: readonly DataFile[]
  readonly rows: FileRows
}

export interface TableCursorParts {
  readonly files: TableFiles
  readonly eventTimeField: string | undefined
  /** Undefined when there is no such version yet. */
  filesOf(kind: SplitKind, version: number): Promise<VersionFiles | undefined>
  onBadRecord(error: Error, where: string, raw: Uint8Array | string): void
}

/** Where the reader stands in one split: what is read ahead, what was given out. */
export class TableCursor {
  readonly id: string
  readonly #kind: SplitKind
  readonly #parts: TableCursorParts
  #position: TablePosition
  #finished: boolean
  #version: VersionFiles | undefined
  #file: ParquetFile | undefined
  #stream: SplitStream | undefined
  /** Rows that are read ahead, the position after each, and how many of them were given out. */
  #rows: Row[] = []
  #after: TablePosition[] = []
  #given = 0
  /** Where reading ahead goes on. */
  #next: TablePosition

  constructor(split: Split, parts: TableCursorParts) {
    const { kind, position } = parseSplit(split)
    this.id = split.id
    this.#kind = kind
    this.#parts = parts
    this.#position = position
    this.#next = position
    this.#finished = split.finished
  }

  /** True when everything was read and given out. */
  get finished(): boolean {
    return this.#finished && !this.hasRows
  }

  get hasRows(): boolean {
    return this.#given < this.#rows.length
  }

  get follows(): boolean {
    return this.#kind.kind === 'changes'
  }

  /** Reads rows ahead, or finds that there are none now. Called when there are none. Moves on by one step at least. */
  async fill(): Promise<'rows' | 'nothing yet' | 'finished'> {
    while (!this.#finished) {
      const version = (this.#version ??= await this.#parts.filesOf(this.#kind, this.#next.version))
      if (version === undefined) return 'nothing yet'
      const file = version.files[this.#next.file]
      if (file === undefined) {
        this.#endVersion()
        continue
      }
      if (await this.#readOf(file, version.rows)) return 'rows'
    }
    return 'finished'
  }

  take(maxRows: number): Row[] {
    const from = this.#given
    const to = Math.min(this.#rows.length, from + maxRows)
    this.#position = this.#after[to - 1] ?? this.#position
    this.#given = to
    return this.#rows.slice(from, to)
  }

  snapshot(): Split {
    return { id: this.id, position: encodePosition(this.#position), finished: this.finished }
  }

  #endVersion(): void {
    this.#version = undefined
    if (this.#kind.kind === 'snapshot') this.#finished = true
    else this.#next = { version: this.#next.version + 1, file: 0, group: 0, row: 0 }
    // nothing of the version is left to give out
    this.#position = this.#next
  }

  /** True when there are rows; else the next group or file is to be read. */
  async #readOf(dataFile: DataFile, rows: FileRows): Promise<boolean> {
    try {
      const file = (this.#file ??= await openParquetFile(parquetBytes(this.#parts.files), dataFile.path))
      const { version, file: place, group, row } = this.#next
      if (group >= file.metadata.row_groups.length) {
        this.#file = undefined
        this.#next = { version, file: place + 1, group: 0, row: 0 }
        return false
      }
      this.#stream ??= this.#streamOf(file, rows, group, row)
      const chunk = await this.#stream.read(CHUNK_ROWS)
      if (chunk === undefined) {
        this.#stream = undefined
        this.#next = { version, file: place, group: group + 1, row: 0 }
        return false
      }
      this.#keep(dataFile, rows, chunk.rows, chunk.nextAfter)
      return this.#rows.length > 0
    } catch (error) {
      throw storageError(error)
    }
  }

  #streamOf(file: ParquetFile, { schema, rowClass }: FileRows, group: number, row: number): SplitStream {
    const { eventTimeField, onBadRecord } = this.#parts
    return new ParquetSplit({ file, group, next: row, schema, rows: rowClass, eventTimeField, onBadRecord })
  }

  #keep(dataFile: DataFile, rows: FileRows, found: readonly Row[], nextAfter: readonly number[]): void {
    this.#rows = []
    this.#after = []
    this.#given = 0
    for (const [index, row] of found.entries()) {
      const after = { ...this.#next, row: nextAfter[index] ?? 0 }
      try {
        this.#rows.push(rows.rowOf(dataFile, row))
        this.#after.push(after)
      } catch (error) {
        if (!(error instanceof MillraceError) || error.code !== 'RECORD_INVALID') throw error
        const where = `${dataFile.path} before row ${after.row} of row group ${after.group}`
        this.#parts.onBadRecord(error, where, JSON.stringify(row))
      }
    }
    this.#next = { ...this.#next, row: nextAfter.at(-1) ?? this.#next.row }
  }
}
