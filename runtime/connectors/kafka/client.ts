import { MillraceError } from '../../model/errors.ts'
import type { TlsMaterial } from '../../ports/tls-material.ts'
import { isAllowedHost } from '../../model/allowed-hosts.ts'

/**
 * A Kafka cluster as the connector needs it: one method per protocol call, no retries and no state of its own
 * except connections, known brokers and coordinators. Real: sockets; virtual: a broker in memory.
 *
 * Every method rejects with MillraceError KAFKA_UNREACHABLE (retriable) when no answer came, KAFKA_AUTHENTICATION (not
 * retriable) when the broker refused who asks, and with KafkaBrokerError when it refused the call as a whole;
 * errors of single partitions are `errorCode`s. Offsets are exact as numbers up to 2^53; producer ids are not and
 * stay bigint.
 */
export interface KafkaClient {
  /** Where it connects to, for messages: `host:port,host:port`. */
  readonly bootstrap: string
  metadata(topics: readonly string[] | 'all'): Promise<KafkaMetadata>
  /** Asks the leader `broker`. A `timestamp` is ms since the epoch, EARLIEST or LATEST. */
  listOffsets(broker: number, isolation: Isolation, asked: readonly OffsetQuery[]): Promise<OffsetAnswer[]>
  /** Waits up to `maxWaitMs` at the broker for the first byte. */
  fetch(broker: number, request: FetchRequest): Promise<FetchedPartition[]>
  /**
   * Says that nobody reads these records of an answer to `fetch` any more: the bytes may change from now on. At
   * most once for each; records that are not told stay as they are. Absent where bytes are not used again.
   */
  recycle?(records: Buffer): void
  /** acks=all. `batches` holds at most one record batch per partition; their bytes may change once it has settled. */
  produce(broker: number, transactionalId: string | null, batches: readonly ProduceBatch[]): Promise<ProduceAnswer[]>
  /** A fresh producer id or the next epoch. An open transaction of that id is aborted, older epochs are fenced. */
  initProducerId(
    transactionalId: string | null,
    transactionTimeoutMs: number,
  ): Promise<{ producerId: bigint; epoch: number }>
  addPartitions(transaction: TransactionKey, partitions: readonly TopicPartition[]): Promise<void>
  /** Makes a committed offset of a group part of the transaction: visible exactly if the transaction commits. */
  addOffset(transaction: TransactionKey, group: string, mark: GroupOffset): Promise<void>
  endTransaction(transaction: TransactionKey, outcome: 'commit' | 'abort'): Promise<void>
  /** The committed offset of a group, undefined when there is none. Offsets of open transactions do not count. */
  groupOffset(group: string, at: TopicPartition): Promise<number | undefined>
  /** All transactional ids that the brokers know, in any state. */
  listTransactions(): Promise<{ transactionalId: string; state: string }[]>
  createTopic(topic: string, partitions: number, replication: number): Promise<void>
  /** Asks the leader `broker` to delete what lies before these offsets. */
  deleteRecords(
    broker: number,
    before: readonly (TopicPartition & { offset: number })[],
  ): Promise<readonly (TopicPartition & { errorCode: number })[]>
  close(): Promise<void>
}

export type KafkaConnect = (options: KafkaClientOptions) => KafkaClient

export interface KafkaClientOptions {
  /** host:port of each bootstrap broker. */
  brokers: readonly string[]
  clientId: string
  /** Asked for each connection and each renewal of a session, since Secrets are rotated. Absent: none are needed. */
  credentials?(): Promise<KafkaCredentials>
}

export interface KafkaCredentials {
  tls?: TlsMaterial
  sasl?:
    | { mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; username: string; password: string }
    | { mechanism: 'OAUTHBEARER'; token: string }
  /** The only hosts that password or token may be shown to; absent: any that the job or a broker names. */
  allowedHosts?: readonly string[]
}

/** Throws KAFKA_HOST_FORBIDDEN before a byte goes to a host that the password is not for. */
export function checkHost({ allowedHosts }: KafkaCredentials, address: string): void {
  if (allowedHosts === undefined || isAllowedHost(allowedHosts, address)) return
  throw new MillraceError(
    'KAFKA_HOST_FORBIDDEN',
    `the Secret of sasl may not be sent to ${address}: it allows ${allowedHosts.join(', ') || 'no host'}`,
    { domain: 'user', hint: 'the key allowed-hosts of the Secret says where it may go' },
  )
}

export type Isolation = 'read_committed' | 'read_uncommitted'
export const EARLIEST = -2
export const LATEST = -1

export interface TopicPartition {
  topic: string
  partition: number
}

export interface KafkaMetadata {
  brokers: readonly { id: number; host: string; port: number }[]
  topics: readonly KafkaTopic[]
}
export interface KafkaTopic {
  name: string
  /** Another one when the topic is deleted and made again; undefined while there is none. */
  id: string | undefined
  errorCode: number
  /** `leader` is -1 while none is elected. */
  partitions: readonly { partition: number; leader: number; errorCode: number }[]
}

export interface OffsetQuery extends TopicPartition {
  timestamp: number
}
/** `offset` is -1 when a timestamp lies behind the last record. */
export interface OffsetAnswer extends TopicPartition {
  errorCode: number
  offset: number
}

export interface FetchRequest {
  isolation: Isolation
  maxWaitMs: number
  maxBytes: number
  partitionMaxBytes: number
  partitions: readonly (TopicPartition & { offset: number })[]
}

export interface FetchedPartition extends TopicPartition {
  errorCode: number
  highWatermark: number
  lastStableOffset: number
  logStartOffset: number
  /** Aborted transactions that reach into these records; null when read uncommitted. */
  aborted: readonly AbortedTransaction[] | null
  /** Record batches as stored; the last one may be cut off. */
  records: Buffer
}
export interface AbortedTransaction {
  producerId: bigint
  firstOffset: number
}

export interface ProduceBatch extends TopicPartition {
  batch: Buffer
}
export interface ProduceAnswer extends TopicPartition {
  errorCode: number
  message: string | null
}

/** One transaction: the epoch is fresh for each, so that a late request can never end the next one. */
export interface TransactionKey {
  transactionalId: string
  producerId: bigint
  epoch: number
}
export interface GroupOffset extends TopicPartition {
  offset: number
  metadata: string
}

/** A broker's refusal, by the number of the Kafka protocol. */
export class KafkaBrokerError extends Error {
  readonly errorCode: number
  readonly call: string

  constructor(call: string, errorCode: number, message: string) {
    super(`Kafka answered ${message} to ${call}`)
    this.name = 'KafkaBrokerError'
    this.errorCode = errorCode
    this.call = call
  }
}
