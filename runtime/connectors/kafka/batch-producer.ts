import type { RowWriter } from '../../codegen/contracts.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import type { KafkaClient, ProduceAnswer, TransactionKey } from './client.ts'
import { KafkaBrokerError } from './client.ts'
import { KAFKA_ERROR, isFencedCode, isRetriableCode, kafkaErrorName } from './error-codes.ts'
import { refused } from './errors.ts'
import type { WritableCodec } from './compression.ts'
import { RecordBatchWriter } from './record-batch-writer.ts'
import type { RecordHeader } from './record-batch-writer.ts'
import { retrying, type RetryEnvironment } from '../kit/retry.ts'
import { existing } from './split-enumerator.ts'

/** A batch is sent when it has this many bytes, before compression; the broker's limit is 1 MB by default. */
const BATCH_BYTES = 256 * 1024
/** What a batch is thought to take before one has been sealed. */
const FIRST_BATCH_BYTES = 16 * 1024
/** A writer wants room for the longest form of a row. */
const SPARE_BYTES = 4 * 1024
/** How much may wait for the broker before the writer of rows has to. */
const WAITING_BYTES = 4 * 1024 * 1024
const MAX_SPARES = 16
/** After this the subtask fails and the job starts again from its checkpoint; a stop ends it at once. */
export const PATIENCE_MS = 30_000

/** Whose records are sent: an idempotent producer, within a transaction or without. */
export interface ProducerSession {
  producerId: bigint
  epoch: number
  /** Null: outside of transactions, visible at once. */
  transaction: TransactionKey | null
  /** Called before the first batch for each partition. */
  begin(partition: number): Promise<void>
}

interface SealedBatch {
  partition: number
  bytes: Buffer
  session: ProducerSession
  count: number
  buffer: Buffer
}

/**
 * Collects records into batches and sends them in order: at most one request per leader is under way, and what was
 * not answered is repeated unchanged with its sequence, so the broker drops what it already has. That keeps order and
 * counts through restarts of the broker; what a crash of this process leaves is the business of transactions.
 */
export class BatchProducer {
  readonly #client: KafkaClient
  readonly #environment: RetryEnvironment
  readonly #topic: string
  readonly #codec: WritableCodec
  readonly #openBatches = new Map<number, RecordBatchWriter>()
  readonly #sealed: SealedBatch[] = []
  /** Buffers of full batches that were acknowledged: fresh ones of that size made V8 collect everything every 40 MB. */
  readonly #spares: Buffer[] = []
  #leaders = new Map<number, number>()
  #partitions = 0
  #sequences = new Map<number, number>()
  #begun = new Set<number>()
  #session: ProducerSession | undefined
  #waitingBytes = 0
  #expectedBytes = FIRST_BATCH_BYTES
  #sending: Promise<void> | undefined
  #failure: unknown

  constructor(parts: { client: KafkaClient; environment: RetryEnvironment; topic: string; codec: WritableCodec }) {
    this.#client = parts.client
    this.#environment = parts.environment
    this.#topic = parts.topic
    this.#codec = parts.codec
  }

  get partitions(): number {
    return this.#partitions
  }

  /** Looks the topic up; throws KAFKA_TOPIC_UNKNOWN when there is none. */
  async loadTopic(): Promise<void> {
    const { topics } = await this.#client.metadata([this.#topic])
    const { partitions } = existing(topics, this.#topic, this.#client.bootstrap)
    this.#leaders = new Map(partitions.map(({ partition, leader }) => [partition, leader]))
    // Partitions added later are used from the next attempt on: a key must not move within one.
    if (this.#partitions === 0) this.#partitions = partitions.length
  }

  /** From here on records belong to `session`. Everything before must have been flushed. */
  useSession(session: ProducerSession): void {
    this.#session = session
    this.#sequences = new Map()
    this.#begun = new Set()
  }

  /** Resolves at once unless too much is waiting. Rejects with what sending earlier records failed with. */
  append(
    partition: number,
    key: Buffer | null,
    value: Buffer | null,
    timestamp: number,
    headers?: readonly RecordHeader[],
  ): Promise<void> | undefined {
    this.#throwFailure()
    let batch = this.#openBatches.get(partition)
    if (batch !== undefined && (batch.sizeBytes + (value?.length ?? 0) > BATCH_BYTES || !batch.holds(timestamp))) {
      this.#seal(partition, batch)
      batch = undefined
    }
    batch ??= this.#newBatch(partition)
    batch.append(key, value, timestamp, headers)
    return this.#waitingBytes > WAITING_BYTES ? this.#sent() : undefined
  }

  /** As append; the row becomes the value as `writer` writes it. */
  appendRow(
    partition: number,
    key: Buffer | null,
    row: Row,
    writer: RowWriter,
    timestamp: number,
  ): Promise<void> | undefined {
    this.#throwFailure()
    const batch = this.#openBatches.get(partition) ?? this.#newBatch(partition)
    if (!batch.appendRow(key, row, writer, timestamp, BATCH_BYTES)) {
      this.#seal(partition, batch)
      this.#newBatch(partition).appendRow(key, row, writer, timestamp, BATCH_BYTES)
    }
    return this.#waitingBytes > WAITING_BYTES ? this.#sent() : undefined
  }

  #newBatch(partition: number): RecordBatchWriter {
    const batch = new RecordBatchWriter(this.#expectedBytes, this.#spares.pop())
    this.#openBatches.set(partition, batch)
    return batch
  }

  /** Sends what is there without waiting for the answer. */
  push(): void {
    this.#throwFailure()
    for (const [partition, batch] of this.#openBatches) this.#seal(partition, batch)
  }

  /** Resolves when the brokers have acknowledged every record appended so far. */
  async flush(): Promise<void> {
    this.push()
    await this.#sent()
  }

  #seal(partition: number, batch: RecordBatchWriter): void {
    const session = this.#session
    if (session === undefined)
      throw new MillraceError('KAFKA_NO_SESSION', 'records were appended before a producer session began')
    this.#openBatches.delete(partition)
    this.#expectedBytes = Math.max(FIRST_BATCH_BYTES, Math.min(batch.sizeBytes, BATCH_BYTES) + SPARE_BYTES)
    const sequence = this.#sequences.get(partition) ?? 0
    // Sequences wrap to 0 behind 2^31 - 1 (kafka: DefaultRecordBatch.incrementSequence).
    this.#sequences.set(partition, (sequence + batch.count) % 2 ** 31)
    const bytes = batch.finish(
      { producerId: session.producerId, epoch: session.epoch, sequence, transactional: session.transaction !== null },
      this.#codec,
    )
    this.#sealed.push({ partition, bytes, session, count: batch.count, buffer: batch.buffer })
    this.#waitingBytes += bytes.length
    this.#sending ??= this.#drain()
  }

  async #sent(): Promise<void> {
    await this.#sending
    this.#throwFailure()
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /**
   * Sends what is sealed, and what is sealed meanwhile. Nothing may pass between its last look and `#sending`: what
   * is sealed then would stay.
   */
  async #drain(): Promise<void> {
    try {
      while (this.#sealed.length > 0) await this.#sendFirst()
    } catch (error) {
      this.#failure = error
    } finally {
      this.#sending = undefined
    }
  }

  /** One batch per partition. */
  async #sendFirst(): Promise<void> {
    const turn = this.#firstOfEachPartition()
    for (const { partition, session } of turn) {
      if (this.#begun.has(partition)) continue
      await session.begin(partition)
      this.#begun.add(partition)
    }
    const left = new Set(turn)
    await retrying(this.#environment, `writing to topic ${this.#topic}`, PATIENCE_MS, () => this.#send(left))
    for (const batch of turn) {
      this.#waitingBytes -= batch.bytes.length
      if (batch.buffer.length >= BATCH_BYTES && this.#spares.length < MAX_SPARES) this.#spares.push(batch.buffer)
    }
    const done = new Set(turn)
    this.#sealed.splice(0, this.#sealed.length, ...this.#sealed.filter((batch) => !done.has(batch)))
  }

  #firstOfEachPartition(): SealedBatch[] {
    const first = new Map<number, SealedBatch>()
    for (const batch of this.#sealed) if (!first.has(batch.partition)) first.set(batch.partition, batch)
    return [...first.values()]
  }

  /** Sends what is `left`, one request per leader, and takes out of it what arrived. Throws the worst of the rest. */
  async #send(left: Set<SealedBatch>): Promise<void> {
    const byLeader = new Map<number, SealedBatch[]>()
    for (const batch of left) {
      const leader = this.#leaders.get(batch.partition) ?? -1
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), batch])
    }
    const results = await Promise.allSettled(
      [...byLeader].map(async ([leader, batches]) => {
        if (leader < 0)
          throw new KafkaBrokerError(`a write to ${this.#topic}`, KAFKA_ERROR.LEADER_NOT_AVAILABLE, 'no leader')
        const transactionalId = batches[0]?.session.transaction?.transactionalId ?? null
        const answers = await this.#client.produce(
          leader,
          transactionalId,
          batches.map((batch) => ({ topic: this.#topic, partition: batch.partition, batch: batch.bytes })),
        )
        for (const batch of batches)
          this.#accept(
            left,
            batch,
            answers.find((answer) => answer.partition === batch.partition),
          )
      }),
    )
    const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
    if (errors.length > 0) {
      await this.loadTopic()
      throw errors.find((error) => error instanceof KafkaBrokerError && isFencedCode(error.errorCode)) ?? errors[0]
    }
  }

  #accept(left: Set<SealedBatch>, batch: SealedBatch, answer: ProduceAnswer | undefined): void {
    const errorCode = answer?.errorCode ?? KAFKA_ERROR.NETWORK_EXCEPTION
    if (errorCode === 0 || errorCode === KAFKA_ERROR.DUPLICATE_SEQUENCE_NUMBER) {
      left.delete(batch)
      return
    }
    const where = `${this.#topic}/${batch.partition}`
    if (errorCode === KAFKA_ERROR.MESSAGE_TOO_LARGE) {
      throw new MillraceError(
        'KAFKA_RECORD_TOO_LARGE',
        `the Kafka at ${this.#client.bootstrap} refused a batch of ${batch.count} records and ${batch.bytes.length} bytes for ${where}: larger than its limit`,
        {
          domain: 'user',
          hint: 'Raise max.message.bytes of the topic, or write smaller records.',
        },
      )
    }
    if (isRetriableCode(errorCode) || isFencedCode(errorCode) || errorCode === KAFKA_ERROR.UNKNOWN_TOPIC_OR_PARTITION) {
      throw new KafkaBrokerError(
        `a write to ${where}`,
        errorCode,
        `${kafkaErrorName(errorCode)}${answer?.message ? `, ${answer.message}` : ''}`,
      )
    }
    throw refused(`a write to ${where}`, this.#client.bootstrap, errorCode)
  }
}
