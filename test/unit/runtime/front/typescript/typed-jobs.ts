/**
 * What the type checker must let through and what it must not; tsc is the test (`npm run check`, the first step of
 * `npm test`). A line under `@ts-expect-error` that compiles is an error.
 */
import {
  argMax,
  argMin,
  avg,
  collect,
  count,
  countDistinctIf,
  countIf,
  custom,
  expr,
  file,
  histogram,
  hop,
  job,
  max,
  nexmark,
  percentile,
  print,
  session,
  stream,
  sum,
  tumble,
} from '../../../../../runtime/front/typescript/millrace.ts'
import type { Row, Stream } from '../../../../../runtime/front/typescript/millrace.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function holds<T extends true>(): T | undefined {
  return undefined
}
type RowOf<T> = T extends Stream<infer S> ? Row<S> : never

const flights = stream('flights', file({ path: './flights.jsonl', format: 'json' }), {
  schema: { origin: 'string', delay: 'double?', distance: 'long', at: 'timestamp', tags: 'json' },
  eventTime: { field: 'at', outOfOrderness: '1m' },
})
holds<Equal<RowOf<typeof flights>['delay'], number | null>>()
holds<Equal<RowOf<typeof flights>['origin'], string>>()

export function filters(): void {
  flights.filter('far', (row) => row.distance > 1000 && row.origin !== 'ATL')
  flights.filter('late', 'delay > 15')
  // @ts-expect-error there is no such field
  flights.filter('typo', (row) => row.distence > 1000)
  // @ts-expect-error it may be null
  flights.filter('null', (row) => row.delay > 15)
  // @ts-expect-error a condition is a boolean
  flights.filter('number', (row) => row.distance)
}

export function maps(): void {
  const hours = flights.map('hours', { origin: 'string', hours: 'double', note: 'string?' }, (row) => ({
    origin: row.origin,
    hours: (row.delay ?? 0) / 60,
  }))
  holds<Equal<RowOf<typeof hours>, { readonly origin: string; readonly hours: number; readonly note: string | null }>>()
  hours.filter('long', (row) => row.hours > 1)
  // @ts-expect-error a field of the wrong type
  flights.map('wrong', { origin: 'string' }, (row) => ({ origin: row.distance }))
  // @ts-expect-error a declared field is missing
  flights.map('missing', { origin: 'string', hours: 'double' }, (row) => ({ origin: row.origin }))
  // @ts-expect-error there is no such type
  flights.map('type', { origin: 'text' }, (row) => ({ origin: row.origin }))
  // @ts-expect-error gone with the map
  hours.filter('gone', (row) => row.distance > 1)

  const euros = flights.set('euros', { price: expr('double', 'distance * 0.1'), delay: expr('double', 'delay ?? 0') })
  euros.filter('set', (row) => row.price + row.delay + row.distance > 1)
  const few = flights.select('few', 'origin', 'at')
  holds<Equal<RowOf<typeof few>, { readonly origin: string; readonly at: number }>>()
  // @ts-expect-error there is no such field
  flights.select('none', 'orgin')

  const tags = flights.unnest('tags', 'tags', { as: 'tag', type: 'string' })
  tags.filter('tagged', (row) => row.tag.startsWith('x') && row.distance > 1)
  // @ts-expect-error only json holds arrays
  flights.unnest('no-array', 'distance', { as: 'tag', type: 'string' })
  flights.flatMap('words', { word: 'string' }, function* words(row) {
    for (const word of row.origin.split(' ')) yield { word }
  })
  // @ts-expect-error rows of another shape
  flights.flatMap('no-words', { word: 'string' }, (row) => [{ word: row.distance }])
}

export function otherTypes(): void {
  const orders = stream('orders', file({ path: 'x', format: 'json' }), {
    schema: {
      day: 'date',
      amount: 'decimal(10,2)',
      items: 'array<string>',
      counts: 'array<long?>?',
      address: 'row{city: string}',
    },
  })
  holds<Equal<RowOf<typeof orders>['items'], readonly string[]>>()
  holds<Equal<RowOf<typeof orders>['counts'], readonly (number | null)[] | null>>()
  orders.filter(
    'o',
    (row) => row.day > 1 && row.amount.startsWith('1') && row.items.length > 1 && row.address['city'] === 'x',
  )
  orders.unnest('items', 'items', { as: 'item', type: 'string' }).filter('i', (row) => row.item !== '')
  // @ts-expect-error a decimal is a text: it keeps its digits
  orders.filter('d', (row) => row.amount > 1)
}

export function windows(): void {
  const perOrigin = flights.keyBy('origin').window('per-origin', tumble('1h'), {
    flights: count(),
    delay: avg('delay'),
    far: max('distance'),
    sum: sum('distance'),
  })
  holds<
    Equal<
      RowOf<typeof perOrigin>,
      {
        readonly origin: string
        readonly windowStart: number
        readonly windowEnd: number
        readonly flights: number
        readonly delay: number | null
        readonly far: number
        readonly sum: number
      }
    >
  >()
  perOrigin.side.late.filter('late', (row) => row.distance > 0)
  perOrigin
    .keyBy('windowEnd')
    .window('again', hop('1h', '2h'), { most: max('flights') })
    .filter('most', (row) => row.most > 1)
  flights
    .keyBy('origin', 'distance')
    .window('both', session('10m'), { n: count() })
    .filter('both', (row) => row.origin !== '' && row.distance > 0)
  const more = flights.keyBy('origin').window('more', tumble('1h'), {
    late: countIf('delay > 15'),
    tags: countDistinctIf('distance', 'delay > 15'),
    usual: percentile('delay', 0.5),
    far: percentile('distance', 0.99),
    all: collect('at'),
    delays: histogram('delay', { from: 0, to: 60, buckets: 6 }),
    farthest: argMax('at', 'distance'),
    latest: argMin('distance', 'delay'),
    miles: expr('double', 'sum(distance * 0.62)'),
  })
  holds<Equal<RowOf<typeof more>['usual'], number | null>>()
  holds<Equal<RowOf<typeof more>['latest'], number | null>>()
  more.filter('more', (row) => row.late + row.tags + row.far + row.farthest + row.miles > 1 && Array.isArray(row.all))
  // @ts-expect-error a text has no percentile
  flights.keyBy('origin').window('w', tumble('1h'), { p: percentile('origin', 0.5) })
  // @ts-expect-error there is no such field to compare by
  flights.keyBy('origin').window('w', tumble('1h'), { p: argMax('origin', 'dely') })
  // @ts-expect-error there is no such field
  flights.keyBy('orgin')
  // @ts-expect-error json has no equality
  flights.keyBy('tags')
  // @ts-expect-error there is no such field
  flights.keyBy('origin').window('w', tumble('1h'), { delay: avg('dely') })
  // @ts-expect-error a text has no average
  flights.keyBy('origin').window('w', tumble('1h'), { delay: avg('origin') })
  // @ts-expect-error no duration
  flights.keyBy('origin').window('w', tumble('1 hour'), { n: count() })
  // @ts-expect-error the source's fields are gone behind a window
  perOrigin.filter('gone', (row) => row.distance > 1)
  // @ts-expect-error event time is a timestamp
  stream('times', file({ path: 'x', format: 'json' }), { schema: { at: 'long' }, eventTime: { field: 'at' } })
}

export function keyed(): void {
  const bids = stream('bids', nexmark('bid', { events: 1000 })).keyBy('auction')
  bids.dedupe('newest', { keep: 'last', orderBy: 'dateTime', ttl: '1d' }).filter('n', (row) => row.price > 1)
  bids.topN('best', { limit: 3, by: 'price', rank: 'place' }).filter('first', (row) => row.place === 1 && row.price > 1)
  bids.reduce('highest', { price: 'Math.max(previous.price, current.price)' }).filter('h', (row) => row.price > 1)
  bids.aggregate('total', { bids: count(), sum: sum('price') }).filter('t', (row) => row.sum > row.bids)
  const spread = custom({
    state: { low: 'long?', high: 'long?' },
    output: 'long',
    init: () => ({}),
    add: (state, row: { price: number }) => ({
      low: Math.min(state.low ?? row.price, row.price),
      high: Math.max(state.high ?? row.price, row.price),
    }),
    merge: (a, b) => ({
      low: Math.min(a.low ?? Infinity, b.low ?? Infinity),
      high: Math.max(a.high ?? -Infinity, b.high ?? -Infinity),
    }),
    result: (state) => (state.high ?? 0) - (state.low ?? 0),
  })
  bids.window('spreads', tumble('10s'), { spread, bids: count() }).filter('s', (row) => row.spread > row.bids)
  // @ts-expect-error rows of another kind
  flights.keyBy('origin').window('spreads', tumble('10s'), { spread })
  bids.topN('both', { limit: 3, by: ['price', 'auction'], order: ['desc', 'asc'] })
  bids.topN('mixed', { limit: 3, by: ['price', 'channel'] })
  bids.topN('last', { limit: 3, by: 'channel' })
  // @ts-expect-error a text does not say which row is later
  bids.dedupe('worst', { keep: 'last', orderBy: 'channel' })
  // @ts-expect-error there is no such field
  bids.dedupe('wrong', { keep: 'last', orderBy: 'dateTme' })
  // @ts-expect-error the key cannot be reduced
  bids.reduce('key', { auction: 'current.auction' })
}

export function joins(): void {
  const bids = stream('bids', nexmark('bid', { events: 1000 }))
  const auctions = stream('auctions', nexmark('auction', { events: 1000 }))
  const both = bids.join('both', auctions, {
    keyBy: { auction: 'id' },
    type: 'left',
    within: { before: '10s' },
    select: { auction: 'left.auction', seller: 'right.seller', margin: expr('long?', 'left.price - right.reserve') },
  })
  holds<
    Equal<
      RowOf<typeof both>,
      { readonly auction: number; readonly seller: number | null; readonly margin: number | null }
    >
  >()
  // @ts-expect-error the right side has no such field
  bids.join('wrong', auctions, { keyBy: { auction: 'id' }, select: { seller: 'right.sellr' } })
  // @ts-expect-error no key of the left side
  bids.join('wrong', auctions, { keyBy: { auctoin: 'id' }, select: { seller: 'right.seller' } })
}

export function otherJoins(): void {
  const bids = stream('bids', nexmark('bid', { events: 1000 }), {
    eventTime: { field: 'dateTime', align: { group: 'nexmark', maxDrift: '5s' } },
  })
  const auctions = stream('auctions', nexmark('auction', { events: 1000 }))
  const answered = auctions.join('answered', bids, {
    keyBy: { id: 'auction' },
    type: 'semi',
    within: { after: '10s' },
    where: 'right.price > left.reserve',
    select: { auction: 'left.id', twice: expr('long', 'left.reserve * 2') },
  })
  holds<Equal<RowOf<typeof answered>, { readonly auction: number; readonly twice: number }>>()
  answered.side.lateRight.filter('late', (row) => row.price > 1)
  auctions
    .join('unanswered', bids, { keyBy: { id: 'auction' }, type: 'anti', window: tumble('10s') })
    .filter('whole', (row) => row.itemName !== '' && row.windowEnd > row.dateTime)
  // @ts-expect-error of the right side a semi join gives nothing
  auctions.join('wrong', bids, {
    keyBy: { id: 'auction' },
    type: 'semi',
    within: { after: '1s' },
    select: { price: 'right.price' },
  })
  // @ts-expect-error pairs need a choice of fields
  auctions.join('wrong', bids, { keyBy: { id: 'auction' }, within: { after: '1s' } })
  // @ts-expect-error neither before nor after
  auctions.join('wrong', bids, { keyBy: { id: 'auction' }, within: {}, select: { price: 'right.price' } })
  // @ts-expect-error without event time nothing comes late
  void auctions.join('regular', bids, { keyBy: { id: 'auction' }, type: 'semi', ttl: '1h' }).side.lateLeft

  const named = flights.lookup('named', {
    http: { url: 'http://cities/{origin}' },
    output: { city: 'string', people: 'long?' },
    cache: { rows: 1000, ttl: '1h' },
    timeout: '2s',
  })
  holds<Equal<RowOf<typeof named>['city'], string>>()
  const perhaps = flights.lookup('perhaps', {
    type: 'left',
    http: { url: 'http://cities/{origin}' },
    output: { city: 'string' },
  })
  holds<Equal<RowOf<typeof perhaps>['city'], string | null>>()
  perhaps.filter('far', (row) => row.distance > 1)
  flights
    .lookup('druid', {
      druid: { url: 'http://druid:8888', query: 'SELECT city FROM cities WHERE origin = ?', parameters: ['origin'] },
      output: { city: 'string' },
    })
    .filter('c', (row) => row.city !== row.origin)
  flights.lookup('wrong', {
    // @ts-expect-error no field of the row
    druid: { url: 'http://druid:8888', query: 'SELECT city FROM cities WHERE origin = ?', parameters: ['orgin'] },
    output: { city: 'string' },
  })
  // @ts-expect-error a lookup has no rows of its own to give without a match
  flights.lookup('wrong', { type: 'right', http: { url: 'http://cities/{origin}' }, output: { city: 'string' } })
}

export function patterns(): void {
  const bids = stream('bids', nexmark('bid', { events: 1000 }), { eventTime: { field: 'dateTime' } }).keyBy(
    'auction',
    'bidder',
  )
  const rising = bids.pattern('rising', {
    steps: [
      { name: 'opening' },
      { name: 'pause', where: "channel === 'x'", not: true },
      { name: 'raised', where: 'price > opening.price', times: '2+', greedy: true },
      { name: 'again', times: '0..2' },
      { name: 'lower', optional: true, where: 'price < raised.price' },
    ],
    within: '10s',
    after: { skipToLast: 'raised' },
    select: {
      auction: 'auction',
      at: 'match.time',
      since: 'opening.first.dateTime',
      raises: 'raised.count',
      to: 'raised.price',
      channel: 'again.last.channel',
      lower: 'lower.price',
      average: expr('double?', 'raised.avg(price)'),
    },
  })
  holds<
    Equal<
      RowOf<typeof rising>,
      {
        readonly auction: number
        readonly at: number
        readonly since: number
        readonly raises: number
        readonly to: number
        readonly channel: string | null
        readonly lower: number | null
        readonly average: number | null
      }
    >
  >()
  holds<Equal<RowOf<typeof rising.side.timedOut>['since'], number | null>>()
  holds<Equal<RowOf<typeof rising.side.timedOut>['raises'], number>>()
  rising.side.late.filter('late', (row) => row.price > 1)
  // @ts-expect-error no field of a step
  bids.pattern('wrong', { steps: [{ name: 'a' }], select: { price: 'a.prise' } })
  // @ts-expect-error no such step
  bids.pattern('wrong', { steps: [{ name: 'a' }], select: { price: 'b.price' } })
  bids.pattern('wrong', {
    steps: [{ name: 'a' }, { name: 'b', not: true }, { name: 'c' }],
    // @ts-expect-error what must not come has no rows
    select: { price: 'b.price' },
  })
  // @ts-expect-error the rows of a match differ in all but the key
  bids.pattern('wrong', { steps: [{ name: 'a' }], select: { price: 'price' } })
  // @ts-expect-error no such step to go on at
  bids.pattern('wrong', { steps: [{ name: 'a' }], after: { skipToLast: 'b' }, select: { price: 'a.price' } })
  // @ts-expect-error no duration
  bids.pattern('wrong', { steps: [{ name: 'a' }], within: '10 seconds', select: { price: 'a.price' } })
}

export function rules(): void {
  const limits = stream('limits', file({ path: 'limits', format: 'json' }), {
    schema: { origin: 'string', limit: 'long', gone: 'boolean?' },
  })
  const over = flights.broadcast('over', limits, {
    key: ['origin'],
    where: 'left.origin === right.origin && left.distance > right.limit',
    remove: 'right.gone',
    select: { origin: 'left.origin', limit: 'right.limit' },
  })
  holds<Equal<RowOf<typeof over>, { readonly origin: string; readonly limit: number }>>()
  // @ts-expect-error no field of the rules
  flights.broadcast('wrong', limits, { key: ['origin'], select: { limit: 'right.limt' } })
}

export function processes(): void {
  const totals = flights.keyBy('origin').process('totals', {
    output: { origin: 'string', total: 'long' },
    sideOutputs: { late: { origin: 'string' } },
    state: {
      total: { value: { sum: 'long' } },
      seen: { list: { at: 'timestamp' }, ttl: '1h' },
      by: { map: { rows: 'long' }, key: { distance: 'long' } },
    },
    onRow(row, context) {
      const sum = (context.state.total.get()?.sum ?? 0) + row.distance
      context.state.total.set({ sum })
      context.state.by.set(row.distance, { rows: (context.state.by.get(row.distance)?.rows ?? 0) + 1 })
      context.timers.at(row.at + 1000)
      context.processingTimers.at(context.now + 1000)
      context.emit({ origin: context.key.origin, total: sum })
      if (row.at < context.watermark) context.sideOutput('late', { origin: row.origin })
      // @ts-expect-error not of the declared state
      context.state.total.set({ summ: 1 })
      // @ts-expect-error there is no such state
      context.state.totals.clear()
      // @ts-expect-error there is no such output
      context.sideOutput('early', { origin: row.origin })
      // @ts-expect-error not of the declared output
      context.emit({ origin: row.origin })
      // @ts-expect-error the key is the origin only
      void context.key.distance
    },
    onTimer(time, context) {
      context.emit({ origin: context.key.origin, total: time })
    },
    onProcessingTimer(time, context) {
      context.emit({ origin: context.key.origin, total: context.now - time })
    },
  })
  totals.filter('big', (row) => row.total > 1)
  totals.side.late.filter('side', (row) => row.origin !== '')
  // @ts-expect-error there is no such side output
  void totals.side.early
  const mirrored = flights.keyBy('origin').process('mirrored', {
    output: { origin: 'string' },
    state: {
      total: { value: { sum: 'long' } },
      seen: { list: { at: 'timestamp' } },
      by: { map: { rows: 'long' }, key: { distance: 'long' } },
    },
    stateMirror: ['total', 'by'],
    onRow(row, { state }) {
      state.total.set({ sum: row.distance })
    },
  })
  mirrored.side.total.filter('kept', (row) => !row.deleted && row.origin !== '' && (row.sum ?? 0) > 1)
  mirrored.side.by.filter('kept-by', (row) => row.distance > 1 && row.rows !== null)
  // @ts-expect-error what is gone has no values
  mirrored.side.total.filter('no-null', (row) => row.sum > 1)
  // @ts-expect-error it is not mirrored
  void mirrored.side.seen
  flights.keyBy('origin').process('lists', {
    output: { origin: 'string' },
    state: { seen: { list: { at: 'timestamp' } } },
    // @ts-expect-error the rows of a list have no key
    stateMirror: ['seen'],
    onRow: () => undefined,
  })
  flights.process('no-key', {
    output: { n: 'long' },
    onRow(_row, context) {
      // @ts-expect-error without a key there is no state
      context.state.clear()
      // @ts-expect-error nor are there timers
      context.processingTimers.at(context.now)
    },
  })
  flights
    .asyncMap('async', {
      output: { origin: 'string', city: 'string?' },
      call: async (row, { signal }) => ({ origin: row.origin, city: String(signal.aborted) }),
      capacity: 10,
      timeout: '1s',
    })
    .filter('city', (row) => row.city !== null)
  // @ts-expect-error it must be asynchronous
  flights.asyncMap('sync', { output: { origin: 'string' }, call: (row) => ({ origin: row.origin }) })
  flights
    .asyncHttp('http', { output: { city: 'string' }, http: { url: 'http://cities/{origin}' } })
    .filter('http-city', (row) => row.city !== row.origin)
}

export function outputs(): unknown {
  const dealt = flights.sideOutput('dealt', { far: 'distance > 1000', big: (row) => row.distance > 10 })
  dealt.side.far.filter('far', (row) => row.distance > 1)
  // @ts-expect-error there is no such output
  void dealt.side.near
  dealt.union('all', dealt.side.far)
  // @ts-expect-error another shape
  dealt.union('other', dealt.select('one', 'origin'))
  // @ts-expect-error a stream is not a sink
  job({ name: 'wrong', sinks: [dealt] })
  return job({ name: 'right', sinks: [dealt.sink('out', print())] })
}
