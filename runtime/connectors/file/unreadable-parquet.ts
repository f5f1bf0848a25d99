import { MillraceError } from '../../model/errors.ts'

/** PARQUET_INVALID: `why` says what of the file, whose path its catcher knows, cannot be read. */
export function unreadableParquet(why: string, cause?: unknown): MillraceError {
  return new MillraceError('PARQUET_INVALID', why, { domain: 'user', ...(cause === undefined ? {} : { cause }) })
}
