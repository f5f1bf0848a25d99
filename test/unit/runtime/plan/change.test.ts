import { expect, test } from 'vitest'
import { aroundOperator, bedGraph } from '../../../harness/operator-bed.ts'
import { changeOf, incompatibilities } from '../../../../runtime/plan/change.ts'
import { BIDS, graphOf } from './sample-job.ts'

test.each([
  ['nothing', (yaml: string) => yaml, 'none', []],
  [
    'lists for single names',
    (yaml: string) => yaml.replace('from: bids', 'from: [bids]').replace('keyBy: auction', 'keyBy: [auction]'),
    'none',
    [],
  ],
  ['the image', (yaml: string) => `${yaml}\nimage: other`, 'none', []],
  ['replicas', (yaml: string) => yaml.replace('replicas: 2', 'replicas: 3'), 'rescale', ['replicas 2 → 3']],
  ['no replicas', (yaml: string) => yaml.replace('replicas: 2', ''), 'rescale', ['replicas 2 → 1']],
  [
    'own replicas',
    (yaml: string) => yaml.replace('from: hot', 'from: hot\n    replicas: 1'),
    'rescale',
    ['"out": replicas as the job → 1'],
  ],
  ['a filter', (yaml: string) => yaml.replace('> 100', '> 200'), 'graph', ['"dear": filter changed']],
  [
    'a filter and replicas',
    (yaml: string) => yaml.replace('> 100', '> 200').replace('replicas: 2', 'replicas: 3'),
    'graph',
    ['replicas 2 → 3', '"dear": filter changed'],
  ],
  ['a new sink', (yaml: string) => `${yaml}  - { id: more, from: dear, sink: console }`, 'graph', ['"more" is new']],
  [
    'the checkpoint store',
    (yaml: string) => yaml.replace('file:///checkpoints', 'file:///other'),
    'graph',
    ['checkpoints changed'],
  ],
  [
    'the window',
    (yaml: string) => yaml.replace('size: 10s', 'size: 20s'),
    'incompatible',
    ['"hot": window changed, and its state was kept by the old one'],
  ],
  [
    'the key',
    (yaml: string) => yaml.replace('keyBy: auction', 'keyBy: bidder'),
    'incompatible',
    ['"hot": keyBy changed, and its state was kept by the old one'],
  ],
  [
    'the order of aggregates',
    (yaml: string) => yaml.replace('bids: count(), top: max(price)', 'top: max(price), bids: count()'),
    'incompatible',
    ['"hot": aggregate changed, and its state was kept by the old one'],
  ],
  [
    'the id of a window',
    (yaml: string) => yaml.replace('id: hot', 'id: warm').replace('from: hot', 'from: warm'),
    'incompatible',
    ['"hot" keeps state and is gone', '"out": from changed', '"warm" is new'],
  ],
  [
    'the id of a source',
    (yaml: string) => yaml.replace('id: bids', 'id: offers').replace('from: bids', 'from: offers'),
    'incompatible',
    ['"bids" keeps how far it has read and is gone', '"dear": from changed', '"offers" is new'],
  ],
  [
    'maxParallelism',
    (yaml: string) => `${yaml}\nmaxParallelism: 64`,
    'incompatible',
    ['maxParallelism 128 → 64: state is divided into that many key groups'],
  ],
])('a change of %s is classed', (_, edit, expected, reasons) => {
  expect(changeOf(graphOf(BIDS), graphOf(edit(BIDS)))).toEqual({ class: expected, reasons })
})

test('a type that changes upstream of a window is incompatible with its state', () => {
  const wanted = graphOf(BIDS.replace('auction: long', 'auction: string'))
  expect(changeOf(graphOf(BIDS), wanted)).toEqual({
    class: 'incompatible',
    reasons: [
      '"bids": schema changed',
      '"hot" keeps state as auction: long, windowStart: timestamp, windowEnd: timestamp, bids: long, top: long, it would become auction: string, windowStart: timestamp, windowEnd: timestamp, bids: long, top: long',
    ],
  })
})

test.each<[string, object, object, object, string[]]>([
  [
    'a field that a join keeps',
    { id: 'op', from: ['in', 'other'], join: { keyBy: 'k', ttl: '1h', select: { k: 'left.k', v: 'right.v' } } },
    { k: 'long', v: 'long' },
    { k: 'long', v: 'double' },
    ['"op" keeps state as k: long, k: long, v: long, it would become k: long, k: long, v: double'],
  ],
  [
    'a field that a join does not keep',
    { id: 'op', from: ['in', 'other'], join: { keyBy: 'k', ttl: '1h', select: { k: 'left.k' } } },
    { k: 'long', v: 'long' },
    { k: 'long', v: 'double', w: 'string' },
    [],
  ],
  [
    'a field of the rows of a pattern',
    { id: 'op', from: 'in', keyBy: 'k', pattern: { steps: [{ name: 'a' }], select: { k: 'k' } } },
    { k: 'long', at: 'timestamp' },
    { k: 'long', at: 'timestamp', w: 'string' },
    ['"op" keeps state as k: long, at: timestamp, it would become k: long, at: timestamp, w: string'],
  ],
  [
    'the key of a process',
    { id: 'op', from: 'in', keyBy: 'k', process: { module: 'user', function: 'f', output: { n: 'long' } } },
    { k: 'long', v: 'long' },
    { k: 'string', v: 'long' },
    ['"op" keeps state as k: long, it would become k: string'],
  ],
  [
    'a rule',
    { id: 'op', from: ['in', 'other'], broadcast: { key: 'k', select: { k: 'left.k' } } },
    { k: 'long', v: 'long' },
    { k: 'long', v: 'string' },
    ['"op" keeps state as k: long, v: long, it would become k: long, v: string'],
  ],
  [
    'a field that nobody keeps',
    { id: 'op', from: 'in', filter: 'k > 1' },
    { k: 'long', v: 'long' },
    { k: 'long', v: 'string' },
    [],
  ],
])('a change of %s upstream is found where state is made of it', (_, entry, before, after, reasons) => {
  const graph = (schema: object) => {
    const source = (id: string): object => ({
      id,
      source: 'list',
      schema,
      ...('at' in schema ? { eventTime: { field: 'at' } } : {}),
    })
    return bedGraph({
      modules: { user: { path: './f.ts' } },
      graph: [
        source('in'),
        source('other'),
        entry,
        { id: 'out', from: 'op', sink: 'console' },
        { id: 'out-other', from: 'other', sink: 'console' },
        { id: 'out-in', from: 'in', sink: 'console' },
      ],
    })
  }
  expect(incompatibilities(graph(before), graph(after))).toEqual(reasons)
})

test.each([
  ['dedupe', { keep: 'last', ttl: '1h' }, { keep: 'last', ttl: '2h' }, 'graph'],
  ['dedupe', { keep: 'last', ttl: '1h' }, { keep: 'last' }, 'graph'],
  ['dedupe', { keep: 'last', ttl: '1h' }, { keep: 'first', ttl: '1h' }, 'incompatible'],
  ['topN', { limit: 3, by: 'v', ttl: '1h' }, { by: 'v', limit: 3, ttl: '30d' }, 'graph'],
  ['topN', { limit: 3, by: 'v', ttl: '1h' }, { limit: 4, by: 'v', ttl: '1h' }, 'incompatible'],
])('%s from %j to %j is classed: only how long its state lives may change', (verb, from, to, expected) => {
  const graph = (settings: object) =>
    aroundOperator({ k: 'string', v: 'long', at: 'timestamp' }, { keyBy: 'k', [verb]: settings }, { eventTime: 'at' })
  expect(changeOf(graph(from), graph(to)).class).toBe(expected)
})

const STEPS = [
  { name: 'a', where: 'v > 1' },
  { name: 'b', where: 'v > 2', times: '2+' },
]
test.each([
  ['what is selected', { steps: STEPS, select: { n: 'b.count' } }, 'graph'],
  [
    'the conditions of steps',
    { steps: [{ name: 'a' }, { name: 'b', where: 'v > 3', times: '2+' }], select: { k: 'k' } },
    'graph',
  ],
  ['how many matches may be under way', { steps: STEPS, select: { k: 'k' }, maxRuns: 7 }, 'graph'],
  [
    'how often a step comes',
    {
      steps: [
        { name: 'a', where: 'v > 1' },
        { name: 'b', where: 'v > 2', times: '3+' },
      ],
      select: { k: 'k' },
    },
    'incompatible',
  ],
  [
    'the name of a step',
    {
      steps: [
        { name: 'a', where: 'v > 1' },
        { name: 'c', where: 'v > 2', times: '2+' },
      ],
      select: { k: 'k' },
    },
    'incompatible',
  ],
  ['a step more', { steps: [...STEPS, { name: 'c' }], select: { k: 'k' } }, 'incompatible'],
  ['within', { steps: STEPS, select: { k: 'k' }, within: '10s' }, 'incompatible'],
])('a change of a pattern in %s is classed: rows are kept by the form of its steps', (_, pattern, expected) => {
  const graph = (of: object) =>
    aroundOperator({ k: 'string', v: 'long', at: 'timestamp' }, { keyBy: 'k', pattern: of }, { eventTime: 'at' })
  expect(changeOf(graph({ steps: STEPS, select: { k: 'k' } }), graph(pattern)).class).toBe(expected)
})

test('a lookup keeps nothing: it may change, go, and replace nothing but another lookup', () => {
  const source = (id: string): object => ({ id, source: 'list', schema: { k: 'long' } })
  const graph = (...entries: object[]) =>
    bedGraph({
      graph: [
        source('in'),
        source('other'),
        ...entries,
        ...['in', 'other', ...(entries.length > 0 ? ['op'] : [])].map((id) => ({
          id: `out-${id}`,
          from: id,
          sink: 'console',
        })),
      ],
    })
  const lookup = (url: string): object => ({
    id: 'op',
    from: 'in',
    join: { lookup: { http: { url }, output: { name: 'string' } } },
  })
  expect(changeOf(graph(lookup('http://a/{k}')), graph(lookup('http://b/{k}')))).toEqual({
    class: 'graph',
    reasons: ['"op": join changed'],
  })
  expect(changeOf(graph(lookup('http://a/{k}')), graph())).toEqual({
    class: 'graph',
    reasons: ['"op" is gone', '"out-op" is gone'],
  })
  const join = { id: 'op', from: ['in', 'other'], join: { keyBy: 'k', ttl: '1h', select: { k: 'left.k' } } }
  expect(changeOf(graph(join), graph(lookup('http://a/{k}'))).class).toBe('incompatible')
})

test('an operator that becomes another verb loses its state', () => {
  const graph = (operator: object) => aroundOperator({ k: 'string', v: 'long' }, operator)
  const first = graph({ keyBy: 'k', dedupe: { keep: 'first' } })
  const filter = graph({ filter: 'v > 1' })
  expect(changeOf(first, filter)).toEqual({
    class: 'incompatible',
    reasons: ['"op" was dedupe, it would become filter'],
  })
  expect(changeOf(filter, first).class).toBe('graph')
})

test('a source whose id becomes another operator loses how far it has read', () => {
  const source = (id: string): object => ({ id, source: 'list', schema: { k: 'long' } })
  const sink = { id: 'out', from: 'in', sink: 'console' }
  const wanted = bedGraph({ graph: [source('other'), { id: 'in', from: 'other', filter: 'k > 1' }, sink] })
  expect(changeOf(bedGraph({ graph: [source('in'), sink] }), wanted)).toMatchObject({
    class: 'incompatible',
    reasons: expect.arrayContaining(['"in" was source, it would become filter']),
  })
})

test('the same expression written in another way is not a change', () => {
  const graph = (filter: string) => aroundOperator({ k: 'string', v: 'long' }, { filter })
  expect(changeOf(graph("v > 1 && k === 'a'"), graph('(v>1) && (k === "a")'))).toEqual({ class: 'none', reasons: [] })
})

test('tables of a process may be added; changed or taken away they have no place for what they held', () => {
  const graph = (state: object) =>
    aroundOperator(
      { k: 'string' },
      { keyBy: 'k', process: { module: 'user', function: 'f', output: { k: 'string' }, state } },
      { modules: { user: { path: './f.ts' } } },
    )
  const last = { value: { price: 'long' } }
  const seen = { list: { price: 'long' } }
  expect(changeOf(graph({ last }), graph({ seen, last }))).toEqual({
    class: 'graph',
    reasons: ['"op": process changed'],
  })
  expect(incompatibilities(graph({ last, seen }), graph({ last }))).toEqual([
    '"op" keeps "seen" as list of price: long, it would become nothing',
  ])
  expect(changeOf(graph({ last }), graph({ last: { value: { price: 'double' } } })).class).toBe('incompatible')
})
