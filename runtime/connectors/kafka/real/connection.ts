import { isIP } from 'node:net'
import type * as PlatformaticKafka from '@platformatic/kafka'
import type { Connection, ConnectionOptions, Writer } from '@platformatic/kafka'
import { clipped } from '../../../model/clipped.ts'
import { MillraceError } from '../../../model/errors.ts'
import { withoutSecrets } from '../../../model/redacted.ts'
import { checkHost, KafkaBrokerError } from '../client.ts'
import type { KafkaClientOptions, KafkaCredentials } from '../client.ts'
import type { KafkaFrameBuffers } from './frame-buffers.ts'
import { KafkaRecordChannel } from './record-channel.ts'

type Platformatic = typeof PlatformaticKafka
interface Opened {
  connection: Connection
  records: KafkaRecordChannel
}

const CONNECT_TIMEOUT_MS = 4000
/** Above the longest wait of a fetch, below what a user may have to wait for news of a dead broker. */
const REQUEST_TIMEOUT_MS = 5000

/**
 * One connection to one address, opened when first used and again after it broke: platformatic's Connection for TLS,
 * SASL and re-authentication. A request that was not answered in time ends the connection, so that nothing waits
 * behind it.
 */
export class KafkaConnection {
  readonly address: string
  readonly #host: string
  readonly #port: number
  readonly #options: KafkaClientOptions
  readonly #buffers: KafkaFrameBuffers
  #opening: Promise<Opened> | undefined
  #closed = false

  constructor(host: string, port: number, options: KafkaClientOptions, buffers: KafkaFrameBuffers) {
    this.address = `${host}:${port}`
    this.#host = host
    this.#port = port
    this.#options = options
    this.#buffers = buffers
  }

  /**
   * Runs one request. Rejects with KAFKA_UNREACHABLE or KAFKA_AUTHENTICATION or, when the broker refused it, with
   * KafkaBrokerError.
   */
  call<T>(name: string, request: (connection: Connection, platformatic: Platformatic) => Promise<T>): Promise<T> {
    return this.#with(name, ({ connection }, platformatic) => request(connection, platformatic))
  }

  /** As call, of a request that carries records: its answer as bytes, from the tags of the header on. */
  callRecords(name: string, api: { key: number; version: number }, payload: Writer): Promise<Buffer> {
    return this.#with(name, ({ records }) => records.request(api, payload))
  }

  async #with<T>(name: string, request: (opened: Opened, platformatic: Platformatic) => Promise<T>): Promise<T> {
    const platformatic = await import('@platformatic/kafka')
    const opened = await this.#open(platformatic)
    await untilAuthenticated(opened.connection)
    try {
      return await request(opened, platformatic)
    } catch (error) {
      const refusal = refusalOf(name, error, platformatic)
      if (refusal !== undefined) throw refusal
      this.#drop(opened.connection)
      throw this.#unreachable(name, error)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const opening = this.#opening
    this.#opening = undefined
    // It may still be opening; a failure to open has been told to whoever waits for it.
    const opened = await opening?.catch(() => undefined)
    await opened?.connection.close()
  }

  #open(platformatic: Platformatic): Promise<Opened> {
    if (this.#closed)
      return Promise.reject(new MillraceError('KAFKA_CLOSED', `the connection to ${this.address} is closed`))
    return (this.#opening ??= this.#connect(platformatic))
  }

  async #connect(platformatic: Platformatic): Promise<Opened> {
    const credentials = await this.#credentials().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    const connection = new platformatic.Connection(
      this.#options.clientId,
      connectionOptions(this.#host, credentials, async () => secretOf(await this.#credentials()), platformatic),
    )
    // Without a listener an 'error' would end the process; what matters arrives through the requests.
    connection.on('error', () => {
      this.#drop(connection)
    })
    connection.on('close', () => {
      this.#forget(connection)
    })
    try {
      await connection.connect(this.#host, this.#port)
    } catch (error) {
      this.#opening = undefined
      const refusal = authenticationRefusalOf(error, platformatic)
      throw refusal === undefined ? this.#unreachable('connecting', error) : this.#unauthenticated(refusal, credentials)
    }
    this.#current = connection
    return {
      connection,
      records: new KafkaRecordChannel(connection, this.#options.clientId, REQUEST_TIMEOUT_MS, this.#buffers),
    }
  }

  #current: Connection | undefined

  /** Rejects with why they cannot be read, or may not be used here. */
  async #credentials(): Promise<KafkaCredentials> {
    const credentials = (await this.#options.credentials?.()) ?? {}
    checkHost(credentials, isIP(this.#host) === 6 ? `[${this.#host}]:${this.#port}` : this.address)
    return credentials
  }

  #forget(connection: Connection): void {
    if (this.#current !== connection) return
    this.#current = undefined
    this.#opening = undefined
  }

  #drop(connection: Connection): void {
    this.#forget(connection)
    connection.socket?.destroy()
  }

  /** Not the author's mistake for certain: while a password is being changed its file or the broker may be behind. */
  #unauthenticated(refusal: string, { sasl }: KafkaCredentials): MillraceError {
    const hasToken = sasl?.mechanism === 'OAUTHBEARER'
    const who = sasl === undefined || hasToken ? 'the token' : `user ${JSON.stringify(sasl.username)}`
    const words = withoutSecrets(refusal, [secretOf({ ...(sasl === undefined ? {} : { sasl }) })])
    return new MillraceError(
      'KAFKA_AUTHENTICATION',
      `the Kafka at ${this.address} did not accept ${who} by SASL ${sasl?.mechanism ?? 'none'}: ${words}`,
      {
        domain: 'dependency',
        hint: hasToken
          ? 'Check whether the token in the file at sasl.tokenFile has expired, and who may issue tokens for this Kafka.'
          : 'Check sasl.mechanism, sasl.username and what the file at sasl.passwordFile holds.',
      },
    )
  }

  #unreachable(doing: string, cause: unknown): MillraceError {
    return new MillraceError('KAFKA_UNREACHABLE', `cannot reach Kafka at ${this.address} (${doing})`, {
      domain: 'dependency',
      retriable: true,
      cause,
      hint: 'Check brokers, tls and sasl of the connector, and that the brokers are up.',
    })
  }
}

const ENDS_OF_AUTHENTICATION = ['sasl:authentication:extended', 'error', 'close'] as const

/**
 * While a session is extended a broker refuses everything else with ILLEGAL_SASL_STATE (KIP-368), and platformatic
 * holds nothing back. What fails meanwhile is told by the request that follows.
 */
async function untilAuthenticated(connection: Connection): Promise<void> {
  while (connection.status === 'reauthenticating') {
    await new Promise<void>((resolve) => {
      const ended = (): void => {
        for (const event of ENDS_OF_AUTHENTICATION) connection.off(event, ended)
        resolve()
      }
      for (const event of ENDS_OF_AUTHENTICATION) connection.on(event, ended)
    })
  }
}

function secretOf({ sasl }: KafkaCredentials): string {
  return sasl === undefined ? '' : 'token' in sasl ? sasl.token : sasl.password
}

function connectionOptions(
  host: string,
  { tls, sasl }: KafkaCredentials,
  secret: () => Promise<string>,
  platformatic: Platformatic,
): ConnectionOptions {
  // an address is not told as a server's name (RFC 6066, section 3); the certificate is checked against it all the same
  const tlsServerName = isIP(host) === 0
  return {
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    maxInflights: 16,
    ...(tls === undefined ? {} : { tls, tlsServerName }),
    ...(sasl === undefined ? {} : { sasl: { ...sasl, ...secretOption(sasl, secret, platformatic) } }),
  }
}

/**
 * A broker that refuses a token answers with success and its reason, and waits for one byte more before it fails (RFC
 * 7628, 3.2.3): the reason is the refusal.
 */
function secretOption(
  sasl: NonNullable<KafkaCredentials['sasl']>,
  secret: () => Promise<string>,
  { AuthenticationError }: Platformatic,
): Partial<NonNullable<ConnectionOptions['sasl']>> {
  if (sasl.mechanism !== 'OAUTHBEARER') return { password: secret }
  return {
    token: secret,
    authBytesValidator: (reason, done) => {
      if (reason.length === 0) done(null, reason)
      else done(new AuthenticationError(clipped(reason.toString('utf8'))))
    },
  }
}

/** The first protocol error inside what a codec threw; undefined when no broker answered. */
function refusalOf(call: string, error: unknown, platformatic: Platformatic): KafkaBrokerError | undefined {
  if (error instanceof KafkaBrokerError) return error
  if (!(error instanceof platformatic.ResponseError)) return undefined
  for (const inner of error.errors) {
    const { apiId, apiCode } = inner as { apiId?: unknown; apiCode?: unknown }
    if (typeof apiCode === 'number') return new KafkaBrokerError(call, apiCode, `${String(apiId)} (${apiCode})`)
  }
  return undefined
}

/**
 * What was wrong with the credentials, when a broker answered to them; undefined when the connection failed in
 * another way.
 */
function authenticationRefusalOf(error: unknown, platformatic: Platformatic): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof platformatic.ResponseError) return answeredBy(at)
    // without a cause it is of what the broker sent: its proof that it knows the password is wrong
    if (at instanceof platformatic.AuthenticationError && at.cause === undefined) return at.message
  }
  return undefined
}

function answeredBy({ errors }: { errors: readonly unknown[] }): string {
  const { apiId, apiCode, serverErrorMessage } = errors[0] as {
    apiId?: unknown
    apiCode?: unknown
    serverErrorMessage?: unknown
  }
  return `${String(apiId)} (${String(apiCode)})${typeof serverErrorMessage === 'string' ? `, ${serverErrorMessage}` : ''}`
}
