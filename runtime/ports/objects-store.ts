import { MillraceError } from '../model/errors.ts'
import type { Objects } from './objects.ts'
import type { Store } from './store.ts'

/** Longer objects are not state files of ours: those are cut at 64 MiB. */
const LONGEST_BYTES = 1024 * 1024 * 1024
const UPLOAD_MARK = '#upload='

/** A storage for objects as a checkpoint store. */
export function storeOn(objects: Objects): Store {
  return {
    get: (path) => attempt(() => readIfThere(objects, path)),
    put: (path, bytes) => attempt(() => objects.put(path, bytes)),
    createIfAbsent: (path, bytes) => attempt(() => objects.createIfAbsent(path, bytes)),
    list: (prefix) =>
      attempt(async () => {
        const paths = []
        for await (const { path } of objects.list(prefix)) paths.push(path)
        return paths.sort()
      }),
    // an upload has no path of its own: its token is part of the name that `delete` takes
    unfinished: (prefix) =>
      attempt(async () => {
        const paths = []
        for await (const { path, token } of objects.unfinished(prefix)) paths.push(path + UPLOAD_MARK + token)
        return paths
      }),
    delete: (path) =>
      attempt(async () => {
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

async function readIfThere(objects: Objects, path: string): Promise<Uint8Array | undefined> {
  try {
    return await objects.read(path, 0, LONGEST_BYTES)
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'OBJECT_MISSING') return undefined
    throw error
  }
}

/**
 * A storage that refuses may serve again once somebody has mended it, and must not leave hundreds of jobs to be started
 * by hand: whatever happens is retriable, as for a volume.
 */
async function attempt<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    if (!(cause instanceof MillraceError) || cause.code === 'OBJECT_PATH_INVALID') throw cause
    throw new MillraceError('STORE_UNAVAILABLE', 'the checkpoint store does not serve', {
      domain: 'dependency',
      retriable: true,
      cause,
      ...(cause.hint === undefined ? {} : { hint: cause.hint }),
    })
  }
}
