import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { NexmarkGenerator } from '../../../../runtime/connectors/nexmark/generator.ts'
import type { Auction, Bid, Person } from '../../../../runtime/connectors/nexmark/generator.ts'

/** The canonical line of an event, as the Java and JavaScript generators of the Flink baseline print it. */
function line(event: Person | Auction | Bid): string {
  switch (event.kind) {
    case 'person':
      return `P|${event.id}|${event.name}|${event.email}|${event.creditCard}|${event.city}|${event.state}|${event.dateTime}|${event.extra}\n`
    case 'auction':
      return `A|${event.id}|${event.itemName}|${event.description}|${event.initialBid}|${event.reserve}|${event.dateTime}|${event.expires}|${event.seller}|${event.category}|${event.extra}\n`
    case 'bid':
      return `B|${event.auction}|${event.bidder}|${event.price}|${event.channel}|${event.url}|${event.dateTime}|${event.extra}\n`
  }
}

test.each([
  [0, 100000, '348e3761cff807099eadebb205584cc669acb65351c6f1f4f624898e7e75356c'],
  [4294966296, 4294968296, '413c0609faa075a7d81b22e2e230444f10137881ddaa6da8eafe87a9b08b232b'],
  [1000000000, 1000002000, 'f7bda3bc607fe9614401ac07c9a4220c2374e97079d6daf1bc737520bf9efee8'],
])('events %i to %i are bit-identical to those of the Flink baseline', (from, to, sha256) => {
  const generator = new NexmarkGenerator()
  const hash = createHash('sha256')
  for (let n = from; n < to; n++) hash.update(line(generator.event(n)))
  expect(hash.digest('hex')).toBe(sha256)
})
