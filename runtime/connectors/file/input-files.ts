import { MillraceError } from '../../model/errors.ts'
import type { Ports } from '../../ports/ports.ts'
import { schemeOf } from '../../ports/store.ts'
import { localPathOf } from '../kit/storage-option.ts'
import { fileGone, type FoundFile, type InputFile } from './input-file.ts'
import { ObjectInputs, type ObjectInputsParts } from './object-inputs.ts'
import { resolvePath, stableName } from './paths.ts'

export interface InputFilesParts extends ObjectInputsParts {
  readonly ports: Pick<Ports, 'files' | 'openObjects'>
  readonly baseDir: string
}

/** The files of a source: local ones, and objects of storages. */
export class InputFiles {
  readonly #parts: InputFilesParts
  readonly #objects: ObjectInputs

  constructor(parts: InputFilesParts) {
    this.#parts = parts
    this.#objects = new ObjectInputs({ ...parts, patterns: parts.patterns.filter(isRemote) })
  }

  /** All files that match, by name. Rejects with FILE_MISSING when `mayBeNone` is false and a pattern matches none. */
  async list({ mayBeNone }: { mayBeNone: boolean }): Promise<FoundFile[]> {
    const found = new Map<string, FoundFile>()
    for (const pattern of this.#parts.patterns) {
      const files = await (isRemote(pattern) ? this.#objects.list(pattern) : this.#listLocal(pattern))
      if (files.length === 0 && !mayBeNone) throw noMatch(pattern, this.#parts.baseDir)
      for (const file of files) found.set(file.name, file)
    }
    return [...found.values()].sort((left, right) => (left.name < right.name ? -1 : 1))
  }

  /** Rejects with FILE_MISSING when the file is gone, and with OBJECT_CHANGED when it no longer has the version. */
  open(name: string, version: string | undefined): Promise<InputFile> {
    return isRemote(name) ? this.#objects.open(name, version) : this.#openLocal(name)
  }

  async #listLocal(pattern: string): Promise<FoundFile[]> {
    const { ports, baseDir } = this.#parts
    const paths = await ports.files.glob(resolvePath(baseDir, localPathOf(pattern)))
    return Promise.all(
      paths.map(async (path) => ({
        name: stableName(baseDir, path),
        sizeBytes: await ports.files.sizeBytes(path),
        version: undefined,
      })),
    )
  }

  async #openLocal(name: string): Promise<InputFile> {
    const { files } = this.#parts.ports
    const path = resolvePath(this.#parts.baseDir, name)
    if (!(await files.exists(path))) throw fileGone(path)
    return {
      path,
      sizeBytes: await files.sizeBytes(path),
      read: (offset, length) => files.read(path, offset, length),
    }
  }
}

/** Whether a pattern, or the name of a file, is of a storage for objects. */
export function isRemote(place: string): boolean {
  return schemeOf(place) !== 'file' && /^[a-z0-9+.-]+:\/\//i.test(place)
}

function noMatch(pattern: string, baseDir: string): MillraceError {
  return isRemote(pattern)
    ? new MillraceError('FILE_MISSING', `no object matches ${JSON.stringify(pattern)}`, {
        domain: 'user',
        hint: 'check bucket and folder; with lookAgain the source waits for the first object',
      })
    : new MillraceError('FILE_MISSING', `no file matches ${JSON.stringify(pattern)} in ${baseDir}`, {
        domain: 'user',
        hint: 'relative paths count from the folder of the job file; of a folder write the files: folder/*.jsonl',
      })
}
