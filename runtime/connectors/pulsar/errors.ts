import { MillraceError } from '../../model/errors.ts'

/** ServerError of PulsarApi.proto. */
export const SERVER_ERROR = {
  unknown: 0,
  metadata: 1,
  persistence: 2,
  authentication: 3,
  authorization: 4,
  consumerBusy: 5,
  serviceNotReady: 6,
  producerBlockedQuotaError: 7,
  producerBlockedQuotaException: 8,
  checksum: 9,
  unsupportedVersion: 10,
  topicNotFound: 11,
  subscriptionNotFound: 12,
  consumerNotFound: 13,
  tooManyRequests: 14,
  topicTerminated: 15,
  producerBusy: 16,
  invalidTopicName: 17,
  incompatibleSchema: 18,
  consumerAssign: 19,
  notAllowed: 22,
  producerFenced: 25,
} as const

const NAMES: ReadonlyMap<number, string> = new Map([
  [SERVER_ERROR.unknown, 'UnknownError'],
  [SERVER_ERROR.metadata, 'MetadataError'],
  [SERVER_ERROR.persistence, 'PersistenceError'],
  [SERVER_ERROR.authentication, 'AuthenticationError'],
  [SERVER_ERROR.authorization, 'AuthorizationError'],
  [SERVER_ERROR.consumerBusy, 'ConsumerBusy'],
  [SERVER_ERROR.serviceNotReady, 'ServiceNotReady'],
  [SERVER_ERROR.producerBlockedQuotaError, 'ProducerBlockedQuotaExceededError'],
  [SERVER_ERROR.producerBlockedQuotaException, 'ProducerBlockedQuotaExceededException'],
  [SERVER_ERROR.checksum, 'ChecksumError'],
  [SERVER_ERROR.unsupportedVersion, 'UnsupportedVersionError'],
  [SERVER_ERROR.topicNotFound, 'TopicNotFound'],
  [SERVER_ERROR.subscriptionNotFound, 'SubscriptionNotFound'],
  [SERVER_ERROR.consumerNotFound, 'ConsumerNotFound'],
  [SERVER_ERROR.tooManyRequests, 'TooManyRequests'],
  [SERVER_ERROR.topicTerminated, 'TopicTerminatedError'],
  [SERVER_ERROR.producerBusy, 'ProducerBusy'],
  [SERVER_ERROR.invalidTopicName, 'InvalidTopicName'],
  [SERVER_ERROR.incompatibleSchema, 'IncompatibleSchema'],
  [SERVER_ERROR.consumerAssign, 'ConsumerAssignError'],
  [SERVER_ERROR.notAllowed, 'NotAllowedError'],
  [SERVER_ERROR.producerFenced, 'ProducerFenced'],
])

/** The same call may succeed later; another broker may own the topic by then. */
const PASSING: ReadonlySet<number> = new Set([
  SERVER_ERROR.unknown,
  SERVER_ERROR.metadata,
  SERVER_ERROR.persistence,
  SERVER_ERROR.consumerBusy,
  SERVER_ERROR.serviceNotReady,
  SERVER_ERROR.producerBlockedQuotaError,
  SERVER_ERROR.producerBlockedQuotaException,
  SERVER_ERROR.checksum,
  SERVER_ERROR.consumerNotFound,
  SERVER_ERROR.tooManyRequests,
  // the connection of a writer that is gone may still be known
  SERVER_ERROR.producerBusy,
  SERVER_ERROR.consumerAssign,
])

const LONGEST_WORDS = 500

/** A broker answered with an error in place of a result. */
export class PulsarServerError extends Error {
  readonly code: number

  constructor(code: number, words: string) {
    super(`${NAMES.get(code) ?? `error ${code}`}: ${words.split('\n', 1)[0]?.slice(0, LONGEST_WORDS) ?? ''}`)
    this.name = 'PulsarServerError'
    this.code = code
  }
}

export function isRetriable(error: unknown): boolean {
  if (error instanceof MillraceError) return error.retriable
  return error instanceof PulsarServerError && PASSING.has(error.code)
}

/** The error that the user sees; MillraceErrors pass unchanged. */
export function asMillraceError(doing: string, serviceUrl: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error
  if (!(error instanceof PulsarServerError))
    return new MillraceError('PULSAR_FAILED', `${doing} failed at the Pulsar at ${serviceUrl}`, {
      domain: 'bug',
      cause: error,
    })
  const hint = hintFor(error.code)
  return new MillraceError('PULSAR_REFUSED', `the Pulsar at ${serviceUrl} refused ${doing}: ${error.message}`, {
    domain: error.code === SERVER_ERROR.topicNotFound ? 'user' : 'dependency',
    retriable: isRetriable(error),
    ...(hint === undefined ? {} : { hint }),
  })
}

function hintFor(code: number): string | undefined {
  switch (code) {
    case SERVER_ERROR.topicNotFound:
      return 'Create the topic (pulsar-admin topics create); Millrace makes none.'
    case SERVER_ERROR.authentication:
      return 'Check auth.tokenFile and whether its token has expired.'
    case SERVER_ERROR.authorization:
      return 'The role of the token needs the right to consume from, or to produce to, the namespace.'
    case SERVER_ERROR.consumerBusy:
      return 'Another consumer uses the subscription; each job needs one of its own (option subscription).'
    case SERVER_ERROR.producerBlockedQuotaError:
    case SERVER_ERROR.producerBlockedQuotaException:
      return 'A subscription of the topic is so far behind that its backlog quota is used up.'
    default:
      return undefined
  }
}

export function unreachable(address: string, cause: unknown): MillraceError {
  return new MillraceError('PULSAR_UNREACHABLE', `the Pulsar broker ${address} cannot be reached`, {
    domain: 'dependency',
    retriable: true,
    cause,
    hint: 'Check serviceUrl and tls of the connector, and that the broker is up.',
  })
}
