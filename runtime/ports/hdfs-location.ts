import { MillraceError } from '../model/errors.ts'

/** Where the files of a URL `hdfs://namenode:9870/folder?user=…` lie, and as whom they are asked for. */
export interface HdfsLocation {
  /** `host:port` of WebHDFS, or of HttpFS; two of a pair of NameNodes, of which one is active. */
  readonly nameNodes: readonly string[]
  /** Absolute, without a slash at its end; empty for the root. */
  readonly folder: string
  readonly protocol: 'http' | 'https'
  /** Absent: HADOOP_USER_NAME, else millrace. Not used with a token. */
  readonly user: string | undefined
  /** A delegation token, in a file of a mounted Secret. */
  readonly delegationTokenFile: string | undefined
}

const OPTIONS = ['user', 'delegationTokenFile', 'protocol'] as const
const MOST_NAME_NODES = 8
const DEFAULT_PORT = 9870

/** Throws OBJECTS_URL_INVALID. `URL` does not take several hosts. */
export function hdfsLocationOf(text: string): HdfsLocation {
  const parts = /^hdfs:\/\/([^/?#]+)(\/[^?#]*)?(?:\?([^#]*))?(?:#(.*))?$/is.exec(text)
  const [, hosts = '', path = '', query = '', place = ''] = parts ?? []
  const nameNodes = hosts.split(',').map((host) => (/:\d+$/.test(host) ? host : `${host}:${DEFAULT_PORT}`))
  if (parts === null || nameNodes.length > MOST_NAME_NODES || !nameNodes.every(isHostAndPort))
    throw invalid(`it is not hdfs://namenode:9870/folder, or has more than ${MOST_NAME_NODES} NameNodes`)
  const options = new URLSearchParams(query)
  const known = new Set<string>(OPTIONS)
  for (const [name] of options)
    if (!known.has(name) || options.getAll(name).length > 1)
      throw invalid(`option ${JSON.stringify(name)} is unknown or given twice; known are ${OPTIONS.join(', ')}`)
  return {
    nameNodes,
    folder: folderOf(path + place),
    protocol: protocolOf(options.get('protocol') ?? 'http'),
    user: options.get('user') ?? undefined,
    delegationTokenFile: options.get('delegationTokenFile') ?? undefined,
  }
}

function isHostAndPort(text: string): boolean {
  const [, port] = /^(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9_.-]*[a-z0-9])?):(\d{1,5})$/i.exec(text) ?? []
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535
}

/** HDFS takes no `:` in names (DFSUtil.isValidName). */
function folderOf(path: string): string {
  const steps = decoded(path)
    .split('/')
    .filter((step) => step !== '')
  if (steps.some((step) => step === '.' || step === '..' || /[:\0]/.test(step)))
    throw invalid('its path has . or .., or a colon, which HDFS does not take')
  return steps.map((step) => `/${step}`).join('')
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch (error) {
    if (error instanceof URIError) throw invalid('its path has a % that is not followed by two hex digits')
    throw error
  }
}

function protocolOf(text: string): 'http' | 'https' {
  if (text === 'http' || text === 'https') return text
  throw invalid(`protocol is ${JSON.stringify(text)}; it is http or https`)
}

function invalid(why: string): MillraceError {
  return new MillraceError('OBJECTS_URL_INVALID', `the hdfs URL cannot be used: ${why}`, {
    domain: 'user',
    hint: 'write hdfs://namenode:9870/folder?user=name, with the port of WebHDFS; of a pair: hdfs://one:9870,two:9870/folder',
  })
}
