import { MillraceError } from '../../model/errors.ts'
import { isFields } from '../../model/fields.ts'
import type { Json, Split } from '../source.ts'

/** An entry of a topic: Pulsar numbers ledgers over all topics, and entries within a ledger. */
export interface EntryId {
  readonly ledger: number
  readonly entry: number
}

/** How far a split is read. */
export type SplitPosition =
  /** Nothing is read: from the first message that there is. */
  | { readonly kind: 'earliest' }
  /** Nothing is read: from the first message that was published at this time (ms) or later. */
  | { readonly kind: 'since'; readonly time: number }
  /** Nothing is read: from behind this entry, which was the last one when the job started. */
  | ({ readonly kind: 'behind' } & EntryId)
  /** So many messages of this entry are read. Pulsar keeps the entry until a later position is checkpointed. */
  | ({ readonly kind: 'within'; readonly done: number } & EntryId)

/** The last message of a bounded split. */
export interface SplitEnd extends EntryId {
  /** -1: all of the entry. */
  readonly batchIndex: number
}

export function encodePosition(position: SplitPosition, end: SplitEnd | undefined): Json {
  return { ...position, ...(end === undefined ? {} : { end: { ...end } }) }
}

/** Throws PULSAR_SPLIT_INVALID. */
export function decodePosition(split: Split): { position: SplitPosition; end: SplitEnd | undefined } {
  const { position: fields } = split
  if (!isFields(fields)) throw unreadable(split)
  const position = positionOf(fields)
  const { end } = fields
  if (position === undefined) throw unreadable(split)
  if (end === undefined) return { position, end: undefined }
  if (!isFields(end)) throw unreadable(split)
  const { ledger, entry, batchIndex } = end
  if (!isCount(ledger) || !isCount(entry) || !isInteger(batchIndex)) throw unreadable(split)
  return { position, end: { ledger, entry, batchIndex } }
}

export function compareEntries(a: EntryId, b: EntryId): number {
  return a.ledger - b.ledger || a.entry - b.entry
}

function positionOf(fields: Readonly<Record<string, unknown>>): SplitPosition | undefined {
  const { kind, time, ledger, entry, done } = fields
  if (kind === 'earliest') return { kind }
  if (kind === 'since') return isInteger(time) ? { kind, time } : undefined
  if (!isCount(ledger) || !isCount(entry)) return undefined
  if (kind === 'behind') return { kind, ledger, entry }
  return kind === 'within' && isCount(done) ? { kind, ledger, entry, done } : undefined
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

function isCount(value: unknown): value is number {
  return isInteger(value) && value >= 0
}

function unreadable(split: Split): MillraceError {
  return new MillraceError(
    'PULSAR_SPLIT_INVALID',
    `a Pulsar source can not resume from split ${JSON.stringify(split.id)} at ${JSON.stringify(split.position)}`,
  )
}
