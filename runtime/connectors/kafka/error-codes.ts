import { KAFKA_ERROR_NAMES } from './error-names.ts'

/** Numbers of the Kafka protocol that the connector tells apart (kafka: Errors.java). */
export const KAFKA_ERROR = {
  OFFSET_OUT_OF_RANGE: 1,
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  LEADER_NOT_AVAILABLE: 5,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  REPLICA_NOT_AVAILABLE: 9,
  MESSAGE_TOO_LARGE: 10,
  NETWORK_EXCEPTION: 13,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  TOPIC_ALREADY_EXISTS: 36,
  NOT_CONTROLLER: 41,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  INVALID_PRODUCER_ID_MAPPING: 49,
  INVALID_TRANSACTION_TIMEOUT: 50,
  CONCURRENT_TRANSACTIONS: 51,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 53,
  KAFKA_STORAGE_ERROR: 56,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  OFFSET_NOT_AVAILABLE: 78,
  UNSTABLE_OFFSET_COMMIT: 88,
  PRODUCER_FENCED: 90,
  UNKNOWN_TOPIC_ID: 100,
} as const

/** `NOT_COORDINATOR (16)`, or only the number when it is newer than this table. */
export function kafkaErrorName(code: number): string {
  const name = code === -1 ? 'UNKNOWN_SERVER_ERROR' : KAFKA_ERROR_NAMES[code]
  return name === undefined ? `error ${code}` : `${name} (${code})`
}

const E = KAFKA_ERROR
/** Answers that pass by themselves: the same call is repeated, after asking for leaders or coordinators again. */
const RETRIABLE: ReadonlySet<number> = new Set([
  E.CORRUPT_MESSAGE,
  E.LEADER_NOT_AVAILABLE,
  E.NOT_LEADER_OR_FOLLOWER,
  E.REQUEST_TIMED_OUT,
  E.REPLICA_NOT_AVAILABLE,
  E.NETWORK_EXCEPTION,
  E.COORDINATOR_LOAD_IN_PROGRESS,
  E.COORDINATOR_NOT_AVAILABLE,
  E.NOT_COORDINATOR,
  E.NOT_ENOUGH_REPLICAS,
  E.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  E.NOT_CONTROLLER,
  E.CONCURRENT_TRANSACTIONS,
  E.KAFKA_STORAGE_ERROR,
  E.FENCED_LEADER_EPOCH,
  E.UNKNOWN_LEADER_EPOCH,
  E.OFFSET_NOT_AVAILABLE,
  E.UNSTABLE_OFFSET_COMMIT,
  E.UNKNOWN_TOPIC_ID,
])

export function isRetriableCode(code: number): boolean {
  return RETRIABLE.has(code)
}

/** The transaction is no longer this producer's: ended by the broker, or fenced by a newer epoch. */
const FENCED: ReadonlySet<number> = new Set([
  E.INVALID_PRODUCER_EPOCH,
  E.INVALID_TXN_STATE,
  E.INVALID_PRODUCER_ID_MAPPING,
  E.PRODUCER_FENCED,
])

export function isFencedCode(code: number): boolean {
  return FENCED.has(code)
}

const FORBIDDEN: ReadonlySet<number> = new Set([
  E.TOPIC_AUTHORIZATION_FAILED,
  E.GROUP_AUTHORIZATION_FAILED,
  E.CLUSTER_AUTHORIZATION_FAILED,
  E.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
])

export function isForbiddenCode(code: number): boolean {
  return FORBIDDEN.has(code)
}
