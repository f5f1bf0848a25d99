import { describe, expect, test } from 'vitest'
import { BIDS, finalWrongness, wrongVerbSeeds } from '../../harness/simulation/verb-job.ts'

const SEEDS = 4
const byAuction = Map.groupBy(BIDS, ({ auction }) => String(auction))
const counts = new Map([...byAuction].map(([auction, bids]) => [auction, bids.length]))

describe('running aggregates under virtual time, killed and rescaled', () => {
  test('the last row of a key has all of its rows', async () => {
    expect(
      await wrongVerbSeeds(
        {
          graph: [
            { id: 'sums', from: 'bids', keyBy: 'auction', aggregate: { n: 'count()', prices: 'countDistinct(price)' } },
          ],
          from: 'sums',
          wrongness: (rows) =>
            finalWrongness(rows, (row) => String(row['auction']), 'n', counts) ??
            finalWrongness(
              rows,
              (row) => String(row['auction']),
              'prices',
              new Map([...byAuction].map(([auction, bids]) => [auction, new Set(bids.map(({ price }) => price)).size])),
            ),
        },
        SEEDS,
      ),
    ).toEqual([])
  })

  test('with a row for each, every count comes once', async () => {
    const expected = JSON.stringify(
      [...counts].flatMap(([auction, n]) => Array.from({ length: n }, (_, index) => `${auction} ${index + 1}`)).sort(),
    )
    expect(
      await wrongVerbSeeds(
        {
          graph: [{ id: 'sums', from: 'bids', keyBy: 'auction', aggregate: { n: 'count()' }, emit: 'everyRow' }],
          from: 'sums',
          wrongness: (rows) =>
            JSON.stringify(rows.map(({ auction, n }) => `${String(auction)} ${String(n)}`).sort()) === expected
              ? undefined
              : `${rows.length} rows, not ${BIDS.length}, or other ones`,
        },
        SEEDS,
      ),
    ).toEqual([])
  })

  test('windows of rows come after so many, with none left out', async () => {
    const expected = JSON.stringify(
      [...counts].flatMap(([auction, n]) => Array.from({ length: Math.floor(n / 4) }, () => auction)).sort(),
    )
    expect(
      await wrongVerbSeeds(
        {
          graph: [
            {
              id: 'fours',
              from: 'bids',
              keyBy: 'auction',
              window: { count: 8, every: 4 },
              aggregate: { n: 'count()' },
            },
          ],
          from: 'fours',
          wrongness: (rows) =>
            JSON.stringify(rows.map(({ auction }) => String(auction)).sort()) === expected
              ? undefined
              : `${rows.length} rows, not ${JSON.parse(expected).length}`,
        },
        SEEDS,
      ),
    ).toEqual([])
  })

  test('reduce adds each row once to what came out before it', async () => {
    expect(
      await wrongVerbSeeds(
        {
          graph: [{ id: 'sums', from: 'bids', keyBy: 'auction', reduce: { price: 'previous.price + current.price' } }],
          from: 'sums',
          wrongness: (rows) =>
            rows.length === BIDS.length
              ? finalWrongness(
                  rows,
                  (row) => String(row['auction']),
                  'price',
                  new Map(
                    [...byAuction].map(([auction, bids]) => [auction, bids.reduce((sum, bid) => sum + bid.price, 0)]),
                  ),
                )
              : `${rows.length} rows, not ${BIDS.length}`,
        },
        SEEDS,
      ),
    ).toEqual([])
  })
})
