import { createHash } from 'node:crypto'
import { MillraceError } from '../../model/errors.ts'

/** At the beginning of the file: SHA-256 of its path and of the rest. */
export const SEAL_BYTES = 32

/** Fills in the first bytes of a file, which are left free for it. Files of the checkpoint are sealed in the same way. */
export function seal(bytes: Buffer, path: string): void {
  sealOf(bytes, path).copy(bytes)
}

/** Throws an error with this code, which names the file. */
export function checkSeal(bytes: Buffer, path: string, code: string): void {
  if (bytes.length < SEAL_BYTES || !sealOf(bytes, path).equals(bytes.subarray(0, SEAL_BYTES)))
    throw fileCorrupt(code, path, 'it is damaged, cut off, or another file')
}

export function fileCorrupt(code: string, path: string, why: string): MillraceError {
  return new MillraceError(code, `${path} is no file of this sink as it wrote it: ${why}`, {
    domain: 'platform',
    hint: 'put the file back as it was, or restore from another checkpoint',
  })
}

function sealOf(bytes: Buffer, path: string): Buffer {
  return createHash('sha256').update(`${path}\n`).update(bytes.subarray(SEAL_BYTES)).digest()
}
