import { MillraceError } from '../model/errors.ts'

/** A path that nobody can mend outside: the caller is wrong. */
const PATH_CODES: ReadonlySet<string> = new Set(['OBJECT_PATH_INVALID', 'STORE_PATH_INVALID'])

/**
 * A call of a store. A storage that refuses may serve again once somebody has mended it, and must not leave hundreds of
 * jobs to be started by hand: whatever happens becomes STORE_UNAVAILABLE, which is retriable, as for a volume.
 */
export async function storeCall<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    if (!(cause instanceof MillraceError) || PATH_CODES.has(cause.code)) throw cause
    throw new MillraceError('STORE_UNAVAILABLE', 'the checkpoint store does not serve', {
      domain: 'dependency',
      retriable: true,
      cause,
      ...(cause.hint === undefined ? {} : { hint: cause.hint }),
    })
  }
}
