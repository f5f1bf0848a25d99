import type { TlsMaterial } from '../../ports/tls-material.ts'
import type { CassandraType, Cell } from './types.ts'

/** The table has no longer the columns or types of the statement: openTable says what it has now. Retriable. */
export const TABLE_CHANGED = 'CASSANDRA_TABLE_CHANGED'
/** The cluster does not take the statement. */
export const REFUSED = 'CASSANDRA_REFUSED'

/** A Cassandra cluster, as sinks and lookups need it. Real: its nodes; virtual: a table in memory. */
export interface CassandraClient {
  /** Resolves with the table as it is now. Rejects with CASSANDRA_TABLE_UNKNOWN. */
  openTable(keyspace: string, name: string): Promise<CassandraTable>
  /** Resolves with the rows of the answer, their columns as `reads` says. Rejects with MillraceErrors, TABLE_CHANGED among them. */
  execute(statement: Statement): Promise<readonly CassandraRow[]>
  close(): Promise<void>
}

export interface CassandraTable {
  readonly keyspace: string
  readonly name: string
  readonly columns: readonly CassandraColumn[]
  /** Names of columns; a statement about rows names all of them. */
  readonly partitionKey: readonly string[]
  readonly clusteringKey: readonly string[]
}

export interface CassandraColumn {
  readonly name: string
  readonly type: CassandraType
}

export interface Statement {
  readonly cql: string
  /** One per `?`; null is NULL, undefined leaves the column as it is. */
  readonly values: readonly (Cell | null | undefined)[]
  /** Their types. */
  readonly types: readonly CassandraType[]
  /** Microseconds since the epoch: of two writes of a cell the later one stays, whichever comes first. */
  readonly writeTime?: bigint
  readonly reads?: readonly CassandraColumn[]
  /** How many replicas must answer; as many as the options of the client say unless it is given. */
  readonly consistency?: string
  /** SERIAL or LOCAL_SERIAL: which replicas decide on a write with a condition. */
  readonly serialConsistency?: string
}

/** Cells by the names of columns; null is NULL. */
export type CassandraRow = Readonly<Record<string, Cell | null>>

export interface CassandraConnectOptions {
  /** host:port of some nodes. */
  readonly hosts: readonly string[]
  readonly datacenter: string
  readonly consistency: string
  /** Whether connections without a call under way keep the process from ending; they do unless it is given. */
  readonly idleConnections?: 'hold the process' | 'let it end'
  /** Read for each new connection to the cluster. */
  readonly login?: () => Promise<CassandraLogin>
  /** The same; absent without TLS. */
  readonly tls?: () => Promise<TlsMaterial>
}

export interface CassandraLogin {
  readonly username: string
  readonly password: string
  /** Whether the Secret lets its password go to a server that the job does not name; `address` is host:port. */
  mayGoTo(address: string): boolean
}

export type CassandraConnect = (options: CassandraConnectOptions) => CassandraClient

/** A name as CQL takes it whatever its letters are. */
export function quotedName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
