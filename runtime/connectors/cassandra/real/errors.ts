import { errors, types } from 'cassandra-driver'
import { MillraceError } from '../../../model/errors.ts'
import { REFUSED } from '../client.ts'

const { responseErrorCodes: CODES } = types

/** The cluster may answer otherwise the next time. */
const PASSING: ReadonlySet<number> = new Set([
  CODES.serverError,
  CODES.unavailableException,
  CODES.overloaded,
  CODES.isBootstrapping,
  CODES.truncateError,
  CODES.writeTimeout,
  CODES.readTimeout,
  CODES.readFailure,
  CODES.writeFailure,
])

/** An error of the driver → the error that the user sees, in the words of the server. */
export function asMillraceError(hosts: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error
  const reason = reasonOf(error)
  if (reason instanceof MillraceError) return reason
  if (reason instanceof errors.AuthenticationError)
    return new MillraceError(
      'CASSANDRA_LOGIN_REFUSED',
      `the Cassandra at ${hosts} refuses the login: ${reason.message}`,
      {
        domain: 'user',
        retriable: true,
        cause: reason,
        hint: 'Check auth.username and the Secret of auth.passwordFile.',
      },
    )
  if (reason instanceof errors.ResponseError) return refusal(hosts, reason)
  if (reason instanceof errors.ArgumentError)
    return new MillraceError(REFUSED, `the Cassandra at ${hosts}: ${reason.message}`, {
      domain: 'user',
      cause: reason,
    })
  return new MillraceError('CASSANDRA_UNREACHABLE', `the Cassandra at ${hosts} cannot be reached`, {
    domain: 'dependency',
    retriable: true,
    cause: reason,
  })
}

function refusal(hosts: string, error: InstanceType<typeof errors.ResponseError>): MillraceError {
  const message = `the Cassandra at ${hosts}: ${error.message}`
  if (PASSING.has(error.code))
    return new MillraceError('CASSANDRA_UNAVAILABLE', message, { domain: 'dependency', retriable: true, cause: error })
  if (error.code === CODES.unauthorized)
    return new MillraceError('CASSANDRA_FORBIDDEN', message, { domain: 'user', retriable: true, cause: error })
  return new MillraceError(REFUSED, message, { domain: 'user', cause: error })
}

/** Where no node could be asked, why the first of them could not. */
export function reasonOf(error: unknown): unknown {
  if (!(error instanceof errors.NoHostAvailableError)) return error
  const [first] = Object.values(error.innerErrors ?? {}) as unknown[]
  return first ?? error
}
