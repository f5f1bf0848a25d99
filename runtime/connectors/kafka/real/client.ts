import type * as PlatformaticKafka from '@platformatic/kafka'
import type { Connection, deleteRecordsV2, metadataV12, listOffsetsV7 } from '@platformatic/kafka'
import { MillraceError } from '../../../model/errors.ts'
import { KafkaBrokerError } from '../client.ts'
import type {
  FetchRequest,
  FetchedPartition,
  GroupOffset,
  Isolation,
  KafkaClient,
  KafkaClientOptions,
  KafkaMetadata,
  OffsetAnswer,
  OffsetQuery,
  ProduceAnswer,
  ProduceBatch,
  TopicPartition,
  TransactionKey,
} from '../client.ts'
import { KafkaConnection } from './connection.ts'
import { KafkaFrameBuffers } from './frame-buffers.ts'

type Platformatic = typeof PlatformaticKafka
type MetadataResponse = ReturnType<typeof metadataV12.parseResponse>
type DeleteRecordsResponse = ReturnType<typeof deleteRecordsV2.parseResponse>
type ListOffsetsResponse = ReturnType<typeof listOffsetsV7.parseResponse>
type Purpose = 'fetch' | 'produce' | 'control'
type CoordinatorType = 'group' | 'transaction'

const COORDINATOR_KEY_TYPE = { group: 0, transaction: 1 } as const
const CREATE_TOPIC_TIMEOUT_MS = 4000
const DELETE_RECORDS_TIMEOUT_MS = 4000
/** How long a leader waits for its followers; below the time limit of the request. */
const PRODUCE_TIMEOUT_MS = 4000
const COORDINATOR_MOVED: ReadonlySet<number> = new Set([15, 16])
const NO_MEMBER = ''

/** Connects to a Kafka cluster, 2.8 or later. Nothing is opened before the first call. */
export function connectKafka(options: KafkaClientOptions): KafkaClient {
  return new RealKafkaClient(options)
}

/**
 * Requests of a connection are answered in turn, so fetches, writes and the rest have connections of their own: a
 * fetch that waits for data must not hold up a commit.
 */
class RealKafkaClient implements KafkaClient {
  readonly bootstrap: string
  readonly #options: KafkaClientOptions
  readonly #connections = new Map<string, KafkaConnection>()
  readonly #coordinators = new Map<string, string>()
  readonly #buffers = new KafkaFrameBuffers()
  #brokers: ReadonlyMap<number, string> = new Map()
  /** Where the last lookup worked: tried first. */
  #entry = 0

  constructor(options: KafkaClientOptions) {
    this.#options = options
    this.bootstrap = options.brokers.join(',')
  }

  async metadata(topics: readonly string[] | 'all'): Promise<KafkaMetadata> {
    const response = await this.#atAnyBroker('Metadata', async (connection, { metadataV12 }) => {
      // The codec throws when a topic or partition has an error; here that is part of the answer.
      return metadataV12.api
        .async(connection, topics === 'all' ? null : [...topics], false, false)
        .catch((error: unknown) => answerInside<MetadataResponse>(error))
    })
    this.#brokers = new Map(response.brokers.map(({ nodeId, host, port }) => [nodeId, addressOf(host, port)]))
    return {
      brokers: response.brokers.map(({ nodeId, host, port }) => ({ id: nodeId, host, port })),
      topics: response.topics.map(({ name, topicId, errorCode, partitions }) => ({
        name: name ?? '',
        id: errorCode === 0 ? topicId : undefined,
        errorCode,
        partitions: partitions
          .map((partition) => ({
            partition: partition.partitionIndex,
            leader: partition.leaderId,
            errorCode: partition.errorCode,
          }))
          .sort((a, b) => a.partition - b.partition),
      })),
    }
  }

  async listOffsets(broker: number, isolation: Isolation, asked: readonly OffsetQuery[]): Promise<OffsetAnswer[]> {
    const topics = [...new Set(asked.map(({ topic }) => topic))].map((name) => ({
      name,
      partitions: asked
        .filter(({ topic }) => topic === name)
        .map(({ partition, timestamp }) => ({
          partitionIndex: partition,
          currentLeaderEpoch: -1,
          timestamp: BigInt(timestamp),
        })),
    }))
    const response = await (await this.#broker(broker, 'control')).call(
      'ListOffsets',
      (connection, { listOffsetsV7 }) =>
        listOffsetsV7.api
          .async(connection, -1, isolation === 'read_committed' ? 1 : 0, topics)
          .catch((error: unknown) => answerInside<ListOffsetsResponse>(error)),
    )
    return response.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, errorCode, offset }) => ({
        topic: name,
        partition: partitionIndex,
        errorCode,
        offset: Number(offset),
      })),
    )
  }

  async fetch(broker: number, request: FetchRequest): Promise<FetchedPartition[]> {
    const frames = await import('./frames.ts')
    const body = await (await this.#broker(broker, 'fetch')).callRecords(
      'Fetch',
      frames.FETCH,
      frames.fetchRequest(request),
    )
    const { errorCode, partitions } = frames.readFetchResponse(body)
    if (errorCode !== 0) throw new KafkaBrokerError('Fetch', errorCode, `error ${errorCode}`)
    this.#buffers.holds(partitions.map(({ records }) => records).filter(({ length }) => length > 0))
    return partitions
  }

  recycle(records: Buffer): void {
    this.#buffers.give(records)
  }

  async produce(
    broker: number,
    transactionalId: string | null,
    batches: readonly ProduceBatch[],
  ): Promise<ProduceAnswer[]> {
    const frames = await import('./frames.ts')
    const body = await (await this.#broker(broker, 'produce')).callRecords(
      'Produce',
      frames.PRODUCE,
      frames.produceRequest(transactionalId, PRODUCE_TIMEOUT_MS, batches),
    )
    return frames.readProduceResponse(body)
  }

  async initProducerId(
    transactionalId: string | null,
    transactionTimeoutMs: number,
  ): Promise<{ producerId: bigint; epoch: number }> {
    // -1 and -1 ask for whatever comes next; 0 and 0, the library's defaults, fence the caller itself.
    const ask = (connection: Connection, { initProducerIdV4 }: Platformatic) =>
      initProducerIdV4.api.async(connection, transactionalId, transactionTimeoutMs, -1n, -1)
    const response =
      transactionalId === null
        ? await this.#atAnyBroker('InitProducerId', ask)
        : await this.#atCoordinator('transaction', transactionalId, 'InitProducerId', ask)
    return { producerId: response.producerId, epoch: response.producerEpoch }
  }

  async addPartitions(transaction: TransactionKey, partitions: readonly TopicPartition[]): Promise<void> {
    const { transactionalId, producerId, epoch } = transaction
    const topics = [...new Set(partitions.map(({ topic }) => topic))].map((name) => ({
      name,
      partitions: partitions.filter(({ topic }) => topic === name).map(({ partition }) => partition),
    }))
    await this.#atCoordinator(
      'transaction',
      transactionalId,
      'AddPartitionsToTxn',
      (connection, { addPartitionsToTxnV3 }) =>
        addPartitionsToTxnV3.api.async(connection, [
          { transactionalId, producerId, producerEpoch: epoch, verifyOnly: false, topics },
        ]),
    )
  }

  async addOffset(transaction: TransactionKey, group: string, mark: GroupOffset): Promise<void> {
    const { transactionalId, producerId, epoch } = transaction
    await this.#atCoordinator('transaction', transactionalId, 'AddOffsetsToTxn', (connection, { addOffsetsToTxnV3 }) =>
      addOffsetsToTxnV3.api.async(connection, transactionalId, producerId, epoch, group),
    )
    const topics = [
      {
        name: mark.topic,
        partitions: [
          {
            partitionIndex: mark.partition,
            committedOffset: BigInt(mark.offset),
            committedLeaderEpoch: -1,
            committedMetadata: mark.metadata,
          },
        ],
      },
    ]
    await this.#atCoordinator('group', group, 'TxnOffsetCommit', (connection, { txnOffsetCommitV3 }) =>
      txnOffsetCommitV3.api.async(connection, transactionalId, group, producerId, epoch, -1, NO_MEMBER, null, topics),
    )
  }

  async endTransaction(transaction: TransactionKey, outcome: 'commit' | 'abort'): Promise<void> {
    const { transactionalId, producerId, epoch } = transaction
    // Version 4, not 5: from 5 on the broker moves the epoch with every end, and a stored epoch would be of no use.
    await this.#atCoordinator('transaction', transactionalId, 'EndTxn', (connection, { endTxnV4 }) =>
      endTxnV4.api.async(connection, transactionalId, producerId, epoch, outcome === 'commit'),
    )
  }

  async groupOffset(group: string, at: TopicPartition): Promise<number | undefined> {
    const response = await this.#atCoordinator('group', group, 'OffsetFetch', (connection, { offsetFetchV8 }) =>
      offsetFetchV8.api.async(
        connection,
        [{ groupId: group, memberEpoch: -1, topics: [{ name: at.topic, partitionIndexes: [at.partition] }] }],
        false,
      ),
    )
    const offset = Number(response.groups[0]?.topics[0]?.partitions[0]?.committedOffset ?? -1n)
    return offset < 0 ? undefined : offset
  }

  async listTransactions(): Promise<{ transactionalId: string; state: string }[]> {
    const { brokers } = await this.metadata([])
    const lists = await Promise.all(
      brokers.map(async ({ id }) =>
        (await this.#broker(id, 'control')).call('ListTransactions', (connection, { listTransactionsV0 }) =>
          listTransactionsV0.api.async(connection, [], [], -1n, null),
        ),
      ),
    )
    return lists.flatMap(({ transactionStates }) =>
      transactionStates.map(({ transactionalId, transactionState }) => ({ transactionalId, state: transactionState })),
    )
  }

  async createTopic(topic: string, partitions: number, replication: number): Promise<void> {
    await this.#atAnyBroker('CreateTopics', (connection, { createTopicsV7 }) =>
      createTopicsV7.api.async(
        connection,
        [{ name: topic, numPartitions: partitions, replicationFactor: replication, assignments: [], configs: [] }],
        CREATE_TOPIC_TIMEOUT_MS,
        false,
      ),
    )
  }

  async deleteRecords(
    broker: number,
    before: readonly (TopicPartition & { offset: number })[],
  ): Promise<(TopicPartition & { errorCode: number })[]> {
    const topics = [...Map.groupBy(before, ({ topic }) => topic)].map(([name, partitions]) => ({
      name,
      partitions: partitions.map(({ partition, offset }) => ({ partitionIndex: partition, offset: BigInt(offset) })),
    }))
    const response = await (await this.#broker(broker, 'control')).call(
      'DeleteRecords',
      (connection, { deleteRecordsV2 }) =>
        deleteRecordsV2.api
          .async(connection, topics, DELETE_RECORDS_TIMEOUT_MS)
          .catch((error: unknown) => answerInside<DeleteRecordsResponse>(error)),
    )
    return response.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, errorCode }) => ({ topic: name, partition: partitionIndex, errorCode })),
    )
  }

  async close(): Promise<void> {
    await Promise.all([...this.#connections.values()].map((connection) => connection.close()))
  }

  async #broker(id: number, purpose: Purpose): Promise<KafkaConnection> {
    if (!this.#brokers.has(id)) await this.metadata([])
    const address = this.#brokers.get(id)
    if (address === undefined) {
      throw new MillraceError(
        'KAFKA_UNREACHABLE',
        `the Kafka at ${this.bootstrap} does not list its broker ${id} now`,
        { domain: 'dependency', retriable: true },
      )
    }
    return this.#connection(address, purpose)
  }

  #connection(address: string, purpose: Purpose): KafkaConnection {
    const key = `${purpose} ${address}`
    let connection = this.#connections.get(key)
    if (connection === undefined) {
      const colon = address.lastIndexOf(':')
      connection = new KafkaConnection(
        address.slice(0, colon).replace(/^\[|\]$/g, ''),
        Number(address.slice(colon + 1)),
        this.#options,
        this.#buffers,
      )
      this.#connections.set(key, connection)
    }
    return connection
  }

  /** The bootstrap addresses in turn, then brokers heard of since. The error names the bootstrap addresses. */
  async #atAnyBroker<T>(
    name: string,
    request: (connection: Connection, platformatic: Platformatic) => Promise<T>,
  ): Promise<T> {
    const addresses = [...new Set([...this.#options.brokers, ...this.#brokers.values()])]
    let last: unknown
    let refused: MillraceError | undefined
    for (let i = 0; i < addresses.length; i++) {
      const index = (this.#entry + i) % addresses.length
      try {
        const result = await this.#connection(addresses[index] ?? '', 'control').call(name, request)
        this.#entry = index
        return result
      } catch (error) {
        if (!(error instanceof MillraceError)) throw error
        last = error
        refused ??= error.code === 'KAFKA_AUTHENTICATION' || error.domain === 'user' ? error : undefined
      }
    }
    // that is also what the brokers would say that are away now
    if (refused !== undefined) throw refused
    if (addresses.length === 1) throw last
    throw new MillraceError('KAFKA_UNREACHABLE', `cannot reach any broker of the Kafka at ${this.bootstrap}`, {
      domain: 'dependency',
      retriable: true,
      cause: last,
    })
  }

  async #atCoordinator<T>(
    type: CoordinatorType,
    key: string,
    name: string,
    request: (connection: Connection, platformatic: Platformatic) => Promise<T>,
  ): Promise<T> {
    const cacheKey = `${type} ${key}`
    const address = this.#coordinators.get(cacheKey) ?? (await this.#findCoordinator(type, key))
    this.#coordinators.set(cacheKey, address)
    try {
      return await this.#connection(address, 'control').call(name, request)
    } catch (error) {
      if (
        error instanceof MillraceError ||
        (error instanceof KafkaBrokerError && COORDINATOR_MOVED.has(error.errorCode))
      )
        this.#coordinators.delete(cacheKey)
      throw error
    }
  }

  async #findCoordinator(type: CoordinatorType, key: string): Promise<string> {
    const { coordinators } = await this.#atAnyBroker('FindCoordinator', (connection, { findCoordinatorV4 }) =>
      findCoordinatorV4.api.async(connection, COORDINATOR_KEY_TYPE[type], [key]),
    )
    const [coordinator] = coordinators
    if (coordinator === undefined) throw new KafkaBrokerError('FindCoordinator', 15, 'no coordinator')
    return addressOf(coordinator.host, coordinator.port)
  }
}

function addressOf(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** What a codec had read before it threw over an error code inside of it; anything else is thrown on. */
function answerInside<T>(error: unknown): T {
  if (error instanceof Error && 'response' in error && error.response !== undefined) return error.response as T
  throw error
}
