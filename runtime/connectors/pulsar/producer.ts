import type { MillraceError } from '../../model/errors.ts'
import { sleep } from '../../ports/clock.ts'
import { Backoff } from '../kit/backoff.ts'
import type { RetryEnvironment } from '../kit/retry.ts'
import type { PulsarClient } from './client.ts'
import type { PulsarConnection } from './connection.ts'
import { asMillraceError, isRetriable, unreachable } from './errors.ts'
import { entryOf, type PackedBatch } from './message-batch.ts'
import { encodeEntryFrame, encodeFrame } from './protocol/frames.ts'

/** How much may wait for receipts before the writer of rows has to. */
const WAITING_BYTES = 4 * 1024 * 1024
/** A broker takes 1 000 at a time from a connection (maxPendingPublishRequestsPerConnection). */
const WAITING_BATCHES = 500
/** After this the subtask fails and the job starts again from its checkpoint; a stop ends it at once. */
const PATIENCE_MS = 30_000

/** How often a broker that owes a receipt is looked at. */
const LOOK_MS = 1_000
/** Requests are numbered from 1: nobody waits for the answer to this one. */
const NO_REQUEST = 0

interface Waiting {
  readonly batch: PackedBatch
  readonly first: number
  readonly givenAt: number
}

/** Before any message a producer has stored this sequence id. */
const NOTHING_STORED = -1

/**
 * Writes the batches of one partition in order, under a name. What has no receipt is sent again over a new connection
 * with the sequence ids that it had, so a broker that deduplicates drops what it has stored already, and says so when
 * the producer is opened: it is not even sent then.
 */
export class Producer {
  readonly #client: PulsarClient
  readonly #topic: string
  readonly #name: string
  readonly #environment: RetryEnvironment
  /** Kept over connections: a broker takes the newest epoch of an id for the one that lives. */
  readonly #id: number
  readonly #waiting: Waiting[] = []
  #waitingBytes = 0
  #open: { readonly connection: PulsarConnection; forget(): void } | undefined
  #opening: Promise<void> | undefined
  #failure: MillraceError | undefined
  #isClosed = false
  #lastProgress = 0
  #epoch = 0
  #lastStored = NOTHING_STORED
  #onReceipt: (() => void)[] = []

  constructor(parts: { client: PulsarClient; topic: string; name: string; environment: RetryEnvironment }) {
    this.#client = parts.client
    this.#topic = parts.topic
    this.#name = parts.name
    this.#environment = parts.environment
    this.#id = parts.client.nextId()
  }

  /** The highest sequence id that the broker said it has stored under this name, of a broker that deduplicates. */
  async lastStored(): Promise<number> {
    await this.#opened()
    this.#throwFailure()
    return this.#lastStored
  }

  /** As `lastStored`, asked for again with everything sent. */
  async askLastStored(): Promise<number> {
    await this.flush()
    this.#drop()
    return this.lastStored()
  }

  /** Its messages have the sequence ids from `first` on. Resolves when there is room for more. Rejects with a failure. */
  async send(batch: PackedBatch, first: number): Promise<void> {
    this.#throwFailure()
    if (this.#waiting.length === 0) this.#lastProgress = this.#environment.clock.now()
    const waiting = { batch, first, givenAt: this.#environment.clock.now() }
    this.#waiting.push(waiting)
    this.#waitingBytes += batch.payload.length
    if (this.#open === undefined) void this.#opened()
    else this.#write(this.#open.connection, waiting)
    while (this.#waitingBytes > WAITING_BYTES || this.#waiting.length > WAITING_BATCHES) await this.#receipt()
  }

  /** Resolves when the broker has stored everything that was sent. */
  async flush(): Promise<void> {
    while (this.#waiting.length > 0) await this.#receipt()
    this.#throwFailure()
  }

  close(): void {
    this.#isClosed = true
    this.#drop()
    this.#wake()
  }

  #receipt(): Promise<void> {
    this.#throwFailure()
    return new Promise<void>((resolve) => {
      const cancel = this.#environment.clock.after(LOOK_MS, () => {
        this.#lookForProgress()
        resolve()
      })
      this.#onReceipt.push(() => {
        cancel()
        resolve()
      })
    }).then(() => {
      this.#throwFailure()
    })
  }

  /** A broker may live and store nothing. */
  #lookForProgress(): void {
    const { clock, trouble } = this.#environment
    if (this.#open === undefined) return
    const waitedMs = clock.now() - this.#lastProgress
    if (waitedMs < LOOK_MS) return
    const late = unreachable(this.#open.connection.address, new Error(`no receipt for ${waitedMs} ms`))
    trouble.isSlow(late)
    if (waitedMs > PATIENCE_MS) this.#fail(late)
  }

  #wake(): void {
    for (const resolve of this.#onReceipt.splice(0)) resolve()
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#isClosed) throw unreachable(this.#topic, new Error('the producer was closed'))
  }

  /** One try at a time, repeated while it fails for reasons that pass. */
  #opened(): Promise<void> {
    if (this.#open?.connection.isOpen === true) return Promise.resolve()
    this.#opening ??= this.#openAgain().finally(() => {
      this.#opening = undefined
      // what ended it came while it was being opened
      if (this.#open === undefined && this.#waiting.length > 0 && !this.#isOver()) void this.#opened()
    })
    return this.#opening
  }

  async #openAgain(): Promise<void> {
    const { clock, rng, trouble, signal } = this.#environment
    const backoff = new Backoff()
    const began = clock.now()
    trouble.starts()
    while (!this.#isOver()) {
      const startedAt = clock.now()
      try {
        await this.#connect()
        trouble.answered(clock.now() - startedAt)
        return
      } catch (error) {
        const known = asMillraceError(`writing to ${this.#topic}`, this.#client.serviceUrl, error)
        const isLate = clock.now() - Math.max(began, this.#lastProgress) > PATIENCE_MS
        if (!isRetriable(error) || signal.aborted || isLate) {
          this.#fail(known)
          return
        }
        trouble.fails(known)
        await sleep(clock, backoff.nextMs(rng))
      }
    }
  }

  async #connect(): Promise<void> {
    const connection = await this.#client.serving(this.#topic)
    if (this.#isOver()) return
    const id = this.#id
    const epoch = this.#epoch++
    let isLost = false
    const forget = connection.addProducer(id, {
      onReceipt: (sequenceId) => {
        this.#acknowledge(sequenceId)
      },
      onRefused: (_sequenceId, error) => {
        if (isRetriable(error)) this.#reopen(connection)
        else this.#fail(asMillraceError(`writing to ${this.#topic}`, this.#client.serviceUrl, error))
      },
      onClosed: () => {
        isLost = true
        this.#reopen(connection)
      },
    })
    try {
      const { producerSuccess } = await connection.request((requestId) => ({
        producer: { topic: this.#topic, producerId: id, requestId, name: this.#name, epoch, hasOwnName: true },
      }))
      if (isLost) throw unreachable(connection.address, new Error('the broker closed the producer'))
      this.#lastStored = producerSuccess?.lastSequenceId ?? NOTHING_STORED
    } catch (error) {
      forget()
      throw error
    }
    if (this.#isOver()) {
      forget()
      return
    }
    this.#open = { connection, forget }
    while (this.#waiting[0] !== undefined && lastOf(this.#waiting[0]) <= this.#lastStored) this.#takeFirst()
    this.#wake()
    for (const waiting of this.#waiting) this.#write(connection, waiting)
  }

  #write(connection: PulsarConnection, { batch, first }: Waiting): void {
    const send = {
      producerId: this.#id,
      sequenceId: first,
      messages: batch.messages,
      highestSequenceId: first + batch.messages - 1,
    }
    connection.send(encodeEntryFrame({ send }, entryOf(batch, this.#name, first, this.#environment.clock.now())))
  }

  /** Receipts come in the order of what was sent. */
  #acknowledge(sequenceId: number): void {
    const first = this.#waiting[0]
    if (first === undefined || sequenceId < first.first) return
    if (sequenceId > first.first) {
      this.#drop()
      void this.#opened()
      return
    }
    this.#takeFirst()
    this.#lastProgress = this.#environment.clock.now()
    this.#environment.trouble.answered(this.#lastProgress - first.givenAt)
    this.#wake()
  }

  #takeFirst(): void {
    const first = this.#waiting.shift()
    if (first !== undefined) this.#waitingBytes -= first.batch.payload.length
  }

  #reopen(connection: PulsarConnection): void {
    if (this.#open?.connection !== connection) return
    this.#drop()
    if (!this.#isOver() && this.#waiting.length > 0) void this.#opened()
  }

  /** Ends the producer at the broker; the connection stays for others. */
  #drop(): void {
    const open = this.#open
    this.#open = undefined
    if (open === undefined) return
    open.forget()
    const closeProducer = { producerId: this.#id, requestId: NO_REQUEST }
    open.connection.send(encodeFrame({ closeProducer }))
  }

  #isOver(): boolean {
    return this.#isClosed || this.#failure !== undefined
  }

  #fail(error: MillraceError): void {
    if (this.#isOver()) return
    this.#failure = error
    this.#drop()
    this.#wake()
  }
}

function lastOf({ batch, first }: Waiting): number {
  return first + batch.messages - 1
}
