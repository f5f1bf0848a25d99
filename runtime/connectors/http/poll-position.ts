import { isFields } from '../../model/fields.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Json, Split } from '../source.ts'

/** The only split: an address has one cursor. */
export const POLL_SPLIT = 'poll'

/** The page that is read, as the next request asks for it, and how many rows of its answer were emitted. */
export interface PollPosition {
  /** The place that the service named to continue from; null before the first answer. */
  readonly cursor: string | null
  /** The page that the service named as the next one; null for the address of the job. */
  readonly next: string | null
  readonly skip: number
  /** The `ETag` of the last answer that was read whole. */
  readonly tag: string | null
}

export const FIRST_POSITION: PollPosition = { cursor: null, next: null, skip: 0, tag: null }

export function encodePollPosition(position: PollPosition): Json {
  return { ...position }
}

/**
 * Throws SPLIT_INVALID, also for a next page at another server than `url`: the login of the job must not follow a
 * position of a savepoint there.
 */
export function pollPositionOf({ id, position }: Split, url: string): PollPosition {
  if (id === POLL_SPLIT && position === null) return FIRST_POSITION
  if (id === POLL_SPLIT && isFields(position)) {
    const { cursor, next, skip, tag } = position
    if (
      isText(cursor) &&
      isText(next) &&
      (next === null || isAtServerOf(url, next)) &&
      isText(tag) &&
      typeof skip === 'number' &&
      Number.isSafeInteger(skip) &&
      skip >= 0
    )
      return { cursor, next, skip, tag }
  }
  throw new MillraceError(
    'SPLIT_INVALID',
    `split ${JSON.stringify(id)} at ${JSON.stringify(position)} is none of a source that polls`,
    {
      domain: 'user',
      hint: 'the source was changed under the same id: give it a new id, or start without the old state',
    },
  )
}

function isAtServerOf(url: string, next: string): boolean {
  return URL.canParse(next) && new URL(next).origin === new URL(url).origin
}

function isText(value: unknown): value is string | null {
  return value === null || typeof value === 'string'
}
