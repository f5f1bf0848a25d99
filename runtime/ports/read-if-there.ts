import { MillraceError } from '../model/errors.ts'
import type { Objects } from './objects.ts'

/**
 * At most `length` bytes of an object; undefined when there is none. To look first would not do: somebody may delete it
 * between the two.
 */
export async function readIfThere(objects: Objects, path: string, length: number): Promise<Uint8Array | undefined> {
  try {
    return await objects.read(path, 0, length)
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'OBJECT_MISSING') return undefined
    throw error
  }
}
