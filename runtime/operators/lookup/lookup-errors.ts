import { MillraceError } from '../../model/errors.ts'

/** The other side has no match. An inner join leaves out the row, which is no error of it. */
export function noRow(message: string): MillraceError {
  return new MillraceError('LOOKUP_MISSING', message, { domain: 'user' })
}

export function isMissing(error: unknown): boolean {
  return error instanceof MillraceError && error.code === 'LOOKUP_MISSING'
}

/** Nothing says which of several rows is meant. */
export function ambiguous(message: string, hint: string): MillraceError {
  return new MillraceError('LOOKUP_AMBIGUOUS', message, { domain: 'user', hint })
}
