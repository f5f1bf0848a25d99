import { describe, expect, test } from 'vitest'
import { BIDS, wrongVerbSeeds } from '../../harness/simulation/verb-job.ts'

const SEEDS = 4
const N = 3

/** By auction the best prices; which of equal bids comes first is up to the order of arrival. */
const best = new Map(
  [...Map.groupBy(BIDS, ({ auction }) => auction)].map(([auction, bids]) => [
    auction,
    bids
      .map(({ price }) => price)
      .sort((a, b) => b - a)
      .slice(0, N),
  ]),
)
const known = new Map([...Map.groupBy(BIDS, (bid) => JSON.stringify(bid))].map(([line, same]) => [line, same.length]))

function wrongRows(rows: readonly Record<string, unknown>[]): string | undefined {
  const double = [
    ...Map.groupBy(rows, ({ auction, price, at, channel }) => JSON.stringify({ auction, price, at, channel })),
  ].find(([line, same]) => same.length > (known.get(line) ?? 0))
  return double === undefined ? undefined : `${double[0]} came ${double[1].length} times`
}

describe('topN under virtual time, killed and rescaled', () => {
  test('without ranks the best of every key are among what entered, each once', async () => {
    expect(
      await wrongVerbSeeds(
        {
          graph: [{ id: 'top', from: 'bids', keyBy: 'auction', topN: { limit: N, by: 'price' } }],
          from: 'top',
          wrongness: (rows) =>
            wrongRows(rows) ??
            wrongBest(
              new Map(
                [...Map.groupBy(rows, (row) => Number(row['auction']))].map(([auction, of]) => [
                  auction,
                  of.map((row) => Number(row['price'])),
                ]),
              ),
            ),
        },
        SEEDS,
      ),
    ).toEqual([])
  })

  test('with ranks the best row that ever had a rank has it in the end', async () => {
    expect(
      await wrongVerbSeeds(
        {
          graph: [{ id: 'top', from: 'bids', keyBy: 'auction', topN: { limit: N, by: 'price', rank: 'place' } }],
          from: 'top',
          wrongness: (rows) =>
            wrongBest(
              new Map(
                [...Map.groupBy(rows, (row) => Number(row['auction']))].map(([auction, of]) => [
                  auction,
                  [1, 2, 3].map((place) =>
                    Math.max(...of.filter((row) => row['place'] === place).map((row) => Number(row['price']))),
                  ),
                ]),
              ),
            ),
        },
        SEEDS,
      ),
    ).toEqual([])
  })
})

function wrongBest(found: ReadonlyMap<number, readonly number[]>): string | undefined {
  for (const [auction, prices] of best) {
    const top = [...(found.get(auction) ?? [])].sort((a, b) => b - a).slice(0, N)
    if (JSON.stringify(top) !== JSON.stringify(prices))
      return `auction ${auction} has ${JSON.stringify(top)}, not ${JSON.stringify(prices)}`
  }
  return undefined
}
