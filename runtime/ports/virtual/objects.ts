import {
  checkObjectPath,
  objectChanged,
  objectLost,
  objectMissing,
  objectsUnavailable,
  uploadInvalid,
} from '../object-errors.ts'
import type { Objects, PreparedUpload, StoredObject } from '../objects.ts'
import type { VirtualWorld } from './world.ts'

/** A fault of a call: an error before its effect, one after it (a lost answer), or none. */
export type ObjectsFault = 'before' | 'after' | undefined

const NAME = 'the storage in memory'
const LONGEST_CALL_MS = 5

interface Kept {
  bytes: Uint8Array
  modifiedMs: number
  version: string
}

/** Objects in memory, shared by all processes of a simulation; every call takes virtual time and may fail. */
export class VirtualObjects {
  readonly objects = new Map<string, Kept>()
  readonly #uploads = new Map<string, { path: string; chunks: Uint8Array[] }>()
  readonly #world: VirtualWorld
  readonly #fault: (path: string) => ObjectsFault
  #begun = 0
  #kept = 0

  constructor(world: VirtualWorld, fault: (path: string) => ObjectsFault = () => undefined) {
    this.#world = world
    this.#fault = fault
  }

  /** As one process sees them: a dead process's calls have no effect any more and never answer. */
  objectsOf(owner: string): Objects {
    const call = <T>(path: string, act: () => T): Promise<T> => this.#call(owner, path, act)
    const clock = this.#world.clockOf(owner)
    const keep = (path: string, bytes: Uint8Array): void => {
      this.objects.set(path, { bytes: new Uint8Array(bytes), modifiedMs: clock.now(), version: `v${this.#kept++}` })
    }
    return {
      list: (prefix, after = '') => eachOf(call(prefix, () => this.#listed(prefix, after))),
      head: (path) => call(path, () => this.#stored(path)),
      read: (path, offset, length, version) =>
        call(path, () => {
          const kept = this.objects.get(path)
          if (kept === undefined) throw objectMissing(NAME, path)
          if (version !== undefined && version !== kept.version) throw objectChanged(NAME, path)
          return kept.bytes.slice(offset, offset + length)
        }),
      put: (path, bytes) => call(path, () => keep(path, bytes)),
      createIfAbsent: (path, bytes) =>
        call(path, () => {
          if (this.objects.has(path)) return 'exists'
          keep(path, bytes)
          return 'created'
        }),
      begin: (path) =>
        call(path, () => {
          const token = `upload-${this.#begun++}`
          const chunks: Uint8Array[] = []
          this.#uploads.set(token, { path, chunks })
          return {
            write: (bytes) => call(path, () => void chunks.push(new Uint8Array(bytes))),
            prepare: () => call(path, () => ({ path, sizeBytes: Buffer.concat(chunks).length, token })),
            discard: () => call(path, () => void this.#uploads.delete(token)),
          }
        }),
      complete: (upload) =>
        call(upload.path, () => {
          const found = this.#uploads.get(checked(upload).token)
          if (found !== undefined) keep(upload.path, Buffer.concat(found.chunks))
          else if (this.objects.get(upload.path)?.bytes.length !== upload.sizeBytes) throw objectLost(NAME, upload)
          this.#uploads.delete(upload.token)
        }),
      discard: (upload) => call(upload.path, () => void this.#uploads.delete(checked(upload).token)),
      unfinished: (prefix) =>
        eachOf(
          call(prefix, () =>
            [...this.#uploads]
              .filter(([, { path }]) => path.startsWith(prefix))
              .map(([token, { path, chunks }]) => ({ path, token, sizeBytes: Buffer.concat(chunks).length })),
          ),
        ),
      delete: (path) => call(path, () => void this.objects.delete(path)),
    }
  }

  #stored(path: string): StoredObject | undefined {
    const kept = this.objects.get(path)
    return kept && { path, sizeBytes: kept.bytes.length, modifiedMs: kept.modifiedMs, version: kept.version }
  }

  #listed(prefix: string, after: string): StoredObject[] {
    return [...this.objects.keys()]
      .filter((path) => path.startsWith(prefix) && Buffer.compare(Buffer.from(path), Buffer.from(after)) > 0)
      .sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)))
      .flatMap((path) => this.#stored(path) ?? [])
  }

  #call<T>(owner: string, path: string, act: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      checkObjectPath(path)
      const fault = this.#fault(path)
      this.#world.schedule(owner, this.#world.random() * LONGEST_CALL_MS, () => {
        const failure = objectsUnavailable(NAME, `use ${JSON.stringify(path)}`, new Error('as the simulation wanted'))
        if (fault === 'before') return reject(failure)
        try {
          const result = act()
          if (fault === 'after') reject(failure)
          else resolve(result)
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)))
        }
      })
    })
  }
}

function checked(upload: PreparedUpload): PreparedUpload {
  if (/^upload-\d+$/.test(upload.token)) return upload
  throw uploadInvalid(upload)
}

async function* eachOf<T>(items: Promise<readonly T[]>): AsyncGenerator<T> {
  yield* await items
}
