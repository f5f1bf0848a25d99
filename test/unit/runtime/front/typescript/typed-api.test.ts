import { describe, expect, test } from 'vitest'
import { compiledYaml } from '../../../../../cli/compile.ts'
import { findingsOfModule } from '../../../../../cli/job-module.ts'
import { builtinConnectors } from '../../../../../runtime/builtin-connectors.ts'
import {
  argMax,
  argMin,
  collect,
  count,
  countDistinctIf,
  countIf,
  expr,
  file,
  histogram,
  hop,
  job,
  kafka,
  max,
  nexmark,
  percentile,
  print,
  stream,
  tumble,
  type Shape,
  type Stream,
} from '../../../../../runtime/front/typescript/millrace.ts'
import type { JobGraph } from '../../../../../runtime/graph/job-graph.ts'
import { validateJob } from '../../../../../runtime/front/job-spec.ts'
import { parse, parseAllDocuments } from 'yaml'

const LOCAL = { kind: 'path', path: './job.ts' } as const

describe('the typed API', () => {
  test('a job becomes the graph list of the design, functions named after their operators', () => {
    const bids = stream('bids', kafka({ brokers: 'kafka:9092', topic: 'bids', format: 'json' }), {
      schema: { auction: 'long', price: 'long', at: 'timestamp', channel: 'string' },
      eventTime: { field: 'at', outOfOrderness: '4s' },
    })
    const isDear = ({ price }: { price: number }): boolean => price > 100
    const hot = bids
      .filter('dear', isDear)
      .keyBy('auction')
      .window('hot', tumble('10s'), { bids: count(), top: max('price') })
    const written = job({
      name: 'hot-auctions',
      replicas: 2,
      checkpoints: { interval: '5s' },
      sinks: [hot.sink('out', print()), hot.side.late.sink('late', file({ path: 'late', format: 'json' }))],
    })
    expect(written.spec(LOCAL)).toEqual({
      replicas: 2,
      checkpoints: { interval: '5s' },
      modules: { job: { path: './job.ts' } },
      graph: [
        {
          id: 'bids',
          source: { kafka: { brokers: 'kafka:9092', topic: 'bids', format: 'json' } },
          schema: { auction: 'long', price: 'long', at: 'timestamp', channel: 'string' },
          eventTime: { field: 'at', outOfOrderness: '4s' },
        },
        { id: 'dear', from: 'bids', filter: { module: 'job', function: 'dear' } },
        {
          id: 'hot',
          from: 'dear',
          keyBy: ['auction'],
          window: { tumble: '10s' },
          aggregate: { bids: 'count()', top: 'max(price)' },
        },
        { id: 'out', from: 'hot', sink: { console: {} } },
        { id: 'late', from: 'hot.late', sink: { file: { path: 'late', format: 'json' } } },
      ],
    })
    expect(written.functions).toEqual({ dear: isDear })
    expect(findingsOfModule('job.ts', written, builtinConnectors)).toEqual([])
  })

  test('a stream that two read is one operator, and what no sink reads is left out', () => {
    const bids = stream('bids', nexmark('bid', { events: 10 }))
    bids.filter('unread', 'price > 1')
    const written = job({
      name: 'both',
      sinks: [
        bids.filter('a', 'price > 1').sink('out-a', print()),
        bids.filter('b', 'price > 2').sink('out-b', print()),
      ],
    })
    expect(written.graph.map((entry) => entry['id'])).toEqual(['bids', 'a', 'out-a', 'b', 'out-b'])
    expect(written.spec(LOCAL)).not.toHaveProperty('modules')
  })

  test('an expression of another type than declared is found when the job is checked', () => {
    const bids = stream('bids', nexmark('bid', { events: 10 }))
    const written = job({
      name: 'wrong',
      sinks: [
        bids.set('set', { half: expr('long', 'price / 2'), twice: expr('long', 'price * 2') }).sink('out', print()),
      ],
    })
    expect(findingsOfModule('job.ts', written, builtinConnectors)).toMatchObject([
      {
        code: 'DECLARED_TYPE',
        path: 'spec.graph[1]',
        message: '"half" of "set" is double, declared is long',
        hint: "write 'double' where it is declared",
      },
    ])
  })

  test('a name that no pod can have is refused', () => {
    const written = job({
      name: 'My Job',
      sinks: [stream('bids', nexmark('bid', { events: 10 })).sink('out', print())],
    })
    expect(findingsOfModule('job.ts', written, builtinConnectors)).toMatchObject([
      { code: 'ID_INVALID', path: 'metadata.name' },
    ])
  })

  test('what the planner refuses is told with its path', () => {
    const bids = stream('bids', nexmark('bid', { events: 10 }))
    const written = job({ name: 'wrong', sinks: [bids.filter('dear', 'prcie > 1').sink('out', print())] })
    expect(findingsOfModule('job.ts', written, builtinConnectors)).toMatchObject([
      {
        file: 'job.ts',
        line: 1,
        column: 1,
        code: 'UNKNOWN_FIELD',
        path: 'spec.graph[1].filter',
        hint: 'did you mean "price"?',
      },
    ])
    expect(
      findingsOfModule('job.ts', written, builtinConnectors, "const bids = …\nbids.filter('dear', 'prcie > 1')"),
    ).toMatchObject([{ line: 2, column: 22 }])
  })

  test('compiled, the ConfigMap is named after its text and the StreamJob names it', () => {
    const written = job({
      name: 'right',
      sinks: [
        stream('bids', nexmark('bid', { events: 10 }))
          .filter('dear', (bid) => bid.price > 1)
          .sink('out', print()),
      ],
    })
    const [configMap, streamJob] = parseAllDocuments(compiledYaml(written, 'export default 1\n')).map(
      (document) => document.toJS() as { metadata: { name: string } },
    )
    const name = configMap?.metadata.name ?? ''
    expect(name).toMatch(/^right-functions-[0-9a-f]{10}$/)
    expect(configMap).toMatchObject({ kind: 'ConfigMap', immutable: true, data: { 'job.mjs': 'export default 1\n' } })
    expect(streamJob).toMatchObject({
      kind: 'StreamJob',
      metadata: { name: 'right' },
      spec: { modules: { job: { configMap: name, key: 'job.mjs' } } },
    })
    expect(compiledYaml(written, 'export default 2\n')).not.toContain(name)
  })

  const BIDS_YAML =
    '{ id: bids, source: { nexmark: { type: bid, events: 10 } }, eventTime: { field: dateTime, outOfOrderness: 1s, idleAfter: 1m, align: { group: nexmark, maxDrift: 5s } } }'
  const AUCTIONS_YAML =
    '{ id: auctions, source: { nexmark: { type: auction, events: 10 } }, eventTime: { field: dateTime } }'
  const LIMITS_YAML =
    '{ id: limits, source: { file: { path: limits.jsonl, format: json } }, schema: { channel: string, limit: long } }'
  const bids = stream('bids', nexmark('bid', { events: 10 }), {
    eventTime: {
      field: 'dateTime',
      outOfOrderness: '1s',
      idleAfter: '1m',
      align: { group: 'nexmark', maxDrift: '5s' },
    },
  })
  const auctions = stream('auctions', nexmark('auction', { events: 10 }), { eventTime: { field: 'dateTime' } })
  const limits = stream('limits', file({ path: 'limits.jsonl', format: 'json' }), {
    schema: { channel: 'string', limit: 'long' },
  })
  const graphOf = (spec: unknown): JobGraph => {
    const validation = validateJob(spec, builtinConnectors)
    if ('graph' in validation) return validation.graph
    throw new Error(validation.problems.map(({ path, message }) => `${path}: ${message}`).join('\n'))
  }

  test.each<[string, Stream<Shape>, string[]]>([
    [
      'a semi join',
      auctions.join('op', bids, {
        keyBy: { id: 'auction' },
        type: 'semi',
        within: { after: '10s' },
        where: 'right.price > left.reserve',
        select: { auction: 'left.id', twice: expr('long', 'left.reserve * 2') },
      }),
      [
        AUCTIONS_YAML,
        BIDS_YAML,
        '{ id: op, from: [auctions, bids], join: { keyBy: { id: auction }, type: semi, within: { after: 10s }, where: right.price > left.reserve, select: { auction: left.id, twice: left.reserve * 2 } } }',
      ],
    ],
    [
      'an anti join of whole rows',
      auctions.join('op', bids, { keyBy: { id: 'auction' }, type: 'anti', window: hop('5s', '10s') }),
      [
        AUCTIONS_YAML,
        BIDS_YAML,
        '{ id: op, from: [auctions, bids], join: { keyBy: { id: auction }, type: anti, window: { hop: 5s, size: 10s } } }',
      ],
    ],
    [
      'what comes too late for a join',
      auctions.join('op', bids, { keyBy: { id: 'auction' }, within: { before: '1s' }, select: { auction: 'left.id' } })
        .side.lateRight,
      [
        AUCTIONS_YAML,
        BIDS_YAML,
        '{ id: op, from: [auctions, bids], join: { keyBy: { id: auction }, within: { before: 1s }, select: { auction: left.id } } }',
      ],
    ],
    [
      'a lookup',
      bids.lookup('op', {
        type: 'left',
        http: { url: 'http://sellers:8080/of/{bidder}' },
        output: { name: 'string' },
        cache: { rows: 10, ttl: '1m' },
        retry: { attempts: 3 },
      }),
      [
        BIDS_YAML,
        '{ id: op, from: bids, join: { type: left, lookup: { http: { url: "http://sellers:8080/of/{bidder}" }, output: { name: string }, cache: { rows: 10, ttl: 1m }, retry: { attempts: 3 } } } }',
      ],
    ],
    [
      'a lookup in a table of a connector',
      bids.lookup('op', {
        kudu: { masters: 'kudu:7051', table: 'sellers' },
        key: { id: 'bidder' },
        output: { name: 'string' },
      }),
      [
        BIDS_YAML,
        '{ id: op, from: bids, join: { lookup: { kudu: { masters: "kudu:7051", table: sellers }, key: { id: bidder }, output: { name: string } } } }',
      ],
    ],
    [
      'a lookup in Druid',
      bids.lookup('op', {
        druid: { url: 'http://druid:8888', query: 'SELECT name FROM sellers WHERE id = ?', parameters: 'bidder' },
        output: { name: 'string' },
      }),
      [
        BIDS_YAML,
        '{ id: op, from: bids, join: { lookup: { druid: { url: "http://druid:8888", query: SELECT name FROM sellers WHERE id = ?, parameters: bidder }, output: { name: string } } } }',
      ],
    ],
    [
      'a pattern',
      bids.keyBy('auction', 'bidder').pattern('op', {
        steps: [
          { name: 'opening' },
          { name: 'raised', follows: 'next', where: 'price > opening.price', times: '2+', greedy: true },
          { name: 'lower', where: 'price < raised.price' },
        ],
        within: '10s',
        after: { skipToLast: 'raised' },
        select: {
          auction: 'auction',
          at: 'match.time',
          raises: 'raised.count',
          average: expr('double?', 'raised.avg(price)'),
        },
      }),
      [
        BIDS_YAML,
        `{ id: op, from: bids, keyBy: [auction, bidder], pattern: {
        steps: [{ name: opening }, { name: raised, follows: next, where: price > opening.price, times: 2+, greedy: true }, { name: lower, where: price < raised.price }],
        within: 10s, after: { skipToLast: raised }, select: { auction: auction, at: match.time, raises: raised.count, average: raised.avg(price) } } }`,
      ],
    ],
    [
      'every aggregate',
      bids.keyBy('auction').window('op', hop('5s', '10s'), {
        dear: countIf('price > 100'),
        dearBidders: countDistinctIf('bidder', 'price > 100'),
        usual: percentile('price', 0.5),
        all: collect('price'),
        spread: histogram('price', { from: -1, to: 99, buckets: 4 }),
        winner: argMax('bidder', 'price'),
        first: argMin('channel', 'dateTime'),
        euros: expr('double', 'sum(price * 0.9)'),
      }),
      [
        BIDS_YAML,
        `{ id: op, from: bids, keyBy: [auction], window: { hop: 5s, size: 10s }, aggregate: {
        dear: countIf(price > 100), dearBidders: "countDistinctIf(bidder, price > 100)", usual: "percentile(price, 0.5)", all: collect(price), spread: "histogram(price, -1, 99, 4)",
        winner: "argMax(bidder, price)", first: "argMin(channel, dateTime)", euros: sum(price * 0.9) } }`,
      ],
    ],
    [
      'a broadcast',
      bids.broadcast('op', limits, {
        key: ['channel'],
        where: 'left.price > right.limit',
        select: { price: 'left.price', limit: 'right.limit' },
      }),
      [
        BIDS_YAML,
        LIMITS_YAML,
        '{ id: op, from: [bids, limits], broadcast: { key: [channel], where: left.price > right.limit, select: { price: left.price, limit: right.limit } } }',
      ],
    ],
  ])('%s is the same graph as its YAML', (name, made, entries) => {
    const written = job({ name: 'job', sinks: [made.sink('out', print())] })
    expect(findingsOfModule('job.ts', written, builtinConnectors)).toEqual([])
    const from = name.startsWith('what comes') ? 'op.lateRight' : 'op'
    expect(graphOf(written.spec(LOCAL))).toEqual(
      graphOf({ graph: [...entries.map((entry) => parse(entry) as unknown), { id: 'out', from, sink: 'console' }] }),
    )
  })

  test('a state that is mirrored is a side stream of the process', () => {
    const sums = stream('bids', nexmark('bid', { events: 10 }))
      .keyBy('auction')
      .process('sums', {
        output: { auction: 'long' },
        state: { sum: { value: { price: 'long' } } },
        stateMirror: ['sum'],
        onRow(row, { state }) {
          state.sum.set({ price: (state.sum.get()?.price ?? 0) + row.price })
        },
      })
    const written = job({ name: 'sums', sinks: [sums.sink('out', print()), sums.side.sum.sink('mirror', print())] })
    const validation = validateJob(written.spec(LOCAL), builtinConnectors)
    expect(validation).toMatchObject({
      graph: { operators: [{}, { verb: { stateMirror: ['sum'] } }, {}, { from: ['sums.sum'] }] },
    })
  })
})
