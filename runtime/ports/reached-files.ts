import { MillraceError } from '../model/errors.ts'
import { folderOfGlob, isReached, whyOutOfReach, type OpenedAs, type Reach } from '../model/reach.ts'
import type { Files, SecretFiles } from './files.ts'

/** Longer passwords, keys and bundles of certificates are refused. */
const LONGEST_SECRET_BYTES = 1024 * 1024

/**
 * The same files as far as a job may reach them. A path is judged by where it leads when all links are followed, and
 * that place is what is opened, so that a link that is changed afterwards leads nowhere else. Rejects with
 * FILE_FORBIDDEN (domain user).
 */
export function filesWithin(files: Files, reach: Reach): Files {
  const place = (path: string): Promise<string> => reachedPlace(files, reach, 'file', path)
  return {
    async glob(pattern) {
      const folder = folderOfGlob(pattern)
      if (folder === undefined) throw forbidden(reach, 'file', pattern)
      await place(folder)
      const paths = await files.glob(pattern)
      await Promise.all(paths.map(place))
      return paths
    },
    sizeBytes: async (path) => files.sizeBytes(await place(path)),
    read: async (path, offset, length) => files.read(await place(path), offset, length),
    write: async (path, bytes) => files.write(await place(path), bytes),
    append: async (path, bytes) => files.append(await place(path), bytes),
    sync: async (path) => files.sync(await place(path)),
    rename: async (from, to) => files.rename(await place(from), await place(to)),
    createLog: async (path) => files.createLog(await place(path)),
    deleteFolder: async (path) => files.deleteFolder(await place(path)),
    exists: async (path) => files.exists(await place(path)),
    delete: async (path) => files.delete(await place(path)),
    realPath: place,
  }
}

/** Reads secrets below the folders where Secrets are mounted; without a bound (on a laptop) anywhere. */
export function secretFiles(files: Files, reach: Reach | undefined): SecretFiles {
  return {
    async read(path) {
      const place = reach === undefined ? path : await reachedPlace(files, reach, 'secret', path)
      const bytes = await files.read(place, 0, LONGEST_SECRET_BYTES + 1)
      if (bytes.length <= LONGEST_SECRET_BYTES) return Buffer.from(bytes).toString('utf8')
      throw new MillraceError('SECRET_TOO_LARGE', `${path} has more than ${LONGEST_SECRET_BYTES} bytes`, {
        domain: 'user',
      })
    },
  }
}

async function reachedPlace(files: Files, reach: Reach, as: OpenedAs, path: string): Promise<string> {
  const real = await files.realPath(path)
  if (!isReached(reach, as, real)) throw forbidden(reach, as, path === real ? path : `${path} (${real})`)
  return real
}

function forbidden(reach: Reach, as: OpenedAs, path: string): MillraceError {
  const { message, hint } = whyOutOfReach(reach, as, path)
  return new MillraceError('FILE_FORBIDDEN', message, { domain: 'user', hint })
}
