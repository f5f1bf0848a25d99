import { describe, expect, test } from 'vitest'
import { validateJob } from '../../../../../runtime/front/job-spec.ts'
import type { Problem } from '../../../../../runtime/graph/problems.ts'
import { anyConnectors } from '../../../../harness/any-connectors.ts'
import { aroundOperator } from '../../../../harness/operator-bed.ts'

const CONNECTORS = anyConnectors('list', 'console')

function problemsOf(operator: object): readonly Problem[] {
  const validation = validateJob(
    {
      graph: [
        {
          id: 'in',
          source: 'list',
          schema: { k: 'string', v: 'long', extra: 'json', at: 'timestamp' },
          eventTime: { field: 'at' },
        },
        { id: 'op', from: 'in', ...operator },
        { id: 'out', from: 'op', sink: 'console' },
      ],
    },
    CONNECTORS,
  )
  return 'problems' in validation ? validation.problems : []
}

const windowed = (window: unknown, more: object = {}): object => ({
  keyBy: 'k',
  window,
  aggregate: { n: 'count()' },
  ...more,
})

describe('the window verb', () => {
  test.each<[string, object, string, string]>([
    ['a session without a gap', windowed({ session: '0s' }), 'WINDOW_INVALID', 'spec.graph[1].window.session'],
    [
      'a session that also tumbles',
      windowed({ session: '1s', tumble: '1s' }),
      'WINDOW_INVALID',
      'spec.graph[1].window',
    ],
    ['a session with a size', windowed({ session: '1s', size: '1s' }), 'WINDOW_INVALID', 'spec.graph[1].window'],
    ['a count of nothing', windowed({ count: 0 }), 'TYPE_MISMATCH', 'spec.graph[1].window.count'],
    ['a count that jumps over rows', windowed({ count: 10, every: 20 }), 'WINDOW_INVALID', 'spec.graph[1].window'],
    ['rows in too many windows', windowed({ count: 1_000_000, every: 1 }), 'WINDOW_INVALID', 'spec.graph[1].window'],
    ['a time that is neither', windowed({ tumble: '1s', time: 'wall' }), 'WINDOW_INVALID', 'spec.graph[1].window.time'],
    ['a window called something else', windowed('everything'), 'TYPE_MISMATCH', 'spec.graph[1].window'],
    ['a misspelt kind', windowed({ tumbel: '1s' }), 'UNKNOWN_FIELD', 'spec.graph[1].window.tumbel'],
    [
      'lateness of the clock',
      windowed({ tumble: '1s', time: 'processing' }, { lateness: '1m' }),
      'WINDOW_INVALID',
      'spec.graph[1].lateness',
    ],
    [
      'lateness that is not a duration',
      windowed({ tumble: '1s' }, { lateness: 'long' }),
      'DURATION_INVALID',
      'spec.graph[1].lateness',
    ],
    [
      'early results at once',
      windowed({ tumble: '1s' }, { emit: { early: '0s' } }),
      'WINDOW_INVALID',
      'spec.graph[1].emit.early',
    ],
    [
      'early results of a count',
      windowed({ count: 5 }, { emit: { early: '1s' } }),
      'WINDOW_INVALID',
      'spec.graph[1].emit',
    ],
  ])('refuses %s', (_, operator, code, path) => {
    const problems = problemsOf(operator)
    expect(problems.map((problem) => [problem.code, problem.path])).toContainEqual([code, path])
  })

  test.each([
    ['a misspelt verb', { windw: { tumble: '1s' } }, 'UNKNOWN_FIELD', 'windw', 'did you mean "window"?'],
    [
      'early results that are not said',
      { window: { tumble: '1s' }, emit: 'everyRow' },
      'EMIT_INVALID',
      'emit',
      'write emit: { early: 1s }',
    ],
  ])('for %s there is one problem, with what was meant', (_, more, code, path, hint) => {
    expect(problemsOf({ keyBy: 'k', aggregate: { n: 'count()' }, ...more })).toEqual([
      expect.objectContaining({ code, path: `spec.graph[1].${path}`, hint }),
    ])
  })

  test('windows of time put out their bounds, those of rows do not', () => {
    const fields = (window: unknown): string[] =>
      aroundOperator({ k: 'string', at: 'timestamp' }, windowed(window), {
        eventTime: 'at',
      }).operators[1]?.schema.fields.map(({ name }) => name) ?? []
    expect(fields({ session: '1s', time: 'processing' })).toEqual(['k', 'windowStart', 'windowEnd', 'n'])
    expect(fields({ count: 5 })).toEqual(['k', 'n'])
    expect(fields('global')).toEqual(['k', 'n'])
  })

  test('late rows have the fields of the input', () => {
    const graph = aroundOperator({ k: 'string', at: 'timestamp' }, windowed({ tumble: '1s' }), {
      eventTime: 'at',
      sides: ['late'],
    })
    expect(graph.operators.find(({ id }) => id === 'out-late')?.schema.fields.map(({ name }) => name)).toEqual([
      'k',
      'at',
    ])
  })
})

test('a window without event time has no late rows to read', () => {
  expect(() =>
    aroundOperator({ k: 'string', at: 'timestamp' }, windowed({ count: 5 }), { eventTime: 'at', sides: ['late'] }),
  ).toThrow(/UNKNOWN_INPUT/)
})

describe('the running aggregate', () => {
  test.each<[string, object, string, string]>([
    ['no key', { aggregate: { n: 'count()' } }, 'KEY_MISSING', 'spec.graph[1]'],
    ['a sum over text', { keyBy: 'v', aggregate: { n: 'sum(k)' } }, 'EXPRESSION_TYPE', 'spec.graph[1].aggregate.n'],
    [
      'a field named as the key',
      { keyBy: 'k', aggregate: { k: 'count()' } },
      'DUPLICATE_FIELD',
      'spec.graph[1].aggregate.k',
    ],
    [
      'an emission of its own making',
      { keyBy: 'k', aggregate: { n: 'count()' }, emit: 'sometimes' },
      'EMIT_INVALID',
      'spec.graph[1].emit',
    ],
    [
      'an interval of nothing',
      { keyBy: 'k', aggregate: { n: 'count()' }, emit: { every: '0s' } },
      'EMIT_INVALID',
      'spec.graph[1].emit.every',
    ],
    [
      'no time to live',
      { keyBy: 'k', aggregate: { n: 'count()' }, ttl: '0s' },
      'DURATION_INVALID',
      'spec.graph[1].ttl',
    ],
    [
      'distinct json',
      { keyBy: 'k', aggregate: { n: 'countDistinct(extra)' } },
      'EXPRESSION_TYPE',
      'spec.graph[1].aggregate.n',
    ],
    [
      'a share that is a field',
      { keyBy: 'k', aggregate: { n: 'percentile(v, v)' } },
      'AGGREGATE_INVALID',
      'spec.graph[1].aggregate.n',
    ],
  ])('refuses %s', (_, operator, code, path) => {
    expect(problemsOf(operator).map((problem) => [problem.code, problem.path])).toContainEqual([code, path])
  })
})

describe('reduce', () => {
  test.each<[string, object, string, string]>([
    ['no key', { reduce: { v: 'previous.v' } }, 'KEY_MISSING', 'spec.graph[1]'],
    ['an unknown field', { keyBy: 'k', reduce: { w: 'previous.v' } }, 'UNKNOWN_FIELD', 'spec.graph[1].reduce.w'],
    ['the key', { keyBy: 'k', reduce: { k: 'previous.k' } }, 'REDUCE_INVALID', 'spec.graph[1].reduce.k'],
    ['another type', { keyBy: 'k', reduce: { v: 'previous.k' } }, 'EXPRESSION_TYPE', 'spec.graph[1].reduce.v'],
    [
      'a field of which row is not said',
      { keyBy: 'k', reduce: { v: 'v + 1' } },
      'FIELD_AMBIGUOUS',
      'spec.graph[1].reduce.v',
    ],
    ['nothing', { keyBy: 'k', reduce: {} }, 'TYPE_MISMATCH', 'spec.graph[1].reduce'],
  ])('refuses %s', (_, operator, code, path) => {
    expect(problemsOf(operator).map((problem) => [problem.code, problem.path])).toContainEqual([code, path])
  })
})
