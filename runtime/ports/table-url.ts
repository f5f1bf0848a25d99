import { MillraceError } from '../model/errors.ts'

/** The parts of a URL `scheme://host:port,host:port/table/folder?option=…#/folder`. `URL` does not take several hosts. */
export interface TableUrl {
  /** `host:port` of each. */
  readonly hosts: readonly string[]
  /** The first steps of the path. */
  readonly names: readonly string[]
  /** Empty, or ends with `/`. */
  readonly prefix: string
  readonly options: ReadonlyMap<string, string>
}

/** How the URLs of one kind of store are written. */
export interface TableUrlForm {
  readonly scheme: string
  readonly defaultPort: number
  readonly mostHosts: number
  /** The words for the hosts, and for the names at the beginning of the path. */
  readonly words: { readonly hosts: string; readonly names: readonly string[] }
  readonly options: readonly string[]
  readonly example: string
}

/** Throws STORE_URL_INVALID. */
export function readTableUrl(form: TableUrlForm, text: string): TableUrl {
  const { scheme, defaultPort, mostHosts, words } = form
  const parts = /^([a-z]+):\/\/([^/?#]+)\/([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/is.exec(text)
  const [, written = '', authority = '', path = '', query = '', place = ''] = parts ?? []
  const steps = path.split('/')
  const names = steps.slice(0, words.names.length).filter((step) => step !== '')
  if (written.toLowerCase() !== scheme || names.length < words.names.length)
    throw storeUrlInvalid(form, `it does not name ${words.hosts} and ${words.names.join(' and ')}`)
  const hosts = authority.split(',').map((host) => (/:\d+$/.test(host) ? host : `${host}:${defaultPort}`))
  if (hosts.length > mostHosts)
    throw storeUrlInvalid(form, `it names ${hosts.length} ${words.hosts}; ${mostHosts} are the most`)
  const wrong = hosts.find((host) => !isHostAndPort(host))
  if (wrong !== undefined) throw storeUrlInvalid(form, `${JSON.stringify(shownHost(wrong))} is not host:port`)
  return {
    hosts,
    names: names.map((name) => decoded(form, name)),
    // a place in a store has its folder behind the options (placeInStore)
    prefix: prefixOf(form, decoded(form, `${steps.slice(names.length).join('/')}${place}`)),
    options: optionsOf(form, new URLSearchParams(query)),
  }
}

export function storeUrlInvalid({ scheme, example }: TableUrlForm, why: string): MillraceError {
  return new MillraceError('STORE_URL_INVALID', `the ${scheme} URL cannot be used: ${why}`, {
    domain: 'user',
    hint: `write ${example}`,
  })
}

/** The value of an option that has one of these values; `otherwise` unless it is given. Throws STORE_URL_INVALID. */
export function chosen<T extends string>(
  form: TableUrlForm,
  { options }: TableUrl,
  name: string,
  values: readonly T[],
  otherwise: T,
): T {
  const value = options.get(name) ?? otherwise
  const known = values.find((one) => one === value)
  if (known !== undefined) return known
  throw storeUrlInvalid(form, `${name} is ${JSON.stringify(value)}; it is ${values.join(' or ')}`)
}

function optionsOf(form: TableUrlForm, query: URLSearchParams): ReadonlyMap<string, string> {
  for (const [name] of query)
    if (!form.options.includes(name) || query.getAll(name).length > 1)
      throw storeUrlInvalid(
        form,
        `option ${JSON.stringify(name)} is unknown or given twice; known are ${form.options.join(', ')}`,
      )
  return new Map(query)
}

function isHostAndPort(text: string): boolean {
  const [, port] = /^(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?):(\d{1,5})$/i.exec(text) ?? []
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535
}

/** A password that somebody has written into the URL is not repeated. */
function shownHost(host: string): string {
  return host.replace(/^[^@]*@/, '…@')
}

function prefixOf(form: TableUrlForm, path: string): string {
  const steps = path.split('/').filter((step) => step !== '')
  if (steps.some((step) => step === '.' || step === '..' || step.includes('\0')))
    throw storeUrlInvalid(form, 'its folder has . or .., or a NUL')
  return steps.map((step) => `${step}/`).join('')
}

function decoded(form: TableUrlForm, part: string): string {
  try {
    return decodeURIComponent(part)
  } catch (error) {
    if (error instanceof URIError) throw storeUrlInvalid(form, 'it has a % that is not followed by two hex digits')
    throw error
  }
}
