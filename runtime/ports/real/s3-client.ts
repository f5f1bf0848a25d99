import { MillraceError, describeWithCauses } from '../../model/errors.ts'
import { sleep, type Clock } from '../clock.ts'
import { objectsRefused, objectsUnavailable } from '../object-errors.ts'
import type { Rng } from '../rng.ts'
import type { ByteAnswer, ByteRequest, SendBytes } from './byte-http.ts'
import type { S3CredentialChain } from './s3-credentials.ts'
import type { S3Location } from '../s3-location.ts'
import { encoded, queryText, signedHeaders } from './s3-signature.ts'
import { textIn } from './s3-xml.ts'

const TRIES = 5
const FIRST_WAIT_MS = 100
const LONGEST_WAIT_MS = 20_000
const IDLE_MS = 10_000
/** Lists of 1000 objects are below 1 MB; keys have at most 1024 bytes. */
const MAX_LIST_BYTES = 8 * 1024 * 1024
const PASSING_STATUSES = new Set([408, 429, 500, 502, 503, 504])
const PASSING_CODES = new Set(['SlowDown', 'RequestTimeout', 'InternalError', 'ServiceUnavailable', 'OperationAborted'])
const CREDENTIAL_CODES = new Set(['ExpiredToken', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'InvalidToken'])

export interface S3Request {
  readonly method: ByteRequest['method']
  /** Path of the object below the location's root; absent: the bucket itself. */
  readonly path?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly maxBytes?: number
  readonly idleMs?: number
  /** Names the call in messages: `read "a/b"`. */
  readonly doing: string
  /** Codes of S3 that the caller understands; every other error is thrown. */
  readonly expects?: readonly string[]
}

export interface S3Answer extends ByteAnswer {
  /** S3's own code when the answer is an error that the caller expects. */
  readonly code: string | undefined
  /** Whether an earlier try of the same request may have had its effect. */
  readonly isRepeated: boolean
}

export interface S3Environment {
  readonly send: SendBytes
  readonly clock: Clock
  readonly rng: Rng
}

/** Sends signed requests to one bucket and repeats them while the server is throttled or does not answer. */
export class S3Client {
  /** As messages name it. */
  readonly name: string
  readonly #location: S3Location
  readonly #region: string
  readonly #credentials: S3CredentialChain
  readonly #environment: S3Environment
  readonly #origin: URL

  constructor(location: S3Location, region: string, credentials: S3CredentialChain, environment: S3Environment) {
    this.#location = location
    this.#region = region
    this.#credentials = credentials
    this.#environment = environment
    this.#origin = originOf(location, region)
    this.name = `s3://${location.bucket}/${location.prefix} at ${this.#origin.host}`
  }

  /** Rejects with OBJECTS_UNAVAILABLE or OBJECTS_REFUSED. */
  async send(request: S3Request): Promise<S3Answer> {
    const { clock, rng } = this.#environment
    let last: unknown
    let isRepeated = false
    let hasForgotten = false
    for (let tried = 0; tried < TRIES; tried++) {
      let waitMs = FIRST_WAIT_MS * 2 ** tried * (0.5 + rng.next())
      try {
        const answer = await this.#sendOnce(request)
        const failure = failureOf(answer, request)
        if (failure === undefined || request.expects?.includes(failure.code) === true)
          return { ...answer, code: failure?.code, isRepeated }
        last = new Error(failure.text)
        if (CREDENTIAL_CODES.has(failure.code) && !hasForgotten) {
          this.#credentials.forget()
          hasForgotten = true
          continue
        }
        if (!failure.isPassing) throw objectsRefused(this.name, request.doing, failure.text)
        waitMs = retryAfterMs(answer) ?? waitMs
      } catch (error) {
        if (error instanceof MillraceError) throw error
        last = error
      }
      isRepeated = true
      if (tried < TRIES - 1) await sleep(clock, Math.min(waitMs, LONGEST_WAIT_MS))
    }
    throw objectsUnavailable(this.name, request.doing, new Error(describeWithCauses(last)))
  }

  async #sendOnce({ method, path, query = {}, headers = {}, body, maxBytes, idleMs }: S3Request): Promise<ByteAnswer> {
    const credentials = await this.#credentials.current()
    const { bucket, prefix, addressing } = this.#location
    const key = path === undefined ? '' : (prefix + path).split('/').map(encoded).join('/')
    const target = addressing === 'path' ? `/${bucket}${key === '' ? '' : `/${key}`}` : `/${key}`
    const parameters = new Map(Object.entries(query))
    const signed = signedHeaders(
      {
        method,
        host: this.#origin.host,
        path: target,
        query: parameters,
        headers,
        body: body ?? new Uint8Array(),
        region: this.#region,
        nowMs: this.#environment.clock.now(),
      },
      credentials,
    )
    const search = parameters.size === 0 ? '' : `?${queryText(parameters)}`
    return this.#environment.send({
      method,
      url: `${this.#origin.origin}${target}${search}`,
      headers: signed,
      ...(body === undefined ? {} : { body }),
      maxBytes: maxBytes ?? MAX_LIST_BYTES,
      idleMs: idleMs ?? IDLE_MS,
    })
  }
}

function originOf({ bucket, endpoint, addressing }: S3Location, region: string): URL {
  const base = endpoint ?? new URL(`https://s3.${region}.amazonaws.com`)
  return addressing === 'path' ? base : new URL(`${base.protocol}//${bucket}.${base.host}`)
}

interface Failure {
  readonly code: string
  readonly text: string
  readonly isPassing: boolean
}

/** CompleteMultipartUpload may answer 200 and report an error in its body. */
function failureOf({ status, body }: ByteAnswer, { method, query }: S3Request): Failure | undefined {
  const mayHide = method === 'POST' && query?.['uploadId'] !== undefined
  if (status >= 200 && status < 300 && !mayHide) return undefined
  const xml = Buffer.from(body.subarray(0, 16_384)).toString('utf8')
  if (status >= 200 && status < 300 && !xml.includes('<Error>')) return undefined
  const code = textIn(xml, 'Code') ?? CODE_OF_STATUS.get(status) ?? String(status)
  const message = textIn(xml, 'Message')?.slice(0, 500) ?? ''
  const isPassing = PASSING_STATUSES.has(status) || PASSING_CODES.has(code)
  return { code, text: `${status} ${code}${message === '' ? '' : `: ${message}`}`, isPassing }
}

/** Answers to HEAD have no body. */
const CODE_OF_STATUS = new Map([
  [404, 'NoSuchKey'],
  [412, 'PreconditionFailed'],
  [409, 'ConditionalRequestConflict'],
  [416, 'InvalidRange'],
])

function retryAfterMs({ headers }: ByteAnswer): number | undefined {
  const seconds = Number(headers['retry-after'] ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined
}
