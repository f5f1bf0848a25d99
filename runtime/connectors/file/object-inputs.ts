import { MillraceError } from '../../model/errors.ts'
import type { Objects } from '../../ports/objects.ts'
import { objectChanged, objectsUnavailable } from '../../ports/object-errors.ts'
import { objectPattern, type ObjectPattern } from '../kit/object-pattern.ts'
import type { Ports } from '../../ports/ports.ts'
import type { StorageRetry } from '../kit/storage-retry.ts'
import { fileGone, type FoundFile, type InputFile } from './input-file.ts'

/** The splits of so many files still fit into a checkpoint's manifest. */
const MOST_FILES = 200_000

export interface ObjectInputsParts {
  readonly ports: Pick<Ports, 'openObjects'>
  /** The option `path` or `paths`. */
  readonly patterns: readonly string[]
  /** Repeats what fails for reasons that pass. */
  readonly retry: Pick<StorageRetry, 'run'>
  readonly patienceMs: number
}

interface Opened {
  readonly pattern: ObjectPattern
  readonly objects: Objects
}

/** The objects that the patterns of a source match. Their names are URLs without options. */
export class ObjectInputs {
  readonly #parts: ObjectInputsParts
  readonly #opened: ReadonlyMap<string, Opened>

  constructor(parts: ObjectInputsParts) {
    this.#parts = parts
    this.#opened = new Map(
      parts.patterns.map((text) => {
        const pattern = objectPattern(text)
        return [text, { pattern, objects: parts.ports.openObjects(pattern.root) }] as const
      }),
    )
  }

  /** `text` is one of the patterns. */
  list(text: string): Promise<FoundFile[]> {
    const { pattern, objects } = this.#openedAs(text, this.#opened.get(text))
    return this.#retry('listing', text, async () => {
      const found: FoundFile[] = []
      for await (const { path, sizeBytes, version } of objects.list(pattern.prefix)) {
        if (!pattern.matches(path)) continue
        found.push({ name: pattern.name + path, sizeBytes, version })
        if (found.length > MOST_FILES) throw tooMany(text)
      }
      return found
    })
  }

  async open(name: string, version: string | undefined): Promise<InputFile> {
    const opened = [...this.#opened.values()].find(
      ({ pattern }) => name.startsWith(pattern.name) && pattern.matches(name.slice(pattern.name.length)),
    )
    const { pattern, objects } = this.#openedAs(name, opened)
    const path = name.slice(pattern.name.length)
    const found = await this.#retry('looking at', name, () => objects.head(path))
    if (found === undefined) throw fileGone(name)
    if (version !== undefined && version !== found.version) throw objectChanged(pattern.name, path)
    return {
      path: name,
      sizeBytes: found.sizeBytes,
      read: (offset, length) =>
        this.#retry('reading', name, async () => {
          const bytes = await objects.read(path, offset, length, version ?? found.version)
          const expected = Math.min(length, Math.max(0, found.sizeBytes - offset))
          // fewer would be taken for the end of the object
          if (bytes.length === expected) return bytes
          const reason = new Error(`${bytes.length} bytes came instead of ${expected}`)
          throw objectsUnavailable(pattern.name, `read ${JSON.stringify(path)}`, reason)
        }),
    }
  }

  #openedAs(name: string, opened: Opened | undefined): Opened {
    if (opened !== undefined) return opened
    throw new MillraceError('FILE_MISSING', `${name} is in no folder that the source names any more`, {
      domain: 'user',
      hint: `the source reads ${this.#parts.patterns.join(', ')}: give it a new id to read other objects`,
    })
  }

  #retry<T>(doing: string, name: string, call: () => Promise<T>): Promise<T> {
    return this.#parts.retry.run(`${doing} ${name} of`, this.#parts.patienceMs, call)
  }
}

function tooMany(pattern: string): MillraceError {
  return new MillraceError('FILES_TOO_MANY', `more than ${MOST_FILES} objects match ${JSON.stringify(pattern)}`, {
    domain: 'user',
    hint: 'read one folder of them at a time, or write fewer and larger objects',
  })
}
