import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MillraceError } from '../../model/errors.ts'
import type { Store } from '../store.ts'
import { createDurably, isErrno, removeIfEmpty, unlinkIfPresent, withoutPath, writeDurably } from './durable-file.ts'
import { filesUnder } from './folder-walk.ts'

/** Opens `file:///folder` or a plain path. */
export function openFileStore(url: string): Store {
  return new FileStore(resolve(/^file:/i.test(url) ? fileURLToPath(url) : url))
}

/**
 * A folder as a store. Files whose names start with a dot are temporary and never listed; folders go with what was
 * in them.
 */
class FileStore implements Store {
  readonly #root: string

  constructor(root: string) {
    this.#root = root
  }

  get(path: string): Promise<Uint8Array | undefined> {
    return this.#attempt('read', path, async (file) => {
      try {
        return await readFile(file)
      } catch (error) {
        if (isErrno(error, 'ENOENT')) return undefined
        throw error
      }
    })
  }

  put(path: string, bytes: Uint8Array): Promise<void> {
    return this.#attempt('write', path, (file) => writeDurably(file, bytes))
  }

  createIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return this.#attempt('create', path, (file) => createDurably(file, bytes))
  }

  /** Any prefix, as in object stores: it may end inside of a name. */
  list(prefix: string): Promise<string[]> {
    return this.#attempt('list', prefix, () => filesUnder(this.#root, prefix, 'whole'))
  }

  unfinished(prefix: string): Promise<string[]> {
    return this.#attempt('list', prefix, () => filesUnder(this.#root, prefix, 'temporary'))
  }

  delete(path: string): Promise<void> {
    return this.#attempt('delete', path, async (file) => {
      await unlinkIfPresent(file)
      const folder = dirname(file)
      if (folder !== this.#root) await removeIfEmpty(folder)
    })
  }

  async #attempt<T>(verb: string, path: string, run: (file: string) => Promise<T>): Promise<T> {
    if (path.startsWith('/') || path.split('/').includes('..')) {
      throw new MillraceError(
        'STORE_PATH_INVALID',
        `store path ${JSON.stringify(path)} must be relative and stay inside the store`,
      )
    }
    try {
      return await run(join(this.#root, path))
    } catch (cause) {
      // whatever it is: a volume that was remounted or given other rights must not leave hundreds of jobs to be
      // started by hand
      throw new MillraceError(
        'STORE_UNAVAILABLE',
        `cannot ${verb} ${JSON.stringify(path)} in checkpoint store ${this.#root}`,
        {
          domain: 'dependency',
          retriable: true,
          cause: withoutPath(cause),
          hint: 'check that the folder exists, is writable and has space',
        },
      )
    }
  }
}
