import { Client, errors, policies, types } from 'cassandra-driver'
import { MillraceError } from '../../../model/errors.ts'
import {
  type CassandraClient,
  type CassandraConnect,
  type CassandraConnectOptions,
  type CassandraRow,
  type CassandraTable,
  type Statement,
  TABLE_CHANGED,
} from '../client.ts'
import { isSimpleType, typeText, type CassandraType } from '../types.ts'
import { fromDriver, toDriver } from './cells.ts'
import { addressesOf } from './addresses.ts'
import { asMillraceError, reasonOf } from './errors.ts'
import { letProcessEnd } from './idle-connections.ts'
import { sslOptions } from './ssl-options.ts'
import { GuardedLogin } from './guarded-login.ts'

const CONNECT_TIMEOUT_MS = 5_000
const ANSWER_TIMEOUT_MS = 10_000
const RECONNECT_MS = 1_000
/** Then connections that need not hold the process are closed. */
const IDLE_MS = 60_000

export const connectCassandra: CassandraConnect = (options) => new RealCassandraClient(options)

/** The driver of Apache; errors are told in the words of the server, and tried again by the connector. */
class RealCassandraClient implements CassandraClient {
  readonly #options: CassandraConnectOptions
  readonly #hosts: string
  #client: Promise<Client> | undefined
  #calls = 0
  #idleTimer: NodeJS.Timeout | undefined

  constructor(options: CassandraConnectOptions) {
    this.#options = options
    this.#hosts = options.hosts.join(', ')
  }

  openTable(keyspace: string, name: string): Promise<CassandraTable> {
    return this.#calling((client) => this.#openTable(client, keyspace, name))
  }

  execute(statement: Statement): Promise<readonly CassandraRow[]> {
    return this.#calling((client) => this.#execute(client, statement))
  }

  async close(): Promise<void> {
    clearTimeout(this.#idleTimer)
    const client = await this.#client?.catch(() => undefined)
    await client?.shutdown()
  }

  async #calling<T>(call: (client: Client) => Promise<T>): Promise<T> {
    this.#calls++
    clearTimeout(this.#idleTimer)
    const connected = this.#connected()
    try {
      return await call(await connected)
    } finally {
      this.#calls--
      if (this.#options.idleConnections === 'let it end' && this.#calls === 0) this.#rest(connected)
    }
  }

  /** The driver has timers and connections that keep a process from ending, which the next call would not need. */
  #rest(connected: Promise<Client>): void {
    // nothing is held where nothing is connected
    connected.then(letProcessEnd, () => undefined)
    this.#idleTimer = setTimeout(() => {
      if (this.#client === connected) this.#client = undefined
      connected.then((client) => client.shutdown()).catch(() => undefined)
    }, IDLE_MS).unref()
  }

  async #openTable(client: Client, keyspace: string, name: string): Promise<CassandraTable> {
    try {
      // what the driver knows may be older than the last word of the cluster
      await client.metadata.refreshKeyspace(keyspace)
      const table = (await client.metadata.getTable(keyspace, name)) as Awaited<
        ReturnType<typeof client.metadata.getTable>
      > | null
      if (table === null) throw this.#unknownTable(keyspace, name)
      return {
        keyspace,
        name,
        columns: table.columns.map((column) => ({ name: column.name, type: typeOf(column.type) })),
        partitionKey: table.partitionKeys.map((column) => column.name),
        clusteringKey: table.clusteringKeys.map((column) => column.name),
      }
    } catch (error) {
      throw asMillraceError(this.#hosts, error)
    }
  }

  async #execute(client: Client, statement: Statement): Promise<readonly CassandraRow[]> {
    const { cql, values, types: ofValues, writeTime, reads = [], serialConsistency } = statement
    const sent = values.map((cell, index) => this.#toDriver(ofValues[index], cell))
    try {
      const { rows = [], columns } = await client.execute(cql, sent, {
        prepare: true,
        isIdempotent: true,
        consistency: types.consistencies[consistencyOf(statement.consistency ?? this.#options.consistency)],
        ...(serialConsistency === undefined
          ? {}
          : { serialConsistency: types.consistencies[consistencyOf(serialConsistency)] }),
        ...(writeTime === undefined ? {} : { timestamp: types.Long.fromString(String(writeTime)) }),
      })
      if (
        !haveTypes(
          columns,
          reads.map(({ type }) => type),
        )
      )
        throw this.#changed(client)
      if (!haveTypes(preparedColumns(client, cql), ofValues)) throw this.#changed(client)
      return rows.map((row) =>
        Object.fromEntries(reads.map(({ name, type }) => [name, fromDriver(type, row.get(name) as unknown)])),
      )
    } catch (error) {
      if (isCutOff(client, error)) await this.#forget(client)
      throw isOfOtherColumns(error) ? this.#changed(client, error) : asMillraceError(this.#hosts, error)
    }
  }

  #toDriver(type: CassandraType | undefined, cell: Statement['values'][number]): unknown {
    if (cell === undefined) return types.unset
    return cell === null || type === undefined ? null : toDriver(type, cell)
  }

  #connected(): Promise<Client> {
    this.#client ??= this.#connect().catch((error: unknown) => {
      this.#client = undefined
      throw asMillraceError(this.#hosts, error)
    })
    return this.#client
  }

  /** The next call connects anew, so that names are resolved again: nodes may come back under other addresses. */
  async #forget(client: Client): Promise<void> {
    if ((await this.#client?.catch(() => undefined)) !== client) return
    this.#client = undefined
    await client.shutdown()
  }

  async #connect(): Promise<Client> {
    const { hosts, datacenter } = this.#options
    // read for each connection: Secrets are rotated
    const [login, material] = [await this.#options.login?.(), await this.#options.tls?.()]
    const contactPoints = (await Promise.all(hosts.map(addressesOf))).flat()
    const client = new Client({
      contactPoints,
      localDataCenter: datacenter,
      ...(login === undefined ? {} : { authProvider: new GuardedLogin(login, contactPoints) }),
      ...(material === undefined ? {} : { sslOptions: sslOptions(material, hosts) }),
      // numbers beyond 2^53 are exact, and keys of maps may have the names of what objects inherit
      encoding: { useBigIntAsLong: true, map: Map },
      policies: { reconnection: new policies.reconnection.ConstantReconnectionPolicy(RECONNECT_MS) },
      // heartbeats begin a timer that holds the process
      ...(this.#options.idleConnections === 'let it end' ? { pooling: { heartBeatInterval: 0 } } : {}),
      socketOptions: { connectTimeout: CONNECT_TIMEOUT_MS, readTimeout: ANSWER_TIMEOUT_MS },
    })
    try {
      await client.connect()
      return client
    } catch (error) {
      await discard(client)
      throw error
    }
  }

  /** The statement is prepared anew, or refused in the words of the server. */
  #changed(client: Client, cause?: unknown): MillraceError {
    client.metadata.clearPrepared()
    return new MillraceError(
      TABLE_CHANGED,
      `a table of the Cassandra at ${this.#hosts} was altered or dropped while it was in use`,
      { domain: 'dependency', retriable: true, ...(cause === undefined ? {} : { cause }) },
    )
  }

  #unknownTable(keyspace: string, name: string): MillraceError {
    return new MillraceError(
      'CASSANDRA_TABLE_UNKNOWN',
      `the Cassandra at ${this.#hosts} has no table ${keyspace}.${name}`,
      {
        domain: 'user',
        retriable: true,
        hint: 'Create the table; names are written as the schema has them, in lower case where they were not quoted.',
      },
    )
  }
}

/** The parts of a client that is not connected; none of them is public (driver 4.10.0). */
interface Unconnected {
  readonly controlConnection?: { readonly connection: { close(): unknown } | null; shutdown(): void }
}

/** `shutdown` leaves a client alone that could not connect, with the connection that it has made. */
async function discard(client: Client): Promise<void> {
  await client.shutdown()
  const { controlConnection } = client as unknown as Unconnected
  controlConnection?.shutdown()
  await controlConnection?.connection?.close()
}

/** No node is known to be there. */
function isCutOff(client: Client, error: unknown): boolean {
  return error instanceof errors.NoHostAvailableError && client.hosts.values().every((host) => !host.isUp())
}

/**
 * A statement was prepared once and cannot be any more, or the driver has learned of columns that its values do not
 * fit: it throws TypeErrors for these.
 */
function isOfOtherColumns(error: unknown): boolean {
  const reason = reasonOf(error)
  return reason instanceof TypeError || (reason instanceof errors.ResponseError && reason.code === UNPREPARED)
}
const UNPREPARED = types.responseErrorCodes.unprepared

/** What the driver knows of a prepared statement; not public (driver 4.10.0). */
interface Prepared {
  getPreparedInfo(keyspace: string | undefined, cql: string): { readonly meta?: { readonly columns?: Columns } }
}
type Columns = readonly { readonly type: DriverType }[] | null

/** The columns that the values of a statement went into. The driver encodes for others when it has prepared it anew. */
function preparedColumns(client: Client, cql: string): Columns | undefined {
  return (client.metadata as unknown as Prepared).getPreparedInfo(client.keyspace, cql).meta?.columns
}

function haveTypes(columns: Columns | undefined, wanted: readonly CassandraType[]): boolean {
  if (columns === null || columns === undefined) return true
  return columns.every(({ type }, index) => {
    const known = wanted[index]
    return known === undefined || typeText(typeOf(type)) === typeText(known)
  })
}

type Consistency = keyof typeof types.consistencies

/** `LOCAL_QUORUM` is `localQuorum` in the driver. */
function consistencyOf(written: string): Consistency {
  return written.toLowerCase().replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()) as Consistency
}

/** The driver's names of types by their codes. */
const NAMES = new Map(Object.entries(types.dataTypes).map(([name, code]) => [code as unknown as number, name]))

interface DriverType {
  readonly code: number
  readonly info?: unknown
}

function typeOf({ code, info }: DriverType): CassandraType {
  const name = NAMES.get(code) ?? String(code)
  if (name === 'varchar') return { kind: 'text' }
  if (isSimpleType(name)) return { kind: name }
  if (name === 'list' || name === 'set') return { kind: name, items: typeOf(info as DriverType) }
  if (name !== 'map') return { kind: 'other', text: name }
  const [keys, values] = info as readonly [DriverType, DriverType]
  return { kind: 'map', keys: typeOf(keys), values: typeOf(values) }
}
