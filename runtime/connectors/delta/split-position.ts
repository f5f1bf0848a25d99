import { MillraceError } from '../../model/errors.ts'
import { membersOf } from '../../model/fields.ts'
import type { Json, Split } from '../../model/snapshot.ts'

/**
 * The work of a split. A snapshot is distributed to `of` splits, file by file; the changes are one split, for versions have an
 * order.
 */
export type SplitKind =
  | { readonly kind: 'changes' }
  | { readonly kind: 'snapshot'; readonly part: number; readonly of: number }

/** The next row to read: its version, the place of its file in the version, the row group and the row in it. */
export interface TablePosition {
  readonly version: number
  readonly file: number
  readonly group: number
  readonly row: number
}

const CHANGES = 'changes'

export function splitId(kind: SplitKind): string {
  return kind.kind === 'changes' ? CHANGES : `snapshot-${kind.part}-of-${kind.of}`
}

export function newSplit(kind: SplitKind, version: number): Split {
  return { id: splitId(kind), position: encodePosition({ version, file: 0, group: 0, row: 0 }), finished: false }
}

export function encodePosition({ version, file, group, row }: TablePosition): Json {
  return { version, file, group, row }
}

/** Throws SPLIT_INVALID for a split this connector did not make. */
export function parseSplit({ id, position }: Split): { kind: SplitKind; position: TablePosition } {
  const [, part, of] = /^snapshot-(\d+)-of-(\d+)$/.exec(id) ?? []
  const { version, file, group, row } = membersOf(position)
  const isSnapshot = part !== undefined && of !== undefined && Number(part) < Number(of)
  if ((isSnapshot || id === CHANGES) && isCount(version) && isCount(file) && isCount(group) && isCount(row))
    return {
      kind: isSnapshot ? { kind: 'snapshot', part: Number(part), of: Number(of) } : { kind: 'changes' },
      position: { version, file, group, row },
    }
  throw new MillraceError(
    'SPLIT_INVALID',
    `split ${JSON.stringify(id)} at ${JSON.stringify(position)} is none of a Delta source`,
    {
      domain: 'user',
      hint: 'the source was changed under the same id: give it a new id, or start without the old state',
    },
  )
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
