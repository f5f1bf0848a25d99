import type { RowClass } from '../../codegen/rows/row.ts'
import { RowBatch } from '../../memory/batch.ts'
import type { Split } from '../../model/snapshot.ts'
import { nullableEventTime } from '../file/file-access.ts'
import { PendingResult } from '../kit/pending-result.ts'
import { StorageRetry } from '../kit/storage-retry.ts'
import type { ReaderContext, SourceBatch, SourceReader } from '../source.ts'
import type { DeltaSourceOptions } from './declaration.ts'
import { TableCursor } from './table-cursor.ts'
import { openTableFiles, type TableFiles } from './table-files.ts'
import { TableVersions } from './table-versions.ts'

/** Storage that stays away makes the reader wait, and says so. */
const PATIENCE_MS = Infinity

/** Reads its splits one after the other, files in the background while polls return. */
export class TableReader implements SourceReader {
  readonly #context: ReaderContext
  readonly #everyMs: number
  readonly #files: TableFiles
  readonly #versions: TableVersions
  readonly #retry: StorageRetry
  readonly #closing = new AbortController()
  readonly #pending: PendingResult<'rows' | 'nothing yet' | 'finished'>
  #filling: TableCursor | undefined
  #cursors: TableCursor[] = []
  #paused: ReadonlySet<string> = new Set()
  #nextLookAt = 0

  constructor(context: ReaderContext, options: DeltaSourceOptions, rows: RowClass) {
    const { ports, baseDir, schema } = context
    this.#context = context
    this.#everyMs = options.continuous?.every ?? 0
    this.#files = openTableFiles(ports, baseDir, options.path)
    this.#versions = new TableVersions({ files: this.#files, schema, rows, onRemove: options.onRemove })
    this.#pending = new PendingResult(ports.clock)
    this.#retry = new StorageRetry({
      ports,
      name: `the Delta table ${this.#files.name}`,
      closedCode: 'DELTA_CLOSED',
      signal: this.#closing.signal,
      reports: context,
    })
  }

  async open(splits: readonly Split[]): Promise<void> {
    const { schema, verb, onBadRecord } = this.#context
    const parts = {
      files: this.#files,
      eventTimeField: nullableEventTime(schema, verb.eventTime?.field),
      filesOf: this.#versions.filesOf.bind(this.#versions),
      onBadRecord,
    }
    this.#cursors = splits.map((split) => new TableCursor(split, parts))
  }

  async poll(maxRows: number): Promise<SourceBatch | undefined> {
    const ready = this.#readable() ?? (await this.#advance())
    const rows = ready?.take(maxRows) ?? []
    return ready === undefined || rows.length === 0 ? undefined : { split: ready.id, batch: new RowBatch(rows) }
  }

  snapshot(): Split[] {
    return this.#cursors.map((cursor) => cursor.snapshot())
  }

  isFinished(): boolean {
    return this.#cursors.every((cursor) => cursor.finished)
  }

  pauseSplits(paused: ReadonlySet<string>): void {
    this.#paused = paused
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#cursors = []
  }

  #readable(): TableCursor | undefined {
    return this.#cursors.find((cursor) => cursor !== this.#filling && cursor.hasRows && !this.#paused.has(cursor.id))
  }

  /** Reads ahead, and waits for that a moment only. */
  async #advance(): Promise<TableCursor | undefined> {
    if (!this.#pending.isUnderWay) {
      const cursor = this.#cursors.find((one) => !one.finished && !this.#paused.has(one.id) && this.#isDue(one))
      if (cursor === undefined) return undefined
      this.#filling = cursor
      this.#pending.start(this.#retry.run('reading', PATIENCE_MS, () => cursor.fill()))
    }
    const result = await this.#pending.take()
    if (result === undefined) return undefined
    this.#filling = undefined
    if (result === 'nothing yet') this.#nextLookAt = this.#context.ports.clock.now() + this.#everyMs
    return this.#readable()
  }

  #isDue(cursor: TableCursor): boolean {
    return !cursor.follows || this.#context.ports.clock.now() >= this.#nextLookAt
  }
}
