import { accessSync, constants } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MillraceError } from '../runtime/model/errors.ts'
import { makeFolder } from '../runtime/ports/real/durable-file.ts'
import { schemeOf } from '../runtime/ports/store.ts'

/**
 * The folder of a checkpoint store on this machine, made when it is missing; the URL of a store that is no folder. Called
 * before a job is started. Throws STORE_UNAVAILABLE when the folder cannot be written.
 */
export async function openedStore(written: string | undefined): Promise<string> {
  if (written !== undefined && schemeOf(written) !== 'file') return written
  const folder =
    written !== undefined && /^file:/i.test(written)
      ? fileURLToPath(written)
      : resolve(written ?? '.millrace/checkpoints')
  try {
    await makeFolder(folder)
    accessSync(folder, constants.W_OK)
  } catch (cause) {
    throw new MillraceError('STORE_UNAVAILABLE', `checkpoint store ${folder} cannot be written`, {
      domain: 'dependency',
      cause,
      hint: 'name another folder in spec.checkpoints.store, or free this one',
    })
  }
  return folder
}
