import { describe, expect, test } from 'vitest'
import type { JoinType } from '../../../runtime/graph/verbs/join/join.ts'
import { BIDS, wrongVerbSeeds } from '../../harness/simulation/verb-job.ts'
import { plainJoin, plainWindowJoin, type PlainPair, type PlainRow } from '../../harness/plain/plain-join.ts'

const SEEDS = 3
const rows = BIDS.map(({ auction, price, at, channel }, id): PlainRow & { price: number; channel: string } => ({
  key: auction,
  at,
  id,
  text: channel,
  price,
  channel,
}))
const LEFT = { id: 'dear', from: 'bids', filter: 'price >= 500' }
const RIGHT = { id: 'channel-a', from: 'bids', filter: "channel === 'a'" }
const lefts = rows.filter(({ price }) => price >= 500)
const rights = rows.filter(({ channel }) => channel === 'a')

async function wrongSeeds(type: JoinType, join: object, pairs: readonly PlainPair[]): Promise<string[]> {
  const isOneSided = type === 'semi' || type === 'anti'
  const line = (values: readonly unknown[]): string => JSON.stringify(values)
  const priceOf = (row: PlainRow | null): number | null => (row === null ? null : (rows[row.id]?.price ?? null))
  const expected = JSON.stringify(
    pairs
      .map(({ left, right, window }) =>
        line([
          left?.at ?? null,
          priceOf(left),
          ...(isOneSided ? [] : [right?.at ?? null, priceOf(right)]),
          window ?? null,
        ]),
      )
      .sort(),
  )
  const select = {
    leftAt: 'left.at',
    leftPrice: 'left.price',
    ...(isOneSided ? {} : { rightAt: 'right.at', rightPrice: 'right.price' }),
  }
  return wrongVerbSeeds(
    {
      graph: [
        LEFT,
        RIGHT,
        { id: 'both', from: ['dear', 'channel-a'], join: { keyBy: 'auction', type, select, ...join } },
      ],
      from: 'both',
      wrongness: (out) => {
        const found = JSON.stringify(
          out
            .map((row) =>
              line([
                row['leftAt'],
                row['leftPrice'],
                ...(isOneSided ? [] : [row['rightAt'], row['rightPrice']]),
                row['windowStart'] ?? null,
              ]),
            )
            .sort(),
        )
        return found === expected ? undefined : `${out.length} rows instead of ${pairs.length}, or other ones`
      },
    },
    SEEDS,
  )
}

describe('join under virtual time, killed and rescaled', () => {
  test('a full join in hopping windows gives every row of every window once', async () => {
    const pairs = plainWindowJoin('full', lefts, rights, { sizeMs: 2000, slideMs: 1000 }, () => true)
    expect(await wrongSeeds('full', { window: { hop: '1s', size: '2s' } }, pairs)).toEqual([])
  })

  test('a left join within an interval gives every pair and every row without one once', async () => {
    const pairs = plainJoin(
      'left',
      lefts,
      rights,
      (left, right) => left.at - 500 <= right.at && right.at <= left.at + 100,
    )
    expect(await wrongSeeds('left', { within: { before: '500ms', after: '100ms' } }, pairs)).toEqual([])
  })

  test('a regular inner join gives every pair once', async () => {
    expect(
      await wrongSeeds(
        'inner',
        { ttl: 'forever', where: 'left.price > right.price' },
        plainJoin('inner', lefts, rights, (left, right) => (rows[left.id]?.price ?? 0) > (rows[right.id]?.price ?? 0)),
      ),
    ).toEqual([])
  })
})
