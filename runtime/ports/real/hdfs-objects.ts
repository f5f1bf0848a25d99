import { basename } from 'node:path/posix'
import {
  checkObjectPath,
  objectChanged,
  objectLost,
  objectMissing,
  objectsRefused,
  objectsUnavailable,
  uploadInvalid,
} from '../object-errors.ts'
import type { Objects, PreparedUpload, StoredObject, Upload } from '../objects.ts'
import type { Rng } from '../rng.ts'
import { nameOfTemporary } from './durable-file.ts'
import type { HdfsAnswer, HdfsClient } from './hdfs-client.ts'
import { entriesIn, statusOf } from './hdfs-listing.ts'
import { createFile, deleteFile, HdfsUpload } from './hdfs-upload.ts'
import { byBytes, type FileKind } from './folder-walk.ts'

const TEMPORARY_DIGITS = 12

/**
 * A folder of HDFS. Every object is written under a temporary name beside its own, which starts with a dot, and renamed:
 * a write that is cut leaves a part of its file visible. Files are durable as far as DataNodes make them so; they have
 * taken all bytes, and flush them to the disk at once with `dfs.datanode.synconclose`.
 */
export class HdfsObjects implements Objects {
  readonly #client: HdfsClient
  readonly #rng: Rng

  constructor(client: HdfsClient, rng: Rng) {
    this.#client = client
    this.#rng = rng
  }

  async *list(prefix: string, after = ''): AsyncGenerator<StoredObject> {
    const found = await this.#find(prefix, 'whole')
    for (const object of found) if (byBytes(object.path, after) > 0) yield object
  }

  async head(path: string): Promise<StoredObject | undefined> {
    checkObjectPath(path)
    const status = await statusOf(this.#client, path)
    return status === undefined || status.isFolder ? undefined : stored(status)
  }

  async read(path: string, offset: number, length: number, version?: string): Promise<Uint8Array> {
    const found = await this.head(path)
    if (found === undefined) throw objectMissing(this.#client.name, path)
    if (version !== undefined && version !== found.version) throw objectChanged(this.#client.name, path)
    const bytes = Math.min(length, found.sizeBytes - offset)
    if (bytes <= 0) return new Uint8Array()
    const { body, exception } = await this.#client.send({
      method: 'GET',
      op: 'OPEN',
      path,
      query: { offset: String(offset), length: String(bytes) },
      data: { bytes },
      doing: `read ${JSON.stringify(path)}`,
      expects: ['FileNotFoundException'],
    })
    if (exception !== undefined) throw objectMissing(this.#client.name, path)
    // it may have been replaced between the two calls
    if (version !== undefined && (await this.head(path))?.version !== version)
      throw objectChanged(this.#client.name, path)
    return body
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    checkObjectPath(path)
    const temporary = this.#temporaryOf(path)
    await createFile(this.#client, temporary, bytes)
    const { exception, isRepeated } = await this.#rename(temporary, path, 'OVERWRITE')
    if (exception === undefined) return
    // nobody else knows the temporary name: when it is gone, an earlier try has renamed it
    if (isRepeated && (await this.head(temporary)) === undefined) return
    throw objectsUnavailable(this.#client.name, `write ${JSON.stringify(path)}`, new Error(exception))
  }

  async createIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    if ((await this.head(path)) !== undefined) return 'exists'
    const temporary = this.#temporaryOf(path)
    await createFile(this.#client, temporary, bytes)
    const { exception, isRepeated } = await this.#rename(temporary, path, 'NONE')
    if (exception === undefined) return 'created'
    if (isRepeated && (await this.head(temporary)) === undefined) return 'created'
    await deleteFile(this.#client, temporary)
    if (exception === 'FileAlreadyExistsException') return 'exists'
    throw objectsUnavailable(this.#client.name, `create ${JSON.stringify(path)}`, new Error(exception))
  }

  begin(path: string): Promise<Upload> {
    checkObjectPath(path)
    const newTemporary = (): string => this.#temporaryOf(path)
    return Promise.resolve(new HdfsUpload({ client: this.#client, path, newTemporary }))
  }

  async complete(upload: PreparedUpload): Promise<void> {
    const { path, sizeBytes } = upload
    const temporary = temporaryIn(upload)
    const { exception } = await this.#rename(temporary, path, 'NONE')
    if (exception === undefined) return
    if ((await this.head(temporary)) !== undefined)
      throw objectsRefused(this.#client.name, `complete ${JSON.stringify(path)}`, exception)
    if ((await this.head(path))?.sizeBytes !== sizeBytes) throw objectLost(this.#client.name, upload)
  }

  async discard(upload: PreparedUpload): Promise<void> {
    await deleteFile(this.#client, temporaryIn(upload))
  }

  async *unfinished(prefix: string): AsyncGenerator<PreparedUpload> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    for (const { path: temporary, sizeBytes } of await this.#find(folder, 'temporary')) {
      const token = basename(temporary)
      const name = decodedName(nameOfTemporary(token))
      if (name === undefined) continue
      const path = temporary.slice(0, -token.length) + name
      if (path.startsWith(prefix)) yield { path, sizeBytes, token }
    }
  }

  async delete(path: string): Promise<void> {
    checkObjectPath(path)
    await deleteFile(this.#client, path)
    const folder = folderOf(path)
    if (folder !== '') await deleteFile(this.#client, folder)
  }

  /** HttpFS does not know `renameoptions`: it would move into a folder, and answers `false` for every failure. */
  async #rename(from: string, to: string, renameoptions: 'NONE' | 'OVERWRITE'): Promise<HdfsAnswer> {
    const answer = await this.#client.send({
      method: 'PUT',
      op: 'RENAME',
      path: from,
      query: { destination: this.#client.absolute(to), renameoptions },
      doing: `write ${JSON.stringify(to)}`,
      expects: ['FileAlreadyExistsException', 'FileNotFoundException'],
    })
    if (answer.exception !== undefined || answer.body.length === 0) return answer
    const text = Buffer.from(answer.body.subarray(0, 100)).toString('utf8')
    throw objectsRefused(this.#client.name, `rename to ${JSON.stringify(to)}`, `${text}, which no NameNode answers`)
  }

  /** A comma would end the name in the list of CONCAT, and HDFS takes no colon: both are encoded. */
  #temporaryOf(path: string): string {
    const name = basename(path)
    const id = this.#rng.id().slice(0, TEMPORARY_DIGITS)
    return `${path.slice(0, path.length - name.length)}.${encodeURIComponent(name)}.${id}.tmp`
  }

  async #find(prefix: string, wanted: FileKind): Promise<StoredObject[]> {
    const found: StoredObject[] = []
    const folders = [folderOf(prefix)]
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      for await (const status of entriesIn(this.#client, folder)) {
        const kind: FileKind = basename(status.path).startsWith('.') ? 'temporary' : 'whole'
        if (!status.isFolder && kind === wanted && status.path.startsWith(prefix)) found.push(stored(status))
        if (status.isFolder && kind === 'whole' && `${status.path}/`.startsWith(prefix)) folders.push(status.path)
      }
    }
    return found.sort((left, right) => byBytes(left.path, right.path))
  }
}

function stored({ path, sizeBytes, modifiedMs, version }: StoredObject): StoredObject {
  return { path, sizeBytes, modifiedMs, version }
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

/** A token names a file beside the object and no other. Throws OBJECT_UPLOAD_INVALID. */
function temporaryIn(upload: PreparedUpload): string {
  const { path, token } = upload
  checkObjectPath(path)
  const name = basename(path)
  if (nameOfTemporary(token) !== encodeURIComponent(name)) throw uploadInvalid(upload)
  return path.slice(0, path.length - name.length) + token
}

function decodedName(name: string | undefined): string | undefined {
  try {
    return name === undefined ? undefined : decodeURIComponent(name)
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}
