import { chosen, readTableUrl, storeUrlInvalid, type TableUrl, type TableUrlForm } from './table-url.ts'

/** Where the files of a URL `kudu://master:7051/table/folder?user=…` lie, and as whom they are asked for. */
export interface KuduLocation {
  /** `host:port` of each master. */
  readonly masters: readonly string[]
  readonly table: string
  /** Empty, or ends with `/`. */
  readonly prefix: string
  readonly user: string
  /** Absent: plain text. `caFile`: of a mounted Secret; without it the authorities that Node trusts. */
  readonly tls: { readonly caFile?: string } | undefined
}

const LONGEST_TABLE = 256
const FORM: TableUrlForm = {
  scheme: 'kudu',
  defaultPort: 7051,
  mostHosts: 7,
  words: { hosts: 'masters', names: ['a table'] },
  options: ['user', 'tls', 'caFile'],
  example: 'kudu://master:7051/table/folder; of several masters kudu://one:7051,two:7051,three:7051/table',
}

/** Throws STORE_URL_INVALID. */
export function kuduLocationOf(text: string): KuduLocation {
  const url = readTableUrl(FORM, text)
  const { hosts: masters, names, prefix } = url
  const [table = ''] = names
  if (table.length > LONGEST_TABLE)
    throw storeUrlInvalid(FORM, `its table has a name of more than ${LONGEST_TABLE} characters`)
  return { masters, table, prefix, ...connectionOf(url) }
}

function connectionOf(url: TableUrl): Pick<KuduLocation, 'user' | 'tls'> {
  const tls = chosen(FORM, url, 'tls', ['true', 'false'], 'false')
  const caFile = url.options.get('caFile')
  if (caFile !== undefined && tls === 'false') throw storeUrlInvalid(FORM, 'caFile has no effect without tls=true')
  return {
    user: url.options.get('user') ?? 'millrace',
    tls: tls === 'false' ? undefined : caFile === undefined ? {} : { caFile },
  }
}
