import { retrying, type RetryEnvironment } from '../kit/retry.ts'
import type { NatsClient, NatsReading, ReadFrom, StoredMessage, StreamState } from './client.ts'
import type { StreamPosition } from './split-position.ts'
import { checkSameStream, messagesRemoved } from './stream-errors.ts'

/** Messages of a stream in their order. */
export interface Chunk {
  readonly messages: readonly StoredMessage[]
  /** The sequence to read next once these are emitted: there may be gaps, or messages of other subjects, before it. */
  readonly next: number
  /** How many more messages the stream had behind them. */
  readonly pending: number
}

/**
 * Reads one stream in the background, one chunk ahead of the reader. A lost connection, a server that was restarted and a
 * consumer that is gone are the same case: it begins a new reading behind what it has. A gap may be messages that
 * somebody deleted, or messages of other subjects, and both are right; but when the stream begins behind the place where
 * the gap does, messages were removed before they were read, and that ends the reading.
 */
export class StreamFeed {
  readonly #client: NatsClient
  readonly #stream: string
  readonly #subjects: ReadFrom['subjects']
  readonly #environment: RetryEnvironment
  readonly #onArrival: () => void
  readonly #start: StreamPosition
  #next: number
  /** The stream as it was when it was last looked at. */
  #seen: StreamState | undefined
  #reading: NatsReading | undefined
  #ready: Chunk | undefined
  #failure: Error | undefined
  #isClosed = false
  #onTaken: (() => void) | undefined

  constructor(parts: {
    client: NatsClient
    stream: string
    subjects: ReadFrom['subjects']
    from: StreamPosition
    environment: RetryEnvironment
    onArrival: () => void
  }) {
    this.#client = parts.client
    this.#stream = parts.stream
    this.#subjects = parts.subjects
    this.#start = parts.from
    this.#next = parts.from.next
    this.#environment = parts.environment
    this.#onArrival = parts.onArrival
  }

  /** Called once. Runs until `close`, or until the end of a bounded split is read. */
  start(): void {
    void this.#run().catch((error: unknown) => {
      this.#failure = error instanceof Error ? error : new Error(String(error))
      this.#onArrival()
    })
  }

  /** The next chunk, if it is there. Throws what ended the reading for good. */
  take(): Chunk | undefined {
    const chunk = this.#ready
    if (chunk === undefined && this.#failure !== undefined) throw this.#failure
    this.#ready = undefined
    this.#onTaken?.()
    return chunk
  }

  close(): void {
    this.#isClosed = true
    this.#discardReading()
    this.#onTaken?.()
  }

  async #run(): Promise<void> {
    const { end = Infinity } = this.#start
    while (!this.#isClosed && this.#next <= end) {
      const chunk = await retrying(this.#environment, `reading the stream ${this.#stream}`, Infinity, () =>
        this.#nextChunk().catch((error: unknown) => {
          this.#discardReading()
          throw error
        }),
      ).catch((error: unknown) => {
        if (this.#isClosed) return undefined
        throw error
      })
      if (chunk === undefined || chunk.next === this.#next) continue
      this.#next = chunk.next
      this.#ready = chunk
      this.#onArrival()
      await this.#taken()
    }
    this.#discardReading()
  }

  #taken(): Promise<void> {
    return new Promise((resolve) => {
      this.#onTaken = resolve
      if (this.#ready === undefined || this.#isClosed) resolve()
    })
  }

  async #nextChunk(): Promise<Chunk> {
    if (this.#reading === undefined) return this.#begin()
    const { messages, pending } = await this.#reading.next()
    const isGapless = messages.length > 0 && follow(messages, this.#next)
    if (!isGapless) await this.#checkFront()
    const next = Math.max(this.#next, (messages.at(-1)?.sequence ?? -1) + 1)
    const mayBeAtEnd = messages.length === 0 || (pending === 0 && this.#start.end !== undefined)
    return { messages, next: mayBeAtEnd ? await this.#behindGap(next) : next, pending }
  }

  /** A stream that is replaced takes its readings with it: the one that was begun before the look is of this stream. */
  async #begin(): Promise<Chunk> {
    const from = { sequence: this.#next, subjects: this.#subjects, parts: 'all' as const }
    const reading = await this.#client.read(this.#stream, from)
    this.#reading = reading
    if (this.#isClosed) reading.close()
    await this.#checkFront()
    const next = this.#start.end === undefined ? this.#next : await this.#behindGap(this.#next)
    return { messages: [], next, pending: 0 }
  }

  /** Throws when messages were removed before they were read: the stream begins behind the next one. */
  async #checkFront(): Promise<void> {
    const state = await this.#client.stream(this.#stream)
    checkSameStream(state, { ...this.#start, next: this.#next })
    if (this.#next > 0 && state.first > this.#next) throw messagesRemoved(state, this.#next)
    this.#seen = state
  }

  /**
   * The sequence behind a gap at the end of the stream, which no message tells of; `next` where there is none. The stream
   * itself is asked: a consumer may be behind it.
   */
  async #behindGap(next: number): Promise<number> {
    const { last } = this.#seen ?? { last: 0 }
    if (last < next || (await this.#client.hasMessage(this.#stream, next, this.#subjects))) return next
    await this.#checkFront()
    return last + 1
  }

  #discardReading(): void {
    this.#reading?.close()
    this.#reading = undefined
  }
}

/** Whether there is no gap, neither before the first of them (`from` 0: it is the first that there is) nor between them. */
function follow(messages: readonly StoredMessage[], from: number): boolean {
  const first = from > 0 ? from : messages[0]?.sequence
  return messages.every(({ sequence }, index) => first !== undefined && sequence === first + index)
}
