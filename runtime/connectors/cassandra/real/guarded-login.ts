import { auth } from 'cassandra-driver'
import { MillraceError } from '../../../model/errors.ts'
import type { CassandraLogin } from '../client.ts'
import { serverText } from './addresses.ts'

/**
 * Shows the login to the servers that the job names, and to others only that the Secret allows: a cluster says itself
 * which nodes it has more, and the driver connects to each.
 */
export class GuardedLogin extends auth.PlainTextAuthProvider {
  readonly #login: CassandraLogin
  readonly #named: ReadonlySet<string>

  /** `named` are the addresses of the servers that the job names. */
  constructor(login: CassandraLogin, named: readonly string[]) {
    super(login.username, login.password)
    this.#login = login
    this.#named = new Set(named.map(serverText))
  }

  override newAuthenticator(endpoint: string, name: string): auth.Authenticator {
    const server = serverText(endpoint)
    if (this.#named.has(server) || this.#login.mayGoTo(server)) return super.newAuthenticator(endpoint, name)
    const refusal = new MillraceError('SECRET_HOST_FORBIDDEN', `the password may not be sent to ${server}`, {
      domain: 'user',
      retriable: true,
      hint: 'the key allowed-hosts of the Secret says where it may go: it names nodes by their addresses',
    })
    return {
      initialResponse: (callback) => {
        callback(refusal)
      },
      evaluateChallenge: (_challenge, callback) => {
        callback(refusal)
      },
      onAuthenticationSuccess: () => undefined,
    }
  }
}
