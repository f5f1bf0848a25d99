import { errors } from '@nats-io/transport-node'
import { MillraceError } from '../../../model/errors.ts'
import { STREAM_UNKNOWN } from '../client.ts'

/** An answer of JetStream that is an error. */
export class JetStreamRefusal extends Error {
  /** As of HTTP. */
  readonly status: number
  /** Of JetStream: says what it is. */
  readonly code: number

  constructor(words: string, status: number, code: number) {
    super(words)
    this.name = 'JetStreamRefusal'
    this.status = status
    this.code = code
  }
}

const STREAM_NOT_FOUND = 10059
const NO_MESSAGE_FOUND = 10037
/** The account may get JetStream, or its stream another leader. */
const PASSING_STATUS = 500

export function isNoMessage(error: unknown): boolean {
  return error instanceof JetStreamRefusal && error.code === NO_MESSAGE_FOUND
}

/** An error of the client or of a server → the error that the user sees, in the words of the server. */
export function asMillraceError(servers: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error
  const reason = reasonOf(error)
  const at = `the NATS at ${servers}`
  if (reason instanceof JetStreamRefusal) return refusal(at, reason)
  if (reason instanceof errors.PermissionViolationError)
    return new MillraceError('NATS_FORBIDDEN', `${at}: ${reason.message}`, {
      domain: 'user',
      retriable: true,
      cause: reason,
      hint: 'docs/nats.md names the subjects that a source and a sink need.',
    })
  if (reason instanceof errors.AuthorizationError || reason instanceof errors.UserAuthenticationExpiredError)
    return new MillraceError('NATS_LOGIN_REFUSED', `${at} refuses the login: ${reason.message}`, {
      domain: 'user',
      retriable: true,
      cause: reason,
      hint: 'Check auth and its Secret.',
    })
  if (reason instanceof errors.NoRespondersError)
    return new MillraceError('NATS_NO_JETSTREAM', `${at} has nobody that answers ${reason.subject}`, {
      domain: 'dependency',
      retriable: true,
      cause: reason,
      hint: 'JetStream is off for this account, the stream does not exist, or has no leader at the moment.',
    })
  return new MillraceError('NATS_UNREACHABLE', `${at} cannot be reached: ${wordsOf(reason)}`, {
    domain: 'dependency',
    retriable: true,
    cause: reason,
    hint: 'Check servers and tls of the connector, and that a server is up.',
  })
}

function refusal(at: string, error: JetStreamRefusal): MillraceError {
  const isUnknown = error.code === STREAM_NOT_FOUND
  return new MillraceError(isUnknown ? STREAM_UNKNOWN : 'NATS_REFUSED', `${at}: ${error.message} (${error.code})`, {
    domain: isUnknown ? 'user' : 'dependency',
    retriable: isUnknown || error.status >= PASSING_STATUS,
    cause: error,
    ...(isUnknown ? { hint: 'Create the stream (nats stream add); Millrace makes none.' } : {}),
  })
}

/** Requests wrap what happened to them. */
function reasonOf(error: unknown): unknown {
  return error instanceof errors.RequestError && error.cause !== undefined ? error.cause : error
}

function wordsOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason)
}
