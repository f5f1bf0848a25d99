import type { ConnectorDeclaration } from '../../graph/connector-declaration.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { OptionSet, type OptionValues } from '../kit/option-set.ts'
import { choice, count } from '../kit/option-types.ts'
import { rate } from '../kit/rate-option.ts'

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

const SCHEMAS: Readonly<Record<EventType, Schema>> = {
  bid: NEXMARK_BIDS,
  auction: NEXMARK_AUCTIONS,
  person: NEXMARK_PERSONS,
}

export const sourceOptions = new OptionSet({
  events: { type: count(), required: 'the number of events to generate', doc: 'The number of events to generate.' },
  eventsPerSecond: {
    type: count(),
    default: DEFAULT_EVENTS_PER_SECOND,
    unit: 'events per second of event time',
    doc: 'How dense the events are in event time; `rate` says how fast they are emitted.',
  },
  type: {
    type: choice('bid', 'auction', 'person'),
    doc: 'Generates events of one kind only; without it bids are the rows, and the side outputs `auctions` and `persons` have the others.',
  },
  rate,
})

export type NexmarkOptions = OptionValues<typeof sourceOptions.table>

export const declaration: ConnectorDeclaration = {
  name: 'nexmark',
  doc: 'Generates the events of the Nexmark benchmark.',
  source: {
    options: sourceOptions,
    fixedSchema: (options) => SCHEMAS[sourceOptions.read(options).type ?? 'bid'],
    fixedSides: (options): Readonly<Record<string, Schema>> =>
      sourceOptions.read(options).type === undefined ? { auctions: NEXMARK_AUCTIONS, persons: NEXMARK_PERSONS } : {},
  },
}
