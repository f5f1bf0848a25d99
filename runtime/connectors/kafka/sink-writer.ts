import type { Batch } from '../../memory/batch.ts'
import type { RowWriter } from '../../codegen/contracts.ts'
import { MillraceError } from '../../model/errors.ts'
import type { CheckpointId } from '../../model/ids.ts'
import { fieldOf, type Row } from '../../model/schema.ts'
import type { KafkaClient, KafkaConnect } from './client.ts'
import { KafkaBrokerError } from './client.ts'
import type { Committable, SinkContext, SinkWriter } from '../sink.ts'
import { loadRecordCodecs } from '../kit/record-codecs.ts'
import { BatchProducer, PATIENCE_MS } from './batch-producer.ts'
import { clientOptions } from './client-options.ts'
import { KAFKA_ERROR, isFencedCode } from './error-codes.ts'
import { asMillraceError } from './errors.ts'
import { partitionOfKey } from './murmur2.ts'
import type { KafkaSinkOptions } from './declaration.ts'
import { recordOf } from '../kit/record-of.ts'
import { retrying, type RetryEnvironment } from '../kit/retry.ts'
import { TroubleReporter } from '../kit/trouble-reporter.ts'
import { wholeText } from '../../model/whole-text.ts'
import { fieldsBesideValue, keyBytes } from '../kit/message-fields.ts'
import { kafkaRetryPolicy } from './retry-policy.ts'
import { preparedFromJson, preparedToJson, Transactions } from './transactions.ts'
import type { OpenTransaction } from './transactions.ts'

/**
 * Asks the commit of a checkpoint to fence older attempts: the first of an attempt, in every slot, and slot 0 again
 * and again.
 */
const FENCE: Committable = { fence: 'olderAttempts' }
/**
 * For so long one that is cut off from its coordinator, and had nothing open at the first fence, can hold readers
 * back.
 */
const FENCE_EVERY_MS = 60_000
/** Rows without a key go to one partition for so long, so that batches fill. */
const ROWS_PER_PARTITION = 1024

interface Opened {
  client: KafkaClient
  writer: RowWriter
  environment: RetryEnvironment
  producer: BatchProducer
  transactions: Transactions
}

/**
 * Writes rows into a topic, one record each.
 *
 * exactlyOnce: everything between two barriers is one transaction, prepared at the barrier and committed when the
 * checkpoint is complete, as the note "Kafka clients" section 4 measured it. Fencing: committables are dealt to the
 * new writers at will, so a writer that opens cannot know whether a transaction it sees open is another writer's to
 * commit. But when the first checkpoint of this attempt is complete, every writer has opened, hence committed what
 * was restored: then whatever older attempts still hold open belongs to no checkpoint and is aborted. Nothing of it
 * can become visible before: only the coordinator's word commits, and it has fenced the older attempts. A writer of an
 * older attempt that is cut off may begin another transaction later: slot 0 looks for such from time to time.
 *
 * atLeastOnce: an idempotent producer without transactions; the barrier waits for every acknowledgement.
 */
export class KafkaSinkWriter implements SinkWriter {
  readonly #context: SinkContext
  readonly #options: KafkaSinkOptions
  readonly #openWriter: () => Promise<RowWriter>
  readonly #connect: KafkaConnect
  #opened: Opened | undefined
  #client: KafkaClient | undefined
  #transaction: OpenTransaction | undefined
  #nextFenceAt = -Infinity
  #rowsInPartition = 0
  #partition: number
  /** Whether records have more than a key and a value. */
  readonly #hasFieldsBeside: boolean
  readonly #closing = new AbortController()

  constructor(
    context: SinkContext,
    options: KafkaSinkOptions,
    openWriter: () => Promise<RowWriter>,
    connect: KafkaConnect,
  ) {
    this.#context = context
    this.#options = options
    this.#openWriter = openWriter
    this.#connect = connect
    this.#partition = context.slot
    this.#hasFieldsBeside = fieldsBesideValue(options).size > 0
  }

  async open(recovered: readonly Committable[]): Promise<void> {
    const { ports, jobUid, predecessors, operatorId, slot, attempt } = this.#context
    const { brokers, security, topic, transactionTimeoutMs, compression } = this.#options
    await loadRecordCodecs()
    const client = this.#connect(await clientOptions(brokers, security, `millrace-${operatorId}-${slot}`, ports))
    this.#client = client
    const trouble = new TroubleReporter(ports.clock, this.#context)
    const signal = AbortSignal.any([this.#context.stopping, this.#closing.signal])
    const environment: RetryEnvironment = {
      clock: ports.clock,
      rng: ports.rng,
      trouble,
      policy: kafkaRetryPolicy(client.bootstrap),
      signal,
    }
    const producer = new BatchProducer({ client, environment, topic, codec: compression })
    const transactions = new Transactions({
      client,
      environment,
      jobUid,
      predecessors,
      operatorId,
      slot,
      attempt,
      topic,
      timeoutMs: transactionTimeoutMs,
    })
    this.#opened = { client, writer: await this.#openWriter(), environment, producer, transactions }
    await this.#guard('opening the sink', async () => {
      await this.#ensureTopic(client, environment)
      await retrying(environment, `looking up topic ${topic}`, PATIENCE_MS, () => producer.loadTopic())
      await this.commit(recovered.filter((committable) => !isFence(committable)))
      if (this.#options.delivery === 'atLeastOnce') await this.#beginIdempotent()
    })
  }

  async write(batch: Batch): Promise<void> {
    const { count } = batch
    const rows = batch.rows()
    const { producer, writer } = this.#open()
    await this.#guard('writing', async () => {
      if (this.#options.delivery === 'exactlyOnce' && this.#transaction === undefined && count > 0)
        await this.#beginTransaction()
      const now = this.#context.ports.clock.now()
      for (let i = 0; i < count; i++) {
        const row = rows[i]
        if (row === undefined) continue
        const key = this.#options.key === undefined ? null : keyBytes(row[this.#options.key])
        const partition = this.#choosePartition(row, key, producer.partitions)
        const waiting = this.#hasFieldsBeside
          ? this.#appendWithFields(partition, key, row, now)
          : producer.appendRow(partition, key, row, writer, now)
        if (waiting !== undefined) await waiting
      }
      // Outside of transactions readers wait for these records; within one nobody sees them before the barrier.
      if (this.#options.delivery === 'atLeastOnce') producer.push()
    })
  }

  async prepareCommit(checkpoint: CheckpointId): Promise<Committable[]> {
    const { producer, transactions } = this.#open()
    return this.#guard('preparing a commit', async () => {
      await producer.flush()
      const committables: Committable[] = []
      if (this.#options.delivery === 'exactlyOnce' && this.#isFenceDue()) committables.push(FENCE)
      const transaction = this.#transaction
      if (transaction === undefined) return committables
      const prepared = await transactions.prepare(transaction, checkpoint)
      this.#transaction = undefined
      return [...committables, preparedToJson(prepared)]
    })
  }

  async commit(committables: readonly Committable[]): Promise<void> {
    const { transactions } = this.#open()
    await this.#guard('committing', async () => {
      for (const committable of committables)
        if (!isFence(committable)) await transactions.commit(preparedFromJson(committable, this.#context))
      if (!committables.some(isFence)) return
      const fenced = await transactions.fenceOlderAttempts()
      if (fenced.length > 0)
        this.#context.ports.logger.info('aborted transactions of older attempts', {
          operator: this.#context.operatorId,
          transactions: fenced,
        })
    })
  }

  /** What was not prepared is aborted, so that readers do not wait for the timeout; best effort. */
  async close(): Promise<void> {
    this.#closing.abort()
    const transaction = this.#transaction
    this.#transaction = undefined
    if (transaction !== undefined && this.#opened !== undefined) {
      await this.#opened.transactions.abort(transaction).catch((error: unknown) => {
        this.#context.ports.logger.debug('open transaction left to its timeout', {
          transaction: transaction.transactionalId,
          reason: String(error),
        })
      })
    }
    await this.#client?.close()
  }

  #isFenceDue(): boolean {
    const now = this.#context.ports.clock.now()
    if (now < this.#nextFenceAt) return false
    this.#nextFenceAt = this.#context.slot === 0 ? now + FENCE_EVERY_MS : Infinity
    return true
  }

  async #ensureTopic(client: KafkaClient, environment: RetryEnvironment): Promise<void> {
    const { topic, createTopic } = this.#options
    if (createTopic === undefined) return
    try {
      const { topics } = await retrying(environment, `looking up topic ${topic}`, PATIENCE_MS, () =>
        client.metadata([topic]),
      )
      if (topics.some((candidate) => candidate.name === topic && candidate.errorCode === 0)) return
      await retrying(environment, `creating topic ${topic}`, PATIENCE_MS, () =>
        client.createTopic(topic, createTopic.partitions, createTopic.replication),
      )
    } catch (error) {
      // Another slot was first.
      if (!(error instanceof KafkaBrokerError) || error.errorCode !== KAFKA_ERROR.TOPIC_ALREADY_EXISTS) throw error
    }
  }

  async #beginTransaction(): Promise<void> {
    const { producer, transactions } = this.#open()
    const transaction = await transactions.begin()
    this.#transaction = transaction
    producer.useSession({
      producerId: transaction.producerId,
      epoch: transaction.epoch,
      transaction,
      begin: (partition) => transactions.addPartition(transaction, partition),
    })
  }

  async #beginIdempotent(): Promise<void> {
    const { client, environment, producer } = this.#open()
    const { producerId, epoch } = await retrying(environment, 'asking for a producer id', PATIENCE_MS, () =>
      client.initProducerId(null, 0),
    )
    producer.useSession({ producerId, epoch, transaction: null, begin: () => Promise.resolve() })
  }

  /** Slower than appendRow, which writes the value straight into the batch. */
  #appendWithFields(partition: number, key: Buffer | null, row: Row, now: number): Promise<void> | undefined {
    const { producer, writer } = this.#open()
    const { headers, timestamp, tombstone } = this.#options
    const time = timestamp === undefined ? now : Number(row[timestamp] ?? now)
    if (time < 0)
      throw new MillraceError('VALUE_INVALID', `${timestamp} is ${time}: Kafka takes no time of a record before 1970`, {
        domain: 'user',
      })
    const value = tombstone !== undefined && row[tombstone] === true ? null : recordOf(writer, row)
    if (value === null && key === null)
      throw new MillraceError('VALUE_INVALID', `a tombstone for topic ${this.#options.topic} has no key`, {
        domain: 'user',
      })
    const own = Object.entries(headers).flatMap(([name, field]) => {
      const text = this.#headerBytes(row, field)
      return text === null ? [] : [{ name: Buffer.from(name), value: text }]
    })
    return producer.append(partition, key, value, time, own)
  }

  #headerBytes(row: Row, name: string): Buffer | null {
    const value = row[name]
    if (value === null || value === undefined) return null
    const field = fieldOf(this.#context.schema, name)
    const text = String(value)
    return field?.logical?.kind === 'bytes' ? Buffer.from(text, 'latin1') : Buffer.from(wholeText(text))
  }

  #choosePartition(row: Row, key: Buffer | null, partitions: number): number {
    const { partitionBy } = this.#options
    const by = partitionBy === undefined ? key : keyBytes(row[partitionBy])
    if (by !== null) return partitionOfKey(by, partitions)
    if (this.#rowsInPartition++ === ROWS_PER_PARTITION) {
      this.#rowsInPartition = 1
      this.#partition++
    }
    return this.#partition % partitions
  }

  #open(): Opened {
    if (this.#opened === undefined)
      throw new MillraceError('KAFKA_SINK_NOT_OPEN', `the Kafka sink ${this.#context.operatorId} was used before open`)
    return this.#opened
  }

  /** Every error that leaves the writer is a MillraceError; being fenced says so. */
  async #guard<T>(what: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (error) {
      const { topic, transactionTimeoutMs } = this.#options
      const bootstrap = this.#client?.bootstrap ?? ''
      if (error instanceof KafkaBrokerError && isFencedCode(error.errorCode)) {
        throw new MillraceError(
          'KAFKA_PRODUCER_FENCED',
          `${what} to topic ${topic} of the Kafka at ${bootstrap}: slot ${this.#context.slot} of attempt ${this.#context.attempt} was fenced by a newer attempt, or its transaction was open for longer than transactionTimeout (${transactionTimeoutMs} ms)`,
          {
            domain: 'platform',
            retriable: true,
            cause: error,
            hint: 'A transaction lasts from one checkpoint to the end of the next: transactionTimeout must be several times checkpoints.interval.',
          },
        )
      }
      throw asMillraceError(`${what} to topic ${topic}`, bootstrap, error)
    }
  }
}

function isFence(committable: Committable): boolean {
  return typeof committable === 'object' && committable !== null && 'fence' in committable
}
