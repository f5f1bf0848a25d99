import type { JoinType } from '../../../runtime/graph/verbs/join/join.ts'

/** A row of either side of the joins under test: key, time of the event, a number that names it. */
export interface PlainRow {
  key: unknown
  at: number
  id: number
  text: string
}

export interface PlainPair {
  left: PlainRow | null
  right: PlainRow | null
  window?: number
}

/** Pairs of rows that `meet`, and the rows without a pair that the type puts out: a nested loop over everything. */
export function plainJoin(
  type: JoinType,
  lefts: readonly PlainRow[],
  rights: readonly PlainRow[],
  meet: (left: PlainRow, right: PlainRow) => boolean,
): PlainPair[] {
  const joins = (left: PlainRow, right: PlainRow): boolean =>
    left.key !== null && left.key === right.key && meet(left, right)
  const pairs = lefts.flatMap((left) =>
    rights.filter((right) => joins(left, right)).map((right): PlainPair => ({ left, right })),
  )
  const aloneLeft = lefts
    .filter((left) => !rights.some((right) => joins(left, right)))
    .map((left): PlainPair => ({ left, right: null }))
  const aloneRight = rights
    .filter((right) => !lefts.some((left) => joins(left, right)))
    .map((right): PlainPair => ({ left: null, right }))
  switch (type) {
    case 'inner':
      return pairs
    case 'left':
      return [...pairs, ...aloneLeft]
    case 'right':
      return [...pairs, ...aloneRight]
    case 'full':
      return [...pairs, ...aloneLeft, ...aloneRight]
    case 'semi':
      return lefts.filter((left) => rights.some((right) => joins(left, right))).map((left) => ({ left, right: null }))
    case 'anti':
      return aloneLeft
  }
}

/** The same in every window [start, start + size) of starts that are multiples of the slide. */
export function plainWindowJoin(
  type: JoinType,
  lefts: readonly PlainRow[],
  rights: readonly PlainRow[],
  window: { sizeMs: number; slideMs: number },
  meet: (left: PlainRow, right: PlainRow) => boolean,
): PlainPair[] {
  const times = [...lefts, ...rights].map((row) => row.at)
  const pairs: PlainPair[] = []
  const first = Math.floor((Math.min(...times) - window.sizeMs) / window.slideMs) * window.slideMs
  for (let start = first; start <= Math.max(...times); start += window.slideMs) {
    const inside = (row: PlainRow): boolean => row.at >= start && row.at < start + window.sizeMs
    pairs.push(
      ...plainJoin(type, lefts.filter(inside), rights.filter(inside), meet).map((pair) => ({ ...pair, window: start })),
    )
  }
  return pairs
}
