import { MillraceError } from '../../model/errors.ts'
import type { Objects } from '../../ports/objects.ts'
import type { Ports } from '../../ports/ports.ts'
import { readIfThere } from '../../ports/read-if-there.ts'
import { schemeOf } from '../../ports/store.ts'
import { resolvePath } from '../file/paths.ts'

/** A log entry or pointer that is longer is refused, so that a broken table takes no memory. */
const MAX_READ_BYTES = 256 * 1024 * 1024

/** Opens the storage of the table that the option `path` names. */
export function openTableFiles(ports: Pick<Ports, 'openObjects'>, baseDir: string, path: string): TableFiles {
  const isPath = schemeOf(path) === 'file' && !/^file:/i.test(path)
  const place = isPath ? resolvePath(baseDir, path) : path
  return new TableFiles(place, ports.openObjects(place))
}

/** The objects of one Delta table. Paths are relative to the table; methods reject as those of Objects. */
export class TableFiles {
  /** How messages name the table. */
  readonly name: string
  readonly #objects: Objects

  constructor(name: string, objects: Objects) {
    this.name = name
    this.#objects = objects
  }

  /** Names of the objects in a folder; none when there is no such folder. */
  async namesIn(folder: string): Promise<string[]> {
    const names: string[] = []
    for await (const { path } of this.#objects.list(`${folder}/`)) names.push(path.slice(folder.length + 1))
    return names
  }

  /** Undefined when there is no such object. */
  async read(path: string): Promise<Uint8Array | undefined> {
    const size = await this.sizeBytes(path)
    if (size === undefined) return undefined
    if (size <= MAX_READ_BYTES) return readIfThere(this.#objects, path, size)
    throw new MillraceError(
      'DELTA_LOG_INVALID',
      `${path} of the Delta table ${this.name} has ${size} bytes, at most ${MAX_READ_BYTES} are read`,
      { domain: 'user' },
    )
  }

  async sizeBytes(path: string): Promise<number | undefined> {
    return (await this.#objects.head(path))?.sizeBytes
  }

  readPart(path: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#objects.read(path, offset, length)
  }

  createIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return this.#objects.createIfAbsent(path, bytes)
  }

  put(path: string, parts: readonly Uint8Array[]): Promise<void> {
    return this.#objects.put(path, Buffer.concat(parts))
  }
}
