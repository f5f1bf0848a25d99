import { MillraceError } from '../model/errors.ts'
import type { PreparedUpload } from './objects.ts'

/** The storage cannot be reached now, or not for this call. `storage` names it without its credentials. */
export function objectsUnavailable(storage: string, doing: string, cause: unknown): MillraceError {
  return new MillraceError('OBJECTS_UNAVAILABLE', `cannot ${doing} in ${storage}`, {
    domain: 'dependency',
    retriable: true,
    cause,
    hint: 'check that the storage runs, can be reached, is writable and has space',
  })
}

/** The storage answered that it will not serve. */
export function objectsRefused(storage: string, doing: string, reason: string): MillraceError {
  return new MillraceError('OBJECTS_REFUSED', `${storage} refused to ${doing}: ${reason}`, {
    domain: 'user',
    hint: 'check the name of the bucket or folder, the credentials and what they permit',
  })
}

export function objectMissing(storage: string, path: string): MillraceError {
  return new MillraceError('OBJECT_MISSING', `${storage} has no object ${JSON.stringify(path)}`, {
    domain: 'user',
    hint: 'check who deletes objects there: a rule of retention, or another job',
  })
}

/** The object was replaced since it was looked at. */
export function objectChanged(storage: string, path: string): MillraceError {
  return new MillraceError('OBJECT_CHANGED', `${JSON.stringify(path)} in ${storage} was replaced since it was listed`, {
    domain: 'user',
    hint: 'write every version of an object under a name of its own; start the job without its old state to read it again',
  })
}

export function objectLost(storage: string, { path, sizeBytes }: PreparedUpload): MillraceError {
  return new MillraceError(
    'OBJECT_LOST',
    `${storage} has neither the prepared upload of ${JSON.stringify(path)} nor the object of ${sizeBytes} bytes`,
    { domain: 'user', hint: 'restore from a checkpoint whose uploads are still there; check who removes uploads' },
  )
}

/** A token in a checkpoint is input. */
export function uploadInvalid({ path, token }: PreparedUpload): MillraceError {
  return new MillraceError(
    'OBJECT_UPLOAD_INVALID',
    `the prepared upload of ${JSON.stringify(path)} has token ${JSON.stringify(token.slice(0, 100))}, which this storage does not give`,
    { domain: 'user', hint: 'the checkpoint was written with another storage, or was changed' },
  )
}

/** Throws OBJECT_PATH_INVALID for a path that leaves its root, or that HTTP clients and servers would rewrite. */
export function checkObjectPath(path: string): void {
  if (!path.startsWith('/') && !path.includes('\0') && !path.split('/').some((step) => step === '..' || step === '.'))
    return
  throw new MillraceError(
    'OBJECT_PATH_INVALID',
    `object path ${JSON.stringify(path)} must be relative, without . and .., and stay below its root`,
    { domain: 'user' },
  )
}
