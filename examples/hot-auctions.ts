/**
 * The auctions with the most bids, ten seconds at a time, in TypeScript: types follow from the source to the sink.
 *   millrace run examples/hot-auctions.ts
 *   millrace compile examples/hot-auctions.ts | kubectl apply -f -
 */
import { count, job, max, nexmark, print, stream, tumble } from 'millrace'

/** Dear enough to be worth a look; a function of one's own runs in the workers as it stands here. */
const isDear = ({ price }: { price: number }): boolean => price > 1_000_000

const bids = stream('bids', nexmark('bid', { events: 100_000, eventsPerSecond: 10_000 }), {
  eventTime: { field: 'dateTime', outOfOrderness: '4s' },
})

const hot = bids
  .filter('dear', isDear)
  .keyBy('auction')
  .window('per-auction', tumble('10s'), { bids: count(), top: max('price') })
  .map('euros', { auction: 'long', until: 'timestamp', bids: 'long', euros: 'double' }, (row) => ({
    auction: row.auction,
    until: row.windowEnd,
    bids: row.bids,
    euros: Math.round(row.top * 90.8) / 100,
  }))
  .filter('hot', 'bids > 5')

export default job({ name: 'hot-auctions', sinks: [hot.sink('out', print())] })
