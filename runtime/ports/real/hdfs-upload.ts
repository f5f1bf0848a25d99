import { basename } from 'node:path/posix'
import type { PreparedUpload, Upload } from '../objects.ts'
import { objectsUnavailable } from '../object-errors.ts'
import type { HdfsClient } from './hdfs-client.ts'
import { statusOf } from './hdfs-listing.ts'

/** Each piece is a block of its own. */
const PIECE_BYTES = 16 * 1024 * 1024

export interface HdfsUploadParts {
  readonly client: HdfsClient
  readonly path: string
  /** A new temporary path beside it. */
  newTemporary(): string
}

/**
 * A file under a temporary name. Pieces are written as files, which may be repeated, and joined by CONCAT, which the
 * NameNode does at once: an APPEND that got no answer could not be repeated.
 */
export class HdfsUpload implements Upload {
  readonly #parts: HdfsUploadParts
  #file: string | undefined
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #writtenBytes = 0

  constructor(parts: HdfsUploadParts) {
    this.#parts = parts
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const taken = bytes.slice(at, at + PIECE_BYTES - this.#waitingBytes)
      this.#waiting.push(taken)
      this.#waitingBytes += taken.length
      at += taken.length
      if (this.#waitingBytes === PIECE_BYTES) await this.#sendPiece()
    }
  }

  async prepare(): Promise<PreparedUpload> {
    if (this.#waitingBytes > 0 || this.#file === undefined) await this.#sendPiece()
    const { path } = this.#parts
    return { path, sizeBytes: this.#writtenBytes, token: basename(this.#file ?? '') }
  }

  async discard(): Promise<void> {
    if (this.#file !== undefined) await deleteFile(this.#parts.client, this.#file)
  }

  async #sendPiece(): Promise<void> {
    const { client, newTemporary } = this.#parts
    const piece = newTemporary()
    await createFile(client, piece, Buffer.concat(this.#waiting))
    const bytes = this.#writtenBytes + this.#waitingBytes
    if (this.#file === undefined) this.#file = piece
    else await this.#join(this.#file, piece, bytes)
    this.#waiting = []
    this.#waitingBytes = 0
    this.#writtenBytes = bytes
  }

  async #join(file: string, piece: string, bytes: number): Promise<void> {
    const { client, path } = this.#parts
    const doing = `join the pieces of ${JSON.stringify(path)}`
    const { exception } = await client.send({
      method: 'POST',
      op: 'CONCAT',
      path: file,
      query: { sources: client.absolute(piece) },
      doing,
      expects: ['FileNotFoundException'],
    })
    // it was joined by a call whose answer was lost
    if (exception !== undefined && (await statusOf(client, file))?.sizeBytes !== bytes)
      throw objectsUnavailable(client.name, doing, new Error(`${exception}: a piece is gone`))
  }
}

/** Replaces what is there. A call that is cut leaves a part of the file visible: so only temporary names are written. */
export async function createFile(client: HdfsClient, path: string, body: Uint8Array): Promise<void> {
  await client.send({
    method: 'PUT',
    op: 'CREATE',
    path,
    query: { overwrite: 'true' },
    data: { body },
    doing: `write ${JSON.stringify(path)}`,
  })
}

/** No error when there is nothing, or a folder that is not empty. */
export async function deleteFile(client: HdfsClient, path: string): Promise<void> {
  await client.send({
    method: 'DELETE',
    op: 'DELETE',
    path,
    query: { recursive: 'false' },
    doing: `delete ${JSON.stringify(path)}`,
    expects: ['FileNotFoundException', 'PathIsNotEmptyDirectoryException'],
  })
}
