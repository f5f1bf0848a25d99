/**
 * The Nexmark queries as jobs, and the bar for each: Flink 2.2.1's best on the machine of the first measurements, in
 * nanoseconds of CPU per event without the generator, and the share of it that Millrace must not exceed.
 */
export interface Query {
  /** The job over the first `events` events of Nexmark. */
  spec(events: number): object
  /** What it is compared with: how Flink's best was written. */
  form: string
  flinkNs: number
  share: number
  /** What keeps it from the bar, from a profile: shown while it is not reached. */
  limits?: string
  /** Events of a long and a short run, where the usual ones are too many or too few. */
  events?: { short: number; long: number }
}

export const bids = (events: number, rate?: string): object => ({
  id: 'bids',
  source: { nexmark: { events, ...(rate === undefined ? {} : { rate }) } },
  eventTime: { field: 'dateTime', outOfOrderness: '4s' },
})
export const out = (from: string): object => ({ id: 'out', from, sink: { blackhole: {} } })
export const job = (...graph: object[]): object => ({ replicas: 1, checkpoints: { interval: '10s' }, graph })
export const HOT = {
  id: 'counts',
  from: 'bids',
  keyBy: 'auction',
  window: { hop: '2s', size: '10s' },
  aggregate: { bids: 'count()' },
}

const CATEGORY_10 = { id: 'some', from: 'bids.auctions', filter: 'category === 10' }

// the day as a number, where the original formats it as text
const DAYS = {
  id: 'days',
  from: 'bids',
  set: { day: 'Math.floor(dateTime / 86400000)', minute: 'Math.floor(dateTime / 60000) % 1440' },
}
const RANKS = { rank1: 'price < 10000', rank2: 'price >= 10000 && price < 1000000', rank3: 'price >= 1000000' }
const rankCounts = Object.fromEntries(
  Object.entries(RANKS).map(([name, condition]) => [`${name}Bids`, `countIf(${condition})`]),
)
const rankDistinct = (name: string, field: string): object => ({
  [`total${name}`]: `countDistinct(${field})`,
  ...Object.fromEntries(
    Object.entries(RANKS).map(([rank, condition]) => [`${rank}${name}`, `countDistinctIf(${field}, ${condition})`]),
  ),
})
const STATISTICS = {
  totalBids: 'count()',
  ...rankCounts,
  ...rankDistinct('Bidders', 'bidder'),
  ...rankDistinct('Auctions', 'auction'),
}

/**
 * Bids within their auction's time. No auction is open for a second in this generator, so that bound takes nothing
 * away.
 */
const VALID_BIDS = (select: object): object => ({
  id: 'valid',
  from: ['bids.auctions', 'bids'],
  join: {
    keyBy: { id: 'auction' },
    within: { before: '0s', after: '1s' },
    where: 'bids.dateTime <= auctions.expires',
    select,
  },
})

export const QUERIES: Readonly<Record<string, Query>> = {
  q0: {
    form: 'DataStream, one thread',
    flinkNs: 39,
    share: 1,
    limits: 'noise of the generator above the figure',
    spec: (events) => job(bids(events), out('bids')),
  },
  q1: {
    form: 'DataStream, one thread',
    flinkNs: 63,
    share: 1,
    limits: 'as q0',
    spec: (events) => job(bids(events), { id: 'euros', from: 'bids', set: { price: '0.908 * price' } }, out('euros')),
  },
  q2: {
    form: 'DataStream, one thread',
    flinkNs: 16,
    share: 1,
    spec: (events) =>
      job(
        bids(events),
        { id: 'some', from: 'bids', filter: 'auction % 123 === 0' },
        { id: 'two', from: 'some', map: { auction: 'auction', price: 'price' } },
        out('two'),
      ),
  },
  q5: {
    form: 'DataStream',
    flinkNs: 1310,
    share: 1 / 5,
    spec: (events) =>
      job(
        bids(events),
        HOT,
        { id: 'slices', from: 'counts', map: { slice: 'windowStart', windowEnd: 'windowEnd', bids: 'bids' } },
        { id: 'top', from: 'slices', keyBy: 'slice', window: { tumble: '2s' }, aggregate: { top: 'max(bids)' } },
        out('top'),
      ),
  },
  'q7-tumbling': {
    form: 'DataStream, plain tumbling maximum',
    flinkNs: 134,
    share: 1 / 2,
    spec: (events) =>
      job(
        bids(events),
        { id: 'all', from: 'bids', map: { one: '1', price: 'price', at: 'dateTime' } },
        { id: 'top', from: 'all', keyBy: 'one', window: { tumble: '10s' }, aggregate: { price: 'max(price)' } },
        out('top'),
      ),
  },
  q11: {
    form: 'DataStream',
    flinkNs: 1000,
    share: 1 / 4,
    spec: (events) =>
      job(
        bids(events),
        { id: 'sessions', from: 'bids', keyBy: 'bidder', window: { session: '10s' }, aggregate: { bids: 'count()' } },
        out('sessions'),
      ),
  },
  q12: {
    form: 'SQL',
    flinkNs: 1670,
    share: 1 / 4,
    spec: (events) =>
      job(
        bids(events),
        {
          id: 'counts',
          from: 'bids',
          keyBy: 'bidder',
          window: { tumble: '10s', time: 'processing' },
          aggregate: { bids: 'count()' },
        },
        out('counts'),
      ),
  },
  q15: {
    form: 'SQL',
    flinkNs: 1820,
    share: 1 / 4,
    spec: (events) =>
      job(
        bids(events),
        DAYS,
        { id: 'statistics', from: 'days', keyBy: 'day', aggregate: STATISTICS },
        out('statistics'),
      ),
  },
  q16: {
    form: 'SQL',
    flinkNs: 4350,
    share: 1 / 4,
    limits:
      "perf: two sets of distinct values are 33 % of the operator's process (cache misses), adding to the columns 25 %, garbage collection 10 %, writing results 8 %",
    spec: (events) =>
      job(
        bids(events),
        DAYS,
        {
          id: 'statistics',
          from: 'days',
          keyBy: ['channel', 'day'],
          aggregate: { minute: 'max(minute)', ...STATISTICS },
        },
        out('statistics'),
      ),
  },
  q17: {
    form: 'SQL',
    flinkNs: 1490,
    share: 1 / 4,
    spec: (events) =>
      job(
        bids(events),
        DAYS,
        {
          id: 'statistics',
          from: 'days',
          keyBy: ['auction', 'day'],
          aggregate: {
            totalBids: 'count()',
            ...rankCounts,
            minPrice: 'min(price)',
            maxPrice: 'max(price)',
            avgPrice: 'avg(price)',
            sumPrice: 'sum(price)',
          },
        },
        out('statistics'),
      ),
  },
  q18: {
    form: 'DataStream',
    flinkNs: 2180,
    share: 1 / 3,
    limits:
      "perf: the probe of the index is 43 % of the operator's process (cache misses), writing files of checkpoints 7 %; gathering the texts of batches is about a quarter of the sender's",
    spec: (events) =>
      job(
        bids(events),
        { id: 'last', from: 'bids', keyBy: ['bidder', 'auction'], dedupe: { keep: 'last' } },
        out('last'),
      ),
  },
  q19: {
    form: 'SQL',
    flinkNs: 3610,
    share: 1 / 3,
    limits:
      "perf: writing files of checkpoints is 15 % of the operator's process in the kernel and 5 % SHA-256, giving the rows that move 12 %, entering rows 9 %, looking ahead at rankings 7 %",
    spec: (events) =>
      job(
        bids(events),
        { id: 'top', from: 'bids', keyBy: 'auction', topN: { limit: 10, by: 'price', rank: 'place' } },
        out('top'),
      ),
  },
  q22: {
    form: 'SQL',
    flinkNs: 1110,
    share: 1 / 4,
    spec: (events) =>
      job(
        bids(events),
        { id: 'split', from: 'bids', set: { parts: "url.split('/')" } },
        {
          id: 'dirs',
          from: 'split',
          map: {
            auction: 'auction',
            bidder: 'bidder',
            price: 'price',
            channel: 'channel',
            dir1: 'String(parts[3])',
            dir2: 'String(parts[4])',
            dir3: 'String(parts[5])',
          },
        },
        out('dirs'),
      ),
  },
  q3: {
    form: 'SQL',
    flinkNs: 570,
    share: 1 / 3,
    spec: (events) =>
      job(
        bids(events),
        CATEGORY_10,
        { id: 'west', from: 'bids.persons', filter: "state === 'OR' || state === 'ID' || state === 'CA'" },
        {
          id: 'local',
          from: ['some', 'west'],
          join: {
            keyBy: { seller: 'id' },
            ttl: 'forever',
            select: { name: 'west.name', city: 'west.city', state: 'west.state', id: 'some.id' },
          },
        },
        out('local'),
      ),
  },
  q7: {
    form: 'SQL',
    flinkNs: 4950,
    share: 1 / 6,
    spec: (events) =>
      job(
        bids(events),
        { id: 'all', from: 'bids', map: { one: '1', price: 'price', at: 'dateTime' } },
        { id: 'top', from: 'all', keyBy: 'one', window: { tumble: '10s' }, aggregate: { price: 'max(price)' } },
        // dateTime between windowEnd - 10s and windowEnd; the event time of a window's result is its last millisecond
        {
          id: 'highest',
          from: ['bids', 'top'],
          join: {
            keyBy: 'price',
            within: { before: '1ms', after: '9999ms' },
            select: {
              auction: 'bids.auction',
              bidder: 'bids.bidder',
              price: 'bids.price',
              dateTime: 'bids.dateTime',
              extra: 'bids.extra',
            },
          },
        },
        out('highest'),
      ),
  },
  q8: {
    form: 'SQL',
    flinkNs: 860,
    share: 1 / 3,
    spec: (events) =>
      job(
        bids(events),
        {
          id: 'new',
          from: ['bids.persons', 'bids.auctions'],
          join: {
            keyBy: { id: 'seller' },
            type: 'semi',
            window: { tumble: '10s' },
            select: { id: 'persons.id', name: 'persons.name' },
          },
        },
        out('new'),
      ),
  },
  q20: {
    form: 'SQL',
    flinkNs: 3500,
    share: 1 / 4,
    events: { short: 1_000_000, long: 4_000_000 },
    limits:
      "both sides are kept for ever. perf, while a checkpoint of the rows that came is written: the file is 34 % of the join's process (the kernel copies it), gathering it 13 %, SHA-256 8 %, adding 7 %",
    spec: (events) =>
      job(
        bids(events),
        CATEGORY_10,
        {
          id: 'expanded',
          from: ['bids', 'some'],
          join: {
            keyBy: { auction: 'id' },
            ttl: 'forever',
            select: {
              auction: 'bids.auction',
              bidder: 'bids.bidder',
              price: 'bids.price',
              channel: 'bids.channel',
              url: 'bids.url',
              bidDateTime: 'bids.dateTime',
              bidExtra: 'bids.extra',
              itemName: 'some.itemName',
              description: 'some.description',
              initialBid: 'some.initialBid',
              reserve: 'some.reserve',
              auctionDateTime: 'some.dateTime',
              expires: 'some.expires',
              seller: 'some.seller',
              category: 'some.category',
              auctionExtra: 'some.extra',
            },
          },
        },
        out('expanded'),
      ),
  },
  q4: {
    // as final results: an auction's highest bid once no bid of it can come any more, then the averages, updated by
    // each
    form: 'SQL',
    flinkNs: 3830,
    share: 1 / 4,
    spec: (events) =>
      job(
        bids(events),
        VALID_BIDS({ id: 'auctions.id', category: 'auctions.category', price: 'bids.price', at: 'bids.dateTime' }),
        {
          id: 'final',
          from: 'valid',
          keyBy: 'id',
          window: { session: '1s' },
          aggregate: { category: 'first(category)', price: 'max(price)' },
        },
        { id: 'averages', from: 'final', keyBy: 'category', aggregate: { price: 'avg(price)' } },
        out('averages'),
      ),
  },
  q9: {
    form: 'SQL',
    flinkNs: 6290,
    share: 1 / 4,
    limits:
      "a row of 15 fields for every valid bid: making it is 12 % of the operators' process, the ranking 12 %, garbage collection 10 %, keeping bids 9 %",
    spec: (events) =>
      job(
        bids(events),
        VALID_BIDS({
          id: 'auctions.id',
          itemName: 'auctions.itemName',
          description: 'auctions.description',
          initialBid: 'auctions.initialBid',
          reserve: 'auctions.reserve',
          dateTime: 'auctions.dateTime',
          expires: 'auctions.expires',
          seller: 'auctions.seller',
          category: 'auctions.category',
          extra: 'auctions.extra',
          auction: 'bids.auction',
          bidder: 'bids.bidder',
          price: 'bids.price',
          bidDateTime: 'bids.dateTime',
          bidExtra: 'bids.extra',
        }),
        { id: 'winning', from: 'valid', keyBy: 'id', topN: { limit: 1, by: 'price' } },
        out('winning'),
      ),
  },
}
