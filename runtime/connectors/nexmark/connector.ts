import type { RowClass } from '../../codegen/row.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Row, Schema } from '../../model/schema.ts'
import type { Split } from '../../model/snapshot.ts'
import type { Timestamp } from '../../model/time.ts'
import type { ReaderContext, SourceBatch, SourceConnector, SourceReader } from '../source.ts'
import { DEFAULT_EVENTS_PER_SECOND, NexmarkGenerator } from './generator.ts'

type Options = Readonly<Record<string, unknown>>

/** The bids of Nexmark. Persons and auctions are generated too (their cost is part of the benchmark) and dropped. */
export const NEXMARK_BIDS: Schema = {
  fields: [
    { name: 'auction', type: 'long', nullable: false }, { name: 'bidder', type: 'long', nullable: false },
    { name: 'price', type: 'long', nullable: false }, { name: 'channel', type: 'string', nullable: false },
    { name: 'url', type: 'string', nullable: false }, { name: 'dateTime', type: 'timestamp', nullable: false },
    { name: 'extra', type: 'string', nullable: false },
  ],
}

/** Enough for every parallelism a benchmark is rescaled to; splits cannot be cut again. */
const MIN_SPLITS = 8
const MAX_EVENTS_PER_POLL = 4096

/**
 * `source: { nexmark: { events: 10000000, eventsPerSecond: 100000 } }`: the first `events` events of Nexmark;
 * `eventsPerSecond` is their density in event time (how fast they come is `rate`). Split k of s holds the events
 * n ≡ k (mod s), so all splits cover the same time; the position is the next n.
 */
export const nexmarkSource: SourceConnector & { fixedSchema(options: Options): Schema } = {
  validate: nexmarkProblems,
  fixedSchema: () => NEXMARK_BIDS,
  enumerator: () => ({
    discover: async (known, parallelism) => known.length > 0 ? [...known] : freshSplits(Math.max(parallelism, MIN_SPLITS)),
    close: async () => undefined,
  }),
  reader: (context, rows) => new NexmarkReader(context, rows),
}

function nexmarkProblems(options: Options): { path: string; message: string }[] {
  const problems = Object.keys(options).filter((name) => !['events', 'eventsPerSecond', 'rate'].includes(name))
    .map((path) => ({ path, message: 'unknown option; known are events, eventsPerSecond, rate' }))
  if (!isCount(options['events'])) problems.push({ path: 'events', message: 'the number of events to generate is needed' })
  if (options['eventsPerSecond'] !== undefined && !isCount(options['eventsPerSecond'])) {
    problems.push({ path: 'eventsPerSecond', message: 'must be a positive whole number' })
  }
  return problems
}

function isCount(value: unknown): value is number { return Number.isSafeInteger(value) && Number(value) > 0 }

function freshSplits(count: number): Split[] {
  return Array.from({ length: count }, (_, index) => ({ id: `${index}-of-${count}`, position: null, finished: false }))
}

interface Cursor { id: string; next: number; step: number }

class NexmarkReader implements SourceReader {
  readonly #events: number
  readonly #generator: NexmarkGenerator
  readonly #rows: RowClass
  readonly #context: ReaderContext
  readonly #limit: { perMs: number } | undefined
  #cursors: Cursor[] = []
  #startedAt = 0
  #emitted = 0

  constructor(context: ReaderContext, rows: RowClass) {
    const { options, rate } = context.verb
    const perSecond = isCount(options['eventsPerSecond']) ? options['eventsPerSecond'] : DEFAULT_EVENTS_PER_SECOND
    this.#events = isCount(options['events']) ? options['events'] : 0
    this.#generator = new NexmarkGenerator(perSecond)
    this.#rows = rows
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
    const wanted = this.#limit === undefined ? maxRows
      : Math.min(maxRows, Math.floor((this.#context.ports.clock.now() - this.#startedAt) * this.#limit.perMs) - this.#emitted)
    if (wanted < 1) return undefined
    const cursor = this.#earliest()
    if (!cursor || cursor.next >= this.#events) return undefined
    const rows = this.#bids(cursor, wanted)
    this.#emitted += rows.length
    return rows.length === 0 ? undefined : { split: cursor.id, rows }
  }

  snapshot(): Split[] {
    return this.#cursors.map((cursor) => ({ id: cursor.id, position: cursor.next, finished: cursor.next >= this.#events }))
  }

  isFinished(): boolean { return this.#cursors.every((cursor) => cursor.next >= this.#events) }

  headTimes(): (readonly [split: string, time: Timestamp])[] {
    return this.#cursors.filter((cursor) => cursor.next < this.#events).map((cursor) => [cursor.id, this.#generator.timeOf(cursor.next)] as const)
  }

  async close(): Promise<void> { this.#cursors = [] }

  #earliest(): Cursor | undefined {
    let earliest: Cursor | undefined
    for (const cursor of this.#cursors) if (!earliest || cursor.next < earliest.next) earliest = cursor
    return earliest
  }

  /** A split can hold no bid at all (persons only), so the number of events looked at is bounded too. */
  #bids(cursor: Cursor, maxRows: number): Row[] {
    const rows: Row[] = []
    const stop = Math.min(this.#events, cursor.next + cursor.step * MAX_EVENTS_PER_POLL)
    while (rows.length < maxRows && cursor.next < stop) {
      const event = this.#generator.event(cursor.next)
      cursor.next += cursor.step
      if (event.kind === 'bid') {
        rows.push(new this.#rows(event.auction, event.bidder, event.price, event.channel, event.url, event.dateTime, event.extra))
      }
    }
    return rows
  }
}

function splitOf(id: string): [index: number, count: number] {
  const match = /^(\d+)-of-(\d+)$/.exec(id)
  if (!match) {
    throw new MillraceError('SPLIT_INVALID', `split ${JSON.stringify(id)} is none of a nexmark source`, {
      domain: 'user', hint: 'the source was changed under the same id: give it a new id, or start without the old state',
    })
  }
  return [Number(match[1]), Number(match[2])]
}
