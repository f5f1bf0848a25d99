import { join } from 'node:path'
import { MillraceError } from '../../../model/errors.ts'
import { isFields } from '../../../model/fields.ts'
import type { Attempt } from '../../../model/ids.ts'
import type { Json } from '../../../model/snapshot.ts'
import type { Rng } from '../../../ports/rng.ts'

/**
 * The folder of a source's logs:
 *
 *     <path>/<job>/<source>/<era>.open/<index>-<segment>.log
 *
 * An era is the time of one attempt. When the next one begins, the folder is renamed to `<era>.closed`: who still
 * appends to a file of it finds that out before it acknowledges anything, and can create no further file. One log of an
 * era is one split of the source, `<era>/<index>`: a row of segments, numbered from 1.
 */

/** Unique, also where a job of that name existed before and its attempts were counted from 1, too. */
export function newEra(attempt: Attempt, rng: Rng): string {
  return `${attempt}-${rng.id()}`
}

export type EraState = 'open' | 'closed'

/** This file makes the folder of an era. */
export const ERA_MARK = 'begun'

export function eraFolder(folder: string, era: string, state: EraState): string {
  return join(folder, `${era}.${state}`)
}

/** The era and state of a folder in which a file lies; undefined for files that are not of a log. */
export function eraOfFile(path: string): { era: string; state: EraState } | undefined {
  const found = /\/(\d+-[0-9a-f]{16})\.(open|closed)\/[^/]+$/.exec(path)
  return found === null ? undefined : { era: found[1] ?? '', state: found[2] === 'open' ? 'open' : 'closed' }
}

/** A log of an era. */
export interface LogName {
  readonly era: string
  readonly index: number
}

export function splitIdOf({ era, index }: LogName): string {
  return `${era}/${index}`
}

/** Throws SPLIT_INVALID for a split of something else. */
export function logNameOf(split: string): LogName {
  const found = /^(\d+-[0-9a-f]{16})\/(\d{1,6})$/.exec(split)
  if (found === null) throw stateInvalid(`the split ${JSON.stringify(split)} is no log of this source`)
  return { era: found[1] ?? '', index: Number(found[2]) }
}

export function segmentFile(folder: string, { index }: LogName, segment: number): string {
  return join(folder, `${index}-${String(segment).padStart(6, '0')}.log`)
}

/** The log and segment that a file is of; undefined for other files. */
export function segmentOfFile(path: string): { index: number; segment: number } | undefined {
  const found = /\/(\d{1,6})-(\d{6,12})\.log$/.exec(path)
  return found === null ? undefined : { index: Number(found[1]), segment: Number(found[2]) }
}

/** The first entry not yet emitted: `entry` counts within the frame that begins at `offset`. */
export interface LogPosition {
  readonly segment: number
  readonly offset: number
  readonly entry: number
}

export const LOG_START: LogPosition = { segment: 1, offset: 0, entry: 0 }

export function encodePosition({ segment, offset, entry }: LogPosition): Json {
  return { segment, offset, entry }
}

/** Null is the start. Throws SPLIT_INVALID. */
export function decodePosition(position: Json): LogPosition {
  if (position === null) return LOG_START
  if (isFields(position)) {
    const { segment, offset, entry } = position
    if (isCount(segment) && segment > 0 && isCount(offset) && isCount(entry)) return { segment, offset, entry }
  }
  throw stateInvalid(`${JSON.stringify(position)} is no position in a log`)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function stateInvalid(message: string): MillraceError {
  return new MillraceError('SPLIT_INVALID', message, {
    domain: 'user',
    hint: 'the source was changed under the same id: give it a new id, or start without the old state',
  })
}
