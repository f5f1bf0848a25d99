import { createHash, createHmac } from 'node:crypto'

export interface S3Credentials {
  readonly accessKey: string
  readonly secretKey: string
  readonly sessionToken?: string | undefined
  /** Epoch milliseconds; absent when they do not expire. */
  readonly expiresMs?: number | undefined
}

export interface SignedParts {
  readonly method: string
  readonly host: string
  /** As it is sent: every byte that is not unreserved is percent-encoded, but for `/`. */
  readonly path: string
  readonly query: ReadonlyMap<string, string>
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly region: string
  readonly nowMs: number
}

/**
 * The headers of a request with its signature, AWS Signature Version 4 over headers for the service s3
 * (docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). The hash of the body is signed, so that a
 * server refuses bytes that were changed on their way.
 */
export function signedHeaders(parts: SignedParts, credentials: S3Credentials): Record<string, string> {
  const time = new Date(parts.nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const scope = `${time.slice(0, 8)}/${parts.region}/s3/aws4_request`
  const bodyHash = sha256(parts.body)
  const headers: Record<string, string> = {
    ...parts.headers,
    host: parts.host,
    'x-amz-content-sha256': bodyHash,
    'x-amz-date': time,
    ...(credentials.sessionToken === undefined ? {} : { 'x-amz-security-token': credentials.sessionToken }),
  }
  const sorted = Object.entries(headers).toSorted(([left], [right]) => (left < right ? -1 : 1))
  const lines = sorted.map(([name, value]) => `${name}:${value.trim()}`)
  const names = sorted.map(([name]) => name).join(';')
  const canonical = [parts.method, parts.path, queryText(parts.query), ...lines, '', names, bodyHash].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')
  const key = scope.split('/').reduce<string | Buffer>((last, step) => hmac(last, step), `AWS4${credentials.secretKey}`)
  const signature = hmac(key, toSign).toString('hex')
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKey}/${scope},SignedHeaders=${names},Signature=${signature}`,
  }
}

/** Sorted by name, as it is signed and sent. */
export function queryText(query: ReadonlyMap<string, string>): string {
  return [...query]
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .toSorted()
    .join('&')
}

/** Percent-encoded as the signature wants it, `/` too. */
export function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest()
}
