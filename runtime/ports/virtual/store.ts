import { MillraceError } from '../../model/errors.ts'
import type { Store } from '../store.ts'
import type { VirtualWorld } from './world.ts'

/** What a call of the store suffers: an error before its effect or after it that may pass, one that stays, or none. */
export type StoreFault = 'before' | 'after' | 'refused' | undefined

/** A store in memory, shared by all processes of the simulation; every call takes virtual time and may fail. */
export class VirtualStore {
  readonly objects = new Map<string, Uint8Array>()
  /** Told of each object that is created, in order. */
  onCreated: (path: string, bytes: Uint8Array) => void = () => undefined
  /** How much longer than usual a call takes that begins now. */
  delayMs: () => number = () => 0
  readonly #world: VirtualWorld
  readonly #fault: (path: string) => StoreFault

  constructor(world: VirtualWorld, fault: (path: string) => StoreFault) {
    this.#world = world
    this.#fault = fault
  }

  /** The store as one process sees it: a dead process's calls have no effect any more and never answer. */
  storeOf(owner: string): Store {
    const call = <T>(path: string, act: () => T): Promise<T> => this.#call(owner, path, act)
    return {
      get: (path) => call(path, () => this.objects.get(path)),
      put: (path, bytes) =>
        call(path, () => {
          this.objects.set(path, new Uint8Array(bytes))
        }),
      createIfAbsent: (path, bytes) =>
        call(path, () => {
          if (this.objects.has(path)) return 'exists' as const
          this.objects.set(path, new Uint8Array(bytes))
          this.onCreated(path, bytes)
          return 'created' as const
        }),
      list: (prefix) => call(prefix, () => [...this.objects.keys()].filter((path) => path.startsWith(prefix)).sort()),
      // a put of this store is there or not
      unfinished: (prefix) => call(prefix, () => []),
      delete: (path) =>
        call(path, () => {
          this.objects.delete(path)
        }),
    }
  }

  #call<T>(owner: string, path: string, act: () => T): Promise<T> {
    const fault = this.#fault(path)
    return new Promise((resolve, reject) => {
      const fail = (): void => {
        reject(
          new MillraceError('STORE_UNAVAILABLE', 'the store failed, as the simulation wanted', {
            domain: 'dependency',
            retriable: fault !== 'refused',
          }),
        )
      }
      this.#world.schedule(owner, this.#world.random() * 5 + this.delayMs(), () => {
        if (fault === 'before' || fault === 'refused') {
          fail()
          return
        }
        const result = act()
        this.#world.schedule(owner, this.#world.random() * 5, () => {
          if (fault === 'after') fail()
          else resolve(result)
        })
      })
    })
  }
}
