import { dirname, join } from 'node:path'
import { MillraceError } from '../../model/errors.ts'
import { mayPass } from '../../ports/file-errors.ts'
import type { Files } from '../../ports/files.ts'

/**
 * What a Delta table needs of its storage: the part of `Objects` (ports/objects.ts) with the same promises, so that a
 * table lies wherever there is an `Objects`. Paths are relative to the table.
 */
export interface TableFiles {
  /** How messages name the table. */
  readonly name: string
  /** Names of the objects in a folder; none when there is no such folder. */
  namesIn(folder: string): Promise<readonly string[]>
  /** Undefined when there is no such object. */
  read(path: string): Promise<Uint8Array | undefined>
  sizeBytes(path: string): Promise<number | undefined>
  readPart(path: string, offset: number, length: number): Promise<Uint8Array>
  /** Atomic: of any number of callers exactly one gets 'created'. */
  createIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'>
  /** Durable and whole when resolved. */
  put(path: string, parts: readonly Uint8Array[]): Promise<void>
}

/** A log entry or pointer that is longer is refused, so that a broken table takes no memory. */
const MAX_READ_BYTES = 256 * 1024 * 1024

/** A table in a folder. Errors are DELTA_UNAVAILABLE, which names the path. */
export class FolderTableFiles implements TableFiles {
  readonly name: string
  readonly #files: Files
  readonly #root: string

  constructor(files: Files, root: string) {
    this.name = root
    this.#files = files
    this.#root = root
  }

  namesIn(folder: string): Promise<readonly string[]> {
    return this.#attempt('list', folder, async (place) => {
      const paths = await this.#files.glob(join(place, '*'))
      return paths.map((path) => path.slice(dirname(path).length + 1))
    })
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    const size = await this.sizeBytes(path)
    if (size === undefined) return undefined
    if (size > MAX_READ_BYTES)
      throw new MillraceError(
        'DELTA_LOG_INVALID',
        `${path} of the Delta table ${this.name} has ${size} bytes, at most ${MAX_READ_BYTES} are read`,
        { domain: 'user' },
      )
    return this.readPart(path, 0, size)
  }

  sizeBytes(path: string): Promise<number | undefined> {
    return this.#attempt('look at', path, async (place) =>
      (await this.#files.exists(place)) ? this.#files.sizeBytes(place) : undefined,
    )
  }

  readPart(path: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#attempt('read', path, (place) => this.#files.read(place, offset, length))
  }

  createIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return this.#attempt('create', path, (place) => this.#files.createIfAbsent(place, bytes))
  }

  put(path: string, parts: readonly Uint8Array[]): Promise<void> {
    return this.#attempt('write', path, (place) => this.#files.write(place, Buffer.concat(parts)))
  }

  async #attempt<T>(verb: string, path: string, act: (place: string) => Promise<T>): Promise<T> {
    try {
      return await act(join(this.#root, path))
    } catch (cause) {
      if (cause instanceof MillraceError) throw cause
      throw new MillraceError('DELTA_UNAVAILABLE', `cannot ${verb} ${path} of the Delta table ${this.#root}`, {
        domain: 'dependency',
        retriable: mayPass(cause),
        cause,
        hint: `check that ${this.#root} is there, may be written by the job and has space`,
      })
    }
  }
}
