import { isFields } from '../../model/fields.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Json, Split } from '../source.ts'
import type { SnapshotTime } from './client.ts'

/**
 * How far the tablet of a split is read: at `snapshot`, of changes since `since` where that is there, up to and with the
 * key `afterKey`, and `skip` rows behind it. A scan in the order of keys at one snapshot gives the same rows each time.
 */
export interface ScanPosition {
  readonly snapshot: SnapshotTime
  readonly since?: SnapshotTime
  readonly afterKey?: Buffer
  readonly skip: number
  /** All of it is read; continuous reading goes on from `snapshot`. */
  readonly isRead: boolean
}

export function encodeScanPosition({ snapshot, since, afterKey, skip, isRead }: ScanPosition): Json {
  return {
    snapshot: String(snapshot),
    ...(since === undefined ? {} : { since: String(since) }),
    ...(afterKey === undefined ? {} : { afterKey: afterKey.toString('hex') }),
    skip,
    isRead,
  }
}

/** Throws SPLIT_INVALID. */
export function scanPositionOf({ id, position }: Split): ScanPosition {
  if (isFields(position)) {
    const { snapshot, since, afterKey, skip, isRead } = position
    if (
      isTime(snapshot) &&
      (since === undefined || isTime(since)) &&
      (afterKey === undefined || (typeof afterKey === 'string' && /^([0-9a-f]{2})*$/.test(afterKey))) &&
      typeof skip === 'number' &&
      Number.isSafeInteger(skip) &&
      skip >= 0 &&
      typeof isRead === 'boolean'
    )
      return {
        snapshot: BigInt(snapshot),
        ...(since === undefined ? {} : { since: BigInt(since) }),
        ...(afterKey === undefined ? {} : { afterKey: Buffer.from(afterKey, 'hex') }),
        skip,
        isRead,
      }
  }
  throw new MillraceError(
    'SPLIT_INVALID',
    `split ${JSON.stringify(id)} at ${JSON.stringify(position)} is none of a Kudu source`,
    {
      domain: 'user',
      hint: 'the source was changed under the same id: give it a new id, or start without the old state',
    },
  )
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && /^\d{1,20}$/.test(value)
}
