import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { validateJob } from '../../../../runtime/front/job-spec.ts'
import { BIDS, CHECKS, graphOf, problemsOf, specOf } from '../plan/sample-job.ts'

const SOURCE =
  '{ id: a, source: { kafka: { topic: t } }, schema: { k: string, v: long, d: "double?", at: timestamp, j: json }, eventTime: { field: at } }'
const SINK = '{ id: z, from: b, sink: console }'

/** A job of a source `a`, the given entry (id b, from a unless it says otherwise), and a sink `z`. */
function around(entry: string): string {
  return `graph: [${SOURCE}, { id: b, from: a, ${entry} }, ${SINK}]`
}

function schemaOf(yaml: string, id: string): string[] {
  const operator = graphOf(yaml).operators.find((one) => one.id === id)
  return (operator?.schema.fields ?? []).map((field) => `${field.name}: ${field.type}${field.nullable ? '?' : ''}`)
}

describe('a sound job', () => {
  test('of the design becomes its graph', () => {
    const graph = graphOf(BIDS)
    expect(graph).toMatchObject({ parallelism: 2, maxParallelism: 128 })
    expect(graph.operators.map((operator) => [operator.id, operator.verb.kind])).toEqual([
      ['bids', 'source'],
      ['dear', 'filter'],
      ['hot', 'window'],
      ['out', 'sink'],
    ])
    expect(graph.operators[2]).toMatchObject({
      keyBy: ['auction'],
      verb: {
        window: { sizeMs: 10_000, slideMs: 2000 },
        eventTime: { field: 'at', offsetMs: 0 },
        aggregates: [{ function: 'count' }, { function: 'max' }],
      },
    })
    expect(schemaOf(BIDS, 'out')).toEqual([
      'auction: long',
      'windowStart: timestamp',
      'windowEnd: timestamp',
      'bids: long',
      'top: long',
    ])
  })

  test('written in any order comes out in topological order', () => {
    const graph = graphOf(`graph: [${SINK}, { id: b, from: a, filter: v > 1 }, ${SOURCE}]`)
    expect(graph.operators.map((operator) => operator.id)).toEqual(['a', 'b', 'z'])
  })

  test('map makes a new row, set replaces in place and adds at the end', () => {
    expect(schemaOf(around('map: { twice: v * 2, name: k, part: d / 2 }'), 'b')).toEqual([
      'twice: long',
      'name: string',
      'part: double?',
    ])
    expect(schemaOf(around('set: { v: v / 2, w: 1, j: Number(j.x) ?? 0 }'), 'b')).toEqual([
      'k: string',
      'v: double',
      'd: double?',
      'at: timestamp',
      'j: double',
      'w: long',
    ])
  })

  test('event time follows its field through a map that renames it', () => {
    const yaml = `graph: [${SOURCE}, { id: m, from: a, map: { when: at, k: k } }, { id: b, from: m, keyBy: k, window: { tumble: 1m }, aggregate: { n: count() } }, ${SINK}]`
    expect(graphOf(yaml).operators[2]?.verb).toMatchObject({
      window: { sizeMs: 60_000, slideMs: 60_000 },
      eventTime: { field: 'when', offsetMs: 0 },
    })
  })

  test('a window behind a window takes the last instant of the first', () => {
    const yaml = `graph: [${SOURCE}, { id: w, from: a, keyBy: [k, v], window: { tumble: 10s }, aggregate: { n: count() } }, { id: b, from: w, keyBy: k, window: { tumble: 1m }, aggregate: { n: sum(n) } }, ${SINK}]`
    expect(graphOf(yaml).operators[2]?.verb).toMatchObject({ eventTime: { field: 'windowEnd', offsetMs: -1 } })
  })

  test.each([
    ['1000x', { kind: 'replay', speed: 1000 }],
    ['0.5x', { kind: 'replay', speed: 0.5 }],
    ['5000/s', { kind: 'records', perSecond: 5000 }],
  ])('rate %s is read and kept from the connector', (rate, expected) => {
    const graph = graphOf(
      `graph: [{ id: b, source: { file: { path: x, rate: ${rate} } }, schema: { at: timestamp }, eventTime: { field: at } }, ${SINK}]`,
    )
    expect(graph.operators[0]?.verb).toMatchObject({ rate: expected, options: { path: 'x' } })
    expect(graph.operators[0]?.verb).not.toHaveProperty('options.rate')
  })

  test.each([
    ['fail', { kind: 'fail' }],
    ['skip', { kind: 'skip' }],
    ['{ deadLetter: { file: { path: bad } } }', { kind: 'deadLetter', connector: 'file', options: { path: 'bad' } }],
    [
      '{ deadLetter: { kafka: { topic: bad } } }',
      { kind: 'deadLetter', connector: 'kafka', options: { topic: 'bad' } },
    ],
  ])('onError: %s is read', (policy, expected) => {
    const graph = graphOf(
      `graph: [{ id: b, source: { file: { path: x } }, schema: { v: long }, onError: ${policy} }, ${SINK}]`,
    )
    expect(graph.operators[0]?.onError).toEqual(expected)
  })

  test('onError is read for every operator that a row can make fail, and for no other', () => {
    const withEntry = (entry: string): string =>
      `graph: [{ id: b, source: { file: { path: x } }, schema: { v: long } }, ${entry}, { id: o, from: m, sink: { file: { path: out } } }]`
    const graph = graphOf(withEntry("{ id: m, from: b, set: { w: 'v + 1' }, onError: fail }"))
    expect(graph.operators.map(({ onError }) => onError)).toEqual([undefined, { kind: 'fail' }, undefined])
    expect(problemsOf(withEntry('{ id: m, from: b, keyBy: v, onError: fail }'))).toEqual([
      expect.objectContaining({ path: 'spec.graph[1].onError', message: '"onError" does not go with keyBy' }),
    ])
  })

  test.each([
    ['5%', 0.05],
    ['0.25%', 0.0025],
    ['100%', 1],
  ])('maxBadShare: %s is read', (written, share) => {
    expect(graphOf(`maxBadShare: ${written}\n${around('filter: v > 1')}`).maxBadShare).toBe(share)
  })

  test.each(['0.05', '101%', '-1%', 'few'])('maxBadShare: %s is refused', (written) => {
    expect(problemsOf(`maxBadShare: ${written}\n${around('filter: v > 1')}`)).toEqual([
      expect.objectContaining({ code: 'TYPE_MISMATCH', path: 'spec.maxBadShare' }),
    ])
  })

  test('a source with a schema of its own needs none', () => {
    expect(
      schemaOf(`graph: [{ id: b, source: { nexmark: { events: 10 } }, eventTime: { field: at } }, ${SINK}]`, 'b'),
    ).toEqual(['at: timestamp', 'price: long'])
  })

  test('inputs with equal schemas are one stream', () => {
    const graph = graphOf(
      `graph: [${SOURCE}, { id: b1, from: a, filter: v > 1 }, { id: b2, from: a, filter: v < 0 }, { id: z, from: [b1, b2], sink: console }]`,
    )
    expect(graph.operators.at(-1)?.from).toEqual(['b1', 'b2'])
  })

  test('how much state may lie in memory is read as Kubernetes writes it', () => {
    const stateOf = (state: string): unknown => graphOf(`state: ${state}\n${around('filter: v > 1')}`).state
    expect([stateOf('{ memory: 1.5Gi }'), stateOf('{ memory: 64Ki, folder: /disk }')]).toEqual([
      { memoryBytes: 1.5 * 2 ** 30 },
      { memoryBytes: 65_536, folder: '/disk' },
    ])
    expect(graphOf(around('filter: v > 1'))).not.toHaveProperty('state')
  })

  test('checkpoint settings have defaults', () => {
    expect(graphOf(BIDS).checkpoints).toEqual({ intervalMs: 5000, store: 'file:///checkpoints' })
    expect(graphOf(BIDS.replace(/^checkpoints.*$/m, '')).checkpoints).toEqual({ intervalMs: 10_000 })
  })
})

/** What is wrong, with which code and where it is reported. */
const BAD: [what: string, yaml: string, code: string, path: string][] = [
  ['no graph', 'replicas: 1', 'TYPE_MISMATCH', 'spec.graph'],
  ['an unknown field of the spec', `replics: 2\n${around('filter: v > 1')}`, 'UNKNOWN_FIELD', 'spec.replics'],
  ['an unknown verb', around('fliter: v > 1'), 'UNKNOWN_FIELD', 'spec.graph[1].fliter'],
  ['no verb', around(''), 'VERB_MISSING', 'spec.graph[1]'],
  ['two verbs', around('filter: v > 1, map: { v: v }'), 'VERB_AMBIGUOUS', 'spec.graph[1]'],
  ['a field of another verb', around('filter: v > 1, schema: { a: long }'), 'UNKNOWN_FIELD', 'spec.graph[1].schema'],
  ['no id', `graph: [{ source: { kafka: { topic: t } }, schema: { a: long } }]`, 'TYPE_MISMATCH', 'spec.graph[0].id'],
  ['an id with capitals', `graph: [${SOURCE}, { id: Zz, from: a, sink: console }]`, 'ID_INVALID', 'spec.graph[1].id'],
  [
    'a long id',
    `graph: [${SOURCE}, { id: ${'z'.repeat(33)}, from: a, sink: console }]`,
    'ID_INVALID',
    'spec.graph[1].id',
  ],
  [
    'a duplicate id',
    `graph: [${SOURCE}, ${SOURCE}, { id: z, from: a, sink: console }]`,
    'DUPLICATE_ID',
    'spec.graph[1].id',
  ],
  [
    'an unknown input',
    `graph: [${SOURCE}, { id: y, from: a, sink: console }, { id: z, from: aa, sink: console }]`,
    'UNKNOWN_INPUT',
    'spec.graph[2].from',
  ],
  [
    'an unknown input in a list',
    `graph: [${SOURCE}, { id: z, from: [a, aa], sink: console }]`,
    'UNKNOWN_INPUT',
    'spec.graph[1].from[1]',
  ],
  [
    'no input',
    `graph: [${SOURCE}, { id: y, from: a, sink: console }, { id: z, sink: console }]`,
    'INPUT_MISSING',
    'spec.graph[2]',
  ],
  [
    'a cycle',
    `graph: [${SOURCE}, { id: b, from: [a, c], filter: v > 1 }, { id: c, from: b, filter: v > 2 }, ${SINK}]`,
    'CYCLE',
    'spec.graph[1].from',
  ],
  [
    'an operator that reads itself',
    `graph: [${SOURCE}, { id: b, from: [a, b], filter: v > 1 }, ${SINK}]`,
    'CYCLE',
    'spec.graph[1].from',
  ],
  ['a state without size', `state: {}\n${around('filter: v > 1')}`, 'SIZE_INVALID', 'spec.state.memory'],
  ['a size without unit', `state: { memory: 1000 }\n${around('filter: v > 1')}`, 'SIZE_INVALID', 'spec.state.memory'],
  [
    'a folder that is not absolute',
    `state: { memory: 1Gi, folder: here }\n${around('filter: v > 1')}`,
    'PATH_INVALID',
    'spec.state.folder',
  ],
  [
    'an operator nobody reads',
    `graph: [${SOURCE}, { id: b, from: a, filter: v > 1 }, { id: z, from: a, sink: console }]`,
    'OPERATOR_UNUSED',
    'spec.graph[1]',
  ],
  [
    'a sink that is read',
    `graph: [${SOURCE}, { id: b, from: a, sink: console }, ${SINK}]`,
    'SINK_HAS_CONSUMER',
    'spec.graph[2].from',
  ],
  [
    'an unknown connector',
    `graph: [{ id: b, source: { kafak: {} }, schema: { a: long } }, ${SINK}]`,
    'UNKNOWN_CONNECTOR',
    'spec.graph[0].source.kafak',
  ],
  [
    'a connector named like a method',
    `graph: [{ id: b, source: { constructor: {} }, schema: { a: long } }, ${SINK}]`,
    'UNKNOWN_CONNECTOR',
    'spec.graph[0].source.constructor',
  ],
  [
    'a missing option',
    `graph: [{ id: b, source: { kafka: {} }, schema: { a: long } }, ${SINK}]`,
    'OPTION_INVALID',
    'spec.graph[0].source.kafka.topic',
  ],
  ['no schema', `graph: [{ id: b, source: { kafka: { topic: t } } }, ${SINK}]`, 'SCHEMA_MISSING', 'spec.graph[0]'],
  [
    'an unknown type',
    `graph: [{ id: b, source: { kafka: { topic: t } }, schema: { a: lnog } }, ${SINK}]`,
    'UNKNOWN_TYPE',
    'spec.graph[0].schema.a',
  ],
  [
    'a hostile field name',
    `graph: [{ id: b, source: { kafka: { topic: t } }, schema: { 'a"];process.exit()//': long } }, ${SINK}]`,
    'FIELD_NAME_INVALID',
    'spec.graph[0].schema["a\\"];process.exit()//"]',
  ],
  [
    'a field name that JavaScript takes for a prototype',
    `graph: [{ id: b, source: { kafka: { topic: t } }, schema: { __proto__: long } }, ${SINK}]`,
    'FIELD_NAME_INVALID',
    'spec.graph[0].schema.__proto__',
  ],
  [
    'an unknown event-time field',
    `graph: [{ id: b, source: { kafka: { topic: t } }, schema: { at: timestamp }, eventTime: { field: ta } }, ${SINK}]`,
    'UNKNOWN_FIELD',
    'spec.graph[0].eventTime.field',
  ],
  [
    'an event time that is not a timestamp',
    `graph: [{ id: b, source: { kafka: { topic: t } }, schema: { at: long }, eventTime: { field: at } }, ${SINK}]`,
    'TYPE_MISMATCH',
    'spec.graph[0].eventTime.field',
  ],
  [
    'a field name that YAML 1.1 made a boolean',
    `graph: [{ id: b, source: { kafka: { topic: t } }, schema: { 'false': long } }, ${SINK}]`,
    'FIELD_NAME_INVALID',
    'spec.graph[0].schema.false',
  ],
  [
    'an alignment without drift',
    `graph: [{ id: b, source: { kafka: { topic: t } }, schema: { at: timestamp }, eventTime: { field: at, align: { group: g, maxDrift: 0s } } }, ${SINK}]`,
    'DURATION_INVALID',
    'spec.graph[0].eventTime.align.maxDrift',
  ],
  [
    'an alignment without group',
    `graph: [{ id: b, source: { kafka: { topic: t } }, schema: { at: timestamp }, eventTime: { field: at, align: { maxDrift: 1s } } }, ${SINK}]`,
    'TYPE_MISMATCH',
    'spec.graph[0].eventTime.align.group',
  ],
  [
    'an unknown field of an alignment',
    `graph: [{ id: b, source: { kafka: { topic: t } }, schema: { at: timestamp }, eventTime: { field: at, align: { group: g, maxDrift: 1s, every: 1s } } }, ${SINK}]`,
    'UNKNOWN_FIELD',
    'spec.graph[0].eventTime.align.every',
  ],
  [
    'a bad duration',
    `graph: [{ id: b, source: { kafka: { topic: t } }, schema: { at: timestamp }, eventTime: { field: at, outOfOrderness: 4 } }, ${SINK}]`,
    'DURATION_INVALID',
    'spec.graph[0].eventTime.outOfOrderness',
  ],
  [
    'a bad rate',
    `graph: [{ id: b, source: { file: { rate: fast } }, schema: { at: timestamp } }, ${SINK}]`,
    'RATE_INVALID',
    'spec.graph[0].source.file.rate',
  ],
  [
    'a replay without event time',
    `graph: [{ id: b, source: { file: { rate: 10x } }, schema: { at: timestamp } }, ${SINK}]`,
    'EVENT_TIME_MISSING',
    'spec.graph[0].source.file.rate',
  ],
  [
    'an unknown error policy',
    `graph: [{ id: b, source: { file: {} }, schema: { v: long }, onError: skipp }, ${SINK}]`,
    'UNKNOWN_VALUE',
    'spec.graph[0].onError',
  ],
  ['an unknown column in a filter', around('filter: vv > 1'), 'UNKNOWN_FIELD', 'spec.graph[1].filter'],
  ['a syntax error in a filter', around('filter: "v >"'), 'EXPRESSION_SYNTAX', 'spec.graph[1].filter'],
  ['a filter that is not a condition', around('filter: v'), 'EXPRESSION_TYPE', 'spec.graph[1].filter'],
  ['an unknown column in a map', around('map: { x: vv }'), 'UNKNOWN_FIELD', 'spec.graph[1].map.x'],
  ['an empty map', around('map: {}'), 'TOO_LARGE', 'spec.graph[1].map'],
  ['a key that is not a field', around('keyBy: kk'), 'UNKNOWN_FIELD', 'spec.graph[1].keyBy'],
  ['a second key that is not a field', around('keyBy: [k, kk]'), 'UNKNOWN_FIELD', 'spec.graph[1].keyBy[1]'],
  ['a json key', around('keyBy: j'), 'TYPE_MISMATCH', 'spec.graph[1].keyBy'],
  ['a window without key', around('window: { tumble: 1s }, aggregate: { n: count() }'), 'KEY_MISSING', 'spec.graph[1]'],
  ['a window without aggregate', around('keyBy: k, window: { tumble: 1s }'), 'AGGREGATE_INVALID', 'spec.graph[1]'],
  [
    'a window with half a hop',
    around('keyBy: k, window: { hop: 1s }, aggregate: { n: count() }'),
    'WINDOW_INVALID',
    'spec.graph[1].window',
  ],
  [
    'a window that hops over records',
    around('keyBy: k, window: { hop: 2s, size: 1s }, aggregate: { n: count() }'),
    'WINDOW_INVALID',
    'spec.graph[1].window',
  ],
  [
    'a window of no length',
    around('keyBy: k, window: { tumble: 0s }, aggregate: { n: count() }'),
    'WINDOW_INVALID',
    'spec.graph[1].window.tumble',
  ],
  [
    'a sum over a string',
    around('keyBy: v, window: { tumble: 1s }, aggregate: { n: sum(k) }'),
    'EXPRESSION_TYPE',
    'spec.graph[1].aggregate.n',
  ],
  [
    'an average over a string',
    around('keyBy: v, window: { tumble: 1s }, aggregate: { n: avg(k) }'),
    'EXPRESSION_TYPE',
    'spec.graph[1].aggregate.n',
  ],
  [
    'an unknown aggregate',
    around('keyBy: v, window: { tumble: 1s }, aggregate: { n: cuont() }'),
    'AGGREGATE_INVALID',
    'spec.graph[1].aggregate.n',
  ],
  [
    'an aggregate named like a key',
    around('keyBy: k, window: { tumble: 1s }, aggregate: { k: count() }'),
    'DUPLICATE_FIELD',
    'spec.graph[1].aggregate.k',
  ],
  [
    'a window without event time',
    `graph: [{ id: a, source: { file: {} }, schema: { k: string } }, { id: b, from: a, keyBy: k, window: { tumble: 1s }, aggregate: { n: count() } }, ${SINK}]`,
    'EVENT_TIME_MISSING',
    'spec.graph[1].window',
  ],
  [
    'a window behind a map that drops event time',
    `graph: [${SOURCE}, { id: m, from: a, map: { k: k } }, { id: b, from: m, keyBy: k, window: { tumble: 1s }, aggregate: { n: count() } }, ${SINK}]`,
    'EVENT_TIME_MISSING',
    'spec.graph[2].window',
  ],
  [
    'inputs of different schemas',
    `graph: [${SOURCE}, { id: b, from: a, map: { v: v } }, { id: z, from: [a, b], sink: console }]`,
    'SCHEMA_MISMATCH',
    'spec.graph[2].from[1]',
  ],
  [
    'replicas above maxParallelism',
    `replicas: 9\nmaxParallelism: 8\n${around('filter: v > 1')}`,
    'REPLICAS_ABOVE_MAX',
    'spec.replicas',
  ],
  [
    'own replicas above maxParallelism',
    around('filter: v > 1, replicas: 129'),
    'REPLICAS_ABOVE_MAX',
    'spec.graph[1].replicas',
  ],
  ['zero replicas', `replicas: 0\n${around('filter: v > 1')}`, 'TYPE_MISMATCH', 'spec.replicas'],
  ['negative replicas', `replicas: -1\n${around('filter: v > 1')}`, 'TYPE_MISMATCH', 'spec.replicas'],
  [
    'a store of another kind',
    `checkpoints: { store: ftp://host/folder }\n${around('filter: v > 1')}`,
    'STORE_UNSUPPORTED',
    'spec.checkpoints.store',
  ],
  [
    'a store in Kudu without a table',
    `checkpoints: { store: "kudu://master:7051" }\n${around('filter: v > 1')}`,
    'STORE_URL_INVALID',
    'spec.checkpoints.store',
  ],
  [
    'a store in Cassandra without a table',
    `checkpoints: { store: "cassandra://node:9042/streams" }\n${around('filter: v > 1')}`,
    'STORE_URL_INVALID',
    'spec.checkpoints.store',
  ],
  [
    'a store in HBase whose login would travel in plain text',
    `checkpoints: { store: "hbase://gateway:8080/state?tokenFile=/secrets/token" }\n${around('filter: v > 1')}`,
    'STORE_URL_INVALID',
    'spec.checkpoints.store',
  ],
  [
    'a store in S3 with a password',
    `checkpoints: { store: "s3://me:secret@bucket/jobs" }\n${around('filter: v > 1')}`,
    'OBJECTS_URL_INVALID',
    'spec.checkpoints.store',
  ],
  [
    'a bad interval',
    `checkpoints: { interval: soon }\n${around('filter: v > 1')}`,
    'DURATION_INVALID',
    'spec.checkpoints.interval',
  ],
  [
    'an unknown checkpoint field',
    `checkpoints: { intervall: 1s }\n${around('filter: v > 1')}`,
    'UNKNOWN_FIELD',
    'spec.checkpoints.intervall',
  ],
  [
    'an expression of 5 kB',
    around(`filter: "v > ${' '.repeat(5000)} 1"`),
    'EXPRESSION_TOO_LARGE',
    'spec.graph[1].filter',
  ],
  [
    '65 operators',
    `graph: [${Array.from({ length: 65 }, (_, n) => `{ id: a${n}, sink: console }`).join(', ')}]`,
    'TOO_LARGE',
    'spec.graph',
  ],
]

describe('a job that is not sound', () => {
  test.each(BAD)('%s is the one problem found', (_, yaml, code, path) => {
    expect(problemsOf(yaml).map((problem) => [problem.code, problem.path])).toEqual([[code, path]])
  })

  test('both numbers are named when replicas are above maxParallelism', () => {
    expect(problemsOf(`replicas: 200\n${around('filter: v > 1')}`)[0]?.message).toBe(
      'replicas 200 is above maxParallelism 128',
    )
  })

  test('a misspelt name gets what was meant', () => {
    const hints = problemsOf(
      BIDS.replace('filter: price', 'filter: prcie')
        .replace('from: hot', 'from: hto')
        .replace('outOfOrderness', 'outOfOrdernes')
        .replace('kafka: {', 'kafak: {'),
    ).map((problem) => problem.hint)
    for (const meant of ['outOfOrderness', 'kafka', 'hot']) expect(hints).toContain(`did you mean "${meant}"?`)
  })

  test('all problems come at once', () => {
    const problems = problemsOf(
      `checkpoints: { interval: soon }\nreplicas: 0\n${around('filter: vv > 1, replicas: x')}`,
    )
    expect(problems.map((problem) => problem.path)).toEqual([
      'spec.replicas',
      'spec.checkpoints.interval',
      'spec.graph[1].filter',
      'spec.graph[1].replicas',
    ])
  })

  test('what follows from a broken operator is not blamed on those behind it', () => {
    const problems = problemsOf(
      `graph: [{ id: a, source: { kafka: {} } , schema: { k: strng } }, { id: b, from: a, keyBy: k, window: { tumble: 1s }, aggregate: { n: sum(v) } }, ${SINK}]`,
    )
    expect(problems.map((problem) => problem.path)).toEqual([
      'spec.graph[0].source.kafka.topic',
      'spec.graph[0].schema.k',
    ])
  })

  test('a value of any form gives problems, never an exception', () => {
    const sound = specOf(BIDS) as Record<string, unknown>
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (some, other) => {
        for (const spec of [
          some,
          { graph: some },
          { graph: [some, other] },
          { ...sound, replicas: some, checkpoints: other },
          ...eachField(some),
        ]) {
          const result = validateJob(spec, CHECKS)
          if ('problems' in result) expect(result.problems.length).toBeGreaterThan(0)
        }
      }),
      { numRuns: 200 },
    )

    function eachField(value: unknown): unknown[] {
      const graph = sound['graph'] as Record<string, unknown>[]
      return graph.flatMap((entry, index) =>
        Object.keys(entry).map((name) => ({ ...sound, graph: graph.with(index, { ...entry, [name]: value }) })),
      )
    }
  })
})

test.each([
  ['int', 'write long'],
  ['BIGINT', 'did you mean "bigint"?'],
  ['varchar(20)?', 'write string'],
  ['array<float>', 'write array<double>'],
  ['timestamp(3)', 'write timestamp'],
  ['lnog', 'did you mean "long"?'],
])('of a type %s that another system has it says what it is called here', (type, hint) => {
  expect(
    validateJob(
      {
        graph: [
          { id: 'a', source: 'file', schema: { x: type } },
          { id: 'b', from: 'a', sink: 'console' },
        ],
      },
      CHECKS,
    ),
  ).toMatchObject({ problems: [{ code: 'UNKNOWN_TYPE', path: 'spec.graph[0].schema.x', hint }] })
})
