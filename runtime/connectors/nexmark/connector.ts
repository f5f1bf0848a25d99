import { RowBatch } from '../../memory/batch.ts'
import type { RowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row } from '../../model/schema.ts'
import type { Split } from '../../model/snapshot.ts'
import type { Timestamp } from '../../model/time.ts'
import type { Connector } from '../registry.ts'
import type { ReaderContext, SourceBatch, SourceReader } from '../source.ts'
import { sourceOptions, type EventType, type NexmarkOptions } from './declaration.ts'
import { kindOf, NexmarkGenerator, type Auction, type Bid, type Person } from './generator.ts'

type Event = Person | Auction | Bid

/** Enough for every parallelism of a benchmark: the number of splits never changes. */
const MIN_SPLITS = 8
const MAX_EVENTS_PER_POLL = 4096

/**
 * Split k of s holds the events n ≡ k (mod s), so that all splits cover the same time; the position is the next n.
 * All events are generated, even those of outputs that are not read, unless `type` asks for one kind only.
 */
export const connector = {
  source: (written) => {
    const options = sourceOptions.read(written)
    return {
      enumerator: () => ({
        discover: async (known, parallelism) =>
          known.length > 0 ? [...known] : freshSplits(Math.max(parallelism, MIN_SPLITS)),
        close: async () => undefined,
      }),
      reader: (context, rows) => new NexmarkReader(context, options, rows),
    }
  },
} satisfies Connector

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

  constructor(context: ReaderContext, options: NexmarkOptions, rows: RowClass) {
    const { rate } = context.verb
    const { events, eventsPerSecond: perSecond, type } = options
    this.#events = events
    this.#generator = new NexmarkGenerator(perSecond)
    this.#type = type
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
    const sideBatches = Object.entries(sides).map(([name, of]) => [name, new RowBatch(of)] as const)
    if (rows.length === 0 && sideBatches.every(([, { count }]) => count === 0)) return undefined
    return {
      split: cursor.id,
      batch: new RowBatch(rows),
      ...(sideBatches.length === 0 ? {} : { sides: Object.fromEntries(sideBatches) }),
    }
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
