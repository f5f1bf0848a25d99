import type { Shape } from './shapes.ts'

/** Where rows come from. `own` is the shape of a source that has one. */
export interface Source<S extends Shape | undefined = Shape | undefined> {
  readonly kind: 'source'
  readonly written: object
  readonly own?: S
}
/** Where rows go. */
export interface Sink {
  readonly kind: 'sink'
  readonly written: object
}

type Options = Readonly<Record<string, unknown>>

/** Options as in docs/job.md; they are checked with the job. */
export function kafka(options: Options): Source<undefined> & Sink
export function kafka(written: Options): object {
  return connector('kafka', written)
}
export function file(options: Options): Source<undefined> & Sink
export function file(written: Options): object {
  return connector('file', written)
}
export function druid(options: Options): Sink {
  return { kind: 'sink', written: { druid: options } }
}
/** The rows themselves, in their order; bare values where the schema has one field. */
export function values(rows: readonly unknown[], options: Options = {}): Source<undefined> {
  return { kind: 'source', written: { values: { rows, ...options } } }
}
/** Prints rows as JSON lines. */
export function print(): Sink {
  return { kind: 'sink', written: { console: {} } }
}
/** Any connector of the runtime, by its name in the graph. */
export function connector(name: string, options?: Options): Source<undefined> & Sink
export function connector(name: string, options: Options = {}): object {
  return { kind: 'both', written: { [name]: options } }
}

const BIDS = {
  auction: 'long',
  bidder: 'long',
  price: 'long',
  channel: 'string',
  url: 'string',
  dateTime: 'timestamp',
  extra: 'string',
} as const satisfies Shape
const AUCTIONS = {
  id: 'long',
  itemName: 'string',
  description: 'string',
  initialBid: 'long',
  reserve: 'long',
  dateTime: 'timestamp',
  expires: 'timestamp',
  seller: 'long',
  category: 'long',
  extra: 'string',
} as const satisfies Shape
const PERSONS = {
  id: 'long',
  name: 'string',
  emailAddress: 'string',
  creditCard: 'string',
  city: 'string',
  state: 'string',
  dateTime: 'timestamp',
  extra: 'string',
} as const satisfies Shape
const NEXMARK = { bid: BIDS, auction: AUCTIONS, person: PERSONS } as const

interface NexmarkOptions {
  events: number
  eventsPerSecond?: number
  rate?: string
}

/** The events of the Nexmark benchmark, of one kind. */
export function nexmark<const T extends keyof typeof NEXMARK>(
  type: T,
  options: NexmarkOptions,
): Source<(typeof NEXMARK)[T]> {
  return { kind: 'source', written: { nexmark: { type, ...options } }, own: NEXMARK[type] }
}
