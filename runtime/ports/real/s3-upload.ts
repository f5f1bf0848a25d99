import { MillraceError } from '../../model/errors.ts'
import { isFields } from '../../model/fields.ts'
import { objectsUnavailable, uploadInvalid } from '../object-errors.ts'
import type { PreparedUpload, Upload } from '../objects.ts'
import type { S3Client } from './s3-client.ts'

/** Every part but the last; S3 wants at least 5 MiB. */
export const PART_BYTES = 8 * 1024 * 1024
/** As S3 limits them. */
const MOST_PARTS = 10_000

/** A multipart upload: invisible until it is completed, and kept by the server until it is completed or aborted. */
export class S3Upload implements Upload {
  readonly #client: S3Client
  readonly #path: string
  readonly #id: string
  readonly #etags: string[] = []
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #sizeBytes = 0

  constructor(client: S3Client, path: string, id: string) {
    this.#client = client
    this.#path = path
    this.#id = id
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const taken = bytes.slice(at, at + PART_BYTES - this.#waitingBytes)
      this.#waiting.push(taken)
      this.#waitingBytes += taken.length
      this.#sizeBytes += taken.length
      at += taken.length
      if (this.#waitingBytes === PART_BYTES) await this.#sendPart()
    }
  }

  async prepare(): Promise<PreparedUpload> {
    // an upload needs one part at least, which may be empty
    if (this.#waitingBytes > 0 || this.#etags.length === 0) await this.#sendPart()
    const token = JSON.stringify({ id: this.#id, parts: this.#etags })
    return { path: this.#path, sizeBytes: this.#sizeBytes, token }
  }

  discard(): Promise<void> {
    return abortUpload(this.#client, this.#path, this.#id)
  }

  async #sendPart(): Promise<void> {
    const number = this.#etags.length + 1
    const doing = `write part ${number} of ${JSON.stringify(this.#path)}`
    if (number > MOST_PARTS)
      throw new MillraceError(
        'OBJECT_TOO_LARGE',
        `${this.#client.name} takes ${MOST_PARTS} parts of ${PART_BYTES} bytes, and ${JSON.stringify(this.#path)} has more`,
        { domain: 'user', hint: 'write several objects' },
      )
    const { headers } = await this.#client.send({
      method: 'PUT',
      path: this.#path,
      query: { partNumber: String(number), uploadId: this.#id },
      body: Buffer.concat(this.#waiting),
      doing,
    })
    if (headers.etag === undefined)
      throw objectsUnavailable(this.#client.name, doing, new Error('the answer has no ETag'))
    this.#etags.push(headers.etag)
    this.#waiting = []
    this.#waitingBytes = 0
  }
}

/** No error when the upload is gone. */
export async function abortUpload(client: S3Client, path: string, id: string): Promise<void> {
  await client.send({
    method: 'DELETE',
    path,
    query: { uploadId: id },
    doing: `discard the upload of ${JSON.stringify(path)}`,
    expects: ['NoSuchUpload', 'NoSuchKey'],
  })
}

/** Throws OBJECT_UPLOAD_INVALID. */
export function uploadTokenOf(upload: PreparedUpload): { id: string; parts: readonly string[] } {
  const value = parsed(upload.token)
  if (isFields(value)) {
    const { id, parts } = value
    if (
      typeof id === 'string' &&
      id !== '' &&
      Array.isArray(parts) &&
      parts.length <= MOST_PARTS &&
      parts.every(isText)
    )
      return { id, parts }
  }
  throw uploadInvalid(upload)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length < 1000
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
