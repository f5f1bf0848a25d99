import type { TlsFiles } from '../model/tls-files.ts'
import { readTableUrl, storeUrlInvalid, type TableUrlForm } from './table-url.ts'
import { checkReadable, LOGIN_OPTIONS, loginOf, TLS_OPTIONS, tlsOf } from './table-url-security.ts'

/** Where the files of a URL `hbase://gateway:8080/table/folder?tls=…` lie, and how they are asked for. */
export interface HbaseLocation {
  /** The addresses of the REST gateways. */
  readonly urls: readonly string[]
  /** With its namespace where it has one. */
  readonly table: string
  /** Empty, or ends with `/`. */
  readonly prefix: string
  /** A user with a password, or a token, of which the files of mounted Secrets are named. */
  readonly login:
    | { readonly username: string; readonly passwordFile: string }
    | { readonly tokenFile: string }
    | undefined
  /** Absent: plain text. */
  readonly tls: TlsFiles | undefined
}

const FORM: TableUrlForm = {
  scheme: 'hbase',
  defaultPort: 8080,
  mostHosts: 16,
  words: { hosts: 'REST gateways', names: ['a table'] },
  options: [...LOGIN_OPTIONS, 'tokenFile', ...TLS_OPTIONS],
  example: 'hbase://gateway:8080/table/folder; of several REST gateways hbase://one:8080,two:8080/namespace:table',
}

/** Throws STORE_URL_INVALID. */
export function hbaseLocationOf(text: string): HbaseLocation {
  const url = readTableUrl(FORM, text)
  const [table = ''] = url.names
  if (!/^(?:\w+:)?\w[\w.-]*$/.test(table))
    throw storeUrlInvalid(FORM, `${JSON.stringify(table)} is no name of a table, as in state or streams:state`)
  const tls = tlsOf(FORM, url)
  const tokenFile = url.options.get('tokenFile')
  checkReadable(FORM, url, tokenFile !== undefined)
  const login = loginOf(FORM, url)
  if (login !== undefined && tokenFile !== undefined)
    throw storeUrlInvalid(FORM, 'it names a password and a token, of which one is enough')
  return {
    urls: url.hosts.map((host) => `${tls === undefined ? 'http' : 'https'}://${host}`),
    table,
    prefix: url.prefix,
    login: tokenFile === undefined ? login : { tokenFile },
    tls,
  }
}
