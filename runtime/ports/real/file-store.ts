import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MillraceError } from '../../model/errors.ts'
import type { Store } from '../store.ts'
import { createDurably, isErrno, removeIfEmpty, unlinkIfPresent, writeDurably } from './durable-file.ts'

/** Opens `file:///folder` or a plain path. */
export function openFileStore(url: string): Store {
  return new FileStore(resolve(/^file:/i.test(url) ? fileURLToPath(url) : url))
}

type FileKind = 'whole' | 'temporary'

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

  /** Any prefix, as in object stores: it may end inside a name. */
  list(prefix: string): Promise<string[]> {
    return this.#find(prefix, 'whole')
  }

  unfinished(prefix: string): Promise<string[]> {
    return this.#find(prefix, 'temporary')
  }

  #find(prefix: string, wanted: FileKind): Promise<string[]> {
    return this.#attempt('list', prefix, async () => {
      const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
      const found: string[] = []
      await this.#walk(join(this.#root, folder), wanted, found)
      return found.filter((path) => path.startsWith(prefix)).sort()
    })
  }

  delete(path: string): Promise<void> {
    return this.#attempt('delete', path, async (file) => {
      await unlinkIfPresent(file)
      const folder = dirname(file)
      if (folder !== this.#root) await removeIfEmpty(folder)
    })
  }

  async #walk(folder: string, wanted: FileKind, found: string[]): Promise<void> {
    let entries
    try {
      entries = await readdir(folder, { withFileTypes: true })
    } catch (error) {
      if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return
      throw error
    }
    for (const entry of entries) {
      const kind: FileKind = entry.name.startsWith('.') ? 'temporary' : 'whole'
      const path = join(folder, entry.name)
      if (!entry.isDirectory()) {
        if (kind === wanted) found.push(relative(this.#root, path).split(sep).join('/'))
      } else if (kind === 'whole') await this.#walk(path, wanted, found)
    }
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

/** A temporary file's name is new at every try: with it in the text, the same trouble would look new each time. */
function withoutPath(cause: unknown): unknown {
  if (!(cause instanceof Error && 'syscall' in cause)) return cause
  return new Error(cause.message.replace(/, \w+ '.*$/s, ''))
}
