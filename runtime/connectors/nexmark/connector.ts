import type { RowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Field, Row, Schema } from '../../model/schema.ts'
import type { Split } from '../../model/snapshot.ts'
import type { Timestamp } from '../../model/time.ts'
import type { ReaderContext, SourceBatch, SourceConnector, SourceReader } from '../source.ts'
import {
  DEFAULT_EVENTS_PER_SECOND,
  kindOf,
  NexmarkGenerator,
  type Auction,
  type Bid,
  type Person,
} from './generator.ts'

type Options = Readonly<Record<string, unknown>>

type Event = Person | Auction | Bid
type EventType = Event['kind']

const long = (name: string): Field => ({ name, type: 'long', nullable: false })
const text = (name: string): Field => ({ name, type: 'string', nullable: false })
const time = (name: string): Field => ({ name, type: 'timestamp', nullable: false })

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

/** Enough for every parallelism a benchmark is rescaled to; splits cannot be cut again. */
const MIN_SPLITS = 8
const MAX_EVENTS_PER_POLL = 4096

/**
 * `source: { nexmark: { events: 10000000, eventsPerSecond: 100000 } }`: the first `events` events of Nexmark;
 * `eventsPerSecond` is their density in event time (how fast they come is `rate`). Out come the bids, and auctions and
 * persons from the side outputs `auctions` and `persons`, so that all come from one generator at one pace; those nobody
 * reads are made all the same. With `type: bid | auction | person` out come only such, and only they are made. Split k
 * of s holds the events n ≡ k (mod s), so all splits cover the same time; the position is the next n.
 */
export const nexmarkSource: SourceConnector & {
  fixedSchema(options: Options): Schema
  fixedSides(options: Options): Readonly<Record<string, Schema>>
} = {
  validate: nexmarkProblems,
  fixedSchema: (options) => SCHEMAS[typeOf(options) ?? 'bid'],
  fixedSides: (options): Readonly<Record<string, Schema>> =>
    typeOf(options) === undefined ? { auctions: NEXMARK_AUCTIONS, persons: NEXMARK_PERSONS } : {},
  enumerator: () => ({
    discover: async (known, parallelism) =>
      known.length > 0 ? [...known] : freshSplits(Math.max(parallelism, MIN_SPLITS)),
    close: async () => undefined,
  }),
  reader: (context, rows) => new NexmarkReader(context, rows),
}

const OPTIONS = ['events', 'eventsPerSecond', 'type', 'rate']

function nexmarkProblems(options: Options): { path: string; message: string }[] {
  const problems = Object.keys(options)
    .filter((name) => !OPTIONS.includes(name))
    .map((path) => ({ path, message: `unknown option; known are ${OPTIONS.join(', ')}` }))
  if (!isCount(options['events']))
    problems.push({ path: 'events', message: 'the number of events to generate is needed' })
  if (options['eventsPerSecond'] !== undefined && !isCount(options['eventsPerSecond'])) {
    problems.push({ path: 'eventsPerSecond', message: 'must be a positive whole number' })
  }
  if (options['type'] !== undefined && typeOf(options) === undefined)
    problems.push({ path: 'type', message: 'must be bid, auction or person' })
  return problems
}

function typeOf(options: Options): EventType | undefined {
  return (['bid', 'auction', 'person'] as const).find((type) => type === options['type'])
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0
}

function freshSplits(count: number): Split[] {
  return Array.from({ length: count }, (_, index) => ({ id: `${index}-of-${count}`, position: null, finished: false }))
}

type Makers = Readonly<Record<EventType, ((event: never) => Row) | undefined>>

interface Cursor {
  id: string
  next: number
  step: number
}

class NexmarkReader implements SourceReader {
  readonly #events: number
  readonly #generator: NexmarkGenerator
  /** How rows of each kind are made that somebody reads. */
  readonly #make: Makers
  readonly #type: EventType | undefined
  readonly #context: ReaderContext
  readonly #limit: { perMs: number } | undefined
  #cursors: Cursor[] = []
  #paused: ReadonlySet<string> = new Set()
  #startedAt = 0
  #emitted = 0

  constructor(context: ReaderContext, rows: RowClass) {
    const { options, rate } = context.verb
    const perSecond = isCount(options['eventsPerSecond']) ? options['eventsPerSecond'] : DEFAULT_EVENTS_PER_SECOND
    this.#events = isCount(options['events']) ? options['events'] : 0
    this.#generator = new NexmarkGenerator(perSecond)
    this.#type = typeOf(options)
    this.#make = makers({ [this.#type ?? 'bid']: rows, ...sideClasses(context) })
    this.#context = context
    const paced = rate?.kind === 'replay' ? rate.speed * perSecond * 0.92 : rate?.perSecond
    this.#limit = paced === undefined ? undefined : { perMs: paced / context.parallelism / 1000 }
  }

  async open(splits: readonly Split[]): Promise<void> {
    this.#startedAt = this.#context.ports.clock.now()
    this.#cursors = splits.map((split) => {
      const [index, count] = splitOf(split.id)
      return { id: split.id, next: typeof split.position === 'number' ? split.position : index, step: count }
    })
  }

  async poll(maxRows: number): Promise<SourceBatch | undefined> {
    const wanted =
      this.#limit === undefined
        ? maxRows
        : Math.min(
            maxRows,
            Math.floor((this.#context.ports.clock.now() - this.#startedAt) * this.#limit.perMs) - this.#emitted,
          )
    if (wanted < 1) return undefined
    const cursor = this.#earliest()
    if (!cursor || cursor.next >= this.#events) return undefined
    const { rows, sides } = this.#generate(cursor, wanted)
    this.#emitted += rows.length
    const sideRows = Object.values(sides)
    if (rows.length === 0 && sideRows.every((side) => side.length === 0)) return undefined
    return { split: cursor.id, rows, ...(sideRows.length === 0 ? {} : { sides }) }
  }

  snapshot(): Split[] {
    return this.#cursors.map((cursor) => ({
      id: cursor.id,
      position: cursor.next,
      finished: cursor.next >= this.#events,
    }))
  }

  isFinished(): boolean {
    return this.#cursors.every((cursor) => cursor.next >= this.#events)
  }

  pauseSplits(paused: ReadonlySet<string>): void {
    this.#paused = paused
  }

  headTimes(): (readonly [split: string, time: Timestamp])[] {
    return this.#cursors
      .filter((cursor) => cursor.next < this.#events)
      .map((cursor) => [cursor.id, this.#generator.timeOf(cursor.next)] as const)
  }

  async close(): Promise<void> {
    this.#cursors = []
  }

  #earliest(): Cursor | undefined {
    let earliest: Cursor | undefined
    for (const cursor of this.#cursors)
      if (!this.#paused.has(cursor.id) && (!earliest || cursor.next < earliest.next)) earliest = cursor
    return earliest
  }

  /** A split can hold no bid at all (persons only), so the number of events looked at is bounded too. */
  #generate(cursor: Cursor, maxRows: number): { rows: Row[]; sides: Record<string, Row[]> } {
    const made: Record<EventType, Row[]> = { bid: [], auction: [], person: [] }
    const main = made[this.#type ?? 'bid']
    const stop = Math.min(
      this.#events,
      cursor.next + cursor.step * (this.#type === undefined ? maxRows : MAX_EVENTS_PER_POLL),
    )
    for (; main.length < maxRows && cursor.next < stop; cursor.next += cursor.step) {
      if (this.#type !== undefined && this.#type !== kindOf(cursor.next)) continue
      const event = this.#generator.event(cursor.next)
      const make = this.#make[event.kind] as ((event: Event) => Row) | undefined
      if (make !== undefined) made[event.kind].push(make(event))
    }
    const sides =
      this.#type !== undefined
        ? {}
        : {
            ...(this.#make.auction === undefined ? {} : { auctions: made.auction }),
            ...(this.#make.person === undefined ? {} : { persons: made.person }),
          }
    return { rows: main, sides }
  }
}

function sideClasses({ sides }: ReaderContext): Partial<Record<EventType, RowClass>> {
  const { auctions, persons } = sides ?? {}
  return {
    ...(auctions === undefined ? {} : { auction: auctions }),
    ...(persons === undefined ? {} : { person: persons }),
  }
}

function makers({ bid: Bids, auction: Auctions, person: Persons }: Partial<Record<EventType, RowClass>>): Makers {
  return {
    bid: Bids && ((e: Bid) => new Bids(e.auction, e.bidder, e.price, e.channel, e.url, e.dateTime, e.extra)),
    auction:
      Auctions &&
      ((e: Auction) =>
        new Auctions(
          e.id,
          e.itemName,
          e.description,
          e.initialBid,
          e.reserve,
          e.dateTime,
          e.expires,
          e.seller,
          e.category,
          e.extra,
        )),
    person:
      Persons &&
      ((e: Person) => new Persons(e.id, e.name, e.email, e.creditCard, e.city, e.state, e.dateTime, e.extra)),
  }
}

function splitOf(id: string): [index: number, count: number] {
  const match = /^(\d+)-of-(\d+)$/.exec(id)
  if (!match) {
    throw new MillraceError('SPLIT_INVALID', `split ${JSON.stringify(id)} is none of a nexmark source`, {
      domain: 'user',
      hint: 'the source was changed under the same id: give it a new id, or start without the old state',
    })
  }
  return [Number(match[1]), Number(match[2])]
}
