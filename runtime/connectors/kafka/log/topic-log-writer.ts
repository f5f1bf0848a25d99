import { MillraceError } from '../../../model/errors.ts'
import { bytesOf, GroupCommit } from '../../kit/write-ahead-log/group-commit.ts'
import { entryBytes, type LogEntry } from '../../kit/write-ahead-log/log-frame.ts'
import { retrying, type RetryEnvironment } from '../../kit/retry.ts'
import { BatchProducer, PATIENCE_MS } from '../batch-producer.ts'
import type { KafkaClient } from '../client.ts'
import type { KafkaLogTopic } from '../declaration.ts'
import { asMillraceError } from '../errors.ts'
import type { RecordHeader } from '../record-batch-writer.ts'

/** The header of a record that holds the metadata of its entry. */
export const RECEIVED_HEADER = 'millrace.received'

/** Appends entries to the topic: each is the value of a record, and kept once the broker says that all replicas have it. */
export class TopicLogWriter {
  readonly #client: KafkaClient
  readonly #environment: RetryEnvironment
  readonly #topic: KafkaLogTopic
  readonly #slot: number
  readonly #group = new GroupCommit((entries) => this.#commit(entries))
  /** Made anew after a failure: the broker counts the records of a producer, and one of them is missing then. */
  #producer: BatchProducer | undefined
  #end: MillraceError | undefined

  /** Slots write to partitions of their own as far as there are as many. */
  constructor(client: KafkaClient, environment: RetryEnvironment, topic: KafkaLogTopic, slot: number) {
    this.#client = client
    this.#environment = environment
    this.#topic = topic
    this.#slot = slot
  }

  /** As Intake.append; 'full' while too much waits for the broker. */
  append(entries: readonly LogEntry[]): Promise<'kept' | 'full'> {
    if (this.#end !== undefined) return Promise.reject(this.#end)
    const largest = entries.findIndex((entry) => entryBytes(entry) > this.#topic.maxRecordBytes)
    if (largest >= 0) return Promise.reject(tooLarge(largest, entries[largest], this.#topic))
    if (this.#group.waitingBytes + bytesOf(entries) > this.#topic.maxBytes) return Promise.resolve('full')
    return this.#group.add(entries)
  }

  /** Refuses what waits to be written. The client stays open. */
  async close(): Promise<void> {
    this.#end ??= new MillraceError('LOG_CLOSED', 'the source is closed', { domain: 'platform', retriable: true })
    await this.#group.settled()
  }

  async #commit(entries: readonly LogEntry[]): Promise<void> {
    if (this.#end !== undefined) throw this.#end
    try {
      const producer = (this.#producer ??= await this.#open())
      const partition = this.#slot % producer.partitions
      const now = this.#environment.clock.now()
      for (const { value, metadata } of entries)
        await producer.append(partition, null, Buffer.from(value), now, headersOf(metadata))
      await producer.flush()
    } catch (error) {
      this.#producer = undefined
      throw unwritable(this.#topic.topic, this.#client.bootstrap, error)
    }
  }

  async #open(): Promise<BatchProducer> {
    const { topic } = this.#topic
    const producer = new BatchProducer({ client: this.#client, environment: this.#environment, topic, codec: 'none' })
    await retrying(this.#environment, `looking up topic ${topic}`, PATIENCE_MS, () => producer.loadTopic())
    const { producerId, epoch } = await retrying(this.#environment, 'asking for a producer id', PATIENCE_MS, () =>
      this.#client.initProducerId(null, 0),
    )
    producer.useSession({ producerId, epoch, transaction: null, begin: () => Promise.resolve() })
    return producer
  }
}

function headersOf(metadata: string): readonly RecordHeader[] {
  return metadata === '' ? [] : [{ name: Buffer.from(RECEIVED_HEADER), value: Buffer.from(metadata) }]
}

function tooLarge(index: number, entry: LogEntry | undefined, { topic, maxRecordBytes }: KafkaLogTopic): MillraceError {
  return new MillraceError(
    'RECORD_TOO_LARGE',
    `record ${index} has ${entry === undefined ? 0 : entryBytes(entry)} bytes; the log in topic ${topic} takes ${maxRecordBytes}`,
    { domain: 'user', hint: 'raise max.message.bytes of the topic and log.kafka.maxRecordBytes' },
  )
}

function unwritable(topic: string, bootstrap: string, cause: unknown): MillraceError {
  return new MillraceError('LOG_UNWRITABLE', `cannot write the log in topic ${topic} of the Kafka at ${bootstrap}`, {
    domain: 'dependency',
    retriable: true,
    cause: asMillraceError(`writing to topic ${topic}`, bootstrap, cause),
    hint: 'senders are asked to send again',
  })
}
