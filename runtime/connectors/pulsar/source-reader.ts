import type { RowScanner } from '../../codegen/contracts.ts'
import { RowBatch } from '../../memory/batch.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import { loadRecordCodecs } from '../kit/record-codecs.ts'
import type { ReaderContext, SourceBatch, SourceReader, Split } from '../source.ts'
import { openClient } from './access.ts'
import type { PulsarClient } from './client.ts'
import type { PulsarSourceOptions } from './declaration.ts'
import { EntryMessages } from './entry-messages.ts'
import { messageIdOf, type PulsarMetadataRows } from './metadata-rows.ts'
import { PartitionConsumer, type ReceivedEntry } from './partition-consumer.ts'
import { compareEntries, decodePosition, encodePosition, type SplitEnd, type SplitPosition } from './split-position.ts'
import { subscriptionOf } from './split-enumerator.ts'
import type { PulsarTransport } from './transport.ts'

/** Half of what the contract allows, so that barriers are not held up. */
const POLL_WAIT_MS = 50

/** A split: one partition, or a single topic. */
interface ReadState {
  readonly topic: string
  position: SplitPosition
  readonly end: SplitEnd | undefined
  finished: boolean
  paused: boolean
  consumer: PartitionConsumer | undefined
}

/** The entry that is being emitted, and the index of the next of its messages. */
interface CurrentEntry {
  readonly state: ReadState
  readonly entry: ReceivedEntry
  index: number
}

/** Reads partitions from given message ids on; they live in checkpoints only. */
export class PulsarSourceReader implements SourceReader {
  readonly #context: ReaderContext
  readonly #options: PulsarSourceOptions
  readonly #transport: PulsarTransport
  readonly #openScanner: () => Promise<RowScanner>
  readonly #metadataRows: PulsarMetadataRows | undefined
  readonly #messages: EntryMessages
  readonly #rows: Row[] = []
  #scanner: RowScanner | undefined
  #preparing: Promise<void> | undefined
  #client: PulsarClient | undefined
  #states: ReadState[] = []
  /** The split that is looked at first, so that none waits for another. */
  #turn = 0
  #current: CurrentEntry | undefined
  #onArrival: (() => void) | undefined
  #isClosed = false

  constructor(
    context: ReaderContext,
    options: PulsarSourceOptions,
    transport: PulsarTransport,
    openScanner: () => Promise<RowScanner>,
    metadataRows: PulsarMetadataRows | undefined,
  ) {
    this.#context = context
    this.#options = options
    this.#transport = transport
    this.#openScanner = openScanner
    this.#metadataRows = metadataRows
    this.#messages = new EntryMessages(metadataRows === undefined ? 'values' : 'heads too')
  }

  async open(splits: readonly Split[]): Promise<void> {
    this.#states = splits.map(stateOf)
    if (this.isFinished()) return
    await loadRecordCodecs()
    this.#scanner = await this.#openScanner()
    this.#client = await openClient(this.#transport, this.#options, this.#context.ports)
    for (const state of this.#states) this.#start(state, this.#client)
  }

  addSplits(splits: readonly Split[]): void {
    const known = new Set(this.#states.map(({ topic }) => topic))
    const added = splits.filter(({ id }) => !known.has(id)).map(stateOf)
    this.#states.push(...added)
    if (this.#client !== undefined) for (const state of added) this.#start(state, this.#client)
  }

  pauseSplits(paused: ReadonlySet<string>): void {
    for (const state of this.#states) {
      state.paused = paused.has(state.topic)
      state.consumer?.setPaused(state.paused)
    }
    const current = this.#current
    if (current?.state.paused !== true) return
    // it is decoded again, and goes on behind what was emitted
    current.state.consumer?.putBack(current.entry)
    this.#current = undefined
    this.#preparing = undefined
  }

  async poll(maxRows: number): Promise<SourceBatch | undefined> {
    if (this.#preparing !== undefined) {
      await this.#preparing
      this.#preparing = undefined
    }
    const ready = this.#nextRows(maxRows)
    if (ready !== undefined || this.#isClosed || this.isFinished()) return ready
    await this.#context.idle(this.#arrival())
    return this.#isClosed ? undefined : this.#nextRows(maxRows)
  }

  snapshot(): Split[] {
    return this.#states.map(({ topic, position, end, finished }) => ({
      id: topic,
      position: encodePosition(position, end),
      finished,
    }))
  }

  /** A reader without splits of its own is finished only when bounded: more subtasks than splits is not an end. */
  isFinished(): boolean {
    return this.#states.length === 0 ? this.#options.bounded : this.#states.every(({ finished }) => finished)
  }

  async notifyCheckpointComplete(splits: readonly Split[]): Promise<void> {
    const byTopic = new Map(this.#states.map((state) => [state.topic, state]))
    await Promise.all(
      splits.map(async (split) => {
        const consumer = byTopic.get(split.id)?.consumer
        if (consumer === undefined) return
        const { position } = decodePosition(split)
        if (split.finished) await this.#endSubscription(split.id, consumer)
        else if (position.kind === 'within') consumer.release(position)
      }),
    )
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const { consumer } of this.#states) consumer?.close()
    this.#onArrival?.()
    await this.#client?.close()
  }

  #start(state: ReadState, client: PulsarClient): void {
    if (state.finished) return
    const { ports, job, operatorId } = this.#context
    state.consumer = new PartitionConsumer({
      client,
      topic: state.topic,
      subscription: subscriptionOf(this.#options, job, operatorId),
      from: state.position,
      end: state.end,
      clock: ports.clock,
      rng: ports.rng,
      reports: this.#context,
      onArrival: () => {
        this.#onArrival?.()
      },
    })
    state.consumer.setPaused(state.paused)
    state.consumer.start()
  }

  /** Best effort: a subscription that is left keeps what is published from now on, which operators of Pulsar see. */
  async #endSubscription(topic: string, consumer: PartitionConsumer): Promise<void> {
    try {
      await consumer.endSubscription()
    } catch (error) {
      this.#context.ports.logger.warn('the subscription of a bounded source was not deleted', {
        topic,
        reason: String(error),
      })
    }
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
  #nextRows(maxRows: number): SourceBatch | undefined {
    const rows = this.#rows
    rows.length = 0
    while (this.#current !== undefined || this.#takeEntry()) {
      const current = this.#current
      if (current === undefined) break
      if (this.#preparing !== undefined) return undefined
      this.#readRows(current, maxRows)
      if (rows.length > 0) return { split: current.state.topic, batch: new RowBatch(rows) }
    }
    return undefined
  }

  #takeEntry(): boolean {
    const count = this.#states.length
    for (let step = 0; step < count; step++) {
      const state = this.#states[(this.#turn + step) % count]
      if (state === undefined || state.finished || state.paused) continue
      const entry = state.consumer?.take()
      if (entry === undefined) {
        if (state.consumer?.isBehindEnd === true) this.#finish(state)
        continue
      }
      this.#turn = (this.#turn + step + 1) % count
      this.#begin(state, entry)
      return true
    }
    return false
  }

  #begin(state: ReadState, entry: ReceivedEntry): void {
    const { position, end } = state
    if (end !== undefined && compareEntries(entry, end) > 0) {
      this.#finish(state)
      return
    }
    try {
      this.#messages.decode(entry)
    } catch (cause) {
      throw unreadable(state.topic, entry, cause)
    }
    const isEarlier = position.kind === 'since' && this.#messages.publishTime < position.time
    const isContinued = position.kind === 'within' && compareEntries(position, entry) === 0
    const index = isEarlier ? this.#messages.count : isContinued ? position.done : 0
    this.#current = { state, entry, index }
    this.#scanner?.open?.(this.#messages.bytes)
    this.#preparing = this.#scanner?.prepare?.(this.#messages)
    // the poll that awaits it tells the error; when none comes any more, nobody needs it
    this.#preparing?.catch(() => undefined)
  }

  #readRows(current: CurrentEntry, maxRows: number): void {
    const { state, entry } = current
    const { count, isGone } = this.#messages
    const last = lastIndex(state, entry, count)
    for (let scanned = 0; scanned < maxRows && current.index <= last; scanned++) {
      const index = current.index++
      state.position = { kind: 'within', ledger: entry.ledger, entry: entry.entry, done: current.index }
      if (isGone[index] === 0) this.#readRow(state.topic, entry, index)
    }
    if (current.index <= last) return
    this.#current = undefined
    if (state.end !== undefined && compareEntries(entry, state.end) >= 0) this.#finish(state)
  }

  #readRow(topic: string, { ledger, entry }: ReceivedEntry, index: number): void {
    const { bytes, valueStarts, valueEnds } = this.#messages
    const start = valueStarts[index] ?? 0
    const end = valueEnds[index] ?? 0
    const place = { topic, ledger, entry, index }
    try {
      const isTombstone = end < start
      if (isTombstone && this.#options.tombstones === 'refuse')
        throw new MillraceError('RECORD_INVALID', `${whereOf(place)}: the message has no value (a tombstone)`, {
          domain: 'user',
          hint: 'tombstones: rows makes rows of them.',
        })
      const value = isTombstone ? undefined : this.#scanner?.row(bytes, start, end)
      const row = this.#metadataRows === undefined ? value : this.#withMetadata(this.#metadataRows, value, place)
      if (row !== undefined) this.#rows.push(row)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      this.#context.onBadRecord(error, whereOf(place), bytes.subarray(start, Math.max(start, end)))
    }
  }

  #withMetadata(
    metadataRows: PulsarMetadataRows,
    value: Row | undefined,
    place: { topic: string; ledger: number; entry: number; index: number },
  ): Row {
    const { heads, publishTime } = this.#messages
    const head = heads[place.index]
    if (head === undefined) throw new MillraceError('PULSAR_HEAD_MISSING', `message ${place.index} has no head`)
    return metadataRows.row(value, { ...place, publishTime, head })
  }

  #finish(state: ReadState): void {
    state.finished = true
    this.#current = undefined
  }
}

/** The index of the last message of an entry that the split has. */
function lastIndex({ end }: ReadState, entry: ReceivedEntry, count: number): number {
  const isLast = end !== undefined && end.batchIndex >= 0 && compareEntries(entry, end) === 0
  return isLast ? Math.min(end.batchIndex, count - 1) : count - 1
}

function whereOf(place: { topic: string; ledger: number; entry: number; index: number }): string {
  return `${place.topic} message ${messageIdOf(place)}`
}

function unreadable(topic: string, { ledger, entry }: ReceivedEntry, cause: unknown): MillraceError {
  return new MillraceError('PULSAR_ENTRY_UNREADABLE', `${topic} entry ${ledger}:${entry} cannot be read`, {
    domain: 'dependency',
    cause,
    hint: 'None of its messages was read. Skip it by starting behind it: savepoints hold the position.',
  })
}

function stateOf(split: Split): ReadState {
  const { position, end } = decodePosition(split)
  return { topic: split.id, position, end, finished: split.finished, paused: false, consumer: undefined }
}
