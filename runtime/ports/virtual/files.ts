import { dirname } from 'node:path/posix'
import { normalizedPath } from '../../model/reach.ts'
import type { Files, LogFile } from '../files.ts'
import type { VirtualWorld } from './world.ts'

/** Files in memory, shared by all processes of the simulation as a mounted volume is. */
export class VirtualFiles {
  readonly contents = new Map<string, Uint8Array>()
  /** What whoever writes gets instead of its effect, when it begins now. */
  refusal: () => Error | undefined = () => undefined
  readonly #world: VirtualWorld
  readonly #logs = new Set<VirtualLog>()

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
          const moved = this.#below(from)
          if (moved.length === 0) throw missing(from)
          for (const [path, bytes] of moved) {
            this.contents.delete(path)
            this.contents.set(`${to}${path.slice(from.length)}`, bytes)
          }
        }),
      createLog: async (path) => {
        await write(() => {
          if (this.contents.has(path)) throw Object.assign(new Error(`EEXIST: ${path}`), { code: 'EEXIST' })
          if (this.#below(dirname(path)).length === 0) throw missing(path)
          this.contents.set(path, new Uint8Array())
        })
        return this.#logFile(path, call, write)
      },
      deleteFolder: (path) =>
        call(() => {
          for (const [inside] of this.#below(path)) this.contents.delete(inside)
        }),
      exists: (path) => call(() => this.contents.has(path)),
      delete: (path) =>
        call(() => {
          this.contents.delete(path)
        }),
      realPath: (path) => call(() => normalizedPath(path)),
    }
  }

  /**
   * The power fails: of what was appended to logs and not flushed, anything may be gone. `keep` says how many of so many
   * bytes are left of each.
   */
  cutPower(keep: (unflushed: number) => number): void {
    for (const log of this.#logs) {
      const path = this.#pathOf(log)
      if (path === undefined) continue
      log.bytes = log.bytes.subarray(0, log.flushed + keep(log.bytes.length - log.flushed))
      this.contents.set(path, log.bytes)
    }
    this.#logs.clear()
  }

  /** Its bytes are found by identity, so that they are still its own where others have moved the file. */
  #logFile(path: string, call: Act, write: Act): LogFile {
    const log: VirtualLog = { bytes: this.#get(path), flushed: 0 }
    this.#logs.add(log)
    return {
      append: (bytes) =>
        write(() => {
          const place = this.#pathOf(log)
          log.bytes = new Uint8Array(Buffer.concat([log.bytes, bytes]))
          if (place !== undefined) this.contents.set(place, log.bytes)
        }),
      sync: () =>
        write(() => {
          log.flushed = log.bytes.length
        }),
      isInPlace: () => call(() => this.contents.get(path) === log.bytes),
      close: async () => undefined,
    }
  }

  #pathOf({ bytes }: VirtualLog): string | undefined {
    return [...this.contents].find(([, content]) => content === bytes)?.[0]
  }

  /** The file itself, or those in the folder. */
  #below(path: string): [string, Uint8Array][] {
    return [...this.contents].filter(([name]) => name === path || name.startsWith(`${path}/`))
  }

  #get(path: string): Uint8Array {
    const bytes = this.contents.get(path)
    if (!bytes) throw missing(path)
    return bytes
  }
}

type Act = <T>(act: () => T) => Promise<T>

interface VirtualLog {
  bytes: Uint8Array
  /** So many of them survive when the power fails. */
  flushed: number
}

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: no such file: ${path}`), { code: 'ENOENT' })
}

/** `*` stands for any characters but a slash. */
function matches(pattern: string, path: string): boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^/]*')
  return new RegExp(`^${source}$`).test(path)
}
