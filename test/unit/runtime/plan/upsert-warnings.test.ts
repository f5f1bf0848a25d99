import { expect, test } from 'vitest'
import { validateJob } from '../../../../runtime/front/job-spec.ts'
import { CHECKS } from './sample-job.ts'

const WINDOW = { keyBy: 'k', window: { tumble: '1s' }, aggregate: { n: 'count()' } }

/** Warnings of a job in which `first` is read through a map by `second`. */
function warnings(first: object, second: object, map = 'k'): string[] {
  const result = validateJob(
    {
      graph: [
        { id: 's', source: 'file', schema: { k: 'string', v: 'long', at: 'timestamp' }, eventTime: { field: 'at' } },
        { id: 'first', from: 's', ...first },
        { id: 'between', from: 'first', set: { k: `${map}` } },
        { id: 'second', from: 'between', ...second },
        { id: 'out', from: 'second', sink: 'console' },
      ],
    },
    CHECKS,
  )
  if ('problems' in result) throw new Error(JSON.stringify(result.problems))
  return result.warnings.map(({ code, path, message }) => `${code} ${path}: ${message}`)
}

test.each([
  [{ ...WINDOW, emit: { early: '1s' } }, 'puts out a window early and then again'],
  [{ ...WINDOW, lateness: '1s' }, 'puts out a window again after each late row'],
  [{ keyBy: 'k', aggregate: { n: 'count()' } }, 'puts out a key again whenever it changes'],
  [{ keyBy: 'k', dedupe: { keep: 'last', ttl: '1h' } }, 'puts out a key again whenever a newer row comes'],
  [
    { keyBy: 'k', topN: { limit: 2, by: 'v', rank: 'r', ttl: '1h' } },
    'puts out a rank again whenever another row takes it',
  ],
  [{ keyBy: 'k', reduce: { v: 'previous.v + current.v' } }, 'puts out a key again with each row'],
])('what adds up rows of %j, which replace each other, is warned of', (first, why) => {
  expect(warnings(first, { keyBy: 'k', aggregate: { sum: 'count()' } })).toEqual([
    `UPSERTS_ADDED spec.graph[3]: "first" ${why}, and "sum" adds up all of them`,
  ])
})

test.each([
  [WINDOW, { keyBy: 'k', aggregate: { sum: 'sum(n)' } }],
  [
    { keyBy: 'k', aggregate: { n: 'count()' } },
    { keyBy: 'k', aggregate: { most: 'max(n)', newest: 'last(n)' } },
  ],
  [{ keyBy: 'k', dedupe: { keep: 'first', ttl: '1h' } }, WINDOW],
  [
    { keyBy: 'k', aggregate: { n: 'count()' } },
    { keyBy: 'k', dedupe: { keep: 'first', ttl: '1h' } },
  ],
])('%j before %j is not', (first, second) => {
  expect(warnings(first, second)).toEqual([])
})
