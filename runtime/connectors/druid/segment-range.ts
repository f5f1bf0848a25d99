import { isFields } from '../../model/fields.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Json, Split } from '../source.ts'

/** The rows of one published segment from `fromMs` to before `toMs`. A published segment never changes. */
export interface SegmentRange {
  /** As Druid writes it: `start/end`. */
  readonly interval: string
  readonly version: string
  readonly partition: number
  readonly fromMs: number
  readonly toMs: number
}

/**
 * How far a split is read: `next` rows of the first range were emitted, nothing of the others. `untilMs` is there for
 * continuous reading: every window before it was listed.
 */
export interface RangePosition {
  readonly ranges: readonly SegmentRange[]
  readonly next: number
  readonly untilMs?: number
}

/** Stable for ever. */
export function rangeSplitId({ interval, version, partition }: SegmentRange): string {
  return `${interval}_${version}_${partition}`
}

export function encodeRangePosition({ ranges, next, untilMs }: RangePosition): Json {
  return { ranges: ranges.map((range) => ({ ...range })), next, ...(untilMs === undefined ? {} : { untilMs }) }
}

/** Throws SPLIT_INVALID. */
export function rangePositionOf(split: Split): RangePosition {
  const { position } = split
  if (isFields(position)) {
    const { ranges, next, untilMs } = position
    if (Array.isArray(ranges) && ranges.every(isRange) && isCount(next) && (untilMs === undefined || isTime(untilMs)))
      return { ranges, next, ...(untilMs === undefined ? {} : { untilMs }) }
  }
  throw new MillraceError(
    'SPLIT_INVALID',
    `split ${JSON.stringify(split.id)} at ${JSON.stringify(position)} is none of a Druid source that reads segments`,
    {
      domain: 'user',
      hint: 'the source was changed under the same id: give it a new id, or start without the old state',
    },
  )
}

function isRange(value: unknown): value is SegmentRange {
  return (
    isFields(value) &&
    typeof value['interval'] === 'string' &&
    typeof value['version'] === 'string' &&
    isCount(value['partition']) &&
    isTime(value['fromMs']) &&
    isTime(value['toMs'])
  )
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value)
}
