import { MillraceError, describeWithCauses } from '../../model/errors.ts'
import { isFields, memberOf } from '../../model/fields.ts'
import { sleep, type Clock } from '../clock.ts'
import type { SecretFiles } from '../files.ts'
import type { HdfsLocation } from '../hdfs-location.ts'
import { objectsRefused, objectsUnavailable } from '../object-errors.ts'
import type { Rng } from '../rng.ts'
import type { ByteAnswer, ByteRequest, SendBytes } from './byte-http.ts'

const TRIES = 6
const FIRST_WAIT_MS = 100
const IDLE_MS = 30_000
/** A batch of a listing is 1000 names of at most 255 bytes and what is known of them. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024
/** Exceptions that stay until somebody acts; HDFS answers most others while a server is away or starts. */
const REFUSALS = new Set([
  'AccessControlException',
  'AuthenticationException',
  'DSQuotaExceededException',
  'FileAlreadyExistsException',
  'FileNotFoundException',
  'HadoopIllegalArgumentException',
  'IllegalArgumentException',
  'InvalidPathException',
  'InvalidToken',
  'NSQuotaExceededException',
  'ParentNotDirectoryException',
  'PathIsNotEmptyDirectoryException',
  'SecurityException',
  'UnsupportedOperationException',
])
/** Statuses of answers that are none of HDFS's own: from a proxy, or from a server that is overloaded. */
const PASSING_STATUSES = new Set([408, 429, 500, 502, 503, 504])
const TOKEN_REFUSALS = new Set(['InvalidToken', 'SecurityException', 'AuthenticationException'])

export interface HdfsCall {
  readonly method: ByteRequest['method']
  readonly op: string
  /** Below the folder of the location. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  /** Sent to, or read from, the DataNode that the NameNode names. */
  readonly data?: { readonly body: Uint8Array } | { readonly bytes: number }
  /** Names the call in messages: `read "a/b"`. */
  readonly doing: string
  /** Exceptions of HDFS that the caller understands; every other is thrown. */
  readonly expects?: readonly string[]
}

export interface HdfsAnswer {
  readonly body: Uint8Array
  /** The exception of HDFS when it is one that the caller expects. */
  readonly exception: string | undefined
  /** Whether an earlier try of the same call may have had its effect. */
  readonly isRepeated: boolean
}

export interface HdfsEnvironment {
  readonly send: SendBytes
  readonly clock: Clock
  readonly rng: Rng
  readonly secretFiles: SecretFiles
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * Calls WebHDFS (hadoop-hdfs-project, WebHDFS.md, of 3.5.0), and repeats calls while servers do not answer. It
 * stays with the NameNode that serves.
 */
export class HdfsClient {
  /** As messages name it. */
  readonly name: string
  readonly #location: HdfsLocation
  readonly #environment: HdfsEnvironment
  #current = 0
  #token: string | undefined

  constructor(location: HdfsLocation, environment: HdfsEnvironment) {
    this.#location = location
    this.#environment = environment
    this.name = `hdfs://${location.nameNodes.join(',')}${location.folder}`
  }

  /** Rejects with OBJECTS_UNAVAILABLE, OBJECTS_REFUSED or OBJECTS_CREDENTIALS. */
  async send(call: HdfsCall): Promise<HdfsAnswer> {
    const { clock, rng } = this.#environment
    let last: unknown
    let hasForgotten = false
    for (let tried = 0; tried < TRIES; tried++) {
      try {
        const answer = await this.#sendOnce(call)
        const failure = failureOf(answer, call)
        if (failure === undefined || call.expects?.includes(failure.exception) === true)
          return { body: answer.body, exception: failure?.exception, isRepeated: tried > 0 }
        last = new Error(failure.text)
        if (failure.exception === 'StandbyException') this.#toNextNameNode()
        if (TOKEN_REFUSALS.has(failure.exception) && this.#token !== undefined && !hasForgotten) {
          this.#token = undefined
          hasForgotten = true
          continue
        }
        if (!failure.isPassing) throw objectsRefused(this.name, call.doing, failure.text)
      } catch (error) {
        if (error instanceof MillraceError) throw error
        last = error
        this.#toNextNameNode()
      }
      if (tried < TRIES - 1) await sleep(clock, FIRST_WAIT_MS * 2 ** tried * (0.5 + rng.next()))
    }
    throw objectsUnavailable(this.name, call.doing, new Error(describeWithCauses(last)))
  }

  async #sendOnce(call: HdfsCall): Promise<ByteAnswer> {
    const { data } = call
    const url = await this.#urlOf(call)
    const answer = await this.#request({ method: call.method, url })
    if (data === undefined || (answer.status !== 307 && failureOf(answer, {}) !== undefined)) return answer
    const request = { method: call.method, url: this.#dataNodeOf(answer) }
    return 'body' in data
      ? this.#request({ ...request, body: data.body, headers: { 'content-type': 'application/octet-stream' } })
      : this.#request({ ...request, maxBytes: data.bytes })
  }

  #request(wanted: Pick<ByteRequest, 'method' | 'url'> & Partial<ByteRequest>): Promise<ByteAnswer> {
    return this.#environment.send({ headers: {}, maxBytes: MAX_ANSWER_BYTES, idleMs: IDLE_MS, ...wanted })
  }

  async #urlOf({ op, path, query = {}, data }: HdfsCall): Promise<string> {
    const { nameNodes, protocol, delegationTokenFile, user } = this.#location
    const parameters = new URLSearchParams({ op, ...query })
    if (data !== undefined) parameters.set('noredirect', 'true')
    if (delegationTokenFile === undefined)
      parameters.set('user.name', user ?? this.#environment.env['HADOOP_USER_NAME'] ?? 'millrace')
    else parameters.set('delegation', (this.#token ??= await this.#tokenIn(delegationTokenFile)))
    const steps = this.absolute(path).split('/').map(encodeURIComponent).join('/')
    return `${protocol}://${nameNodes[this.#current]}/webhdfs/v1${steps}?${parameters}`
  }

  /** The path as NameNodes know it. */
  absolute(path: string): string {
    return `${this.#location.folder}/${path}`.replace(/(.)\/$/, '$1')
  }

  async #tokenIn(file: string): Promise<string> {
    try {
      return (await this.#environment.secretFiles.read(file)).trim()
    } catch (cause) {
      throw new MillraceError('OBJECTS_CREDENTIALS', `the delegation token for ${this.name} cannot be read`, {
        domain: 'user',
        retriable: true,
        cause,
        hint: 'mount a Secret with the token, and name its file by delegationTokenFile',
      })
    }
  }

  /** Its address is checked as that of every call is, by the guard of `send`. */
  #dataNodeOf({ headers, body }: ByteAnswer): string {
    const text = headers.location ?? textIn(parsed(body), 'Location')
    const url = text !== undefined && URL.canParse(text) ? new URL(text) : undefined
    const isSound =
      url !== undefined &&
      ['http:', 'https:'].includes(url.protocol) &&
      url.pathname.startsWith('/webhdfs/v1/') &&
      url.username === ''
    if (isSound) return url.href
    throw new Error('the answer names no DataNode')
  }

  #toNextNameNode(): void {
    this.#current = (this.#current + 1) % this.#location.nameNodes.length
  }
}

interface Failure {
  readonly exception: string
  readonly text: string
  readonly isPassing: boolean
}

function failureOf({ status, body }: ByteAnswer, { data }: Pick<HdfsCall, 'data'>): Failure | undefined {
  if (status >= 200 && status < 300) {
    if (data === undefined || 'body' in data || body.length === data.bytes) return undefined
    return { exception: '', text: `${body.length} bytes came instead of ${data.bytes}`, isPassing: true }
  }
  const found = parsed(body)
  const remote = isFields(found) ? found['RemoteException'] : undefined
  const exception = textIn(remote, 'exception') ?? ''
  const message = textIn(remote, 'message')?.split('\n')[0]?.slice(0, 500) ?? ''
  return {
    exception,
    text: [String(status), exception, message].filter((part) => part !== '').join(' '),
    isPassing: exception === '' ? PASSING_STATUSES.has(status) : !REFUSALS.has(exception),
  }
}

/** The JSON of an answer; undefined when it is none. */
export function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function textIn(value: unknown, name: string): string | undefined {
  const found = isFields(value) ? memberOf(value, name) : undefined
  return typeof found === 'string' ? found : undefined
}
