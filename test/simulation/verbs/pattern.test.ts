import { describe, expect, test } from 'vitest'
import { plainPattern, type PlainPattern } from '../../harness/plain/plain-pattern.ts'
import { BIDS, wrongVerbSeeds } from '../../harness/simulation/verb-job.ts'

const SEEDS = 3
const price = (row: object | undefined): number => Number((row as { price?: unknown } | undefined)?.price)
const ONE = {
  not: false,
  min: 1,
  max: 1,
  optional: false,
  greedy: false,
  loop: 'relaxed',
  follows: 'followedBy',
} as const

/** A bid, any number of dearer ones, each than the one before, and one of twice the first. */
const RISING: PlainPattern = {
  within: 1500,
  after: { kind: 'pastLast' },
  steps: [
    { ...ONE, where: (row) => price(row) % 3 === 0 },
    {
      not: false,
      min: 1,
      optional: true,
      greedy: false,
      loop: 'relaxed',
      follows: 'followedBy',
      where: (row, before) => price(row) > price(before(1).at(-1) ?? before(0)[0]),
    },
    { ...ONE, where: (row, before) => price(row) > price(before(0)[0]) * 2 },
  ],
}
const SPEC = {
  steps: [
    { name: 'first', where: 'price % 3 === 0' },
    { name: 'dearer', where: 'price > (dearer.price ?? first.price)', times: '0+' },
    { name: 'twice', where: 'price > first.price * 2' },
  ],
  within: '1500ms',
  after: 'skipPastLast',
  select: {
    auction: 'auction',
    from: 'first.price',
    n: 'dearer.count',
    most: 'dearer.max(price)',
    to: 'twice.price',
    begun: 'match.start',
    at: 'match.time',
  },
}

const byAuction = [
  ...Map.groupBy(
    [...BIDS].sort((one, other) => one.at - other.at),
    ({ auction }) => auction,
  ).values(),
]

function expectedMatches(): string[] {
  return byAuction
    .flatMap((bids) =>
      plainPattern(
        RISING,
        bids,
        bids.map(({ at }) => at),
      ).matches.map((match) => {
        const of = (step: number): (typeof BIDS)[number][] =>
          match.filter((taken) => taken.step === step).flatMap(({ at }) => bids[at] ?? [])
        const [first, last] = [of(0)[0], of(2)[0]]
        return JSON.stringify([
          first?.auction,
          first?.price,
          of(1).length,
          of(1).length === 0 ? null : Math.max(...of(1).map(price)),
          last?.price,
          first?.at,
        ])
      }),
    )
    .sort()
}

describe('pattern under virtual time, killed and rescaled', () => {
  test('finds every match of every auction exactly once', async () => {
    const expected = expectedMatches()
    expect(expected.length).toBeGreaterThan(20)
    expect(
      await wrongVerbSeeds(
        {
          graph: [{ id: 'rising', from: 'bids', keyBy: 'auction', pattern: SPEC }],
          from: 'rising',
          wrongness: (rows) => {
            const found = rows
              .map(({ auction, from, n, most, to, begun }) =>
                JSON.stringify([auction, from, n, most ?? null, to, begun]),
              )
              .sort()
            return JSON.stringify(found) === JSON.stringify(expected)
              ? undefined
              : `${found.length} matches instead of ${expected.length}; ${found.find((line) => !expected.includes(line)) ?? 'none'} is wrong, ${expected.find((line) => !found.includes(line)) ?? 'none'} is missing`
          },
        },
        SEEDS,
      ),
    ).toEqual([])
  })
})
