import {
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
  request,
} from 'node:http'
import { Agent as HttpsAgent, request as secureRequest } from 'node:https'
import { MillraceError } from '../../model/errors.ts'
import type { AddressGuard } from './guarded-lookup.ts'

const SOCKETS = 64

export interface ByteRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | undefined
  /** A longer answer is cut off and rejected with HTTP_TOO_LARGE. */
  readonly maxBytes: number
  /** Without a byte in either direction for this long, the request fails. */
  readonly idleMs: number
}

export interface ByteAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Uint8Array
}

/** HTTP/1.1 with bodies of bytes, for storages. Redirects are not followed; rejects with the plain error of Node. */
export type SendBytes = (request: ByteRequest) => Promise<ByteAnswer>

/**
 * By node:http: the DataNodes of HDFS send `100 Continue` without being asked, which undici takes for a broken answer.
 * With a guard, guarded addresses are refused with HTTP_FORBIDDEN.
 */
export function byteHttp(guard: AddressGuard | undefined): SendBytes {
  const options = {
    keepAlive: true,
    maxSockets: SOCKETS,
    ...(guard === undefined ? {} : { lookup: guard.lookup as NonNullable<RequestOptions['lookup']> }),
  }
  const plain = new HttpAgent(options)
  const secure = new HttpsAgent(options)
  return (wanted) =>
    new Promise((resolve, reject) => {
      const url = new URL(wanted.url)
      guard?.check(url.hostname)
      const { method, headers, body, idleMs } = wanted
      const length = body === undefined ? {} : { 'content-length': String(body.length) }
      const all = { method, headers: { ...headers, ...length } }
      const sent =
        url.protocol === 'https:'
          ? secureRequest(url, { ...all, agent: secure })
          : request(url, { ...all, agent: plain })
      sent.setTimeout(idleMs, () => sent.destroy(new Error(`no byte from ${url.host} for ${idleMs / 1000} s`)))
      sent.once('error', reject)
      sent.once('response', (answer) => {
        bodyOf(answer, wanted).then(
          (bytes) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: bytes }),
          (error: Error) => {
            sent.destroy()
            reject(error)
          },
        )
      })
      sent.end(body)
    })
}

async function bodyOf(answer: IncomingMessage, { url, maxBytes }: ByteRequest): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > maxBytes)
      throw new MillraceError('HTTP_TOO_LARGE', `${new URL(url).host} answered more than ${maxBytes} bytes`, {
        domain: 'dependency',
      })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
