import { describe, expect, test } from 'vitest'
import { BIDS, wrongVerbSeeds } from '../../harness/simulation/verb-job.ts'

const SEEDS = 4
const keyOf = ({ auction, channel }: { auction?: unknown; channel?: unknown }): string =>
  `${String(auction)} ${String(channel)}`
const byKey = Map.groupBy(BIDS, keyOf)

describe('dedupe under virtual time, killed and rescaled', () => {
  test('keep: first gives exactly one row per key', async () => {
    const expected = JSON.stringify([...byKey.keys()].sort())
    expect(
      await wrongVerbSeeds(
        {
          graph: [{ id: 'once', from: 'bids', keyBy: ['auction', 'channel'], dedupe: { keep: 'first' } }],
          from: 'once',
          wrongness: (rows) =>
            JSON.stringify(rows.map(keyOf).sort()) === expected
              ? undefined
              : `${rows.length} rows of ${byKey.size} keys`,
        },
        SEEDS,
      ),
    ).toEqual([])
  })

  test('keep: last gives the newest row of every key, and no row twice', async () => {
    const newest = new Map([...byKey].map(([key, bids]) => [key, Math.max(...bids.map(({ at }) => at))]))
    const known = new Map(
      BIDS.map((bid) => [
        JSON.stringify(bid),
        BIDS.filter((other) => JSON.stringify(other) === JSON.stringify(bid)).length,
      ]),
    )
    expect(
      await wrongVerbSeeds(
        {
          graph: [{ id: 'newest', from: 'bids', keyBy: ['auction', 'channel'], dedupe: { keep: 'last' } }],
          from: 'newest',
          wrongness: (rows) => {
            const counts = new Map(
              [...Map.groupBy(rows, (row) => JSON.stringify(row))].map(([line, same]) => [line, same.length]),
            )
            const double = [...counts].find(([line, count]) => count > (known.get(line) ?? 0))
            if (double !== undefined) return `${double[0]} came ${double[1]} times`
            const missing = [...newest].find(
              ([key, at]) =>
                Math.max(...rows.filter((row) => keyOf(row) === key).map((row) => Number(row['at']))) !== at,
            )
            return missing === undefined ? undefined : `the newest of ${missing[0]} is not from ${missing[1]}`
          },
        },
        SEEDS,
      ),
    ).toEqual([])
  })
})
