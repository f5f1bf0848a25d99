import { expect, test } from 'vitest'
import { plainJoin, type PlainRow } from '../harness/plain/plain-join.ts'
import { BIDS, switchVerdict, type VerbJob } from '../harness/simulation/verb-job.ts'

const SEEDS = 4
const PRICE = 500
const rows = BIDS.map(({ auction, price, at, channel }, id): PlainRow & { price: number; channel: string } => ({ key: auction, at, id, text: channel, price, channel }))

/** Bids and those of a channel around them, or nothing: rows that wait for others are dropped once their time is over. */
function leftJoin(): VerbJob {
  const line = (leftAt: unknown, leftPrice: unknown, rightAt: unknown, rightPrice: unknown): string => JSON.stringify([leftAt, leftPrice, rightAt, rightPrice])
  const pairs = plainJoin('left', rows.filter(({ price }) => price >= PRICE), rows.filter(({ channel }) => channel === 'a'), (left, right) => left.at - 500 <= right.at && right.at <= left.at + 100)
  const priceOf = (row: PlainRow | null): number | null => (row === null ? null : rows[row.id]?.price ?? null)
  const expected = JSON.stringify(pairs.map(({ left, right }) => line(left?.at ?? null, priceOf(left), right?.at ?? null, priceOf(right))).sort())
  return {
    graph: [
      { id: 'dear', from: 'bids', filter: `price >= ${PRICE}` }, { id: 'channel-a', from: 'bids', filter: "channel === 'a'" },
      { id: 'both', from: ['dear', 'channel-a'], join: {
        on: 'auction', type: 'left', within: { before: '500ms', after: '100ms' }, select: { leftAt: 'left.at', leftPrice: 'left.price', rightAt: 'right.at', rightPrice: 'right.price' } } },
    ],
    from: 'both',
    wrongness: (out) => {
      const found = JSON.stringify(out.map((row) => line(row['leftAt'], row['leftPrice'], row['rightAt'], row['rightPrice'])).sort())
      return found === expected ? undefined : `${out.length} rows instead of ${pairs.length}, or other ones`
    },
  }
}

test('an outer join that is rescaled back and forth, and struck while that is prepared, gives every row once', async () => {
  const job = leftJoin()
  const wrong: string[] = []
  for (let seed = 0; seed < SEEDS; seed++) {
    const { wrong: reason } = await switchVerdict(job, seed)
    if (reason !== undefined) wrong.push(`seed ${seed}: ${reason}`)
  }
  expect(wrong).toEqual([])
}, 600_000)
