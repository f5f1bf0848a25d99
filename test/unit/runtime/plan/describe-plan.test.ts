import { expect, test } from 'vitest'
import { executionPlan } from '../../../../runtime/plan/chaining.ts'
import { describePlan } from '../../../../runtime/plan/describe-plan.ts'
import { aroundOperator, bedGraph } from '../../../harness/operator-bed.ts'

const SCHEMA = { id: 'long', tags: 'json', at: 'timestamp' }
const OUTPUT = { id: 'long' }
const own = (more: object = {}) => ({ module: 'user', function: 'f', ...more })

test.each([
  [{ filter: own() }, 'filter by user.f'],
  [{ map: own({ output: OUTPUT }) }, 'map by user.f'],
  [{ flatMap: own({ output: OUTPUT }) }, 'flatMap by user.f'],
  [{ flatMap: { unnest: 'tags', type: 'string' } }, 'unnest tags'],
  [{ sideOutput: [{ a: 'id > 1' }, { b: own() }] }, 'side outputs a, b'],
  [{ keyBy: 'id', process: own({ output: OUTPUT }) }, 'process by user.f, keyed by id'],
  [{ asyncMap: own({ output: OUTPUT, order: 'unordered' }) }, 'asyncMap by user.f, unordered, 100 at once'],
  [{ asyncMap: { http: { url: 'http://a/{id}' }, output: { x: 'long' } } }, 'asyncMap by GET, ordered, 100 at once'],
  [{ keyBy: 'id', dedupe: { keep: 'last', orderBy: 'at', ttl: '1m' } }, 'the newest by at of id, kept for 60000 ms'],
  [{ keyBy: 'id', dedupe: { keep: 'first' } }, 'the first of id'],
  [{ keyBy: 'id', topN: { limit: 3, by: 'at', order: 'asc' } }, 'the 3 least by at of id'],
  [{ keyBy: 'id', aggregate: { n: 'count()', newest: 'max(at)' } }, 'running by id: n = count, newest = max'],
  [
    {
      keyBy: 'id',
      pattern: {
        steps: [{ name: 'a' }, { name: 'b', where: 'id > 1', not: true }, { name: 'c' }],
        within: '1m',
        select: { id: 'id' },
      },
    },
    'pattern a, no b, c by id, within 60000 ms',
  ],
  [
    {
      join: {
        type: 'left',
        lookup: {
          druid: { url: 'http://druid', query: 'SELECT x FROM t WHERE id = ?', parameters: 'id' },
          output: { x: 'long' },
        },
      },
    },
    'left lookup in Druid',
  ],
])('%j is described as "%s"', (entry, text) => {
  expect(
    describePlan(
      executionPlan(aroundOperator(SCHEMA, entry, { modules: { user: { path: './f.ts' } }, eventTime: 'at' })),
    ),
  ).toContain(text)
})

test.each([
  [{ join: { keyBy: 'id', type: 'semi', window: { tumble: '1s' } } }, 'semi join on id = id, in windows of 1000 ms'],
  [
    { join: { keyBy: { id: 'id' }, within: { before: '1s' }, select: { id: 'a.id' } } },
    'inner join on id = id, the right at most 1000 ms before and 0 ms after',
  ],
  [{ join: { keyBy: 'id', ttl: '1m', select: { id: 'a.id' } } }, 'inner join on id = id, rows kept for 60000 ms'],
  [{ broadcast: { key: 'id', select: { id: 'a.id' } } }, 'each row with every rule, by id'],
])('%j of two streams is described as "%s"', (entry, text) => {
  const source = (id: string) => ({ id, source: 'list', schema: SCHEMA, eventTime: { field: 'at' } })
  expect(
    describePlan(
      executionPlan(
        bedGraph({
          graph: [
            source('a'),
            source('b'),
            { id: 'op', from: ['a', 'b'], ...entry },
            { id: 'out', from: 'op', sink: 'console' },
          ],
        }),
      ),
    ),
  ).toContain(text)
})

test('of sources that are aligned it says with whom', () => {
  const graph = bedGraph({
    graph: [
      { id: 'in', source: 'list', schema: SCHEMA, eventTime: { field: 'at', align: { group: 'g', maxDrift: '30s' } } },
      { id: 'out', from: 'in', sink: 'console' },
    ],
  })
  expect(describePlan(executionPlan(graph))).toContain('event time at, at most 30000 ms ahead of g')
})
