import { describe, expect, test } from 'vitest'
import { validateJob } from '../../../../runtime/plan/job-spec.ts'
import type { HttpAnswer } from '../../../../runtime/ports/http-client.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { aroundOperator, OperatorBed } from '../../../harness/operator-bed.ts'
import { CHECKS } from '../plan/sample-job.ts'

const HTTP = { url: 'http://sellers/of/{id}' }

/** A service that knows the sellers 1 to 9. */
function lookupBed(join: object, answer: (id: number) => HttpAnswer = (id) => (id > 9 ? { status: 404, body: '' } : { status: 200, body: `{"name":"s${id}"}` })) {
  const asked: number[] = []
  const clock = new ManualClock()
  const bed = new OperatorBed(aroundOperator({ id: 'long' }, { join }), 'op', { clock, http: { send: ({ url }) => {
    const id = Number(url.split('/').at(-1))
    asked.push(id)
    return Promise.resolve(answer(id))
  } } })
  const put = async (...ids: number[]): Promise<void> => { await bed.process(ids.map((id) => ({ id }))); await bed.stage.drain?.() }
  return { bed, asked, clock, put }
}

describe('a lookup join', () => {
  test('when the service knows a row, its answer stands behind the fields; inner drops those it does not know', async () => {
    const { bed, put } = lookupBed({ lookup: { http: HTTP, output: { name: 'string' } } })
    await put(1, 10, 2)
    expect(bed.out.rows).toEqual([{ id: 1, name: 's1' }, { id: 2, name: 's2' }])
    expect(bed.errors).toEqual([])
  })

  test('when the type is left, a row that the service does not know comes out with nulls', async () => {
    const { bed, put } = lookupBed({ type: 'left', lookup: { http: HTTP, output: { name: 'string' }, cache: { rows: 10 } } })
    await put(10, 1, 10)
    expect(bed.out.rows).toEqual([{ id: 10, name: null }, { id: 1, name: 's1' }, { id: 10, name: null }])
  })

  test('when answers are kept, the service is asked again only once they are old, or more were asked for than are kept', async () => {
    const { bed, asked, clock, put } = lookupBed({ lookup: { http: HTTP, output: { name: 'string' }, cache: { rows: 2, ttl: '10s' } } })
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
    const { bed, asked, put } = lookupBed({ lookup: { http: HTTP, output: { name: 'string' }, cache: { rows: 10 } } }, () => ({ status, body: '{"name":"x"}' }))
    await put(1)
    status = 200
    await put(1)
    expect(bed.errors.map(({ error, row }) => [error.code, row['id']])).toEqual([['HTTP_STATUS', 1]])
    expect(bed.out.rows).toEqual([{ id: 1, name: 'x' }])
    expect(asked).toEqual([1, 1])
  })
})

test.each([
  ['another type', { type: 'semi', lookup: { http: HTTP, output: { name: 'string' } } }, 'UNKNOWN_VALUE', 'join.type'],
  ['a key beside it', { on: 'id', lookup: { http: HTTP, output: { name: 'string' } } }, 'UNKNOWN_FIELD', 'join.on'],
  ['nobody to ask', { lookup: { output: { name: 'string' } } }, 'CALL_MISSING', 'join.lookup'],
  ['no output', { lookup: { http: HTTP } }, 'SCHEMA_MISSING', 'join.lookup'],
  ['a field of the row that is not there', { lookup: { http: { url: 'http://sellers/of/{ix}' }, output: { name: 'string' } } }, 'UNKNOWN_FIELD', 'join.lookup.http.url'],
  ['a cache without size', { lookup: { http: HTTP, output: { name: 'string' }, cache: { ttl: '1s' } } }, 'TYPE_MISMATCH', 'join.lookup.cache.rows'],
])('a lookup with %s is refused', (_, join, code, path) => {
  const result = validateJob({ graph: [{ id: 'in', source: 'file', schema: { id: 'long' } }, { id: 'op', from: 'in', join }, { id: 'out', from: 'op', sink: 'console' }] }, CHECKS)
  expect('problems' in result ? result.problems.map((problem) => [problem.code, problem.path]) : []).toEqual([[code, `spec.graph[1].${path}`]])
})
