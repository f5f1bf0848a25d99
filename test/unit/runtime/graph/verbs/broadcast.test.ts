import { expect, test } from 'vitest'
import { executionPlan } from '../../../../../runtime/plan/chaining.ts'
import { validateJob } from '../../../../../runtime/front/job-spec.ts'
import { CHECKS } from '../../plan/sample-job.ts'

function spec(broadcast: unknown, from: readonly string[] = ['events', 'rules']): object {
  return {
    graph: [
      {
        id: 'events',
        source: 'file',
        schema: { id: 'long', amount: 'long', at: 'timestamp', note: 'string' },
        eventTime: { field: 'at' },
      },
      { id: 'rules', source: 'file', schema: { name: 'string', limit: 'long', when: 'json' } },
      { id: 'op', from, broadcast },
      { id: 'out', from: 'op', sink: 'console' },
      ...(from.length < 2 ? [{ id: 'rest', from: 'rules', sink: 'console' }] : []),
    ],
  }
}

const SELECT = { id: 'events.id', rule: 'rules.name' }

test.each([
  ['no key', { select: SELECT }, 'KEY_MISSING', 'broadcast'],
  ['a key that is not a field of the rules', { key: 'amount', select: SELECT }, 'UNKNOWN_FIELD', 'broadcast.key'],
  ['a key without equality', { key: 'when', select: SELECT }, 'TYPE_MISMATCH', 'broadcast.key'],
  [
    'a condition that is none',
    { key: 'name', where: 'rules.limit', select: SELECT },
    'EXPRESSION_TYPE',
    'broadcast.where',
  ],
  [
    'an unknown field in the condition',
    { key: 'name', where: 'events.amout > 1', select: SELECT },
    'UNKNOWN_FIELD',
    'broadcast.where',
  ],
  [
    'a removal that looks at the event',
    { key: 'name', remove: 'amount > 1', select: SELECT },
    'UNKNOWN_FIELD',
    'broadcast.remove',
  ],
  [
    'a selected field that is not there',
    { key: 'name', select: { x: 'rules.limits' } },
    'UNKNOWN_FIELD',
    'broadcast.select.x',
  ],
  ['an unknown option', { key: 'name', ttl: '1h', select: SELECT }, 'UNKNOWN_FIELD', 'broadcast.ttl'],
  ['a text instead of options', 'rules', 'TYPE_MISMATCH', 'broadcast'],
])('%s is refused', (_, broadcast, code, path) => {
  const result = validateJob(spec(broadcast), CHECKS)
  expect('problems' in result ? result.problems.map((problem) => [problem.code, problem.path]) : []).toEqual([
    [code, `spec.graph[2].${path}`],
  ])
})

test('one input is refused', () => {
  const result = validateJob(spec({ key: 'name', select: SELECT }, ['events']), CHECKS)
  expect('problems' in result && result.problems).toEqual([expect.objectContaining({ code: 'INPUT_MISSING' })])
})

test('rules go whole to every slot, events with what is read of them to any', () => {
  const result = validateJob({ ...spec({ key: 'name', where: 'amount > limit', select: SELECT }), replicas: 2 }, CHECKS)
  if ('problems' in result) throw new Error(JSON.stringify(result.problems))
  const { exchanges } = executionPlan(result.graph)
  expect(
    exchanges.map(({ partitioning, schema }) => [partitioning.kind, schema.fields.map(({ name }) => name)]),
  ).toEqual([
    ['forward', ['id', 'amount']],
    ['broadcast', ['name', 'limit', 'when']],
  ])
})
