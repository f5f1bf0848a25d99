import { open, rename, stat, type FileHandle } from 'node:fs/promises'
import type { BigIntStats } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MillraceError } from '../../model/errors.ts'
import {
  checkObjectPath,
  objectChanged,
  objectLost,
  objectMissing,
  objectsUnavailable,
  uploadInvalid,
} from '../object-errors.ts'
import type { Objects, PreparedUpload, StoredObject, Upload } from '../objects.ts'
import {
  createDurably,
  isErrno,
  nameOfTemporary,
  openCreatingFolders,
  removeIfEmpty,
  syncFolder,
  temporaryName,
  unlinkIfPresent,
  withoutPath,
  writeDurably,
} from './durable-file.ts'
import { filesUnder } from './folder-walk.ts'

/**
 * Where a path really leads, as `Files.realPath` says it; rejects with FILE_FORBIDDEN for what the job may not reach.
 */
export type PlaceOf = (path: string) => Promise<string>

/** Opens `file:///folder` or a plain path. The folder is made with its first object. */
export function openFolderObjects(url: string, placeOf: PlaceOf): Objects {
  return new FolderObjects(resolve(/^file:/i.test(url) ? fileURLToPath(url) : url), placeOf)
}

/**
 * A folder as an object storage. An upload is a file beside its object whose name starts with a dot; such files are
 * never listed. Completing renames it.
 */
class FolderObjects implements Objects {
  readonly #root: string
  readonly #placeOf: PlaceOf

  constructor(root: string, placeOf: PlaceOf) {
    this.#root = root
    this.#placeOf = placeOf
  }

  async *list(prefix: string, after = ''): AsyncGenerator<StoredObject> {
    const paths = await this.#find(prefix, 'whole')
    for (const path of paths) {
      if (Buffer.compare(Buffer.from(path), Buffer.from(after)) <= 0) continue
      const object = await this.head(path)
      if (object !== undefined) yield object
    }
  }

  head(path: string): Promise<StoredObject | undefined> {
    return this.#attempt('look at', path, async (file) => {
      try {
        const found = await stat(file, { bigint: true })
        return { path, sizeBytes: Number(found.size), modifiedMs: Number(found.mtimeMs), version: versionOf(found) }
      } catch (error) {
        if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return undefined
        throw error
      }
    })
  }

  read(path: string, offset: number, length: number, version?: string): Promise<Uint8Array> {
    return this.#attempt('read', path, async (file) => {
      const handle = await this.#opened(file, path)
      try {
        const found = await handle.stat({ bigint: true })
        if (version !== undefined && version !== versionOf(found)) throw objectChanged(this.#root, path)
        return await readRange(handle, offset, Math.max(0, Math.min(length, Number(found.size) - offset)))
      } finally {
        await handle.close()
      }
    })
  }

  put(path: string, bytes: Uint8Array): Promise<void> {
    return this.#attempt('write', path, (file) => writeDurably(file, bytes))
  }

  createIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return this.#attempt('create', path, (file) => createDurably(file, bytes))
  }

  begin(path: string): Promise<Upload> {
    return this.#attempt('begin', path, async (file) => {
      const temporary = temporaryName(file)
      const handle = await openCreatingFolders(temporary)
      return new FolderUpload(path, temporary, handle, (run) => this.#attempt('write', path, run))
    })
  }

  complete(upload: PreparedUpload): Promise<void> {
    const { path, sizeBytes, token } = checked(upload)
    return this.#attempt('complete', path, async (file) => {
      try {
        await rename(join(dirname(file), token), file)
      } catch (error) {
        if (!isErrno(error, 'ENOENT')) throw error
        if ((await this.head(path))?.sizeBytes !== sizeBytes) throw objectLost(this.#root, upload)
      }
      await syncFolder(dirname(file))
    })
  }

  discard(upload: PreparedUpload): Promise<void> {
    const { path, token } = checked(upload)
    return this.#attempt('discard', path, (file) => unlinkIfPresent(join(dirname(file), token)))
  }

  async *unfinished(prefix: string): AsyncGenerator<PreparedUpload> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    for (const temporary of await this.#find(folder, 'temporary')) {
      const token = basename(temporary)
      const name = nameOfTemporary(token)
      if (name === undefined) continue
      const path = temporary.slice(0, -token.length) + name
      const found = path.startsWith(prefix) ? await this.head(temporary) : undefined
      if (found !== undefined) yield { path, sizeBytes: found.sizeBytes, token }
    }
  }

  delete(path: string): Promise<void> {
    return this.#attempt('delete', path, async (file) => {
      await unlinkIfPresent(file)
      const folder = dirname(file)
      if (folder !== this.#root) await removeIfEmpty(folder)
    })
  }

  #find(prefix: string, wanted: 'whole' | 'temporary'): Promise<string[]> {
    return this.#attempt('list', prefix, () => filesUnder(this.#root, prefix, wanted))
  }

  async #opened(file: string, path: string): Promise<FileHandle> {
    try {
      return await open(file, 'r')
    } catch (error) {
      if (isErrno(error, 'ENOENT')) throw objectMissing(this.#root, path)
      throw error
    }
  }

  /** `run` gets the place of the path in the file system. */
  async #attempt<T>(verb: string, path: string, run: (file: string) => Promise<T>): Promise<T> {
    checkObjectPath(path)
    try {
      return await run(await this.#placeOf(join(this.#root, path)))
    } catch (cause) {
      if (cause instanceof MillraceError) throw cause
      throw objectsUnavailable(this.#root, `${verb} ${JSON.stringify(path)}`, withoutPath(cause))
    }
  }
}

class FolderUpload implements Upload {
  readonly #path: string
  readonly #temporary: string
  readonly #handle: FileHandle
  readonly #attempt: (run: () => Promise<void>) => Promise<void>
  #sizeBytes = 0

  constructor(
    path: string,
    temporary: string,
    handle: FileHandle,
    attempt: (run: () => Promise<void>) => Promise<void>,
  ) {
    this.#path = path
    this.#temporary = temporary
    this.#handle = handle
    this.#attempt = attempt
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#attempt(async () => {
      // the position is given: a write that failed half way may be repeated
      for (let at = 0; at < bytes.length; )
        at += (await this.#handle.write(bytes, at, bytes.length - at, this.#sizeBytes + at)).bytesWritten
      this.#sizeBytes += bytes.length
    })
  }

  async prepare(): Promise<PreparedUpload> {
    await this.#attempt(async () => {
      await this.#handle.sync()
      await this.#handle.close()
      await syncFolder(dirname(this.#temporary))
    })
    return { path: this.#path, sizeBytes: this.#sizeBytes, token: basename(this.#temporary) }
  }

  discard(): Promise<void> {
    return this.#attempt(async () => {
      await this.#handle.close()
      await unlinkIfPresent(this.#temporary)
    })
  }
}

/** Writing changes the time, replacing the number of the file. */
function versionOf({ ino, mtimeNs }: BigIntStats): string {
  return `${ino}-${mtimeNs}`
}

async function readRange(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return bytes.subarray(0, filled)
}

/** A token names a file beside the object and no other. */
function checked(upload: PreparedUpload): PreparedUpload {
  if (nameOfTemporary(upload.token) !== basename(upload.path)) throw uploadInvalid(upload)
  return upload
}
