import { crc32c as checksum } from '@node-rs/crc32'
import { MillraceError } from '../../../model/errors.ts'
import { EARLIEST, KafkaBrokerError, LATEST } from '../client.ts'
import type {
  AbortedTransaction,
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

const ERROR = {
  OUT_OF_RANGE: 1,
  UNKNOWN_TOPIC: 3,
  NOT_LEADER: 6,
  TOPIC_EXISTS: 36,
  OUT_OF_ORDER: 45,
  DUPLICATE: 46,
  BAD_EPOCH: 47,
  BAD_STATE: 48,
  NO_SUCH_ID: 49,
  FENCED: 90,
} as const
const CONTROL_BATCH_BYTES = 61 + 11

interface Partition {
  leader: number
  /** Stored batches with their base offsets written in, as a broker does. */
  batches: { base: number; end: number; bytes: Buffer; producerId: bigint; control: boolean }[]
  end: number
  start: number
  aborted: (AbortedTransaction & { lastOffset: number })[]
  /** First offset of each open transaction. */
  open: Map<bigint, number>
  sequences: Map<string, number>
}

interface Transaction {
  producerId: bigint
  epoch: number
  state: 'Empty' | 'Ongoing' | 'CompleteCommit' | 'CompleteAbort'
  partitions: Set<string>
  offsets: { group: string; mark: GroupOffset }[]
}

/** What happens to a call: nothing, no answer with the effect undone or done. */
export type KafkaFault = 'before' | 'after' | undefined

/**
 * A Kafka cluster in memory that obeys the rules the connector relies on: producer epochs, sequences, transactions
 * with their offsets, the last stable offset, lists of aborted transactions in the broker's order. It stores real
 * record batches, so that the real encoder and decoder run. No time passes in it; `expire` is its clock.
 */
export class VirtualKafka {
  /** Asked before each call; the test or the simulation decides. */
  fault: (call: string) => KafkaFault = () => undefined
  readonly #topics = new Map<string, Partition[]>()
  readonly #topicIds = new Map<string, string>()
  readonly #transactions = new Map<string, Transaction>()
  readonly #offsets = new Map<string, number>()
  readonly #waiting = new Set<() => void>()
  /** Counts changes that a waiting fetch must see. */
  version = 0
  #nextProducerId = 1000n

  createTopic(name: string, partitions: number): void {
    this.#topics.set(name, Array.from({ length: partitions }, newPartition))
    this.#topicIds.set(name, `id-${++this.version}`)
  }

  /** More partitions, empty. */
  growTopic(name: string, by: number): void {
    this.#topics.get(name)?.push(...Array.from({ length: by }, newPartition))
  }

  /** The longest wait of every fetch that waits is over: it answers with what there is. */
  endWaits(): void {
    this.#wake()
  }

  deleteTopic(name: string): void {
    this.#topics.delete(name)
    this.#wake()
  }

  moveLeader(topic: string, partition: number, leader: number): void {
    this.#partition({ topic, partition }).leader = leader
    this.#wake()
  }

  /** Retention: everything below is gone. */
  deleteBelow(topic: string, partition: number, offset: number): void {
    this.#partition({ topic, partition }).start = offset
  }

  deleteRecords(
    broker: number,
    before: readonly (TopicPartition & { offset: number })[],
  ): (TopicPartition & { errorCode: number })[] {
    return before.map(({ topic, partition, offset }) => {
      const log = this.#topics.get(topic)?.[partition]
      if (log === undefined) return { topic, partition, errorCode: ERROR.UNKNOWN_TOPIC }
      if (log.leader !== broker) return { topic, partition, errorCode: ERROR.NOT_LEADER }
      if (offset > log.end) return { topic, partition, errorCode: ERROR.OUT_OF_RANGE }
      log.start = Math.max(log.start, offset)
      return { topic, partition, errorCode: 0 }
    })
  }

  /** What the broker does when an open transaction is older than its timeout: abort, and the epoch moves on. */
  expire(transactionalId: string): void {
    const transaction = this.#transactions.get(transactionalId)
    if (transaction?.state !== 'Ongoing') return
    this.#end(transaction, 'abort')
    transaction.epoch++
  }

  /** What the broker does after seven days: transactional ids that are not used and offsets of groups are gone. */
  forget(): void {
    for (const [id, { state }] of this.#transactions) if (state !== 'Ongoing') this.#transactions.delete(id)
    this.#offsets.clear()
  }

  transactionIds(state: Transaction['state']): string[] {
    return [...this.#transactions].filter(([, transaction]) => transaction.state === state).map(([id]) => id)
  }

  /** A client; any number may be connected. */
  connect(options: KafkaClientOptions): KafkaClient {
    return new VirtualKafkaClient(this, options.brokers.join(','))
  }

  metadata(asked: readonly string[] | 'all'): KafkaMetadata {
    const topics = asked === 'all' ? [...this.#topics.keys()] : asked
    return {
      brokers: [1, 2].map((id) => ({ id, host: `broker-${id}`, port: 9092 })),
      topics: topics.map((name) => ({
        name,
        id: this.#topics.has(name) ? this.#topicIds.get(name) : undefined,
        errorCode: this.#topics.has(name) ? 0 : ERROR.UNKNOWN_TOPIC,
        partitions: (this.#topics.get(name) ?? []).map(({ leader }, partition) => ({
          partition,
          leader,
          errorCode: 0,
        })),
      })),
    }
  }

  listOffsets(broker: number, isolation: Isolation, asked: readonly OffsetQuery[]): OffsetAnswer[] {
    return asked.map(({ topic, partition, timestamp }) => {
      const log = this.#topics.get(topic)?.[partition]
      if (log === undefined) return { topic, partition, errorCode: ERROR.UNKNOWN_TOPIC, offset: -1 }
      if (log.leader !== broker) return { topic, partition, errorCode: ERROR.NOT_LEADER, offset: -1 }
      const end = isolation === 'read_committed' ? stableEnd(log) : log.end
      const found =
        timestamp === LATEST
          ? end
          : timestamp === EARLIEST
            ? log.start
            : (log.batches.find((batch) => !batch.control && Number(batch.bytes.readBigInt64BE(35)) >= timestamp)
                ?.base ?? -1)
      return { topic, partition, errorCode: 0, offset: found }
    })
  }

  fetch(broker: number, request: FetchRequest): FetchedPartition[] {
    return request.partitions.map(({ topic, partition, offset }) => {
      const log = this.#topics.get(topic)?.[partition]
      const nothing = {
        topic,
        partition,
        highWatermark: -1,
        lastStableOffset: -1,
        logStartOffset: -1,
        aborted: null,
        records: Buffer.alloc(0),
      }
      if (log === undefined) return { ...nothing, errorCode: ERROR.UNKNOWN_TOPIC }
      if (log.leader !== broker) return { ...nothing, errorCode: ERROR.NOT_LEADER }
      const bounds = { highWatermark: log.end, lastStableOffset: stableEnd(log), logStartOffset: log.start }
      if (offset < log.start || offset > log.end) return { ...nothing, ...bounds, errorCode: ERROR.OUT_OF_RANGE }
      const isCommitted = request.isolation === 'read_committed'
      const limit = isCommitted ? bounds.lastStableOffset : log.end
      const sent = log.batches.filter((batch) => batch.end > offset && batch.end <= limit).slice(0, 4)
      const upTo = sent.at(-1)?.end ?? offset
      const aborted = log.aborted
        .filter((one) => one.firstOffset < upTo && one.lastOffset >= offset)
        .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
      return {
        topic,
        partition,
        ...bounds,
        errorCode: 0,
        aborted: isCommitted ? aborted : null,
        records: Buffer.concat(sent.map(({ bytes }) => bytes)),
      }
    })
  }

  /** Resolves when anything has changed since `version`, for fetches that wait. */
  changeSince(version: number): Promise<void> {
    if (version !== this.version) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting.add(resolve)
    })
  }

  produce(broker: number, transactionalId: string | null, batches: readonly ProduceBatch[]): ProduceAnswer[] {
    return batches.map(({ topic, partition, batch }) => ({
      topic,
      partition,
      message: null,
      errorCode: this.#append(broker, transactionalId, { topic, partition }, batch),
    }))
  }

  #append(broker: number, transactionalId: string | null, at: TopicPartition, bytes: Buffer): number {
    const log = this.#topics.get(at.topic)?.[at.partition]
    if (log === undefined) return ERROR.UNKNOWN_TOPIC
    if (log.leader !== broker) return ERROR.NOT_LEADER
    const producerId = bytes.readBigInt64BE(43)
    const epoch = bytes.readInt16BE(51)
    const sequence = bytes.readInt32BE(53)
    const count = bytes.readInt32BE(57)
    if (transactionalId !== null) {
      const transaction = this.#transactions.get(transactionalId)
      if (transaction === undefined || transaction.producerId !== producerId || transaction.epoch !== epoch)
        return ERROR.BAD_EPOCH
      if (transaction.state !== 'Ongoing' || !transaction.partitions.has(`${at.topic}/${at.partition}`))
        return ERROR.BAD_STATE
    }
    const key = `${producerId}/${epoch}`
    const expected = log.sequences.get(key) ?? 0
    if (sequence < expected) return ERROR.DUPLICATE
    if (sequence > expected) return ERROR.OUT_OF_ORDER
    log.sequences.set(key, sequence + count)
    if (transactionalId !== null && !log.open.has(producerId)) log.open.set(producerId, log.end)
    this.#store(log, Buffer.from(bytes), count, producerId, false)
    return 0
  }

  #store(log: Partition, bytes: Buffer, count: number, producerId: bigint, control: boolean): void {
    bytes.writeBigInt64BE(BigInt(log.end), 0)
    log.batches.push({ base: log.end, end: log.end + count, bytes, producerId, control })
    log.end += count
    this.#wake()
  }

  #wake(): void {
    this.version++
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  initProducerId(transactionalId: string | null): { producerId: bigint; epoch: number } {
    if (transactionalId === null) return { producerId: this.#nextProducerId++, epoch: 0 }
    const known = this.#transactions.get(transactionalId)
    if (known === undefined) {
      const fresh: Transaction = {
        producerId: this.#nextProducerId++,
        epoch: 0,
        state: 'Empty',
        partitions: new Set(),
        offsets: [],
      }
      this.#transactions.set(transactionalId, fresh)
      return { producerId: fresh.producerId, epoch: 0 }
    }
    if (known.state === 'Ongoing') this.#end(known, 'abort')
    known.epoch++
    known.state = 'Empty'
    return { producerId: known.producerId, epoch: known.epoch }
  }

  addPartitions(key: TransactionKey, partitions: readonly TopicPartition[]): void {
    const transaction = this.#own('AddPartitionsToTxn', key)
    for (const at of partitions) {
      this.#partition(at)
      transaction.partitions.add(`${at.topic}/${at.partition}`)
    }
    transaction.state = 'Ongoing'
  }

  addOffset(key: TransactionKey, group: string, mark: GroupOffset): void {
    const transaction = this.#own('TxnOffsetCommit', key)
    transaction.state = 'Ongoing'
    transaction.offsets.push({ group, mark })
  }

  endTransaction(key: TransactionKey, outcome: 'commit' | 'abort'): void {
    const transaction = this.#own('EndTxn', key)
    const done = outcome === 'commit' ? 'CompleteCommit' : 'CompleteAbort'
    if (transaction.state === done) return
    if (transaction.state !== 'Ongoing') throw refusal('EndTxn', ERROR.BAD_STATE)
    this.#end(transaction, outcome)
  }

  groupOffset(group: string, at: TopicPartition): number | undefined {
    return this.#offsets.get(`${group} ${at.topic}/${at.partition}`)
  }

  listTransactions(): { transactionalId: string; state: string }[] {
    return [...this.#transactions].map(([transactionalId, { state }]) => ({ transactionalId, state }))
  }

  hasTopic(name: string): boolean {
    return this.#topics.has(name)
  }

  #own(call: string, { transactionalId, producerId, epoch }: TransactionKey): Transaction {
    const transaction = this.#transactions.get(transactionalId)
    if (transaction === undefined || transaction.producerId !== producerId) throw refusal(call, ERROR.NO_SUCH_ID)
    if (transaction.epoch !== epoch) throw refusal(call, ERROR.FENCED)
    return transaction
  }

  #end(transaction: Transaction, outcome: 'commit' | 'abort'): void {
    const { producerId } = transaction
    for (const name of transaction.partitions) {
      const slash = name.lastIndexOf('/')
      const log = this.#topics.get(name.slice(0, slash))?.[Number(name.slice(slash + 1))]
      const firstOffset = log?.open.get(producerId)
      if (log === undefined || firstOffset === undefined) continue
      if (outcome === 'abort') log.aborted.push({ producerId, firstOffset, lastOffset: log.end })
      log.open.delete(producerId)
      this.#store(log, markerBatch(producerId, transaction.epoch, outcome), 1, producerId, true)
    }
    if (outcome === 'commit')
      for (const { group, mark } of transaction.offsets)
        this.#offsets.set(`${group} ${mark.topic}/${mark.partition}`, mark.offset)
    transaction.partitions.clear()
    transaction.offsets.length = 0
    transaction.state = outcome === 'commit' ? 'CompleteCommit' : 'CompleteAbort'
  }

  #partition({ topic, partition }: TopicPartition): Partition {
    const log = this.#topics.get(topic)?.[partition]
    if (log === undefined) throw refusal('a call', ERROR.UNKNOWN_TOPIC)
    return log
  }
}

class VirtualKafkaClient implements KafkaClient {
  readonly bootstrap: string
  readonly #kafka: VirtualKafka
  #closed = false

  constructor(kafka: VirtualKafka, bootstrap: string) {
    this.#kafka = kafka
    this.bootstrap = bootstrap
  }

  metadata(topics: readonly string[] | 'all'): Promise<KafkaMetadata> {
    return this.#call('metadata', () => this.#kafka.metadata(topics))
  }
  listOffsets(broker: number, isolation: Isolation, asked: readonly OffsetQuery[]): Promise<OffsetAnswer[]> {
    return this.#call('listOffsets', () => this.#kafka.listOffsets(broker, isolation, asked))
  }
  async fetch(broker: number, request: FetchRequest): Promise<FetchedPartition[]> {
    const { version } = this.#kafka
    const answer = await this.#call('fetch', () => this.#kafka.fetch(broker, request))
    if (answer.some(({ errorCode, records }) => errorCode !== 0 || records.length > 0)) return answer
    // A real one would answer empty after maxWaitMs; here nothing changes until something is written, anywhere.
    await this.#kafka.changeSince(version)
    return this.#call('fetch', () => this.#kafka.fetch(broker, request))
  }
  produce(broker: number, transactionalId: string | null, batches: readonly ProduceBatch[]): Promise<ProduceAnswer[]> {
    return this.#call('produce', () => this.#kafka.produce(broker, transactionalId, batches))
  }
  initProducerId(transactionalId: string | null): Promise<{ producerId: bigint; epoch: number }> {
    return this.#call('initProducerId', () => this.#kafka.initProducerId(transactionalId))
  }
  addPartitions(transaction: TransactionKey, partitions: readonly TopicPartition[]): Promise<void> {
    return this.#call('addPartitions', () => {
      this.#kafka.addPartitions(transaction, partitions)
    })
  }
  addOffset(transaction: TransactionKey, group: string, mark: GroupOffset): Promise<void> {
    return this.#call('addOffset', () => {
      this.#kafka.addOffset(transaction, group, mark)
    })
  }
  endTransaction(transaction: TransactionKey, outcome: 'commit' | 'abort'): Promise<void> {
    return this.#call('endTransaction', () => {
      this.#kafka.endTransaction(transaction, outcome)
    })
  }
  groupOffset(group: string, at: TopicPartition): Promise<number | undefined> {
    return this.#call('groupOffset', () => this.#kafka.groupOffset(group, at))
  }
  listTransactions(): Promise<{ transactionalId: string; state: string }[]> {
    return this.#call('listTransactions', () => this.#kafka.listTransactions())
  }
  createTopic(topic: string, partitions: number): Promise<void> {
    return this.#call('createTopic', () => {
      if (this.#kafka.hasTopic(topic)) throw refusal('CreateTopics', ERROR.TOPIC_EXISTS)
      this.#kafka.createTopic(topic, partitions)
    })
  }
  deleteRecords(
    broker: number,
    before: readonly (TopicPartition & { offset: number })[],
  ): Promise<(TopicPartition & { errorCode: number })[]> {
    return this.#call('deleteRecords', () => this.#kafka.deleteRecords(broker, before))
  }
  close(): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }

  async #call<T>(name: string, act: () => T): Promise<T> {
    await Promise.resolve()
    if (this.#closed) throw new MillraceError('KAFKA_CLOSED', `${name} after close`)
    const fault = this.#kafka.fault(name)
    if (fault === 'before') throw this.#unreachable(name)
    const result = act()
    if (fault === 'after') throw this.#unreachable(name)
    return result
  }

  #unreachable(name: string): MillraceError {
    return new MillraceError('KAFKA_UNREACHABLE', `cannot reach Kafka at ${this.bootstrap} (${name})`, {
      domain: 'dependency',
      retriable: true,
    })
  }
}

function newPartition(): Partition {
  return { leader: 1, batches: [], end: 0, start: 0, aborted: [], open: new Map(), sequences: new Map() }
}

function refusal(call: string, errorCode: number): KafkaBrokerError {
  return new KafkaBrokerError(call, errorCode, `error ${errorCode}`)
}

/** Readers of committed records see everything before the first open transaction. */
function stableEnd(log: Partition): number {
  return Math.min(log.end, ...log.open.values())
}

/** One record whose key is (version 0, type 0 abort or 1 commit). */
function markerBatch(producerId: bigint, epoch: number, outcome: 'commit' | 'abort'): Buffer {
  const bytes = Buffer.alloc(CONTROL_BATCH_BYTES)
  bytes.writeInt32BE(CONTROL_BATCH_BYTES - 12, 8)
  bytes[16] = 2
  bytes.writeInt16BE(0b110000, 21)
  bytes.writeBigInt64BE(producerId, 43)
  bytes.writeInt16BE(epoch, 51)
  bytes.writeInt32BE(-1, 53)
  bytes.writeInt32BE(1, 57)
  // length 10, attributes 0, deltas 0 0, key of 4 bytes, value of 0 bytes, no headers
  bytes.set([20, 0, 0, 0, 8, 0, 0, 0, outcome === 'commit' ? 1 : 0, 0, 0], 61)
  bytes.writeUInt32BE(checksum(bytes.subarray(21)), 17)
  return bytes
}
