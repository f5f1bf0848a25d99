import type { Store } from '../ports/store.ts'

/** A store seen from inside one folder: a job's files never leave `<namespace>/<job>/<uid>`. */
export function scopedStore(store: Store, folder: string): Store {
  const prefix = `${folder}/`
  return {
    get: (path) => store.get(prefix + path),
    put: (path, bytes) => store.put(prefix + path, bytes),
    createIfAbsent: (path, bytes) => store.createIfAbsent(prefix + path, bytes),
    list: async (inner) => (await store.list(prefix + inner)).map((path) => path.slice(prefix.length)),
    unfinished: async (inner) => (await store.unfinished(prefix + inner)).map((path) => path.slice(prefix.length)),
    delete: (path) => store.delete(prefix + path),
  }
}
