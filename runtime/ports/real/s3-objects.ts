import { sleep } from '../clock.ts'
import { checkObjectPath, objectChanged, objectLost, objectMissing, objectsUnavailable } from '../object-errors.ts'
import type { Objects, PreparedUpload, StoredObject, Upload } from '../objects.ts'
import type { S3Client, S3Environment } from './s3-client.ts'
import { abortUpload, S3Upload, uploadTokenOf } from './s3-upload.ts'
import { elementsIn, escaped, textIn } from './s3-xml.ts'

/** Objects of more than this are put in parts. */
const LARGEST_PUT_BYTES = 64 * 1024 * 1024
const COMPLETE_IDLE_MS = 60_000
const CREATE_TRIES = 8
const CONFLICT_WAIT_MS = 50
/** Which call of createIfAbsent made an object: an answer that was lost is found again by it. */
const CLAIM_HEADER = 'x-amz-meta-millrace-claim'

/**
 * A bucket of S3, or of a server that speaks its protocol (docs.aws.amazon.com/AmazonS3/latest/API). It needs
 * conditional writes (`If-None-Match: *`), which AWS has since 2024.
 */
export class S3Objects implements Objects {
  readonly #client: S3Client
  readonly #environment: S3Environment
  readonly #prefix: string

  constructor(client: S3Client, prefix: string, environment: S3Environment) {
    this.#client = client
    this.#prefix = prefix
    this.#environment = environment
  }

  async *list(prefix: string, after?: string): AsyncGenerator<StoredObject> {
    const start = after === undefined || after === '' ? {} : { 'start-after': this.#prefix + after }
    let next: string | undefined
    do {
      const answer = await this.#client.send({
        method: 'GET',
        query: {
          'list-type': '2',
          prefix: this.#prefix + prefix,
          ...(next === undefined ? start : { 'continuation-token': next }),
        },
        doing: `list ${JSON.stringify(prefix)}`,
      })
      const xml = Buffer.from(answer.body).toString('utf8')
      for (const element of elementsIn(xml, 'Contents')) {
        const object = this.#objectOf(element)
        if (object !== undefined) yield object
      }
      next = textIn(xml, 'IsTruncated') === 'true' ? textIn(xml, 'NextContinuationToken') : undefined
    } while (next !== undefined)
  }

  /** Servers on file systems list folders that are empty as keys that end with `/`. */
  #objectOf(element: string): StoredObject | undefined {
    const key = textIn(element, 'Key') ?? ''
    if (!key.startsWith(this.#prefix) || key.endsWith('/')) return undefined
    return {
      path: key.slice(this.#prefix.length),
      sizeBytes: Number(textIn(element, 'Size') ?? 0),
      modifiedMs: Date.parse(textIn(element, 'LastModified') ?? ''),
      version: textIn(element, 'ETag') ?? '',
    }
  }

  async head(path: string): Promise<StoredObject | undefined> {
    checkObjectPath(path)
    const answer = await this.#head(path)
    if (answer.code !== undefined) return undefined
    return {
      path,
      sizeBytes: Number(answer.headers['content-length'] ?? 0),
      modifiedMs: Date.parse(answer.headers['last-modified'] ?? ''),
      version: answer.headers.etag ?? '',
    }
  }

  #head(path: string): ReturnType<S3Client['send']> {
    return this.#client.send({
      method: 'HEAD',
      path,
      doing: `look at ${JSON.stringify(path)}`,
      expects: ['NoSuchKey', 'NotFound'],
    })
  }

  async read(path: string, offset: number, length: number, version?: string): Promise<Uint8Array> {
    checkObjectPath(path)
    if (length === 0) return new Uint8Array()
    const last = Math.min(offset + length - 1, Number.MAX_SAFE_INTEGER)
    const answer = await this.#client.send({
      method: 'GET',
      path,
      headers: { range: `bytes=${offset}-${last}`, ...(version === undefined ? {} : { 'if-match': version }) },
      maxBytes: Math.max(length, 65_536),
      doing: `read ${JSON.stringify(path)}`,
      expects: ['NoSuchKey', 'InvalidRange', 'PreconditionFailed'],
    })
    if (answer.code === 'PreconditionFailed') throw objectChanged(this.#client.name, path)
    if (answer.code === 'InvalidRange') return new Uint8Array()
    if (answer.code !== undefined) throw objectMissing(this.#client.name, path)
    // 200: the server sent all of it, as some do for a range that is all of the object
    return answer.status === 200 ? answer.body.subarray(offset, offset + length) : answer.body
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    checkObjectPath(path)
    if (bytes.length <= LARGEST_PUT_BYTES) {
      await this.#client.send({ method: 'PUT', path, body: bytes, doing: `write ${JSON.stringify(path)}` })
      return
    }
    const upload = await this.begin(path)
    try {
      await upload.write(bytes)
      await this.complete(await upload.prepare())
    } catch (error) {
      await upload.discard()
      throw error
    }
  }

  async createIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    checkObjectPath(path)
    const claim = this.#environment.rng.id()
    let mayHaveCreated = false
    for (let tried = 0; tried < CREATE_TRIES; tried++) {
      const answer = await this.#client.send({
        method: 'PUT',
        path,
        body: bytes,
        headers: { 'if-none-match': '*', [CLAIM_HEADER]: claim },
        doing: `create ${JSON.stringify(path)}`,
        expects: ['PreconditionFailed', 'ConditionalRequestConflict'],
      })
      mayHaveCreated ||= answer.isRepeated
      if (answer.code === undefined) return 'created'
      if (answer.code === 'PreconditionFailed') return mayHaveCreated ? this.#whose(path, claim) : 'exists'
      await sleep(this.#environment.clock, CONFLICT_WAIT_MS * (tried + this.#environment.rng.next()))
    }
    throw objectsUnavailable(
      this.#client.name,
      `create ${JSON.stringify(path)}`,
      new Error(`other writers were in the way ${CREATE_TRIES} times`),
    )
  }

  /** An earlier try may have created the object, and only its answer been lost. */
  async #whose(path: string, claim: string): Promise<'created' | 'exists'> {
    const { headers } = await this.#head(path)
    return headers[CLAIM_HEADER] === claim ? 'created' : 'exists'
  }

  async begin(path: string): Promise<Upload> {
    checkObjectPath(path)
    const doing = `begin ${JSON.stringify(path)}`
    const answer = await this.#client.send({ method: 'POST', path, query: { uploads: '' }, doing })
    const id = textIn(Buffer.from(answer.body).toString('utf8'), 'UploadId')
    if (id === undefined || id === '')
      throw objectsUnavailable(this.#client.name, doing, new Error('the answer has no UploadId'))
    return new S3Upload(this.#client, path, id)
  }

  async complete(upload: PreparedUpload): Promise<void> {
    const { path } = upload
    checkObjectPath(path)
    const { id, parts } = uploadTokenOf(upload)
    const list = parts.map(
      (etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escaped(etag)}</ETag></Part>`,
    )
    await this.#client.send({
      method: 'POST',
      path,
      query: { uploadId: id },
      headers: { 'content-type': 'application/xml' },
      body: Buffer.from(
        `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${list.join('')}</CompleteMultipartUpload>`,
      ),
      idleMs: COMPLETE_IDLE_MS,
      doing: `complete ${JSON.stringify(path)}`,
      expects: ['NoSuchUpload', 'NoSuchKey'],
    })
    // Only the object says that it is there: an upload that was completed before is gone, and a server that was killed
    // in the middle may answer a repeated call as if it had done it (versitygw 1.8.0 does, and the object is lost).
    if ((await this.head(path))?.sizeBytes !== upload.sizeBytes) throw objectLost(this.#client.name, upload)
  }

  async discard(upload: PreparedUpload): Promise<void> {
    checkObjectPath(upload.path)
    await abortUpload(this.#client, upload.path, uploadTokenOf(upload).id)
  }

  async *unfinished(prefix: string): AsyncGenerator<PreparedUpload> {
    let marker: Record<string, string> | undefined = {}
    while (marker !== undefined) {
      const answer = await this.#client.send({
        method: 'GET',
        query: { uploads: '', prefix: this.#prefix + prefix, ...marker },
        doing: `list the uploads of ${JSON.stringify(prefix)}`,
      })
      const xml = Buffer.from(answer.body).toString('utf8')
      for (const element of elementsIn(xml, 'Upload')) {
        const key = textIn(element, 'Key') ?? ''
        const id = textIn(element, 'UploadId') ?? ''
        if (key.startsWith(this.#prefix + prefix))
          yield { path: key.slice(this.#prefix.length), sizeBytes: 0, token: JSON.stringify({ id, parts: [] }) }
      }
      marker = markerAfter(xml)
    }
  }

  async delete(path: string): Promise<void> {
    checkObjectPath(path)
    await this.#client.send({
      method: 'DELETE',
      path,
      doing: `delete ${JSON.stringify(path)}`,
      expects: ['NoSuchKey'],
    })
  }
}

function markerAfter(xml: string): Record<string, string> | undefined {
  const key = textIn(xml, 'NextKeyMarker')
  const id = textIn(xml, 'NextUploadIdMarker')
  if (textIn(xml, 'IsTruncated') !== 'true' || key === undefined || id === undefined) return undefined
  return { 'key-marker': key, 'upload-id-marker': id }
}
