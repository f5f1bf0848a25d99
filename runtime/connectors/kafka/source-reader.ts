import { RowBatch } from '../../memory/batch.ts'
import type { RowScanner } from '../../codegen/contracts.ts'
import type { Row } from '../../model/schema.ts'
import { MillraceError } from '../../model/errors.ts'
import type { KafkaClient, KafkaConnect } from './client.ts'
import type { ReaderContext, SourceBatch, SourceReader, Split } from '../source.ts'
import { loadRecordCodecs } from '../kit/record-codecs.ts'
import { clientOptions } from './client-options.ts'
import type { KafkaSourceOptions } from './declaration.ts'
import { PartitionFetcher } from './partition-fetcher.ts'
import type { FetchedChunk, FetchState } from './partition-fetcher.ts'
import { RecordBatchReader } from './record-batch-reader.ts'
import { RecordColumns } from './record-columns.ts'
import type { RecordPlace } from './metadata-rows.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import { partitionOf, positionAt, positionOf } from './split-position.ts'

/** Half of what the contract allows, so that barriers are not held up. */
const POLL_WAIT_MS = 50

interface ReadState extends FetchState {
  id: string
  /** Offset of the first record not yet emitted. */
  next: number
  end: number
}

/** The chunk being emitted: its batches, and how far the decoded one is read. */
interface CurrentChunk {
  state: ReadState
  chunk: FetchedChunk
  batches: RecordBatchReader
  index: number
}

/** Makes the row of a record of its value, which a tombstone does not have, and what the record says beside it. */
export interface RecordRows {
  row(value: Row | undefined, place: RecordPlace): Row | undefined
}

/** Reads partitions from given offsets without a consumer group: offsets live in checkpoints only. */
export class KafkaSourceReader implements SourceReader {
  readonly #context: ReaderContext
  readonly #options: KafkaSourceOptions
  readonly #connect: KafkaConnect
  readonly #openScanner: () => Promise<RowScanner>
  #scanner: RowScanner | undefined
  /** What the scanner waits for before the decoded batch can be read. */
  #preparing: Promise<void> | undefined
  readonly #columns: RecordColumns
  /** Where rows have what records say beside their values. */
  readonly #metadataRows: RecordRows | undefined
  readonly #rows: Row[] = []
  #states: ReadState[] = []
  #client: KafkaClient | undefined
  #fetcher: PartitionFetcher | undefined
  #current: CurrentChunk | undefined
  /** Records of chunks that are read to their end, whose rows may still be looked at until the next poll. */
  readonly #read: Buffer[] = []
  #closed = false

  constructor(
    context: ReaderContext,
    options: KafkaSourceOptions,
    openScanner: () => Promise<RowScanner>,
    connect: KafkaConnect,
    metadataRows?: RecordRows,
  ) {
    this.#context = context
    this.#options = options
    this.#openScanner = openScanner
    this.#connect = connect
    this.#metadataRows = metadataRows
    this.#columns = new RecordColumns(metadataRows === undefined ? 'values' : 'metadata too')
  }

  async open(splits: readonly Split[]): Promise<void> {
    this.#states = splits.map(stateOf)
    if (this.isFinished()) return
    const { ports, operatorId, slot } = this.#context
    const client = this.#connect(
      await clientOptions(this.#options.brokers, this.#options.security, `millrace-${operatorId}-${slot}`, ports),
    )
    this.#client = client
    this.#scanner = await this.#openScanner()
    await loadRecordCodecs()
    const trouble = new TroubleReporter(ports.clock, this.#context)
    this.#fetcher = new PartitionFetcher({
      client,
      isolation: this.#options.isolation,
      states: this.#states,
      clock: ports.clock,
      rng: ports.rng,
      trouble,
    })
    this.#fetcher.start()
  }

  addSplits(splits: readonly Split[]): void {
    const known = new Set(this.#states.map(({ id }) => id))
    const added = splits.filter(({ id }) => !known.has(id)).map(stateOf)
    this.#states.push(...added)
    this.#fetcher?.add(added)
  }

  /**
   * The chunk that is being read of a paused partition goes back; its batch is decoded again, from the next offset
   * on.
   */
  pauseSplits(paused: ReadonlySet<string>): void {
    for (const state of this.#states) state.paused = paused.has(state.id)
    if (this.#current?.state.paused === true) {
      this.#fetcher?.putBack(this.#current.chunk)
      this.#current = undefined
      this.#preparing = undefined
    }
    this.#fetcher?.onPauseChanged()
  }

  async poll(maxRows: number): Promise<SourceBatch | undefined> {
    if (this.#preparing !== undefined) {
      await this.#preparing
      this.#preparing = undefined
    }
    const ready = this.#nextRows(maxRows)
    if (ready !== undefined || this.#fetcher === undefined || this.#closed || this.isFinished()) return ready
    await this.#context.idle(this.#fetcher.arrival(POLL_WAIT_MS))
    return this.#closed ? undefined : this.#nextRows(maxRows)
  }

  snapshot(): Split[] {
    return this.#states.map(({ id, next, end, topicId, finished }) => ({
      id,
      position: positionAt(next, end === Infinity ? undefined : end, topicId),
      finished,
    }))
  }

  /** A source without partitions of its own is finished only when bounded: more subtasks than partitions is not an end. */
  isFinished(): boolean {
    return this.#states.length === 0 ? this.#options.bounded : this.#states.every((state) => state.finished)
  }

  /** Undefined until the broker has told the end of every partition. */
  lagRecords(): number | undefined {
    let lag = 0
    for (const { finished, visibleEnd, end, next } of this.#states) {
      if (finished) continue
      if (visibleEnd === undefined) return undefined
      lag += Math.max(0, Math.min(end, visibleEnd) - next)
    }
    return lag
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#fetcher?.close()
    await this.#client?.close()
  }

  /** Rows of one split from what is here already; bad records are reported and passed over. */
  #nextRows(maxRows: number): SourceBatch | undefined {
    const rows = this.#rows
    rows.length = 0
    this.#context.passed?.clear()
    for (const records of this.#read.splice(0)) this.#client?.recycle?.(records)
    while (this.#current !== undefined || this.#takeChunk()) {
      const current = this.#current
      if (current === undefined) break
      this.#readRows(current, maxRows)
      if (this.#preparing !== undefined && rows.length === 0) return undefined
      if (rows.length > 0) return { split: current.state.id, batch: new RowBatch(rows) }
    }
    return undefined
  }

  #takeChunk(): boolean {
    const chunk = this.#fetcher?.take()
    if (chunk === undefined) return false
    const state = this.#states.find((candidate) => candidate === chunk.state)
    if (state === undefined)
      throw new MillraceError(
        'KAFKA_CHUNK_UNKNOWN',
        `fetched a partition that was not asked for: ${chunk.state.topic}/${chunk.state.partition}`,
      )
    // What was fetched behind the end of a bounded split is not wanted.
    if (state.finished) return this.#takeChunk()
    const { records, aborted } = chunk.fetched
    this.#current = {
      state,
      chunk,
      batches: new RecordBatchReader(records, Math.max(chunk.from, state.next), aborted, state.id),
      index: 0,
    }
    this.#columns.count = 0
    return true
  }

  #readRows(current: CurrentChunk, maxRows: number): void {
    const { state, batches } = current
    const columns = this.#columns
    for (let scanned = 0; scanned < maxRows && this.#rows.length < maxRows; scanned++) {
      while (current.index >= columns.count) {
        state.next = Math.max(state.next, batches.nextOffset)
        if (this.#endIfReached(state) || !this.#nextBatch(current)) return
      }
      if (this.#preparing !== undefined) return
      const index = current.index++
      const offset = columns.offsets[index] ?? 0
      state.next = offset
      if (this.#endIfReached(state)) return
      state.next = offset + 1
      this.#readRow(state, offset, index)
    }
  }

  #readRow(state: ReadState, offset: number, index: number): void {
    const scanner = this.#scanner
    const { bytes, valueStarts, valueEnds } = this.#columns
    const start = valueStarts[index] ?? 0
    const end = valueEnds[index] ?? 0
    try {
      const isTombstone = end < start
      if (isTombstone && this.#options.tombstones === 'refuse')
        throw new MillraceError(
          'RECORD_INVALID',
          `${state.id} offset ${offset}: the record has no value (a tombstone)`,
          { domain: 'user', hint: 'tombstones: rows makes rows of them.' },
        )
      const value = isTombstone ? undefined : scanner?.row(bytes, start, end)
      const row =
        this.#metadataRows === undefined ? value : this.#metadataRows.row(value, this.#placeOf(state, offset, index))
      if (row !== undefined) this.#rows.push(row)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      this.#context.onBadRecord(error, `${state.id} offset ${offset}`, bytes.subarray(start, Math.max(start, end)))
    }
  }

  #placeOf({ topic, partition }: ReadState, offset: number, index: number): RecordPlace {
    const { bytes, metadata } = this.#columns
    const own = metadata[index]
    if (own === undefined)
      throw new MillraceError('KAFKA_METADATA_MISSING', `record ${index} of a batch has no metadata`)
    return { topic, partition, offset, bytes, metadata: own }
  }

  #nextBatch(current: CurrentChunk): boolean {
    current.index = 0
    if (current.batches.next(this.#columns)) {
      this.#scanner?.open?.(this.#columns.bytes)
      this.#preparing = this.#scanner?.prepare?.(this.#columns)
      // The poll that awaits it tells the error; when none comes any more, nobody needs it.
      this.#preparing?.catch(() => undefined)
      return true
    }
    current.state.next = Math.max(current.state.next, current.batches.nextOffset)
    this.#endIfReached(current.state)
    this.#current = undefined
    this.#read.push(current.chunk.fetched.records)
    return false
  }

  #endIfReached(state: ReadState): boolean {
    if (state.next < state.end) return false
    state.finished = true
    this.#current = undefined
    return true
  }
}

function stateOf(split: Split): ReadState {
  const { next, end = Infinity, topicId } = positionOf(split)
  return {
    ...partitionOf(split),
    id: split.id,
    next,
    end,
    topicId,
    fetchOffset: next,
    finished: split.finished || next >= end,
    paused: false,
    visibleEnd: undefined,
  }
}
