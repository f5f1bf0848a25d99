import { createInbox, nanos, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node'
import type { Arrived, NatsReading, StoredMessage } from '../client.ts'
import { JetStreamRefusal } from './errors.ts'

/** As many as are asked for at once. */
const PULL_MESSAGES = 1000
/** More than a message may have by default; a longer one comes alone. */
const PULL_BYTES = 4 * 1024 * 1024
/** A server says after so long that there is nothing. */
const PULL_MS = 4000
/** When it does not say so, it is gone. */
const SILENT_MS = 8000

/** Statuses of a pull that has ended as it should. */
const DONE = new Set([404, 408])

/**
 * Pulls from a consumer that acknowledges nothing. Each message says its place among those delivered: a missing one ends
 * the reading.
 */
export class PulledReading implements NatsReading {
  readonly #connection: NatsConnection
  readonly #subject: string
  readonly #onClose: () => void
  readonly #inbox: string
  readonly #subscription: Subscription
  readonly #maxBytes: number
  #arrived: StoredMessage[] = []
  #pending = 0
  #delivered = 0
  #pulls = 0
  /** Messages that the pull under way may still bring; 0: none is under way. */
  #left = 0
  #failure: Error | undefined
  #wake: (() => void) | undefined

  /** `subject` is that of the next messages of the consumer; `onClose` deletes it. */
  constructor(connection: NatsConnection, subject: string, onClose: () => void) {
    this.#connection = connection
    this.#subject = subject
    this.#onClose = onClose
    this.#maxBytes = Math.max(PULL_BYTES, 2 * (connection.info?.max_payload ?? 0))
    this.#inbox = createInbox()
    this.#subscription = connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#take(message)
        else this.#fail(error)
      },
    })
    void connection.closed().then((error) => {
      this.#fail(error instanceof Error ? error : new Error('the connection was closed'))
    })
  }

  async next(): Promise<Arrived> {
    if (this.#arrived.length === 0 && this.#failure === undefined) {
      if (this.#left === 0) this.#pull()
      await this.#arrival()
    }
    if (this.#failure !== undefined) throw this.#failure
    const messages = this.#arrived
    this.#arrived = []
    return { messages, pending: this.#pending }
  }

  close(): void {
    this.#fail(new Error('the reading was closed'))
    this.#subscription.unsubscribe()
    this.#onClose()
  }

  #pull(): void {
    this.#left = PULL_MESSAGES
    const wanted = { batch: PULL_MESSAGES, max_bytes: this.#maxBytes, expires: nanos(PULL_MS) }
    this.#connection.publish(this.#subject, JSON.stringify(wanted), { reply: `${this.#inbox}.${++this.#pulls}` })
  }

  #arrival(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#fail(new Error(`no answer to a pull in ${SILENT_MS} ms`))
      }, SILENT_MS)
      this.#wake = () => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
    })
  }

  #take(message: Msg): void {
    if (message.subject.startsWith(`${this.#inbox}.`)) this.#takeStatus(message)
    else this.#takeMessage(message)
    this.#wake?.()
  }

  #takeStatus(message: Msg): void {
    // one of an earlier pull, which was full before
    if (message.subject !== `${this.#inbox}.${this.#pulls}`) return
    const { code = 503, description = '' } = message.headers ?? {}
    if (code === 100) return
    this.#left = 0
    const isFull = code === 409 && this.#arrived.length > 0
    if (!DONE.has(code) && !isFull)
      this.#failure ??= new JetStreamRefusal(`${description} (a pull)`, code === 409 ? 503 : code, code)
  }

  #takeMessage(message: Msg): void {
    const { delivered, pending, ...place } = placeOf(message.reply ?? '')
    if (delivered !== ++this.#delivered) {
      this.#fail(new Error(`message ${this.#delivered} of a consumer is missing: ${delivered} came`))
      return
    }
    this.#left--
    this.#pending = pending
    const headers = [...(message.headers ?? [])].flatMap(([name, values]) =>
      values.map((value): [string, string] => [name, value]),
    )
    this.#arrived.push({ ...place, subject: message.subject, headers, data: message.data })
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#wake?.()
  }
}

const NANOS_A_MS = 1_000_000n

/**
 * A message names its place in the subject to acknowledge it at: `$JS.ACK.STREAM.CONSUMER.` and how often it came, its
 * sequence, its number among those delivered, its time in nanoseconds, and how many follow; newer servers may put the
 * domain and the account before the stream, and a random token behind (ADR-15).
 */
function placeOf(reply: string): { sequence: number; delivered: number; time: number; pending: number } {
  const tokens = reply.split('.')
  const [, sequence, delivered, time, pending] = tokens.slice(tokens.length === 9 ? 4 : 6)
  if (!reply.startsWith('$JS.ACK.') || sequence === undefined || delivered === undefined || time === undefined)
    throw new Error(`a message of a consumer does not name its place: ${JSON.stringify(reply)}`)
  return {
    sequence: Number(sequence),
    delivered: Number(delivered),
    time: Number(BigInt(time) / NANOS_A_MS),
    pending: Number(pending),
  }
}
