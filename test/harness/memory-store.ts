import type { Store } from '../../runtime/ports/store.ts'

/** A store in memory that answers at once, for tests of what is kept where. */
export class MemoryStore implements Store {
  readonly objects = new Map<string, Uint8Array>()

  get(path: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.objects.get(path))
  }

  put(path: string, bytes: Uint8Array): Promise<void> {
    this.objects.set(path, new Uint8Array(bytes))
    return Promise.resolve()
  }

  createIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    if (this.objects.has(path)) return Promise.resolve('exists')
    this.objects.set(path, new Uint8Array(bytes))
    return Promise.resolve('created')
  }

  list(prefix: string): Promise<string[]> {
    return Promise.resolve([...this.objects.keys()].filter((path) => path.startsWith(prefix)).sort())
  }

  unfinished(): Promise<string[]> {
    return Promise.resolve([])
  }

  delete(path: string): Promise<void> {
    this.objects.delete(path)
    return Promise.resolve()
  }
}
