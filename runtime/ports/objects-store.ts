import type { Objects } from './objects.ts'
import { readIfThere } from './read-if-there.ts'
import type { Store } from './store.ts'
import { storeCall } from './store-call.ts'

/** Longer objects are not state files of ours: those are cut at 64 MiB. */
const LONGEST_BYTES = 1024 * 1024 * 1024
const UPLOAD_MARK = '#upload='

/** A storage for objects as a checkpoint store. */
export function storeOn(objects: Objects): Store {
  return {
    get: (path) => storeCall(() => readIfThere(objects, path, LONGEST_BYTES)),
    put: (path, bytes) => storeCall(() => objects.put(path, bytes)),
    createIfAbsent: (path, bytes) => storeCall(() => objects.createIfAbsent(path, bytes)),
    list: (prefix) =>
      storeCall(async () => {
        const paths = []
        for await (const { path } of objects.list(prefix)) paths.push(path)
        return paths.sort()
      }),
    // an upload has no path of its own: its token is part of the name that `delete` takes
    unfinished: (prefix) =>
      storeCall(async () => {
        const paths = []
        for await (const { path, token } of objects.unfinished(prefix)) paths.push(path + UPLOAD_MARK + token)
        return paths
      }),
    delete: (path) =>
      storeCall(async () => {
        const mark = path.indexOf(UPLOAD_MARK)
        if (mark < 0) await objects.delete(path)
        else
          await objects.discard({
            path: path.slice(0, mark),
            sizeBytes: 0,
            token: path.slice(mark + UPLOAD_MARK.length),
          })
      }),
  }
}
