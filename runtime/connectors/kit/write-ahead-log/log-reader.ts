import { join } from 'node:path'
import type { RowScanner } from '../../../codegen/contracts.ts'
import type { RowClass } from '../../../codegen/rows/row.ts'
import type { RecordFormat } from '../../../formats/format.ts'
import { RowBatch } from '../../../memory/batch.ts'
import type { Row } from '../../../model/schema.ts'
import { sleep } from '../../../ports/clock.ts'
import type { SourceBatch, SourceReader, Split } from '../../source.ts'
import { RowScan } from '../row-scan.ts'
import { LogCursor, type LogExtent, type ReadEntries } from './log-cursor.ts'
import { closedSegment, logFolder, TO_BE_WRITTEN } from './log-enumerator.ts'
import type { LogEntry } from './log-frame.ts'
import type { SegmentLog } from './log-option.ts'
import {
  decodePosition,
  encodePosition,
  eraFolder,
  LOG_START,
  logNameOf,
  segmentFile,
  segmentOfFile,
} from './log-place.ts'
import { LogWriter, type SegmentFiles } from './log-writer.ts'
import { MemorySegments } from './memory-segments.ts'
import type { ReceivedFields } from './received-option.ts'
import { receivedRows, type ReceivedRows } from './received-rows.ts'
import { noLog, Reception, type ReceptionParts } from './reception.ts'

/** Half of what `poll` may take, so that barriers are not held up. */
const WAIT_MS = 50
/** So that what a checkpoint covers can be deleted soon. */
const MAX_SEGMENT_BYTES = 16 * 1024 * 1024
const SEGMENTS_OF_A_LOG = 8

export interface LogReaderParts extends ReceptionParts {
  readonly rows: RowClass
  readonly log: SegmentLog
  readonly format: RecordFormat
  readonly metadata: ReceivedFields | undefined
}

/** A log that is read. */
interface OpenLog {
  readonly id: string
  readonly cursor: LogCursor
  deleteBefore(segment: number): Promise<void>
}

/**
 * The reader of a source whose senders cannot be asked again: what they send goes to a log, and rows come from there.
 * Logs that older attempts have left are read first.
 */
export class LogReader implements SourceReader {
  readonly #parts: LogReaderParts
  readonly #rows: ReceivedRows
  readonly #reception: Reception
  #scan: RowScan | undefined
  #scanner: RowScanner | undefined
  #logs: OpenLog[] = []
  #writer: LogWriter | undefined
  /** The log that it writes. */
  #writtenId: string | undefined
  #readEntries = 0
  #wake: () => void = () => undefined

  constructor(parts: LogReaderParts) {
    this.#parts = parts
    this.#rows = receivedRows(parts.context.schema, parts.metadata, parts.rows)
    this.#reception = new Reception(parts, this.#rows, (entries) => this.#append(entries))
  }

  async open(splits: readonly Split[]): Promise<void> {
    const { context, format } = this.#parts
    const { ports, baseDir } = context
    const scanner = (): Promise<RowScanner> | RowScanner =>
      format.scanner({ schema: this.#rows.valueSchema, ports, baseDir }, this.#rows.values)
    this.#scanner = await scanner()
    this.#scan = new RowScan({ ...context, schema: this.#rows.valueSchema }, this.#scanner)
    for (const split of splits) if (!split.finished) this.#logs.push(await this.#openLog(split))
    this.#reception.start(await scanner())
  }

  async poll(maxRows: number): Promise<SourceBatch | undefined> {
    this.#reception.throwFailure()
    const found = await this.#next(maxRows)
    if (found !== undefined) return this.#batchOf(found)
    // a newer attempt, or a volume that somebody cleared: this one cannot acknowledge anything any more
    if (this.#writer?.ended !== undefined) throw this.#writer.ended
    await this.#parts.context.idle(this.#arrival())
    const arrived = this.#reception.isClosing ? undefined : await this.#next(maxRows)
    return arrived === undefined ? undefined : this.#batchOf(arrived)
  }

  snapshot(): Split[] {
    return this.#logs.map(({ id, cursor }) => ({
      id,
      position: encodePosition(cursor.position),
      finished: cursor.finished,
    }))
  }

  /** Entries that were acknowledged and not read; unknown while logs of older attempts are read. */
  lagRecords(): number | undefined {
    const left = this.#logs.find(({ cursor }) => !cursor.finished)
    return left === undefined || left.id !== this.#writtenId
      ? undefined
      : (this.#writer?.flushedEntries ?? 0) - this.#readEntries
  }

  /** Senders may send for ever. */
  isFinished(): boolean {
    return false
  }

  async notifyCheckpointComplete(splits: readonly Split[]): Promise<void> {
    for (const { id, position, finished } of splits) {
      const log = this.#logs.find((open) => open.id === id)
      if (log === undefined) continue
      if (finished) this.#logs = this.#logs.filter((open) => open !== log)
      await log.deleteBefore(finished ? Infinity : decodePosition(position).segment)
    }
  }

  async close(): Promise<void> {
    await this.#reception.close()
    await this.#writer?.close()
    this.#wake()
  }

  #append(entries: readonly LogEntry[]): Promise<'kept' | 'full'> {
    return this.#writer?.append(entries) ?? Promise.reject(noLog())
  }

  async #next(maxRows: number): Promise<{ id: string; read: ReadEntries } | undefined> {
    for (const log of this.#logs) {
      const { id, cursor } = log
      if (cursor.finished) continue
      const before = cursor.position.segment
      const read = await cursor.next(maxRows)
      if (this.#parts.log.kind === 'none' && cursor.position.segment > before)
        await log.deleteBefore(cursor.position.segment)
      if (read !== undefined) {
        if (id === this.#writtenId) this.#readEntries += read.entries.count
        return { id, read }
      }
      // its rest is still to come, and later logs wait for it
      if (!cursor.finished) return undefined
    }
    return undefined
  }

  async #batchOf({ id, read: { entries, where } }: { id: string; read: ReadEntries }): Promise<SourceBatch> {
    const { bytes, count, metadataStarts, valueStarts, valueEnds } = entries
    this.#scanner?.open?.(bytes)
    await this.#scanner?.prepare?.(entries)
    const rows: Row[] = []
    for (let index = 0; index < count; index++) {
      const start = valueStarts[index] ?? 0
      const row = this.#scan?.row(
        bytes,
        start,
        valueEnds[index] ?? 0,
        () => `${where} + ${index}`,
        (value) => this.#rows.whole(value, bytes, metadataStarts[index] ?? 0, start),
      )
      if (row !== undefined) rows.push(row)
    }
    return { split: id, batch: new RowBatch(rows) }
  }

  #arrival(): Promise<void> {
    const arrived = new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    return Promise.race([arrived, sleep(this.#parts.context.ports.clock, WAIT_MS)])
  }

  async #openLog(split: Split): Promise<OpenLog> {
    const { log, context } = this.#parts
    if (log.kind === 'none') return this.#writtenLog(split.id, new MemorySegments(), (segment) => String(segment))
    const name = logNameOf(split.id)
    const folder = logFolder(context, log.path)
    if (split.position === TO_BE_WRITTEN)
      return this.#writtenLog(split.id, context.ports.files, (segment) =>
        segmentFile(eraFolder(folder, name.era, 'open'), name, segment),
      )
    return this.#leftLog(
      split,
      (segment) => closedSegment(folder, name, segment),
      join(eraFolder(folder, name.era, 'closed'), `${name.index}-*.log`),
    )
  }

  #writtenLog(id: string, files: SegmentFiles, pathOf: (segment: number) => string): OpenLog {
    const { maxBytes } = this.#parts.log
    const writer = new LogWriter(files, pathOf, {
      maxBytes,
      segmentBytes: Math.min(MAX_SEGMENT_BYTES, Math.floor(maxBytes / SEGMENTS_OF_A_LOG)),
    })
    writer.onFlushed(() => {
      this.#wake()
    })
    this.#writer = writer
    this.#writtenId = id
    const extent: LogExtent = {
      readableBytes: (segment) => writer.readableBytes(segment),
      isComplete: (segment) => writer.isComplete(segment),
      endsWith: () => false,
    }
    const cursor = new LogCursor(files, pathOf, extent, LOG_START)
    return { id, cursor, deleteBefore: (segment) => writer.deleteBefore(segment) }
  }

  async #leftLog({ id, position }: Split, pathOf: (segment: number) => string, pattern: string): Promise<OpenLog> {
    const { files } = this.#parts.context.ports
    const sizes = new Map<number, number>()
    for (const path of await files.glob(pattern)) {
      const segment = segmentOfFile(path)?.segment
      if (segment !== undefined) sizes.set(segment, await files.sizeBytes(path))
    }
    const last = Math.max(0, ...sizes.keys())
    const extent: LogExtent = {
      readableBytes: (segment) => sizes.get(segment),
      isComplete: () => true,
      endsWith: (segment) => segment >= last,
    }
    return {
      id,
      cursor: new LogCursor(files, pathOf, extent, decodePosition(position)),
      deleteBefore: async (before) => {
        for (const segment of sizes.keys()) {
          if (segment >= before) continue
          await files.delete(pathOf(segment))
          sizes.delete(segment)
        }
      },
    }
  }
}
