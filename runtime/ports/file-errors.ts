import { MillraceError } from '../model/errors.ts'

/**
 * Refusals of a file system that stay until somebody acts; a full disk, a late answer, a mount that is lost or
 * read-only may pass.
 */
const LASTING = new Set(['EACCES', 'EPERM', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG', 'ELOOP', 'EINVAL'])

/** Whether the same call may succeed later without anyone's help, as far as the error of the file system says. */
export function mayPass(error: unknown): boolean {
  if (error instanceof MillraceError) return error.retriable
  return !(error instanceof Error && 'code' in error && typeof error.code === 'string' && LASTING.has(error.code))
}
