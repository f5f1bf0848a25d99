import { localPathOf } from '../kit/storage-option.ts'
import type { ProbeContext } from '../sink.ts'
import { isRemote } from './input-files.ts'
import { resolvePath } from './paths.ts'

/** Looks whether the place of the parts of a sink can be reached; that it can be written shows a job alone. */
export async function probeFolder({ ports, baseDir }: ProbeContext, path: string): Promise<string> {
  if (!isRemote(path)) {
    const isThere = await ports.files.exists(resolvePath(baseDir, localPathOf(path)))
    return isThere ? 'the folder is there' : 'there is no such folder; the job makes it'
  }
  for await (const _first of ports.openObjects(path).list('')) return 'the place has files'
  return 'the place is there and empty'
}
