import { describe, expect, test } from 'vitest'
import { validateJob } from '../../../../runtime/front/job-spec.ts'
import type { HttpAnswer } from '../../../../runtime/ports/http-client.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { aroundOperator, OperatorBed } from '../../../harness/operator-bed.ts'
import { CHECKS } from '../plan/sample-job.ts'

const HTTP = { url: 'http://sellers/of/{id}' }

/** A service that knows the sellers 1 to 9. */
function lookupBed(
  join: object,
  answer: (id: number) => HttpAnswer = (id) =>
    id > 9 ? { status: 404, body: '' } : { status: 200, body: `{"name":"s${id}"}` },
) {
  const asked: number[] = []
  const clock = new ManualClock()
  const bed = new OperatorBed(aroundOperator({ id: 'long' }, { join }), 'op', {
    clock,
    http: {
      send: ({ url }) => {
        const id = Number(url.split('/').at(-1))
        asked.push(id)
        return Promise.resolve(answer(id))
      },
    },
  })
  const put = async (...ids: number[]): Promise<void> => {
    await bed.process(ids.map((id) => ({ id })))
    await bed.stage.drain?.()
  }
  return { bed, asked, clock, put }
}

describe('a lookup join', () => {
  test('when the service knows a row, its answer stands behind the fields; inner drops those it does not know', async () => {
    const { bed, put } = lookupBed({ lookup: { http: HTTP, output: { name: 'string' } } })
    await put(1, 10, 2)
    expect(bed.out.rows).toEqual([
      { id: 1, name: 's1' },
      { id: 2, name: 's2' },
    ])
    expect(bed.errors).toEqual([])
  })

  test('when the type is left, a row that the service does not know comes out with nulls', async () => {
    const { bed, put } = lookupBed({
      type: 'left',
      lookup: { http: HTTP, output: { name: 'string' }, cache: { rows: 10 } },
    })
    await put(10, 1, 10)
    expect(bed.out.rows).toEqual([
      { id: 10, name: null },
      { id: 1, name: 's1' },
      { id: 10, name: null },
    ])
  })

  test.each([
    [
      'left',
      [
        { id: null, name: null },
        { id: 1, name: 's1' },
      ],
    ],
    ['inner', [{ id: 1, name: 's1' }]],
  ] as const)('when what is asked for is null, nobody is asked, and a %s join has no match', async (type, rows) => {
    const asked: string[] = []
    const join = { type, lookup: { http: HTTP, output: { name: 'string' } } }
    const bed = new OperatorBed(aroundOperator({ id: 'long?' }, { join }), 'op', {
      http: {
        send: ({ url }) => {
          asked.push(url)
          return Promise.resolve({ status: 200, body: '{"name":"s1"}' })
        },
      },
    })
    await bed.process([{ id: null }, { id: 1 }])
    await bed.stage.drain?.()
    expect({ rows: bed.out.rows, asked, errors: bed.errors }).toEqual({
      rows,
      asked: ['http://sellers/of/1'],
      errors: [],
    })
  })

  test('when answers are kept, the service is asked again only once they are old, or more were asked for than are kept', async () => {
    const { bed, asked, clock, put } = lookupBed({
      lookup: { http: HTTP, output: { name: 'string' }, cache: { rows: 2, ttl: '10s' } },
    })
    await put(1)
    await put(1, 10)
    await put(10, 1)
    expect(asked).toEqual([1, 10])
    await put(2)
    // 10 was used longest ago
    await put(1, 2)
    expect(asked).toEqual([1, 10, 2])
    await put(10)
    await clock.advance(10_000)
    await put(10, 2)
    expect(asked).toEqual([1, 10, 2, 10, 10, 2])
    expect(bed.out.rows.map((row) => row['id'])).toEqual([1, 1, 1, 2, 1, 2, 2])
  })

  test('when the service fails, the row is an error and nothing is kept of it', async () => {
    let status = 500
    const { bed, asked, put } = lookupBed(
      { lookup: { http: HTTP, output: { name: 'string' }, cache: { rows: 10 } } },
      () => ({ status, body: '{"name":"x"}' }),
    )
    await put(1)
    status = 200
    await put(1)
    expect(bed.errors.map(({ error, row }) => [error.code, row['id']])).toEqual([['HTTP_STATUS', 1]])
    expect(bed.out.rows).toEqual([{ id: 1, name: 'x' }])
    expect(asked).toEqual([1, 1])
  })
})

const DRUID = {
  url: 'http://druid:8888/',
  query: "SELECT name, since FROM sellers WHERE id = ? AND tag = ? AND note <> 'what?' LIMIT 1",
  parameters: ['id', 'tag'],
}
const SELLER = { name: 'string', since: 'timestamp?' }

describe('a lookup in Druid', () => {
  interface Asked {
    url: string
    method: string
    body: { query: string; parameters: { type: string; value: unknown }[]; resultFormat: string }
  }

  function druidBed(lookup: object, answer: (id: number) => HttpAnswer) {
    const asked: Asked[] = []
    const bed = new OperatorBed(
      aroundOperator(
        { id: 'long', tag: 'string?', open: 'boolean?', at: 'timestamp?' },
        { join: { type: 'left', lookup: { druid: DRUID, output: SELLER, ...lookup } } },
      ),
      'op',
      {
        http: {
          send: ({ url, method, body }) => {
            const request = { url, method, body: JSON.parse(body ?? '') as Asked['body'] }
            asked.push(request)
            return Promise.resolve(answer(Number(request.body.parameters[0]?.value)))
          },
        },
      },
    )
    const put = async (...rows: object[]): Promise<void> => {
      await bed.process(rows as [])
      await bed.stage.drain?.()
    }
    return { bed, asked, put }
  }

  const answers = (id: number): HttpAnswer => ({
    status: 200,
    body: JSON.stringify(id > 9 ? [] : [{ name: `s${id}`, since: '2026-01-02T00:00:00.000Z' }]),
  })

  test('when it is asked, values are parameters of their types and the text of the query stays as it is, whatever they hold', async () => {
    const { bed, asked, put } = druidBed({}, answers)
    await put({ id: 1, tag: "x' OR '1' = '1\"}" }, { id: 10, tag: null })
    expect(asked.map(({ url, method }) => [method, url])).toEqual([
      ['POST', 'http://druid:8888/druid/v2/sql'],
      ['POST', 'http://druid:8888/druid/v2/sql'],
    ])
    expect(asked.map(({ body }) => body)).toEqual([
      {
        query: DRUID.query,
        resultFormat: 'object',
        parameters: [
          { type: 'BIGINT', value: 1 },
          { type: 'VARCHAR', value: "x' OR '1' = '1\"}" },
        ],
      },
      {
        query: DRUID.query,
        resultFormat: 'object',
        parameters: [
          { type: 'BIGINT', value: 10 },
          { type: 'VARCHAR', value: null },
        ],
      },
    ])
    expect(bed.out.rows.map((row) => [row['name'], row['since']])).toEqual([
      ['s1', Date.parse('2026-01-02')],
      [null, null],
    ])
    expect(bed.errors).toEqual([])
  })

  test('every type that a parameter can have goes as what Druid calls it', async () => {
    const { asked, put } = druidBed(
      {
        druid: {
          url: 'https://druid',
          query: 'SELECT name FROM s WHERE open = ? AND at_time < ?',
          parameters: ['open', 'at'],
        },
      },
      answers,
    )
    await put({ id: 1, open: true, at: 1_700_000_000_000 })
    expect(asked[0]?.body.parameters).toEqual([
      { type: 'BOOLEAN', value: true },
      { type: 'TIMESTAMP', value: 1_700_000_000_000 },
    ])
  })

  test('when answers are kept, no match is one too', async () => {
    const { bed, asked, put } = druidBed({ cache: { rows: 10 } }, answers)
    await put({ id: 1, tag: 'a' })
    await put({ id: 10, tag: 'a' })
    await put({ id: 1, tag: 'a' }, { id: 10, tag: 'a' }, { id: 1, tag: 'b' })
    expect(asked).toHaveLength(3)
    expect(bed.out.rows.map((row) => row['name'])).toEqual(['s1', null, 's1', null, 's1'])
  })

  test.each([
    ['several rows', { status: 200, body: '[{"name":"a"},{"name":"b"}]' }, 'LOOKUP_AMBIGUOUS'],
    ['an object', { status: 200, body: '{"name":"a"}' }, 'HTTP_ANSWER'],
    ['no JSON', { status: 200, body: '<html>' }, 'HTTP_ANSWER'],
    ['404, which is not a match of the query', { status: 404, body: '' }, 'HTTP_STATUS'],
    [
      'what Druid says of a wrong query',
      { status: 400, body: '{"error":"druidException","errorMessage":"Object \'sellers\' not found"}' },
      'HTTP_STATUS',
    ],
    ['a row of another type', { status: 200, body: '[{"name":7}]' }, 'VALUE_INVALID'],
  ])('when it answers %s, that is an error of the row', async (_, answer, code) => {
    const { bed, put } = druidBed({}, () => answer)
    await put({ id: 1, tag: 'a' })
    expect(bed.errors.map(({ error }) => error.code)).toEqual([code])
    expect(bed.out.rows).toEqual([])
  })
})

test.each([
  ['both services', { http: HTTP, druid: DRUID }, 'CALL_MISSING', ''],
  [
    'a value in the text of the query',
    { druid: { ...DRUID, query: 'SELECT name FROM s WHERE id = {id}' } },
    'OPTION_INVALID',
    '.druid.query',
  ],
  [
    'a query that asks the same for all',
    { druid: { ...DRUID, query: "SELECT name FROM s WHERE id = '?' -- ?" } },
    'OPTION_INVALID',
    '.druid.query',
  ],
  ['too few parameters', { druid: { ...DRUID, parameters: 'id' } }, 'OPTION_INVALID', '.druid.parameters'],
  ['no parameters', { druid: { url: DRUID.url, query: DRUID.query } }, 'TYPE_MISMATCH', '.druid.parameters'],
  [
    'a parameter that is not a field',
    { druid: { ...DRUID, parameters: ['id', 'tga'] } },
    'UNKNOWN_FIELD',
    '.druid.parameters[1]',
  ],
  ['a json parameter', { druid: { ...DRUID, parameters: ['id', 'raw'] } }, 'TYPE_MISMATCH', '.druid.parameters[1]'],
  ['an address with a field', { druid: { ...DRUID, url: 'http://{tag}:8888' } }, 'OPTION_INVALID', '.druid.url'],
  ['a wrong header', { druid: { ...DRUID, headers: { 'x y': '1' } } }, 'OPTION_INVALID', '.druid.headers["x y"]'],
])('a lookup in Druid with %s is refused', (_, lookup, code, path) => {
  const result = validateJob(
    {
      graph: [
        { id: 'in', source: 'file', schema: { id: 'long', tag: 'string?', raw: 'json' } },
        { id: 'op', from: 'in', join: { lookup: { output: SELLER, ...lookup } } },
        { id: 'out', from: 'op', sink: 'console' },
      ],
    },
    CHECKS,
  )
  expect('problems' in result ? result.problems.map((problem) => [problem.code, problem.path]) : []).toEqual([
    [code, `spec.graph[1].join.lookup${path}`],
  ])
})

test.each([
  ['another type', { type: 'semi', lookup: { http: HTTP, output: { name: 'string' } } }, 'UNKNOWN_VALUE', 'join.type'],
  [
    'a key beside it',
    { keyBy: 'id', lookup: { http: HTTP, output: { name: 'string' } } },
    'UNKNOWN_FIELD',
    'join.keyBy',
  ],
  ['nobody to ask', { lookup: { output: { name: 'string' } } }, 'CALL_MISSING', 'join.lookup'],
  ['no output', { lookup: { http: HTTP } }, 'SCHEMA_MISSING', 'join.lookup'],
  [
    'a field of the row that is not there',
    { lookup: { http: { url: 'http://sellers/of/{ix}' }, output: { name: 'string' } } },
    'UNKNOWN_FIELD',
    'join.lookup.http.url',
  ],
  [
    'a cache without size',
    { lookup: { http: HTTP, output: { name: 'string' }, cache: { ttl: '1s' } } },
    'TYPE_MISMATCH',
    'join.lookup.cache.rows',
  ],
])('a lookup with %s is refused', (_, join, code, path) => {
  const result = validateJob(
    {
      graph: [
        { id: 'in', source: 'file', schema: { id: 'long' } },
        { id: 'op', from: 'in', join },
        { id: 'out', from: 'op', sink: 'console' },
      ],
    },
    CHECKS,
  )
  expect('problems' in result ? result.problems.map((problem) => [problem.code, problem.path]) : []).toEqual([
    [code, `spec.graph[1].${path}`],
  ])
})
