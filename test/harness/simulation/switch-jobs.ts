import type { Scenario } from './scenario.ts'
import { BIDS, switchVerdict, type VerbJob } from './verb-job.ts'
import { plainJoin, type PlainRow } from '../plain/plain-join.ts'

const PRICE = 500
const rows = BIDS.map(({ auction, price, at, channel }, id): PlainRow & { price: number; channel: string } => ({
  key: auction,
  at,
  id,
  text: channel,
  price,
  channel,
}))

const leftPairs = () =>
  plainJoin(
    'left',
    rows.filter(({ price }) => price >= PRICE),
    rows.filter(({ channel }) => channel === 'a'),
    (left, right) => left.at - 500 <= right.at && right.at <= left.at + 100,
  )

/**
 * Bids and those of a channel around them, or nothing: rows that wait for others are dropped once their time is
 * over.
 */
function leftJoin(): VerbJob {
  const line = (leftAt: unknown, leftPrice: unknown, rightAt: unknown, rightPrice: unknown): string =>
    JSON.stringify([leftAt, leftPrice, rightAt, rightPrice])
  const pairs = leftPairs()
  const priceOf = (row: PlainRow | null): number | null => (row === null ? null : (rows[row.id]?.price ?? null))
  const expected = JSON.stringify(
    pairs.map(({ left, right }) => line(left?.at ?? null, priceOf(left), right?.at ?? null, priceOf(right))).sort(),
  )
  return {
    graph: [
      { id: 'dear', from: 'bids', filter: `price >= ${PRICE}` },
      { id: 'channel-a', from: 'bids', filter: "channel === 'a'" },
      {
        id: 'both',
        from: ['dear', 'channel-a'],
        join: {
          keyBy: 'auction',
          type: 'left',
          within: { before: '500ms', after: '100ms' },
          select: { leftAt: 'left.at', leftPrice: 'left.price', rightAt: 'right.at', rightPrice: 'right.price' },
        },
      },
    ],
    from: 'both',
    wrongness: (out) => {
      const found = JSON.stringify(
        out.map((row) => line(row['leftAt'], row['leftPrice'], row['rightAt'], row['rightPrice'])).sort(),
      )
      return found === expected ? undefined : `${out.length} rows instead of ${pairs.length}, or other ones`
    },
  }
}

/** Sessions of an auction's bids; none is late: they come 300 ms out of order at most. */
function sessions(): VerbJob {
  const GAP = 250
  const found: { auction: number; windowStart: number; windowEnd: number; n: number; total: number }[] = []
  for (const { auction, at, price } of BIDS.toSorted((a, b) => a.at - b.at)) {
    const last = found.findLast((session) => session.auction === auction)
    if (last === undefined || at > last.windowEnd)
      found.push({ auction, windowStart: at, windowEnd: at + GAP, n: 1, total: price })
    else Object.assign(last, { windowEnd: at + GAP, n: last.n + 1, total: last.total + price })
  }
  return sameLines(
    [{ id: 'hot', from: 'bids', keyBy: 'auction', window: { session: `${GAP}ms` }, aggregate: AGGREGATE }],
    found,
  )
}

function tumbled(): VerbJob {
  const SIZE = 200
  const found = [...Map.groupBy(BIDS, ({ auction, at }) => `${auction} ${Math.floor(at / SIZE)}`).values()].map(
    (bids) => {
      const [{ auction, at } = { auction: 0, at: 0 }] = bids
      const start = Math.floor(at / SIZE) * SIZE
      return {
        auction,
        windowStart: start,
        windowEnd: start + SIZE,
        n: bids.length,
        total: bids.reduce((sum, { price }) => sum + price, 0),
      }
    },
  )
  return sameLines(
    [{ id: 'hot', from: 'bids', keyBy: 'auction', window: { tumble: `${SIZE}ms` }, aggregate: AGGREGATE }],
    found,
  )
}

/**
 * With a time to live that is over for no key: what expires meanwhile is in
 * test/unit/runtime/state/appended-tables.test.ts.
 */
function countsWithTtl(): VerbJob {
  const found = [...Map.groupBy(BIDS, ({ auction }) => auction)].flatMap(([auction, bids]) =>
    bids.map((_, index) => ({ auction, n: index + 1 })),
  )
  return sameLines(
    [{ id: 'hot', from: 'bids', keyBy: 'auction', aggregate: { n: 'count()' }, emit: 'everyRow', ttl: '1h' }],
    found,
  )
}

/** Pairs of bids that follow each other in an auction, the dearer one behind. */
function dearer(): VerbJob {
  const found = [
    ...Map.groupBy(
      BIDS.toSorted((a, b) => a.at - b.at),
      ({ auction }) => auction,
    ).values(),
  ].flatMap((bids) =>
    bids.flatMap((bid, n) => {
      const next = bids[n + 1]
      return next !== undefined && next.price > bid.price && next.at - bid.at < 1500
        ? [{ auction: bid.auction, low: bid.price, high: next.price }]
        : []
    }),
  )
  return sameLines(
    [
      {
        id: 'hot',
        from: 'bids',
        keyBy: 'auction',
        pattern: {
          steps: [
            { name: 'a', where: 'true' },
            { name: 'b', where: 'price > a.price', follows: 'next' },
          ],
          within: '1500ms',
          after: 'noSkip',
          select: { auction: 'auction', low: 'a.price', high: 'b.price' },
        },
      },
    ],
    found,
  )
}

/** Both in one chain, of which only the counts are restored ahead. */
function countsBehindLeftJoin(): VerbJob {
  const {
    graph: [dear, channelA, both],
  } = leftJoin()
  const { join } = both as { join: { select: object } }
  const pairs = leftPairs()
  const found = [...Map.groupBy(pairs, ({ left }) => left?.key)].flatMap(([auction, of]) =>
    of.map((_, index) => ({ auction, n: index + 1 })),
  )
  return sameLines(
    [
      dear as object,
      channelA as object,
      { ...(both as object), join: { ...join, select: { auction: 'left.auction', price: 'left.price' } } },
      { id: 'hot', from: 'both', keyBy: 'auction', aggregate: { n: 'count()' }, emit: 'everyRow' },
    ],
    found,
  )
}

const AGGREGATE = { n: 'count()', total: 'sum(price)' }

/** A job that puts out these rows, in any order. */
function sameLines(graph: readonly object[], rows: readonly object[]): VerbJob {
  const lines = (of: readonly object[]): string => JSON.stringify(of.map((row) => JSON.stringify(row)).sort())
  const expected = lines(rows)
  return {
    graph,
    from: 'hot',
    wrongness: (out) =>
      lines(out) === expected ? undefined : `${out.length} rows instead of ${rows.length}, or other ones`,
  }
}

export const SWITCH_JOBS: Readonly<Record<string, () => VerbJob>> = {
  'an outer join': leftJoin,
  'tumbling windows': tumbled,
  sessions: sessions,
  'aggregates with a time to live': countsWithTtl,
  'a pattern': dearer,
  'an outer join and counts of its rows': countsBehindLeftJoin,
}

/** One scenario per job: rescaled back and forth, and struck while that is prepared. */
export const switchScenarios: readonly Scenario[] = Object.entries(SWITCH_JOBS).map(([name, jobOf]) => ({
  name: `switch-${name.replaceAll(' ', '-')}`,
  // An outer join is not restored ahead of a switch.
  finds: name === 'an outer join' ? {} : { preparedIsEnough: 0 },
  run: (seed) => switchVerdict(jobOf(), seed),
}))
