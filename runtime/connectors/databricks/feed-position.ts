import { MillraceError } from '../../model/errors.ts'
import { membersOf } from '../../model/fields.ts'
import type { Json, Split } from '../../model/snapshot.ts'

/** The only split: versions have an order. */
export const FEED_SPLIT = 'table'

/**
 * The next row to read. Rows of a unit, which is a snapshot or the changes of some versions, come in an order that a
 * repeated statement gives again, so their count says which were read.
 */
export interface FeedPosition {
  /** The id of the table: one that is made again under the name has another. */
  readonly table: string
  readonly unit: FeedUnit
  /** How many rows of the unit were read. */
  readonly skip: number
  /** Names the query that is asked; `skip` counts its rows. */
  readonly query: string
}

export type FeedUnit =
  | { readonly kind: 'snapshot'; readonly version: number }
  /** `to` is null while no version from `from` on is known. */
  | { readonly kind: 'changes'; readonly from: number; readonly to: number | null }

export function encodeFeedPosition({ table, unit, skip, query }: FeedPosition): Json {
  return { table, unit: { ...unit }, skip, query }
}

/** Throws SPLIT_INVALID for a split this connector did not make. */
export function feedPositionOf({ id, position }: Split): FeedPosition {
  const { table, unit, skip, query } = membersOf(position)
  const read = unitOf(unit)
  if (
    id === FEED_SPLIT &&
    typeof table === 'string' &&
    read !== undefined &&
    isCount(skip) &&
    typeof query === 'string'
  )
    return { table, unit: read, skip, query }
  throw new MillraceError(
    'SPLIT_INVALID',
    `split ${JSON.stringify(id)} at ${JSON.stringify(position)} is none of a Databricks source`,
    {
      domain: 'user',
      hint: 'the source was changed under the same id: give it a new id, or start without the old state',
    },
  )
}

function unitOf(value: unknown): FeedUnit | undefined {
  const { kind, version, from, to } = membersOf(value)
  if (kind === 'snapshot' && isCount(version)) return { kind, version }
  const isEnd = to === null || (isCount(to) && isCount(from) && to >= from)
  return kind === 'changes' && isCount(from) && isEnd ? { kind, from, to } : undefined
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
