import { MillraceError } from '../../../model/errors.ts'
import type { Connection } from '../../../ports/net.ts'
import { partitionTopic } from '../declared/topic-option.ts'
import { SERVER_ERROR } from '../errors.ts'
import { INITIAL_POSITION, LOOKUP, type Command, type MessageId } from '../protocol/commands.ts'
import { decodeEntry, encodeEntryFrame, encodeFrame, FrameReader, type Entry } from '../protocol/frames.ts'
import { compareEntries, type EntryId } from '../split-position.ts'
import type { PulsarTransport } from '../transport.ts'
import { pipe } from './pipe.ts'

const LONGEST_FRAME = 128 * 1024 * 1024
const ENTRIES_A_LEDGER = 5

interface StoredEntry extends EntryId, Entry {}

interface VirtualTopic {
  readonly entries: StoredEntry[]
  /** Durable subscriptions: the entry up to which all is acknowledged. */
  readonly cursors: Map<string, EntryId>
  /** By producer: the highest sequence id that is stored. */
  readonly stored: Map<string, number>
  readonly producers: Map<string, BrokerSession>
  nextEntry: EntryId
}

/** A mishap that meets the next message that is sent or delivered. */
export type Mishap = 'cut before' | 'cut after' | 'topic moves'

/** One broker in memory. Topics have ledgers of five entries, numbered over all topics as Pulsar does. */
export class VirtualPulsar {
  readonly topics = new Map<string, VirtualTopic>()
  readonly partitioned = new Map<string, number>()
  readonly mishaps: Mishap[] = []
  deduplicates = true
  isDown = false
  /** Takes everything and answers nothing. */
  isSilent = false
  maxMessageBytes = 5 * 1024 * 1024
  readonly sessions = new Set<BrokerSession>()
  /** The time of the broker, in ms. */
  now: () => number = () => 0
  #nextLedger = 1

  readonly transport: PulsarTransport = ({ host, port }) => {
    if (this.isDown)
      return Promise.reject(
        new MillraceError('CONNECT_FAILED', `cannot connect to ${host}:${port}`, {
          domain: 'dependency',
          retriable: true,
          cause: new Error('connection refused'),
        }),
      )
    const [client, server] = pipe()
    this.sessions.add(new BrokerSession(this, server))
    return Promise.resolve(client)
  }

  /** With 0 partitions it is a single topic. */
  createTopic(topic: string, partitions: number): void {
    this.partitioned.set(topic, partitions)
    const names =
      partitions === 0 ? [topic] : Array.from({ length: partitions }, (_, index) => partitionTopic(topic, index))
    for (const name of names) if (!this.topics.has(name)) this.topics.set(name, this.#newTopic())
  }

  deleteTopic(topic: string): void {
    this.topics.delete(topic)
    this.partitioned.delete(topic)
  }

  store(topic: string, entry: Entry): EntryId {
    const found = this.topics.get(topic)
    if (found === undefined) throw new Error(`there is no topic ${topic}`)
    const id = found.nextEntry
    found.entries.push({ ...id, ...entry })
    found.nextEntry =
      id.entry + 1 < ENTRIES_A_LEDGER
        ? { ledger: id.ledger, entry: id.entry + 1 }
        : { ledger: this.#nextLedger++, entry: 0 }
    for (const session of this.sessions) session.deliver()
    return id
  }

  /** Every connection ends. */
  cut(): void {
    for (const session of [...this.sessions]) session.end()
  }

  /** Another broker has the topics: consumers and producers are closed, connections stay. */
  moveTopics(): void {
    for (const session of [...this.sessions]) session.closeAll()
  }

  #newTopic(): VirtualTopic {
    return {
      entries: [],
      cursors: new Map(),
      stored: new Map(),
      producers: new Map(),
      nextEntry: { ledger: this.#nextLedger++, entry: 0 },
    }
  }
}

interface Consumer {
  readonly topic: string
  readonly subscription: string
  readonly isDurable: boolean
  /** The entry behind which it reads. */
  read: EntryId
  permits: number
}

const BEFORE_ALL: EntryId = { ledger: -1, entry: -1 }

class BrokerSession {
  readonly #broker: VirtualPulsar
  readonly #connection: Connection
  readonly #frames = new FrameReader(LONGEST_FRAME)
  readonly #consumers = new Map<number, Consumer>()
  readonly #producers = new Map<number, { readonly topic: string; readonly name: string }>()

  constructor(broker: VirtualPulsar, connection: Connection) {
    this.#broker = broker
    this.#connection = connection
    connection.onData((bytes) => {
      if (broker.isSilent) return
      for (const { command, rest } of this.#frames.push(bytes)) this.#handle(command, rest)
    })
    connection.onClose(() => {
      this.#forget()
    })
  }

  end(): void {
    this.#connection.destroy()
    this.#forget()
  }

  closeAll(): void {
    for (const consumerId of this.#consumers.keys()) this.#send({ closeConsumer: { consumerId, requestId: 0 } })
    for (const producerId of this.#producers.keys()) this.#send({ closeProducer: { producerId, requestId: 0 } })
    this.#forgetClients()
  }

  deliver(): void {
    for (const [consumerId, consumer] of this.#consumers) {
      const { topic } = consumer
      if (consumer.isDurable) continue
      for (const entry of this.#broker.topics.get(topic)?.entries ?? []) {
        if (consumer.permits <= 0 || !this.#consumers.has(consumerId)) break
        if (compareEntries(entry, consumer.read) <= 0) continue
        consumer.read = { ledger: entry.ledger, entry: entry.entry }
        consumer.permits -= entry.metadata.messagesInBatch ?? 1
        const { ledger } = entry
        const message = { consumerId, messageId: { ledger, entry: entry.entry } }
        this.#withMishap(() => {
          this.#connection.write(encodeEntryFrame({ message }, entry))
        })
      }
    }
  }

  #handle(command: Command, rest: Buffer): void {
    const { connect, ping, partitions, lookup, subscribe, flow, ack, seek, lastMessageId, producer, send } = command
    if (connect !== undefined) {
      const { maxMessageBytes: maxMessageSize } = this.#broker
      this.#send({ connected: { serverVersion: 'virtual', protocolVersion: 19, maxMessageSize } })
    } else if (ping !== undefined) this.#send({ pong: {} })
    else if (partitions !== undefined) {
      const { requestId, topic = '' } = partitions
      this.#send({ partitionsAnswer: { requestId, partitions: this.#broker.partitioned.get(topic) ?? 0 } })
    } else if (lookup !== undefined)
      this.#send({
        lookupAnswer: { requestId: lookup.requestId, brokerUrl: 'pulsar://virtual:6650', answer: LOOKUP.connect },
      })
    else if (subscribe !== undefined) this.#subscribe(subscribe)
    else if (flow !== undefined) {
      const consumer = this.#consumers.get(flow.consumerId ?? -1)
      if (consumer !== undefined) consumer.permits += flow.permits ?? 0
      this.deliver()
    } else if (ack !== undefined) this.#acknowledge(ack)
    else if (seek !== undefined) this.#seek(seek)
    else if (lastMessageId !== undefined) this.#lastMessage(lastMessageId)
    else if (producer !== undefined) this.#openProducer(producer)
    else if (send !== undefined) this.#store(send, rest)
    else this.#close(command)
  }

  #subscribe({ topic = '', subscription = '', consumerId = -1, ...wanted }: NonNullable<Command['subscribe']>): void {
    const { requestId, isDurable = true, startAt, startSecondsAgo, initialPosition } = wanted
    const found = this.#broker.topics.get(topic)
    if (found === undefined) {
      this.#refuse(requestId, SERVER_ERROR.topicNotFound, `Topic ${topic} does not exist`)
      return
    }
    const atEnd = initialPosition === INITIAL_POSITION.earliest ? BEFORE_ALL : (found.entries.at(-1) ?? BEFORE_ALL)
    if (isDurable && !found.cursors.has(subscription)) found.cursors.set(subscription, atEnd)
    this.#consumers.set(consumerId, {
      topic,
      subscription,
      isDurable,
      read:
        startSecondsAgo === undefined
          ? // as Pulsar 3 does: the entry itself comes again
            { ledger: startAt?.ledger ?? -1, entry: (startAt?.entry ?? -1) - 1 }
          : this.#lastBefore(found, this.#broker.now() - startSecondsAgo * 1000),
      permits: 0,
    })
    this.#send({ success: { requestId } })
  }

  #lastBefore({ entries }: VirtualTopic, time: number): EntryId {
    const found = entries.findLast(({ metadata }) => (metadata.publishTime ?? 0) < time)
    return found === undefined ? BEFORE_ALL : { ledger: found.ledger, entry: found.entry }
  }

  #acknowledge({ consumerId, messageIds = [] }: NonNullable<Command['ack']>): void {
    const { topic = '', subscription = '' } = this.#consumers.get(consumerId ?? -1) ?? {}
    const cursors = this.#broker.topics.get(topic)?.cursors
    for (const { ledger = -1, entry = -1 } of messageIds)
      if (entry < 0) throw new Error(`an acknowledgement of ${ledger}:${entry}, which is no entry`)
      else if (compareEntries({ ledger, entry }, cursors?.get(subscription) ?? BEFORE_ALL) > 0)
        cursors?.set(subscription, { ledger, entry })
  }

  #seek({ consumerId, requestId }: NonNullable<Command['seek']>): void {
    const { topic = '', subscription = '' } = this.#consumers.get(consumerId ?? -1) ?? {}
    this.#broker.topics.get(topic)?.cursors.set(subscription, BEFORE_ALL)
    this.#send({ success: { requestId } })
    for (const session of this.#broker.sessions) session.#closeConsumersOf(topic, subscription)
  }

  #closeConsumersOf(topic: string, subscription: string): void {
    for (const [consumerId, consumer] of [...this.#consumers])
      if (consumer.topic === topic && consumer.subscription === subscription) {
        this.#consumers.delete(consumerId)
        this.#send({ closeConsumer: { consumerId, requestId: 0 } })
      }
  }

  #lastMessage({ consumerId, requestId }: NonNullable<Command['lastMessageId']>): void {
    const { topic = '', read } = this.#consumers.get(consumerId ?? -1) ?? {}
    const last = this.#broker.topics.get(topic)?.entries.at(-1)
    const messageId: MessageId =
      last === undefined
        ? { ledger: -1, entry: -1 }
        : { ledger: last.ledger, entry: last.entry, batchIndex: (last.metadata.messagesInBatch ?? 0) - 1 }
    this.#send({ lastMessageIdAnswer: { messageId, requestId, read } })
  }

  #openProducer({ topic = '', producerId = -1, requestId, name = '' }: NonNullable<Command['producer']>): void {
    const found = this.#broker.topics.get(topic)
    if (found === undefined) {
      this.#refuse(requestId, SERVER_ERROR.topicNotFound, `Topic ${topic} does not exist`)
      return
    }
    const owner = found.producers.get(name)
    if (owner !== undefined && owner !== this) {
      this.#refuse(requestId, SERVER_ERROR.producerBusy, `Producer with name '${name}' is already connected`)
      return
    }
    found.producers.set(name, this)
    this.#producers.set(producerId, { topic, name })
    const lastSequenceId = this.#broker.deduplicates ? (found.stored.get(name) ?? -1) : -1
    this.#send({ producerSuccess: { requestId, name, lastSequenceId } })
  }

  #store(
    { producerId = -1, sequenceId = -1, highestSequenceId = -1 }: NonNullable<Command['send']>,
    rest: Buffer,
  ): void {
    const { topic = '', name = '' } = this.#producers.get(producerId) ?? {}
    const found = this.#broker.topics.get(topic)
    if (found === undefined) return
    this.#withMishap(() => {
      const known = this.#broker.deduplicates && sequenceId <= (found.stored.get(name) ?? -1)
      if (!known) this.#broker.store(topic, decodeEntry(rest))
      found.stored.set(name, Math.max(found.stored.get(name) ?? -1, highestSequenceId))
      return () => {
        this.#send({ sendReceipt: { producerId, sequenceId } })
      }
    })
  }

  /** `act` gives what answers. */
  #withMishap(act: () => (() => void) | void): void {
    const mishap = this.#broker.mishaps.shift()
    if (mishap === 'cut before') {
      this.end()
      return
    }
    if (mishap === 'topic moves') {
      this.#broker.moveTopics()
      return
    }
    const answer = act()
    if (mishap === 'cut after') this.end()
    else answer?.()
  }

  #close({ unsubscribe, closeConsumer, closeProducer }: Command): void {
    const requestId = unsubscribe?.requestId ?? closeConsumer?.requestId ?? closeProducer?.requestId
    const consumer = this.#consumers.get(unsubscribe?.consumerId ?? closeConsumer?.consumerId ?? -1)
    if (unsubscribe !== undefined && consumer !== undefined)
      this.#broker.topics.get(consumer.topic)?.cursors.delete(consumer.subscription)
    this.#consumers.delete(unsubscribe?.consumerId ?? closeConsumer?.consumerId ?? -1)
    if (closeProducer !== undefined) this.#forgetProducer(closeProducer.producerId ?? -1)
    this.#send({ success: { requestId } })
  }

  #forgetProducer(id: number): void {
    const producer = this.#producers.get(id)
    this.#producers.delete(id)
    if (producer !== undefined) this.#broker.topics.get(producer.topic)?.producers.delete(producer.name)
  }

  #forgetClients(): void {
    this.#consumers.clear()
    for (const id of [...this.#producers.keys()]) this.#forgetProducer(id)
  }

  #forget(): void {
    this.#broker.sessions.delete(this)
    this.#forgetClients()
  }

  #refuse(requestId: number | undefined, error: number, message: string): void {
    this.#send({ error: { requestId, error, message } })
  }

  #send(command: Omit<Command, 'type'>): void {
    this.#connection.write(encodeFrame(command))
  }
}
