/**
 * Bidders who raise their own bid again and again until it is lost, and the auctions nobody answers, in TypeScript:
 * a pattern and an anti join, types and names of steps checked from the source to the sinks.
 *   millrace run examples/bidding-up.ts
 */
import { expr, job, nexmark, print, stream } from 'millrace'

const events = { events: 20_000, eventsPerSecond: 10_000 }
const bids = stream('bids', nexmark('bid', events), {
  eventTime: { field: 'dateTime', align: { group: 'nexmark', maxDrift: '5s' } },
})
const auctions = stream('auctions', nexmark('auction', events), {
  eventTime: { field: 'dateTime', align: { group: 'nexmark', maxDrift: '5s' } },
})

const rising = bids.keyBy('auction', 'bidder').pattern('rising', {
  steps: [
    { name: 'opening' },
    {
      name: 'raised',
      follows: 'next',
      where: 'price > (raised.price ?? opening.price)',
      times: '2+',
      loop: 'strict',
      greedy: true,
    },
    { name: 'lower', follows: 'next', where: 'price <= raised.price' },
  ],
  within: '10s',
  select: {
    auction: 'auction',
    bidder: 'bidder',
    at: 'match.time',
    raises: 'raised.count',
    from: 'opening.price',
    to: 'raised.price',
    average: expr('double?', 'raised.avg(price)'),
  },
})

const unanswered = auctions.join('unanswered', bids, {
  keyBy: { id: 'auction' },
  type: 'anti',
  within: { after: '100ms' },
  select: { auction: 'left.id', item: 'left.itemName', opened: 'left.dateTime' },
})

export default job({ name: 'bidding-up', sinks: [rising.sink('out', print()), unanswered.sink('nobody', print())] })
