import { expect, test } from 'vitest'
import { executionPlan } from '../../../../runtime/plan/chaining.ts'
import { describePlan } from '../../../../runtime/plan/describe-plan.ts'
import { aroundOperator } from '../../../harness/operator-bed.ts'

const SCHEMA = { id: 'long', tags: 'json', at: 'timestamp' }
const OUTPUT = { id: 'long' }
const own = (more: object = {}) => ({ module: 'user', function: 'f', ...more })

test.each([
  [{ filter: own() }, 'filter by user.f'], [{ map: own({ output: OUTPUT }) }, 'map by user.f'], [{ flatMap: own({ output: OUTPUT }) }, 'flatMap by user.f'],
  [{ flatMap: { unnest: 'tags', type: 'string' } }, 'unnest tags'], [{ sideOutput: { a: 'id > 1', b: own() } }, 'side outputs a, b'],
  [{ keyBy: 'id', process: own({ output: OUTPUT }) }, 'process by user.f, keyed by id'],
  [{ asyncMap: own({ output: OUTPUT, order: 'unordered' }) }, 'asyncMap by user.f, unordered, 100 at once'],
  [{ asyncMap: { http: { url: 'http://a/{id}' }, output: { x: 'long' } } }, 'asyncMap by GET, ordered, 100 at once'],
])('%j is described as "%s"', (entry, text) => {
  expect(describePlan(executionPlan(aroundOperator(SCHEMA, entry, { modules: { user: { path: './f.ts' } } })))).toContain(text)
})
