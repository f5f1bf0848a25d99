import { describe, expect, test } from 'vitest'
import { BIDS, finalWrongness, wrongVerbSeeds } from '../../harness/simulation/verb-job.ts'

const SEEDS = 4
const AGGREGATE = { n: 'count()', total: 'sum(price)' }
const GAP = 250

function tumbled(sizeMs: number): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { auction, at } of BIDS) {
    const key = `${auction} ${Math.floor(at / sizeMs) * sizeMs}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

function sessions(): string[] {
  const found: { auction: number; windowStart: number; windowEnd: number; n: number; total: number }[] = []
  for (const { auction, at, price } of BIDS.toSorted((a, b) => a.at - b.at)) {
    const last = found.findLast((session) => session.auction === auction)
    if (last === undefined || at > last.windowEnd)
      found.push({ auction, windowStart: at, windowEnd: at + GAP, n: 1, total: price })
    else {
      last.windowEnd = at + GAP
      last.n += 1
      last.total += price
    }
  }
  return found.map((session) => JSON.stringify(session)).sort()
}

describe('windows under virtual time, killed and rescaled', () => {
  test('sessions are those of the rows in order', async () => {
    const expected = JSON.stringify(sessions())
    expect(
      await wrongVerbSeeds(
        {
          graph: [{ id: 'hot', from: 'bids', keyBy: 'auction', window: { session: `${GAP}ms` }, aggregate: AGGREGATE }],
          from: 'hot',
          wrongness: (rows) =>
            JSON.stringify(rows.map((row) => JSON.stringify(row)).sort()) === expected
              ? undefined
              : `${rows.length} sessions, not ${JSON.parse(expected).length}, or other ones`,
        },
        SEEDS,
      ),
    ).toEqual([])
  })

  test('every row is in a window or late, and in one of them once', async () => {
    expect(
      await wrongVerbSeeds(
        {
          graph: [
            { id: 'hot', from: 'bids', keyBy: 'auction', window: { tumble: '200ms' }, aggregate: AGGREGATE },
            { id: 'counts', from: 'hot', map: { n: 'n', total: 'total' } },
            { id: 'late', from: 'hot.late', map: { n: '1', total: 'price' } },
            { id: 'all', from: ['counts', 'late'], union: {} },
          ],
          from: 'all',
          eventTime: { field: 'at' },
          wrongness: (rows) => {
            const sum = (name: string): number => rows.reduce((total, row) => total + Number(row[name]), 0)
            const price = BIDS.reduce((total, bid) => total + bid.price, 0)
            return sum('n') === BIDS.length && sum('total') === price
              ? undefined
              : `${sum('n')} rows of ${sum('total')}, not ${BIDS.length} of ${price}`
          },
        },
        SEEDS,
      ),
    ).toEqual([])
  })

  test('with lateness the last result of a window has all of its rows', async () => {
    const expected = tumbled(500)
    expect(
      await wrongVerbSeeds(
        {
          graph: [
            {
              id: 'hot',
              from: 'bids',
              keyBy: 'auction',
              window: { tumble: '500ms' },
              aggregate: AGGREGATE,
              lateness: '1h',
              emit: { early: '50ms' },
            },
          ],
          from: 'hot',
          eventTime: { field: 'at' },
          wrongness: (rows) =>
            finalWrongness(rows, (row) => `${String(row['auction'])} ${String(row['windowStart'])}`, 'n', expected),
        },
        SEEDS,
      ),
    ).toEqual([])
  })

  test('windows of processing time hold every row once', async () => {
    expect(
      await wrongVerbSeeds(
        {
          graph: [
            {
              id: 'hot',
              from: 'bids',
              keyBy: 'auction',
              window: { tumble: '300ms', time: 'processing' },
              aggregate: AGGREGATE,
            },
          ],
          from: 'hot',
          wrongness: (rows) => {
            const n = rows.reduce((total, row) => total + Number(row['n']), 0)
            const keys = new Set(rows.map((row) => `${String(row['auction'])} ${String(row['windowStart'])}`))
            return n === BIDS.length && keys.size === rows.length
              ? undefined
              : `${n} rows in ${rows.length} results of ${keys.size} windows`
          },
        },
        SEEDS,
      ),
    ).toEqual([])
  })
})
