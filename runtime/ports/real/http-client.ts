import type { Agent, Response } from 'undici'
import { MillraceError } from '../../model/errors.ts'
import type { TlsFiles } from '../../model/tls-files.ts'
import { utf8Text } from '../../model/utf8-text.ts'
import type { HttpAnswer, HttpClient, OutgoingRequest } from '../http-client.ts'
import type { SecretFiles } from '../files.ts'
import { secretFiles } from '../reached-files.ts'
import { readTlsMaterial } from '../tls-material.ts'
import { realFiles } from './files.ts'
import type { AddressGuard } from './guarded-lookup.ts'

const DEFAULT_MAX_BYTES = 4 * 1024 * 1024

/** HTTP/1.1 with kept connections, by undici's fetch, which is loaded with the first request. */
export class RealHttpClient implements HttpClient {
  readonly #guard: AddressGuard | undefined
  readonly #secrets: SecretFiles
  /** By the files that their connections are made with. */
  readonly #agents = new Map<string, Promise<Agent>>()

  /** Without a guard every address may be called. */
  constructor({
    guard,
    secrets = secretFiles(realFiles, undefined),
  }: { guard?: AddressGuard | undefined; secrets?: SecretFiles } = {}) {
    this.#guard = guard
    this.#secrets = secrets
  }

  async send(request: OutgoingRequest): Promise<HttpAnswer> {
    const response = await this.#answerOf(request)
    return {
      status: response.status,
      body: await bodyOf(response, request),
      headers: Object.fromEntries(response.headers),
    }
  }

  async #answerOf({ method, url, headers, body, bytes, tls, signal }: OutgoingRequest): Promise<Response> {
    try {
      if (URL.canParse(url)) this.#guard?.check(new URL(url).hostname)
      const { fetch } = await import('undici')
      const dispatcher = await this.#agentWith(tls)
      return await fetch(url, {
        method,
        headers,
        signal,
        dispatcher,
        redirect: 'manual',
        ...(body === undefined && bytes === undefined ? {} : { body: body ?? bytes }),
      })
    } catch (cause) {
      throw failure(url, signal, cause)
    }
  }

  #agentWith(tls: TlsFiles | undefined): Promise<Agent> {
    const key = JSON.stringify(tls ?? {})
    let agent = this.#agents.get(key)
    if (agent === undefined) this.#agents.set(key, (agent = this.#newAgent(tls)))
    return agent
  }

  async #newAgent(tls: TlsFiles | undefined): Promise<Agent> {
    const { Agent, buildConnector } = await import('undici')
    const guarded = this.#guard === undefined ? {} : { lookup: this.#guard.lookup }
    if (tls === undefined) return new Agent({ connect: guarded })
    return new Agent({
      connect: (options, callback) => {
        readTlsMaterial(tls, this.#secrets).then(
          (material) => {
            buildConnector({ ...guarded, ...material })(options, callback)
          },
          (error: Error) => {
            callback(error, null)
          },
        )
      },
    })
  }
}

async function bodyOf(
  response: Response,
  { url, signal, maxBytes = DEFAULT_MAX_BYTES }: OutgoingRequest,
): Promise<HttpAnswer['body']> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of response.body ?? []) {
      size += chunk.length
      if (size > maxBytes) break
      chunks.push(chunk)
    }
  } catch (cause) {
    throw failure(url, signal, cause)
  }
  if (size > maxBytes)
    throw new MillraceError('HTTP_TOO_LARGE', `${hostOf(url)} answered more than ${maxBytes} bytes`, {
      domain: 'dependency',
    })
  const bytes = Buffer.concat(chunks)
  const text = utf8Text(bytes, 0, bytes.length)
  if (text !== undefined) return text
  // of what a server says against a request every readable word helps
  if (!response.ok) return bytes.toString('utf8')
  throw new MillraceError('HTTP_NOT_UTF8', `the answer of ${hostOf(url)} is not UTF-8; it may be Latin-1`, {
    domain: 'dependency',
  })
}

function failure(url: string, signal: AbortSignal, cause: unknown): unknown {
  if (signal.aborted) return signal.reason
  const refused = cause instanceof Error && cause.cause instanceof MillraceError ? cause.cause : cause
  if (refused instanceof MillraceError) return refused
  return new MillraceError('HTTP_FAILED', `no answer from ${hostOf(url)}`, {
    domain: 'dependency',
    retriable: true,
    cause,
  })
}

/** The path and the query may hold values of records. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'an address that is not a URL'
}
