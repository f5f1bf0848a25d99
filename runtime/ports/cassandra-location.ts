import type { TlsFiles } from '../model/tls-files.ts'
import { chosen, readTableUrl, storeUrlInvalid, type TableUrlForm } from './table-url.ts'
import { LOGIN_OPTIONS, loginOf, TLS_OPTIONS, tlsOf } from './table-url-security.ts'

/** Where the files of a URL `cassandra://node:9042/keyspace/table/folder?datacenter=…` lie, and how they are asked for. */
export interface CassandraLocation {
  /** `host:port` of some nodes. */
  readonly hosts: readonly string[]
  readonly keyspace: string
  readonly table: string
  /** Empty, or ends with `/`. */
  readonly prefix: string
  readonly datacenter: string
  readonly consistency: CassandraConsistency
  readonly login: { readonly username: string; readonly passwordFile: string } | undefined
  /** Absent: plain text. */
  readonly tls: TlsFiles | undefined
}

/** Of the replicas of all datacenters, or of one: then every process that shares the store has to name the same one. */
export type CassandraConsistency = 'QUORUM' | 'LOCAL_QUORUM'

const FORM: TableUrlForm = {
  scheme: 'cassandra',
  defaultPort: 9042,
  mostHosts: 16,
  words: { hosts: 'nodes', names: ['a keyspace', 'a table'] },
  options: ['datacenter', 'consistency', ...LOGIN_OPTIONS, ...TLS_OPTIONS],
  example: 'cassandra://node:9042/keyspace/table/folder; of several nodes cassandra://one:9042,two:9042/keyspace/table',
}
/** Cassandra takes no others. */
const NAME = /^\w{1,48}$/

/** Throws STORE_URL_INVALID. */
export function cassandraLocationOf(text: string): CassandraLocation {
  const url = readTableUrl(FORM, text)
  const [keyspace = '', table = ''] = url.names
  const wrong = [keyspace, table].find((name) => !NAME.test(name))
  if (wrong !== undefined)
    throw storeUrlInvalid(FORM, `${JSON.stringify(wrong)} is no name of letters, digits and _, at most 48`)
  return {
    hosts: url.hosts,
    keyspace,
    table,
    prefix: url.prefix,
    datacenter: url.options.get('datacenter') ?? 'datacenter1',
    consistency: chosen(FORM, url, 'consistency', ['QUORUM', 'LOCAL_QUORUM'], 'QUORUM'),
    login: loginOf(FORM, url),
    tls: tlsOf(FORM, url),
  }
}
