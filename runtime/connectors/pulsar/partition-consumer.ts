import type { SystemReports } from '../system-reports.ts'
import { MillraceError } from '../../model/errors.ts'
import { sleep, type Clock } from '../../ports/clock.ts'
import type { Rng } from '../../ports/rng.ts'
import { Backoff } from '../kit/backoff.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import type { PulsarClient } from './client.ts'
import type { PulsarConnection } from './connection.ts'
import { asMillraceError, isRetriable } from './errors.ts'
import { decodeEntry, encodeFrame, type Entry } from './protocol/frames.ts'
import { compareEntries, type EntryId, type SplitEnd, type SplitPosition } from './split-position.ts'
import { closeConsumer, holdBacklog, openReader, releaseBacklog, startOfReader, unsubscribe } from './subscriptions.ts'

/** So much is asked for ahead, by the size that messages had. */
const AHEAD_BYTES = 4 * 1024 * 1024
const MOST_AHEAD_MESSAGES = 10_000
/** A message is thought to take so much before one has come. */
const FIRST_MESSAGE_BYTES = 64 * 1024
/** When messages grow all at once, reading is broken off here, and taken up when the reader has caught up. */
const MOST_QUEUED_BYTES = 64 * 1024 * 1024

export interface ReceivedEntry extends EntryId, Entry {}

export interface PartitionConsumerParts {
  readonly client: PulsarClient
  /** One partition, or a single topic. */
  readonly topic: string
  /** The durable subscription that keeps the backlog. */
  readonly subscription: string
  readonly from: SplitPosition
  /** The last message of a bounded split. */
  readonly end: SplitEnd | undefined
  readonly clock: Clock
  readonly rng: Rng
  readonly reports: SystemReports
  /** Called when an entry has come, or a failure. */
  onArrival(): void
}

/**
 * Reads one partition in the background, from a position on, for as long as it takes: when the broker, the connection or
 * the ownership of the topic is lost, it begins again at the last entry that came. It ends for reasons that do not pass,
 * which `take` throws.
 */
export class PartitionConsumer {
  readonly #parts: PartitionConsumerParts
  readonly #trouble: TroubleReporter
  readonly #queue: ReceivedEntry[] = []
  #queuedBytes = 0
  #queuedMessages = 0
  /** Messages that were asked for and have not come. Brokers send whole batches, so it may be less than none. */
  #awaited = 0
  #messageBytes = FIRST_MESSAGE_BYTES
  /** The last entry that came. */
  #last: EntryId | undefined
  #serving: { readonly connection: PulsarConnection; readonly reader: number; readonly holder: number } | undefined
  #failure: MillraceError | undefined
  #isBehindEnd = false
  #isPaused = false
  #isClosed = false
  #onDrained: (() => void) | undefined
  #endServing: ((reason: Error) => void) | undefined

  constructor(parts: PartitionConsumerParts) {
    this.#parts = parts
    this.#trouble = new TroubleReporter(parts.clock, parts.reports)
  }

  /** Called once. */
  start(): void {
    void this.#run().catch((error: unknown) => {
      this.#fail(error)
    })
  }

  get hasEntry(): boolean {
    return this.#queue.length > 0 || this.#failure !== undefined
  }

  /** The split is bounded, and no entry of it is left: they are all too old, or Pulsar has deleted them. */
  get isBehindEnd(): boolean {
    return this.#isBehindEnd && this.#queue.length === 0
  }

  /** The next entry in the order of the topic. Throws what ended the reading for good, once all that came is taken. */
  take(): ReceivedEntry | undefined {
    const entry = this.#queue.shift()
    if (entry === undefined) {
      if (this.#failure !== undefined) throw this.#failure
      return undefined
    }
    this.#queuedBytes -= entry.payload.length
    this.#queuedMessages -= messagesOf(entry)
    if (this.#queue.length === 0) this.#onDrained?.()
    this.#askForMore()
    return entry
  }

  /** An entry that was taken and not read to its end, to be taken again. */
  putBack(entry: ReceivedEntry): void {
    this.#queue.unshift(entry)
    this.#queuedBytes += entry.payload.length
    this.#queuedMessages += messagesOf(entry)
  }

  /** While it is paused no more is asked for. */
  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused
    this.#askForMore()
  }

  /** A checkpoint covers everything before this entry. Lost with the connection; the next checkpoint makes up for it. */
  release(entry: EntryId): void {
    if (this.#serving !== undefined) releaseBacklog(this.#serving.connection, this.#serving.holder, entry)
  }

  /** Nothing more will be read, in no attempt. Rejects when the subscription cannot be deleted now. */
  async endSubscription(): Promise<void> {
    if (this.#serving !== undefined) await unsubscribe(this.#serving.connection, this.#serving.holder)
  }

  close(): void {
    this.#isClosed = true
    this.#queue.length = 0
    this.#onDrained?.()
    this.#endServing?.(new Error('the reader was closed'))
  }

  async #run(): Promise<void> {
    const { client, topic, clock, rng } = this.#parts
    const backoff = new Backoff()
    this.#trouble.starts()
    while (!this.#isOver()) {
      try {
        await this.#serve(backoff)
        await this.#drained()
      } catch (error) {
        if (this.#isOver()) return
        const known = asMillraceError(`reading ${topic}`, client.serviceUrl, error)
        if (!isRetriable(error)) throw known
        this.#trouble.fails(known)
        await sleep(clock, backoff.nextMs(rng))
      }
    }
  }

  #isOver(): boolean {
    return this.#isClosed || this.#failure !== undefined
  }

  /** Reads until the queue is too full. Rejects with what ended it. */
  async #serve(backoff: Backoff): Promise<void> {
    const { client, topic, subscription, clock, rng } = this.#parts
    const connection = await client.serving(topic)
    if (this.#isClosed) return
    const [reader, holder] = [client.nextId(), client.nextId()]
    const first = this.#firstEntry()
    let isFirst = true
    let end: (reason?: Error) => void = () => undefined
    const ended = new Promise<void>((resolve, reject) => {
      end = (reason) => {
        if (reason === undefined) resolve()
        else reject(reason)
      }
    })
    // it may end before anybody waits for it
    ended.catch(() => undefined)
    this.#endServing = end
    let forget: () => void = () => undefined
    try {
      await holdBacklog(connection, { topic, subscription, consumerId: holder }, 'earliest')
      this.#awaited = 0
      forget = await openReader(
        connection,
        { topic, subscription: `${subscription}-reader-${rng.id()}`, consumerId: reader },
        first ?? this.#parts.from,
        clock.now(),
        {
          onEntry: ({ ledger = -1, entry = -1 }, rest) => {
            // what follows an entry that was refused must not be read
            if (this.#isOver()) return
            try {
              const expected = isFirst ? first : undefined
              isFirst = false
              this.#receive({ ledger, entry, ...decodeEntry(rest) }, expected)
            } catch (error) {
              this.#fail(error)
            }
            if (this.#failure !== undefined || this.#queuedBytes > MOST_QUEUED_BYTES) end()
          },
          onClosed: end,
        },
      )
      if (first === undefined) await this.#lookForEnd(connection, reader)
      this.#serving = { connection, reader, holder }
      this.#trouble.works()
      backoff.reset()
      this.#askForMore()
      await ended
    } finally {
      this.#serving = undefined
      forget()
      closeConsumer(connection, reader)
      closeConsumer(connection, holder)
    }
  }

  /** Behind the last entry of a bounded split the reader would wait for what may never be published. */
  async #lookForEnd(connection: PulsarConnection, reader: number): Promise<void> {
    const { end } = this.#parts
    if (end === undefined) return
    const start = await startOfReader(connection, reader)
    if (start === undefined || compareEntries(start, end) < 0) return
    this.#isBehindEnd = true
    this.#parts.onArrival()
  }

  /** Where reading goes on inside of what was read already: that entry has to come first. */
  #firstEntry(): (SplitPosition & { kind: 'within' }) | undefined {
    const { from } = this.#parts
    if (this.#last !== undefined) return { kind: 'within', ...this.#last, done: 0 }
    return from.kind === 'within' ? from : undefined
  }

  #receive(entry: ReceivedEntry, expected: EntryId | undefined): void {
    const messages = messagesOf(entry)
    this.#awaited -= messages
    this.#messageBytes = (7 * this.#messageBytes + entry.payload.length / Math.max(1, messages)) / 8
    if (expected !== undefined && compareEntries(entry, expected) !== 0) throw this.#removed(expected, entry)
    if (this.#isKnown(entry)) {
      this.#askForMore()
      return
    }
    this.#last = { ledger: entry.ledger, entry: entry.entry }
    this.#queue.push(entry)
    this.#queuedBytes += entry.payload.length
    this.#queuedMessages += messages
    this.#parts.onArrival()
  }

  /** It came before the connection was lost, or the source begins behind it: some brokers begin with it all the same. */
  #isKnown(entry: EntryId): boolean {
    const { from } = this.#parts
    const last = this.#last ?? (from.kind === 'behind' ? from : undefined)
    return last !== undefined && compareEntries(entry, last) <= 0
  }

  #askForMore(): void {
    const { connection, reader } = this.#serving ?? {}
    if (connection === undefined || reader === undefined || this.#isPaused) return
    const ahead = Math.max(1, Math.min(MOST_AHEAD_MESSAGES, Math.floor(AHEAD_BYTES / Math.max(1, this.#messageBytes))))
    const permits = ahead - this.#awaited - this.#queuedMessages
    if (permits < ahead / 2) return
    this.#awaited += permits
    connection.send(encodeFrame({ flow: { consumerId: reader, permits } }))
  }

  async #drained(): Promise<void> {
    if (this.#isOver() || this.#queue.length === 0) return
    await new Promise<void>((resolve) => {
      this.#onDrained = resolve
    })
    this.#onDrained = undefined
  }

  #removed(expected: EntryId, found: EntryId): MillraceError {
    const { client, topic } = this.#parts
    return new MillraceError(
      'PULSAR_POSITION_REMOVED',
      `${topic} of the Pulsar at ${client.serviceUrl} no longer has entry ${expected.ledger}:${expected.entry}, where reading is to go on; the next one is ${found.ledger}:${found.entry}`,
      {
        domain: 'dependency',
        hint: 'Messages were deleted before they were read (a TTL, a backlog quota, pulsar-admin), or the topic was created again. Restore a later savepoint, or start without state.',
      },
    )
  }

  #fail(error: unknown): void {
    if (this.#isOver()) return
    const { client, topic } = this.#parts
    this.#failure = asMillraceError(`reading ${topic}`, client.serviceUrl, error)
    this.#parts.onArrival()
  }
}

function messagesOf({ metadata }: Entry): number {
  return Math.max(1, metadata.messagesInBatch ?? 1)
}
