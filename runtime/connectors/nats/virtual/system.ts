import { MillraceError } from '../../../model/errors.ts'
import {
  STREAM_UNKNOWN,
  type Arrived,
  type NatsClient,
  type NatsConnect,
  type NatsHeader,
  type NatsReading,
  type OutgoingMessage,
  type ReadFrom,
  type StoredMessage,
  type StreamState,
} from '../client.ts'
import { MESSAGE_ID } from '../stored-numbers.ts'
import { matchesSubject } from '../declared/subjects.ts'

/** A mishap that meets the next call: it does not arrive, its answer is lost, or all readings end. */
export type Mishap = 'lost before' | 'lost after' | 'readings end'

const MESSAGES_A_TURN = 7

/** One stream in memory. */
export class VirtualStream {
  readonly messages: StoredMessage[] = []
  readonly created: string
  readonly subjects: readonly string[]
  retention = 'limits'
  duplicateWindowMs = 120_000
  maxMessageBytes = -1
  last = 0
  /** Called with the number of messages that there are now. */
  onStored: ((count: number) => void) | undefined
  /** By id, the time at which it was stored. */
  readonly ids = new Map<string, number>()

  constructor(subjects: readonly string[], created: string) {
    this.subjects = subjects
    this.created = created
  }

  get first(): number {
    return this.messages[0]?.sequence ?? this.last + 1
  }

  store(subject: string, data: string | Uint8Array, { time = 0, headers = [] as readonly NatsHeader[] } = {}): void {
    this.messages.push({ sequence: ++this.last, subject, time, headers, data: Buffer.from(data) })
    this.onStored?.(this.messages.length)
  }

  /** Those up to a sequence, as limits do. */
  removeUpTo(sequence: number): void {
    this.remove((message) => message.sequence <= sequence)
  }

  remove(isRemoved: (message: StoredMessage) => boolean): void {
    this.messages.splice(0, Infinity, ...this.messages.filter((message) => !isRemoved(message)))
  }
}

/** A NATS system in memory. */
export class VirtualNats {
  readonly streams = new Map<string, VirtualStream>()
  readonly mishaps: Mishap[] = []
  isDown = false
  maxPayload = 1024 * 1024
  /** The time of the servers, in ms. */
  now: () => number = () => 0
  readonly readings = new Set<VirtualReading>()
  #created = 0

  readonly connect: NatsConnect = () => new VirtualClient(this)

  createStream(name: string, ...subjects: readonly string[]): VirtualStream {
    const stream = new VirtualStream(subjects, `2026-11-24T00:00:${String(this.#created++).padStart(2, '0')}Z`)
    this.streams.set(name, stream)
    return stream
  }

  endReadings(): void {
    for (const reading of this.readings) reading.isEnded = true
    this.readings.clear()
  }

  /** Answers unless a mishap meets the call. */
  async answer<T>(act: () => T): Promise<T> {
    await Promise.resolve()
    const mishap = this.mishaps.shift()
    if (mishap === 'readings end') this.endReadings()
    if (this.isDown || mishap === 'lost before') throw unreachable()
    const result = act()
    // the servers may go away with their answer
    if (this.isDown || mishap === 'lost after') throw unreachable()
    return result
  }

  streamOf(name: string): VirtualStream {
    const stream = this.streams.get(name)
    if (stream !== undefined) return stream
    throw new MillraceError(STREAM_UNKNOWN, `stream not found`, { domain: 'user', retriable: true })
  }
}

class VirtualClient implements NatsClient {
  readonly #nats: VirtualNats

  constructor(nats: VirtualNats) {
    this.#nats = nats
  }

  stream(name: string): Promise<StreamState> {
    return this.#nats.answer(() => {
      const stream = this.#nats.streamOf(name)
      const { created, retention, subjects, first, last, duplicateWindowMs, maxMessageBytes } = stream
      return { name, created, retention, subjects, first, last, duplicateWindowMs, maxMessageBytes }
    })
  }

  firstSince(name: string, time: number): Promise<number> {
    return this.#nats.answer(() => {
      const stream = this.#nats.streamOf(name)
      return stream.messages.find((message) => message.time >= time)?.sequence ?? stream.last + 1
    })
  }

  hasMessage(name: string, from: number, subjects: ReadFrom['subjects']): Promise<boolean> {
    return this.#nats.answer(() =>
      this.#nats.streamOf(name).messages.some((message) => message.sequence >= from && isOf(message, subjects)),
    )
  }

  read(name: string, from: ReadFrom): Promise<NatsReading> {
    return this.#nats.answer(() => {
      const reading = new VirtualReading(this.#nats, this.#nats.streamOf(name), from)
      this.#nats.readings.add(reading)
      return reading
    })
  }

  publish(name: string, { subject, headers, data }: OutgoingMessage, id: string): Promise<void> {
    return this.#nats.answer(() => {
      const stream = this.#nats.streamOf(name)
      const now = this.#nats.now()
      const known = stream.ids.get(id)
      if (known !== undefined && now - known < stream.duplicateWindowMs) return
      stream.ids.set(id, now)
      stream.store(subject, data, { time: now, headers: [...headers, [MESSAGE_ID, id]] })
    })
  }

  maxPayload(): Promise<number> {
    return this.#nats.answer(() => this.#nats.maxPayload)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

class VirtualReading implements NatsReading {
  readonly #nats: VirtualNats
  readonly #stream: VirtualStream
  readonly #from: ReadFrom
  #next: number
  isEnded = false

  constructor(nats: VirtualNats, stream: VirtualStream, from: ReadFrom) {
    this.#nats = nats
    this.#stream = stream
    this.#from = from
    this.#next = from.sequence
  }

  /** Says on the next turn that there is nothing. */
  async next(): Promise<Arrived> {
    if (this.#waiting().length === 0) await new Promise((resolve) => setImmediate(resolve))
    return this.#nats.answer(() => {
      if (this.isEnded) throw unreachable()
      const waiting = this.#waiting()
      const messages = waiting.slice(0, MESSAGES_A_TURN)
      this.#next = (messages.at(-1)?.sequence ?? this.#next - 1) + 1
      const pending = waiting.length - messages.length
      if (this.#from.parts === 'all') return { messages, pending }
      return { messages: messages.map((message) => ({ ...message, data: new Uint8Array() })), pending }
    })
  }

  #waiting(): StoredMessage[] {
    return this.#stream.messages.filter(
      (message) => message.sequence >= this.#next && isOf(message, this.#from.subjects),
    )
  }

  close(): void {
    this.isEnded = true
    this.#nats.readings.delete(this)
  }
}

function isOf({ subject }: StoredMessage, subjects: ReadFrom['subjects']): boolean {
  return subjects === undefined || subjects.some((pattern) => matchesSubject(subject, pattern))
}

function unreachable(): MillraceError {
  return new MillraceError('NATS_UNREACHABLE', 'the NATS at virtual:4222 cannot be reached', {
    domain: 'dependency',
    retriable: true,
  })
}
