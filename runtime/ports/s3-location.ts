import { MillraceError } from '../model/errors.ts'

/** Where the objects of a URL `s3://bucket/prefix?endpoint=…` lie, and with which rights they are asked for. */
export interface S3Location {
  readonly bucket: string
  /** Empty, or ends with `/`. */
  readonly prefix: string
  /** Absent: AWS's own of the region. */
  readonly endpoint: URL | undefined
  /** Absent: AWS_REGION, else us-east-1. */
  readonly region: string | undefined
  readonly addressing: 'path' | 'virtual'
  readonly credentials: CredentialSource
}

/**
 * `chain`: environment, shared file, web identity. `container` and `instance` ask the metadata service of the machine,
 * and only when the URL says so. Files: of mounted Secrets, read again when the server no longer takes what they held.
 */
export type CredentialSource = 'chain' | 'container' | 'instance' | CredentialFiles

export interface CredentialFiles {
  readonly accessKeyFile: string
  readonly secretKeyFile: string
  readonly sessionTokenFile: string | undefined
}

const LONGEST_KEY_BYTES = 1024

const OPTIONS = [
  'endpoint',
  'region',
  'addressing',
  'credentials',
  'accessKeyFile',
  'secretKeyFile',
  'sessionTokenFile',
] as const
type Option = (typeof OPTIONS)[number]

/** Throws OBJECTS_URL_INVALID. */
export function s3LocationOf(text: string): S3Location {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.hostname === '' || url.username !== '' || url.password !== '')
    throw invalid('it is not s3://bucket/prefix?endpoint=…, without a user or password')
  const options = optionsOf(url.searchParams)
  const endpoint = endpointOf(options.get('endpoint'))
  const bucket = url.hostname
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
    throw invalid(
      `${JSON.stringify(bucket.slice(0, 100))} is no name of a bucket, which has 3 to 63 of a-z, 0-9, . and -`,
    )
  // a place in a store has its folder behind the options (placeInStore)
  const trimmed = decoded(`${url.pathname}${url.hash.slice(1)}`).replaceAll(/^\/+|\/+$/g, '')
  if (Buffer.byteLength(trimmed) > LONGEST_KEY_BYTES)
    throw invalid(`its path has more than ${LONGEST_KEY_BYTES} bytes, as the keys of S3 must not`)
  return {
    bucket,
    prefix: trimmed === '' ? '' : `${trimmed}/`,
    endpoint,
    region: options.get('region'),
    addressing: addressingOf(options.get('addressing'), endpoint !== undefined || bucket.includes('.')),
    credentials: credentialsOf(options),
  }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path).replaceAll(/\/{2,}/g, '/')
  } catch (error) {
    if (error instanceof URIError) throw invalid('its path has a % that is not followed by two hex digits')
    throw error
  }
}

function optionsOf(query: URLSearchParams): Map<Option, string> {
  const found = new Map<Option, string>()
  for (const [name, value] of query) {
    const option = OPTIONS.find((known) => known === name)
    if (option === undefined || found.has(option))
      throw invalid(`option ${JSON.stringify(name)} is unknown or given twice; known are ${OPTIONS.join(', ')}`)
    found.set(option, value)
  }
  return found
}

function endpointOf(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && ['http:', 'https:'].includes(url.protocol) && url.pathname === '/' && url.search === '')
    return url
  throw invalid('endpoint must be http://host:port or https://host, without a path')
}

function addressingOf(text: string | undefined, isPathUsual: boolean): 'path' | 'virtual' {
  if (text === undefined) return isPathUsual ? 'path' : 'virtual'
  if (text === 'path' || text === 'virtual') return text
  throw invalid(`addressing is ${JSON.stringify(text)}; it is path or virtual`)
}

function credentialsOf(options: ReadonlyMap<Option, string>): CredentialSource {
  const accessKeyFile = options.get('accessKeyFile')
  const secretKeyFile = options.get('secretKeyFile')
  const sessionTokenFile = options.get('sessionTokenFile')
  const source = options.get('credentials')
  if (source === undefined && accessKeyFile !== undefined && secretKeyFile !== undefined)
    return { accessKeyFile, secretKeyFile, sessionTokenFile }
  if (accessKeyFile !== undefined || secretKeyFile !== undefined || sessionTokenFile !== undefined)
    throw invalid('accessKeyFile and secretKeyFile belong together, and go without credentials')
  if (source === undefined || source === 'chain') return 'chain'
  if (source === 'container' || source === 'instance') return source
  throw invalid(`credentials is ${JSON.stringify(source)}; it is chain, container or instance`)
}

function invalid(why: string): MillraceError {
  return new MillraceError('OBJECTS_URL_INVALID', `the s3 URL cannot be used: ${why}`, {
    domain: 'user',
    hint: 'write s3://bucket/prefix?endpoint=http://host:port&region=us-east-1',
  })
}
