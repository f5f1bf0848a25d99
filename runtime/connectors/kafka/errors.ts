import { MillraceError } from '../../model/errors.ts'
import { KafkaBrokerError } from './client.ts'
import { isForbiddenCode, isRetriableCode, kafkaErrorName } from './error-codes.ts'

/** True when the same call may succeed later: nobody answered, or the answer passes by itself. */
export function isRetriable(error: unknown): boolean {
  if (error instanceof KafkaBrokerError) return isRetriableCode(error.errorCode)
  return error instanceof MillraceError && error.retriable
}

export function topicUnknown(topic: string, bootstrap: string): MillraceError {
  return new MillraceError('KAFKA_TOPIC_UNKNOWN', `the Kafka at ${bootstrap} has no topic ${JSON.stringify(topic)}`, {
    domain: 'user',
    retriable: true,
    hint: 'Create the topic, or give a sink createTopic: { partitions: … }.',
  })
}

export function noTopicMatches(pattern: string, bootstrap: string): MillraceError {
  return new MillraceError(
    'KAFKA_TOPIC_UNKNOWN',
    `the Kafka at ${bootstrap} has no topic whose name matches ${JSON.stringify(pattern)}`,
    {
      domain: 'user',
      retriable: true,
      hint: 'The pattern must match the whole name: write orders-.* for all that begin so.',
    },
  )
}

/** The offsets that are kept belong to a topic that is gone: read from the new one they would mean other records. */
export function topicReplaced(topic: string, bootstrap: string): MillraceError {
  return new MillraceError(
    'KAFKA_TOPIC_REPLACED',
    `the topic ${JSON.stringify(topic)} of the Kafka at ${bootstrap} was deleted and made again: the offsets this job holds are those of the old one`,
    {
      domain: 'dependency',
      hint: 'Read the new topic under another operator id or in a new job; what the old one still held is lost.',
    },
  )
}

/** What a user gets for a refusal that Kafka will not take back. */
export function refused(what: string, bootstrap: string, errorCode: number, cause?: unknown): MillraceError {
  const forbidden = isForbiddenCode(errorCode)
  return new MillraceError(
    forbidden ? 'KAFKA_NOT_AUTHORIZED' : 'KAFKA_REFUSED',
    `the Kafka at ${bootstrap} refused ${what}: ${kafkaErrorName(errorCode)}`,
    {
      domain: forbidden ? 'user' : 'dependency',
      cause,
      retriable: isRetriableCode(errorCode),
      ...(forbidden ? { hint: "Grant the job's Kafka user the missing permission." } : {}),
    },
  )
}

/** Turns anything a client threw into the one error class; MillraceErrors pass unchanged. */
export function asMillraceError(what: string, bootstrap: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error
  if (error instanceof KafkaBrokerError) return refused(what, bootstrap, error.errorCode, error)
  return new MillraceError('KAFKA_FAILED', `${what} failed at the Kafka at ${bootstrap}`, {
    domain: 'bug',
    cause: error,
  })
}
