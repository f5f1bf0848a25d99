import { MillraceError } from '../../model/errors.ts'

/** A file that a pattern of the job matches. */
export interface FoundFile {
  /** As split ids have it: stays the same when the job is moved. */
  readonly name: string
  readonly sizeBytes: number
  /** As StoredObject.version; local files have none. */
  readonly version: string | undefined
}

/** A file that is read. */
export interface InputFile {
  /** As messages name it. */
  readonly path: string
  readonly sizeBytes: number
  /** At most `length` bytes from `offset`; fewer only at the end. */
  read(offset: number, length: number): Promise<Uint8Array>
}

export function fileGone(path: string): MillraceError {
  return new MillraceError('FILE_MISSING', `${path} is gone; it was there when the job first listed its files`, {
    domain: 'user',
    path,
  })
}
