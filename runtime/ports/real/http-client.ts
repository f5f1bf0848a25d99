import { MillraceError } from '../../model/errors.ts'
import type { HttpAnswer, HttpClient, OutgoingRequest } from '../http-client.ts'

const MAX_BODY_BYTES = 4 * 1024 * 1024

/** HTTP/1.1 with kept connections, by Node's fetch. */
export const realHttpClient: HttpClient = {
  async send(request) {
    const response = await answerOf(request)
    return { status: response.status, body: await bodyOf(response, request) }
  },
}

async function answerOf({ method, url, headers, body, signal }: OutgoingRequest): Promise<Response> {
  try {
    return await fetch(url, { method, headers, signal, redirect: 'manual', ...(body === undefined ? {} : { body }) })
  } catch (cause) {
    throw failure(url, signal, cause)
  }
}

async function bodyOf(response: Response, { url, signal }: OutgoingRequest): Promise<HttpAnswer['body']> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of response.body ?? []) {
      size += chunk.length
      if (size > MAX_BODY_BYTES) break
      chunks.push(chunk)
    }
  } catch (cause) {
    throw failure(url, signal, cause)
  }
  if (size > MAX_BODY_BYTES)
    throw new MillraceError('HTTP_TOO_LARGE', `${hostOf(url)} answered more than ${MAX_BODY_BYTES} bytes`, {
      domain: 'dependency',
    })
  return Buffer.concat(chunks).toString('utf8')
}

function failure(url: string, signal: AbortSignal, cause: unknown): unknown {
  if (signal.aborted) return signal.reason
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
