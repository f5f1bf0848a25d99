import { MillraceError } from '../../model/errors.ts'
import type { Store } from '../store.ts'
import type { VirtualWorld } from './world.ts'

/** What a call of the store suffers: an error before its effect, after it, or none. */
export type StoreFault = 'before' | 'after' | undefined

/** A store in memory, shared by all processes of the simulation; every call takes virtual time and may fail. */
export class VirtualStore {
  readonly objects = new Map<string, Uint8Array>()
  /** Told of each object that is created, in order. */
  onCreated: (path: string, bytes: Uint8Array) => void = () => undefined
  readonly #world: VirtualWorld
  readonly #fault: () => StoreFault

  constructor(world: VirtualWorld, fault: () => StoreFault) {
    this.#world = world
    this.#fault = fault
  }

  /** The store as one process sees it: a dead process's calls have no effect any more and never answer. */
  storeOf(owner: string): Store {
    const call = <T>(act: () => T): Promise<T> => this.#call(owner, act)
    return {
      get: (path) => call(() => this.objects.get(path)),
      put: (path, bytes) => call(() => { this.objects.set(path, bytes.slice()) }),
      createIfAbsent: (path, bytes) => call(() => {
        if (this.objects.has(path)) return 'exists' as const
        this.objects.set(path, bytes.slice())
        this.onCreated(path, bytes)
        return 'created' as const
      }),
      list: (prefix) => call(() => [...this.objects.keys()].filter((path) => path.startsWith(prefix)).sort()),
      delete: (path) => call(() => { this.objects.delete(path) }),
    }
  }

  #call<T>(owner: string, act: () => T): Promise<T> {
    const fault = this.#fault()
    return new Promise((resolve, reject) => {
      const fail = (): void => { reject(new MillraceError('STORE_UNAVAILABLE', 'the store failed, as the simulation wanted', { domain: 'dependency', retriable: true })) }
      this.#world.schedule(owner, this.#world.random() * 5, () => {
        if (fault === 'before') { fail(); return }
        const result = act()
        this.#world.schedule(owner, this.#world.random() * 5, () => {
          if (fault === 'after') fail()
          else resolve(result)
        })
      })
    })
  }
}
