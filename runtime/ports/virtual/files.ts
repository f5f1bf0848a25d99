import { normalizedPath } from '../../model/reach.ts'
import type { Files } from '../files.ts'
import type { VirtualWorld } from './world.ts'

/** Files in memory, shared by all processes of the simulation as a mounted volume is. */
export class VirtualFiles {
  readonly contents = new Map<string, Uint8Array>()
  /** What whoever writes gets instead of its effect, when it begins now. */
  refusal: () => Error | undefined = () => undefined
  readonly #world: VirtualWorld

  constructor(world: VirtualWorld) {
    this.#world = world
  }

  filesOf(owner: string): Files {
    const call = <T>(act: () => T): Promise<T> =>
      new Promise((resolve, reject) => {
        this.#world.schedule(owner, this.#world.random(), () => {
          try {
            const result = act()
            this.#world.schedule(owner, this.#world.random(), () => {
              resolve(result)
            })
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)))
          }
        })
      })
    const write = <T>(act: () => T): Promise<T> => {
      const refusal = this.refusal()
      return refusal === undefined
        ? call(act)
        : call(() => {
            throw refusal
          })
    }
    return {
      glob: (pattern) => call(() => [...this.contents.keys()].filter((path) => matches(pattern, path)).sort()),
      sizeBytes: (path) => call(() => this.#get(path).length),
      // a copy of its own, as from a disk: a reader may take the whole buffer for its bytes
      read: (path, offset, length) => call(() => new Uint8Array(this.#get(path).subarray(offset, offset + length))),
      write: (path, bytes) =>
        write(() => {
          this.contents.set(path, bytes.slice())
        }),
      append: (path, bytes) =>
        write(() => {
          this.contents.set(path, Buffer.concat([this.contents.get(path) ?? Buffer.alloc(0), bytes]))
        }),
      sync: () => write(() => undefined),
      rename: (from, to) =>
        write(() => {
          const bytes = this.#get(from)
          this.contents.delete(from)
          this.contents.set(to, bytes)
        }),
      exists: (path) => call(() => this.contents.has(path)),
      delete: (path) =>
        call(() => {
          this.contents.delete(path)
        }),
      realPath: (path) => call(() => normalizedPath(path)),
    }
  }

  #get(path: string): Uint8Array {
    const bytes = this.contents.get(path)
    if (!bytes) throw Object.assign(new Error(`ENOENT: no such file: ${path}`), { code: 'ENOENT' })
    return bytes
  }
}

/** `*` stands for any characters but a slash. */
function matches(pattern: string, path: string): boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^/]*')
  return new RegExp(`^${source}$`).test(path)
}
