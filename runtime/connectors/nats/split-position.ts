import { MillraceError } from '../../model/errors.ts'
import { isFields } from '../../model/fields.ts'
import type { Json, Split } from '../source.ts'

/** How far a stream is read. */
export interface StreamPosition {
  /** When the stream was created that the sequences are of. */
  readonly created: string
  /** The sequence of the next message; 0: the first that there is, nothing is read yet. */
  readonly next: number
  /** The last message of a bounded split. */
  readonly end: number | undefined
}

export function encodePosition({ created, next, end }: StreamPosition): Json {
  return { created, next, ...(end === undefined ? {} : { end }) }
}

/** Throws NATS_SPLIT_INVALID. */
export function decodePosition(split: Split): StreamPosition {
  const { created, next, end } = isFields(split.position) ? split.position : {}
  if (typeof created === 'string' && isSequence(next) && (end === undefined || isSequence(end)))
    return { created, next, end }
  throw new MillraceError(
    'NATS_SPLIT_INVALID',
    `a NATS source can not resume from split ${JSON.stringify(split.id)} at ${JSON.stringify(split.position)}`,
  )
}

function isSequence(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}
