import type { HashedRows } from './row-hash.ts'

/** How Flink runs a query: as in the row of its best in the first measurements, but with at most 6 GB of heap. */
export interface FlinkQuery {
  api: 'datastream' | 'sql'
  heapGb: number
  /** The parallel collector comes with huge pages touched beforehand. */
  collector: 'serial' | 'parallel'
  miniBatch?: true
  /**
   * What must be the same as in Millrace's rows; `columns` are Flink's names where they are others. Left out:
   * `notCompared` says why.
   */
  compared?: HashedRows & { fields: readonly string[]; columns?: readonly string[] }
  notCompared?: string
}

const words = (text: string): string[] => text.split(' ')
const BID = 'auction bidder price channel url dateTime extra'
const DISTINCT_COUNTS = ['Bids', 'Bidders', 'Auctions'].flatMap((what) =>
  ['total', 'rank1', 'rank2', 'rank3'].map((rank) => `${rank}${what}`),
)
const snakeCase = (fields: readonly string[]): string[] =>
  fields.map((field) => field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
const CHANNEL_STATISTICS = ['channel', ...DISTINCT_COUNTS]
const AUCTION_STATISTICS = words('auction totalBids rank1Bids rank2Bids rank3Bids minPrice maxPrice avgPrice sumPrice')
const AUCTION = 'itemName description initialBid reserve'

/** The fields of DataStream jobs are in the order in which their sinks give them (DataStreamQueries.java). */
export const FLINK_QUERIES: Readonly<Record<string, FlinkQuery>> = {
  q0: { api: 'datastream', heapGb: 2, collector: 'serial', compared: { fields: words(BID) } },
  q1: { api: 'datastream', heapGb: 2, collector: 'serial', compared: { fields: words(BID) } },
  q2: { api: 'datastream', heapGb: 2, collector: 'serial', compared: { fields: words('auction price') } },
  // Flink's job gives every auction with the most bids, ours the number once per window
  q5: { api: 'datastream', heapGb: 4, collector: 'parallel', compared: { fields: words('slice top'), key: 1 } },
  'q7-tumbling': { api: 'datastream', heapGb: 2, collector: 'parallel', compared: { fields: ['price'] } },
  q11: { api: 'datastream', heapGb: 6, collector: 'parallel', compared: { fields: words('bidder windowStart bids') } },
  q12: { api: 'sql', heapGb: 2, collector: 'parallel', notCompared: 'windows of processing time' },
  q15: {
    api: 'sql',
    heapGb: 6,
    collector: 'parallel',
    compared: { fields: DISTINCT_COUNTS, columns: snakeCase(DISTINCT_COUNTS), key: 0 },
  },
  q16: {
    api: 'sql',
    heapGb: 6,
    collector: 'parallel',
    compared: { fields: CHANNEL_STATISTICS, columns: snakeCase(CHANNEL_STATISTICS), key: 1 },
  },
  q17: {
    api: 'sql',
    heapGb: 6,
    collector: 'parallel',
    miniBatch: true,
    compared: { fields: AUCTION_STATISTICS, columns: snakeCase(AUCTION_STATISTICS), key: 1, truncated: ['avgPrice'] },
  },
  // of several last bids in one millisecond the one that came last stays, which depends on how the source is split
  q18: {
    api: 'datastream',
    heapGb: 6,
    collector: 'parallel',
    compared: { fields: words('bidder auction dateTime'), key: 2 },
  },
  // of equal prices the one that came first stands first, which depends on it too
  q19: {
    api: 'sql',
    heapGb: 6,
    collector: 'parallel',
    compared: { fields: words('auction place price'), columns: words('auction rank_number price'), key: 2 },
  },
  q22: {
    api: 'sql',
    heapGb: 2,
    collector: 'parallel',
    compared: { fields: words('auction bidder price channel dir1 dir2 dir3') },
  },
  q3: { api: 'sql', heapGb: 4, collector: 'parallel', compared: { fields: words('name city state id') } },
  q7: {
    api: 'sql',
    heapGb: 6,
    collector: 'parallel',
    compared: { fields: words('auction bidder price dateTime extra') },
  },
  q8: {
    api: 'sql',
    heapGb: 4,
    collector: 'parallel',
    compared: { fields: words('id name windowStart'), columns: words('id name stime') },
  },
  q20: {
    api: 'sql',
    heapGb: 6,
    collector: 'parallel',
    compared: {
      fields: words(
        `auction bidder price channel url bidDateTime bidExtra ${AUCTION} auctionDateTime expires seller category auctionExtra`,
      ),
      columns: words(
        `auction bidder price channel url bid_dateTime bid_extra ${AUCTION} auction_dateTime expires seller category auction_extra`,
      ),
    },
  },
  q4: {
    api: 'sql',
    heapGb: 6,
    collector: 'parallel',
    compared: { fields: words('category price'), columns: words('id final'), key: 1, truncated: ['price'] },
  },
  q9: {
    api: 'sql',
    heapGb: 6,
    collector: 'parallel',
    compared: {
      fields: words(`id ${AUCTION} dateTime expires seller category extra auction bidder price bidDateTime bidExtra`),
      columns: words(
        `id ${AUCTION} dateTime expires seller category extra auction bidder price bid_dateTime bid_extra`,
      ),
      key: 1,
    },
  },
}
