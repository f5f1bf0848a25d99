import type { Field, Schema } from '../../model/schema.ts'

const long = (name: string): Field => ({ name, type: 'long', nullable: false })
const text = (name: string): Field => ({ name, type: 'string', nullable: false })
const time = (name: string): Field => ({ name, type: 'timestamp', nullable: false })

/** How dense the events are in event time. */
export const DEFAULT_EVENTS_PER_SECOND = 100_000

/** The kinds of events of the Nexmark benchmark. */
export type EventType = 'bid' | 'auction' | 'person'

export const NEXMARK_BIDS: Schema = {
  fields: [
    long('auction'),
    long('bidder'),
    long('price'),
    text('channel'),
    text('url'),
    time('dateTime'),
    text('extra'),
  ],
}
export const NEXMARK_AUCTIONS: Schema = {
  fields: [
    long('id'),
    text('itemName'),
    text('description'),
    long('initialBid'),
    long('reserve'),
    time('dateTime'),
    time('expires'),
    long('seller'),
    long('category'),
    text('extra'),
  ],
}
export const NEXMARK_PERSONS: Schema = {
  fields: [
    long('id'),
    text('name'),
    text('emailAddress'),
    text('creditCard'),
    text('city'),
    text('state'),
    time('dateTime'),
    text('extra'),
  ],
}

export const SCHEMAS: Readonly<Record<EventType, Schema>> = {
  bid: NEXMARK_BIDS,
  auction: NEXMARK_AUCTIONS,
  person: NEXMARK_PERSONS,
}
