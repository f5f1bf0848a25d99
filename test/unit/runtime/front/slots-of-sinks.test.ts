import { expect, test } from 'vitest'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { validateJob } from '../../../../runtime/front/job-spec.ts'
import { executionPlan } from '../../../../runtime/plan/chaining.ts'

const REPLACE = { url: 'http://druid:8888', from: '2026-01-01', to: '2026-02-01', timestamp: 'at', files: '/loads' }

function validated(more: object = {}) {
  const graph = [
    { id: 'a', source: { values: [{ at: '2026-01-01T00:00:00Z' }] }, schema: { at: 'timestamp' } },
    { id: 'z', from: 'a', sink: { druid: { datasource: 'd', replace: REPLACE } }, ...more },
  ]
  return validateJob({ replicas: 4, graph }, builtinConnectors)
}

test('a sink that needs one slot has one, whatever the parallelism of the job', () => {
  const result = validated()
  const chains = 'graph' in result ? executionPlan(result.graph).chains : []
  expect(chains.map(({ id, parallelism }) => [id, parallelism])).toEqual([
    ['a', 4],
    ['z', 1],
  ])
})

test('when such a sink is given more slots, the problem is at its replicas', () => {
  expect(validated({ replicas: 1 })).toHaveProperty('graph')
  expect(validated({ replicas: 2 })).toMatchObject({
    problems: [{ code: 'OPTION_INVALID', path: 'spec.graph[1].replicas' }],
  })
})
