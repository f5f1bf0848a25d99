import type { ConnectorDeclaration } from '../../graph/connector-declaration.ts'
import { OptionSet, type OptionValues } from '../kit/option-set.ts'
import { choice, count } from '../kit/option-types.ts'
import { rate } from '../kit/rate-option.ts'
import { DEFAULT_EVENTS_PER_SECOND, NEXMARK_AUCTIONS, NEXMARK_PERSONS, SCHEMAS } from './events.ts'

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
    fixedSides: (options): Readonly<Record<string, typeof NEXMARK_AUCTIONS>> =>
      sourceOptions.read(options).type === undefined ? { auctions: NEXMARK_AUCTIONS, persons: NEXMARK_PERSONS } : {},
  },
}
