import { connect, headers, nanos, type Msg, type NatsConnection } from '@nats-io/transport-node'
import { MillraceError } from '../../../model/errors.ts'
import { membersOf, type Fields } from '../../../model/fields.ts'
import type {
  NatsClient,
  NatsConnect,
  NatsConnectOptions,
  NatsReading,
  OutgoingMessage,
  ReadFrom,
  StreamState,
} from '../client.ts'
import { MESSAGE_ID } from '../stored-numbers.ts'
import { asMillraceError, isNoMessage, JetStreamRefusal } from './errors.ts'
import { PulledReading } from './reading.ts'

const CONNECT_TIMEOUT_MS = 5000
const ANSWER_TIMEOUT_MS = 5000
/** A connection that says nothing for two of these is dead. */
const PING_MS = 4000
/** A consumer of which nobody pulls any more is deleted by the servers. */
const FORGOTTEN_MS = 30_000
const EXPECTED_STREAM = 'Nats-Expected-Stream'

export const connectNats: NatsConnect = (options) => new RealNatsClient(options)

/** JetStream's interface of JSON over the client of NATS, which connects, encrypts and logs in. */
class RealNatsClient implements NatsClient {
  readonly #options: NatsConnectOptions
  readonly #servers: string
  #connection: Promise<NatsConnection> | undefined
  #isClosed = false

  constructor(options: NatsConnectOptions) {
    this.#options = options
    this.#servers = options.servers.join(', ')
  }

  async stream(name: string): Promise<StreamState> {
    const { config, created, state } = await this.#ask(`STREAM.INFO.${name}`, {})
    const { retention, subjects, duplicate_window, max_msg_size } = membersOf(config)
    const { first_seq, last_seq } = membersOf(state)
    return {
      name,
      created: String(created),
      retention: String(retention),
      subjects: Array.isArray(subjects) ? subjects.map(String) : [],
      // a stream that never had a message says 0
      first: Math.max(1, Number(first_seq)),
      last: Number(last_seq),
      duplicateWindowMs: Number(duplicate_window ?? 0) / NANOS_A_MS,
      maxMessageBytes: Number(max_msg_size ?? -1),
    }
  }

  async firstSince(stream: string, time: number): Promise<number> {
    const wanted = { deliver_policy: 'by_start_time', opt_start_time: new Date(time).toISOString() }
    const { consumer, info } = await this.#createConsumer(stream, wanted, undefined)
    this.#deleteConsumer(stream, consumer)
    return Number(membersOf(info['delivered'])['stream_seq']) + 1
  }

  async hasMessage(stream: string, from: number, subjects: ReadFrom['subjects']): Promise<boolean> {
    for (const subject of subjects ?? ['>']) {
      try {
        await this.#ask(`STREAM.MSG.GET.${stream}`, { seq: Math.max(1, from), next_by_subj: subject })
        return true
      } catch (error) {
        if (!(error instanceof Error && isNoMessage(error.cause))) throw error
      }
    }
    return false
  }

  async read(stream: string, { sequence, subjects, parts }: ReadFrom): Promise<NatsReading> {
    const wanted = {
      deliver_policy: 'by_start_sequence',
      opt_start_seq: Math.max(1, sequence),
      ...(parts === 'heads' ? { headers_only: true } : {}),
    }
    const { connection, consumer } = await this.#createConsumer(stream, wanted, subjects)
    const reading = new PulledReading(connection, `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, () => {
      this.#deleteConsumer(stream, consumer)
    })
    return {
      next: () =>
        reading.next().catch((error: unknown) => {
          throw asMillraceError(this.#servers, error)
        }),
      close: () => {
        reading.close()
      },
    }
  }

  async publish(stream: string, { subject, headers: given, data }: OutgoingMessage, id: string): Promise<void> {
    const sent = headers()
    for (const [name, value] of given) sent.append(name, value)
    sent.set(MESSAGE_ID, id)
    sent.set(EXPECTED_STREAM, stream)
    await this.#call((connection) => connection.request(subject, data, { headers: sent, timeout: ANSWER_TIMEOUT_MS }))
  }

  async maxPayload(): Promise<number> {
    return (await this.#connected()).info?.max_payload ?? 0
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const connection = await this.#connection?.catch(() => undefined)
    await connection?.close()
  }

  async #createConsumer(
    stream: string,
    wanted: Fields,
    subjects: ReadFrom['subjects'],
  ): Promise<{ connection: NatsConnection; consumer: string; info: Fields }> {
    const connection = await this.#connected()
    const consumer = `millrace_${crypto.randomUUID().replaceAll('-', '')}`
    const [single, ...more] = subjects ?? []
    const filter =
      single === undefined ? {} : more.length === 0 ? { filter_subject: single } : { filter_subjects: subjects }
    const config = {
      ...wanted,
      ...filter,
      name: consumer,
      ack_policy: 'none',
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: nanos(FORGOTTEN_MS),
    }
    const place = `CONSUMER.CREATE.${stream}.${consumer}${'filter_subject' in filter ? `.${single}` : ''}`
    const info = await this.#ask(place, { stream_name: stream, config })
    if (more.length > 0 && membersOf(info['config'])['filter_subjects'] === undefined)
      throw new MillraceError(
        'NATS_TOO_OLD',
        `the NATS at ${this.#servers}, of version ${connection.info?.version}, reads one subject at a time`,
        {
          domain: 'user',
          hint: 'Several subjects need 2.10: write one with wildcards, or read them with several sources.',
        },
      )
    return { connection, consumer, info }
  }

  /** Best effort: the servers delete it when nobody pulls of it. */
  #deleteConsumer(stream: string, consumer: string): void {
    if (!this.#isClosed) this.#ask(`CONSUMER.DELETE.${stream}.${consumer}`, {}).catch(() => undefined)
  }

  async #ask(place: string, question: Fields): Promise<Fields> {
    return this.#call((connection) =>
      connection.request(`$JS.API.${place}`, JSON.stringify(question), { timeout: ANSWER_TIMEOUT_MS }),
    )
  }

  async #call(call: (connection: NatsConnection) => Promise<Msg>): Promise<Fields> {
    const connection = await this.#connected()
    try {
      const answer = membersOf((await call(connection)).json())
      const { error } = answer
      if (error === undefined) return answer
      const { description, code, err_code } = membersOf(error)
      throw new JetStreamRefusal(String(description), Number(code), Number(err_code))
    } catch (error) {
      throw asMillraceError(this.#servers, error)
    }
  }

  /** The connection, or a new one in place of one that was closed: the client's own way to come back reads no Secrets. */
  async #connected(): Promise<NatsConnection> {
    const asked = this.#connection
    const known = await asked?.catch(() => undefined)
    if (known !== undefined && !known.isClosed()) return known
    if (this.#isClosed) throw asMillraceError(this.#servers, new Error('the connector is closed'))
    // another caller may have begun one meanwhile
    if (this.#connection === asked) this.#connection = this.#connect()
    return this.#connection ?? this.#connect()
  }

  async #connect(): Promise<NatsConnection> {
    const [login, tls] = [await this.#options.login?.(), await this.#options.tls?.()]
    const { user, password: pass, token } = login ?? {}
    try {
      return await connect({
        servers: [...this.#options.servers],
        noRandomize: true,
        // the login goes to no server that the job does not name
        ignoreClusterUpdates: true,
        reconnect: false,
        timeout: CONNECT_TIMEOUT_MS,
        pingInterval: PING_MS,
        maxPingOut: 2,
        ...(user === undefined || pass === undefined ? {} : { user, pass }),
        ...(token === undefined ? {} : { token }),
        ...(tls === undefined ? {} : { tls }),
      })
    } catch (error) {
      throw asMillraceError(this.#servers, error)
    }
  }
}

const NANOS_A_MS = 1_000_000
