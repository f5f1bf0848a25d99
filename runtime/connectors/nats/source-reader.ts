import type { RecordBounds, RowScanner } from '../../codegen/contracts.ts'
import { RowBatch } from '../../memory/batch.ts'
import type { Row } from '../../model/schema.ts'
import { RowScan } from '../kit/row-scan.ts'
import type { ReaderContext, SourceBatch, SourceReader, Split } from '../source.ts'
import { openClient, retryEnvironment } from './access.ts'
import type { NatsClient, NatsConnect, StoredMessage } from './client.ts'
import type { NatsSourceOptions } from './declaration.ts'
import type { NatsMetadataRows } from './metadata-rows.ts'
import { decodePosition, encodePosition, type StreamPosition } from './split-position.ts'
import { StreamFeed, type Chunk } from './stream-feed.ts'

/** Half of what the contract allows, so that barriers are not held up. */
const POLL_WAIT_MS = 50

/** A split: one stream. */
interface ReadState {
  readonly stream: string
  position: StreamPosition
  finished: boolean
  paused: boolean
  feed: StreamFeed | undefined
  /** The chunk that is being emitted, and the index of the next of its messages. */
  current: CurrentChunk | undefined
  /** Messages that the stream had behind the last chunk. */
  pending: number
}

interface CurrentChunk extends Chunk {
  readonly records: RecordBounds
  index: number
}

interface ReaderParts {
  readonly connect: NatsConnect
  readonly openScanner: () => Promise<RowScanner>
  readonly metadataRows: NatsMetadataRows | undefined
}

/** Reads streams from given sequences on; they live in checkpoints only. */
export class NatsSourceReader implements SourceReader {
  readonly #context: ReaderContext
  readonly #options: NatsSourceOptions
  readonly #parts: ReaderParts
  readonly #closing = new AbortController()
  #scan: { readonly scanner: RowScanner; readonly rows: RowScan } | undefined
  #client: NatsClient | undefined
  #states: ReadState[] = []
  /** The split that is looked at first, so that none waits for another. */
  #turn = 0
  /** What must be there before the records of the chunk can be read, while it is not. */
  #preparing: Promise<void> | undefined
  /** The records that the scanner has been told of. */
  #prepared: RecordBounds | undefined
  #onArrival: (() => void) | undefined

  constructor(context: ReaderContext, options: NatsSourceOptions, parts: ReaderParts) {
    this.#context = context
    this.#options = options
    this.#parts = parts
  }

  async open(splits: readonly Split[]): Promise<void> {
    this.#states = splits.map(stateOf)
    if (this.isFinished()) return
    const scanner = await this.#parts.openScanner()
    this.#scan = { scanner, rows: new RowScan(this.#context, scanner) }
    const client = openClient(this.#parts.connect, this.#options, this.#context.ports)
    this.#client = client
    for (const state of this.#states) if (!state.finished) this.#start(state, client)
  }

  pauseSplits(paused: ReadonlySet<string>): void {
    for (const state of this.#states) state.paused = paused.has(state.stream)
  }

  async poll(maxRows: number): Promise<SourceBatch | undefined> {
    await this.#preparation()
    const ready = await this.#nextRows(maxRows)
    if (ready !== undefined || this.#closing.signal.aborted || this.isFinished()) return ready
    await this.#context.idle(this.#arrival())
    return this.#closing.signal.aborted ? undefined : this.#nextRows(maxRows)
  }

  snapshot(): Split[] {
    return this.#states.map(({ stream, position, finished }) => ({
      id: stream,
      position: encodePosition(position),
      finished,
    }))
  }

  /** A reader without splits of its own is finished only when bounded: more subtasks than splits is not an end. */
  isFinished(): boolean {
    return this.#states.length === 0 ? this.#options.bounded : this.#states.every(({ finished }) => finished)
  }

  lagRecords(): number {
    return this.#states.reduce(
      (sum, { pending, current }) =>
        sum + pending + (current === undefined ? 0 : current.records.count - current.index),
      0,
    )
  }

  async close(): Promise<void> {
    this.#closing.abort()
    for (const { feed } of this.#states) feed?.close()
    this.#onArrival?.()
    await this.#client?.close()
  }

  #start(state: ReadState, client: NatsClient): void {
    state.feed = new StreamFeed({
      client,
      stream: state.stream,
      subjects: this.#options.subjects,
      from: state.position,
      environment: retryEnvironment(this.#context, this.#closing.signal),
      onArrival: () => {
        this.#onArrival?.()
      },
    })
    state.feed.start()
  }

  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      const arrived = (): void => {
        this.#onArrival = undefined
        cancel()
        resolve()
      }
      const cancel = this.#context.ports.clock.after(POLL_WAIT_MS, arrived)
      this.#onArrival = arrived
    })
  }

  /** Rows of one split from what is here already; bad messages are reported and passed over. */
  async #nextRows(maxRows: number): Promise<SourceBatch | undefined> {
    for (let step = 0; step < this.#states.length; step++) {
      const state = this.#states[(this.#turn + step) % this.#states.length]
      if (state === undefined || state.finished || state.paused) continue
      const current = this.#chunkOf(state)
      if (current === undefined) continue
      await this.#prepare(current.records)
      const rows = this.#readRows(state, current, maxRows)
      if (rows.length === 0) continue
      this.#turn = (this.#turn + step + 1) % this.#states.length
      return { split: state.stream, batch: new RowBatch(rows) }
    }
    return undefined
  }

  #chunkOf(state: ReadState): CurrentChunk | undefined {
    if (state.current !== undefined) return state.current
    const chunk = state.feed?.take()
    if (chunk === undefined) return undefined
    state.pending = chunk.pending
    if (chunk.messages.length > 0) return (state.current = { ...chunk, records: recordsOf(chunk.messages), index: 0 })
    this.#moveTo(state, chunk.next)
    return undefined
  }

  #prepare(records: RecordBounds): Promise<void> {
    if (this.#prepared === records) return Promise.resolve()
    this.#prepared = records
    this.#scan?.scanner.open?.(records.bytes)
    this.#preparing = this.#scan?.scanner.prepare?.(records)
    return this.#preparation()
  }

  async #preparation(): Promise<void> {
    await this.#preparing
    this.#preparing = undefined
  }

  #readRows(state: ReadState, current: CurrentChunk, maxRows: number): Row[] {
    const { messages, records } = current
    const { end = Infinity } = state.position
    const rows: Row[] = []
    for (let scanned = 0; scanned < maxRows && current.index < records.count; scanned++) {
      const index = current.index++
      const message = messages[index]
      if (message === undefined) continue
      if (message.sequence > end) {
        this.#moveTo(state, message.sequence)
        return rows
      }
      const row = this.#rowOf(state.stream, message, records, index)
      if (row !== undefined) rows.push(row)
      state.position = { ...state.position, next: message.sequence + 1 }
    }
    if (current.index < records.count) return rows
    state.current = undefined
    this.#moveTo(state, current.next)
    return rows
  }

  #rowOf(stream: string, message: StoredMessage, records: RecordBounds, index: number): Row | undefined {
    const { metadataRows } = this.#parts
    const finish = metadataRows && ((value: Row) => metadataRows.row(value, { stream, message }))
    return this.#scan?.rows.row(
      records.bytes,
      records.valueStarts[index] ?? 0,
      records.valueEnds[index] ?? 0,
      () => `${stream} message ${message.sequence} (${message.subject})`,
      finish,
    )
  }

  #moveTo(state: ReadState, next: number): void {
    const { end = Infinity } = state.position
    state.position = { ...state.position, next }
    if (next <= end) return
    state.finished = true
    state.current = undefined
    state.feed?.close()
  }
}

/** The data of the messages in one buffer, as scanners take records. */
function recordsOf(messages: readonly StoredMessage[]): RecordBounds {
  const bytes = Buffer.concat(messages.map(({ data }) => data))
  const valueStarts = new Int32Array(messages.length)
  const valueEnds = new Int32Array(messages.length)
  let at = 0
  for (const [index, { data }] of messages.entries()) {
    valueStarts[index] = at
    at += data.length
    valueEnds[index] = at
  }
  return { bytes, count: messages.length, valueStarts, valueEnds }
}

function stateOf(split: Split): ReadState {
  const position = decodePosition(split)
  const { finished } = split
  return { stream: split.id, position, finished, paused: false, feed: undefined, current: undefined, pending: 0 }
}
