import { MillraceError } from '../model/errors.ts'

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

const OPTIONS = ['user', 'tls', 'caFile'] as const
const MOST_MASTERS = 7
const DEFAULT_PORT = 7051
const LONGEST_TABLE = 256
const EXAMPLE = 'kudu://master:7051/table/folder; of several masters kudu://one:7051,two:7051,three:7051/table'

/** Throws STORE_URL_INVALID. `URL` does not take several hosts. */
export function kuduLocationOf(text: string): KuduLocation {
  const parts = /^kudu:\/\/([^/?#]+)\/([^/?#]+)(\/[^?#]*)?(?:\?([^#]*))?(?:#(.*))?$/is.exec(text)
  if (parts === null) throw invalid('it does not name masters and a table')
  const [, hosts = '', table = '', path = '', query = '', place = ''] = parts
  const masters = hosts.split(',').map((host) => (/:\d+$/.test(host) ? host : `${host}:${DEFAULT_PORT}`))
  if (masters.length > MOST_MASTERS) throw invalid(`it names ${masters.length} masters; ${MOST_MASTERS} are the most`)
  const wrong = masters.find((master) => !isHostAndPort(master))
  if (wrong !== undefined) throw invalid(`${JSON.stringify(wrong)} is not host:port`)
  const name = decoded(table)
  if (name.length > LONGEST_TABLE) throw invalid(`its table has a name of more than ${LONGEST_TABLE} characters`)
  const options = optionsOf(new URLSearchParams(query))
  // a place in a store has its folder behind the options (placeInStore)
  return { masters, table: name, prefix: prefixOf(decoded(path + place)), ...connectionOf(options) }
}

function connectionOf(options: ReadonlyMap<string, string>): Pick<KuduLocation, 'user' | 'tls'> {
  const tls = options.get('tls') ?? 'false'
  const caFile = options.get('caFile')
  if (tls !== 'true' && tls !== 'false') throw invalid(`tls is ${JSON.stringify(tls)}; it is true or false`)
  if (caFile !== undefined && tls === 'false') throw invalid('caFile has no effect without tls=true')
  return {
    user: options.get('user') ?? 'millrace',
    tls: tls === 'false' ? undefined : caFile === undefined ? {} : { caFile },
  }
}

function optionsOf(query: URLSearchParams): ReadonlyMap<string, string> {
  const known = new Set<string>(OPTIONS)
  for (const [name] of query)
    if (!known.has(name) || query.getAll(name).length > 1)
      throw invalid(`option ${JSON.stringify(name)} is unknown or given twice; known are ${OPTIONS.join(', ')}`)
  return new Map(query)
}

function isHostAndPort(text: string): boolean {
  const [, port] = /^(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?):(\d{1,5})$/i.exec(text) ?? []
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535
}

function prefixOf(path: string): string {
  const steps = path.split('/').filter((step) => step !== '')
  if (steps.some((step) => step === '.' || step === '..' || step.includes('\0')))
    throw invalid('its folder has . or .., or a NUL')
  return steps.map((step) => `${step}/`).join('')
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch (error) {
    if (error instanceof URIError) throw invalid('it has a % that is not followed by two hex digits')
    throw error
  }
}

function invalid(why: string): MillraceError {
  return new MillraceError('STORE_URL_INVALID', `the kudu URL cannot be used: ${why}`, {
    domain: 'user',
    hint: `write ${EXAMPLE}`,
  })
}
