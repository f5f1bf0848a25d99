import type { KubeObject } from './objects.ts'

/** One write that took effect. Entries are in the order in which the storage took them, with no gaps. */
export interface WriteEntry {
  index: number
  verb: 'create' | 'update' | 'delete'
  /** `pods`, `streamjobs.millrace.dev`; with subresource `streamjobs.millrace.dev/status`. */
  resource: string
  namespace: string
  name: string
  uid: string
  resourceVersion: number
  user: string
  fieldManager: string
  /** The object as stored (or as last seen, for a delete). Never change it. */
  object: KubeObject
}

export type WriteListener = (entry: WriteEntry) => void

/** The total order of writes: what tests hold other observations against. Keeps the last `capacity` entries. */
export class WriteLog {
  readonly #capacity: number
  readonly #listeners = new Set<WriteListener>()
  #entries: WriteEntry[] = []
  #next = 0

  constructor(capacity = 50_000) {
    this.#capacity = capacity
  }

  get entries(): readonly WriteEntry[] {
    return this.#entries
  }

  append(entry: Omit<WriteEntry, 'index'>): void {
    const complete = { index: this.#next++, ...entry }
    this.#entries.push(complete)
    if (this.#entries.length > this.#capacity * 1.25) this.#entries = this.#entries.slice(-this.#capacity)
    for (const listener of this.#listeners) listener(complete)
  }

  /** Calls the listener at each later write, synchronously inside it; returns what ends that. */
  subscribe(listener: WriteListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
