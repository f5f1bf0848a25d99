import type { JobGraph } from '../../../../runtime/graph/job-graph.ts'
import { aroundOperator, bedGraph } from '../../../harness/operator-bed.ts'

const ROW = { k: 'string', v: 'long', d: 'double?', at: 'timestamp', j: 'json' }
const CODE = { module: 'user', function: 'f' }
const MORE = { eventTime: 'at', modules: { user: { path: './f.ts' } } }

/** An entry for each verb, with much of what it can say. By the kind of its data. */
const ENTRIES: Readonly<Record<string, object>> = {
  filter: { filter: "v > 1 && k !== 'x' && (d ?? 0) < -1.5" },
  userFilter: { filter: CODE },
  map: { map: { k: 'k', v: 'v + 1', name: 'j.name', text: '`${k}:${v}`' } },
  userMap: { map: { ...CODE, output: { k: 'string' } } },
  flatMap: { flatMap: { unnest: 'j', as: 'tag', type: 'string', keepEmpty: true } },
  union: { union: {} },
  sideOutput: { sideOutput: { big: 'v > 100' } },
  asyncMap: { asyncMap: { http: { url: 'http://a/{k}' }, output: { n: 'long?' }, retry: { attempts: 3 } } },
  keyBy: { keyBy: 'k' },
  window: {
    keyBy: 'k',
    window: { hop: '2s', size: '10s' },
    aggregate: {
      n: 'count()',
      top: 'max(v)',
      far: 'argMax(k, v)',
      own: { ...CODE, state: { s: 'long' }, output: 'long' },
    },
    lateness: '1s',
    emit: { early: '1s' },
  },
  aggregate: {
    keyBy: 'k',
    aggregate: { n: 'countIf(v > 1)', p: 'percentile(v, 0.9)' },
    emit: { every: '1s' },
    ttl: '1h',
  },
  reduce: { keyBy: 'k', reduce: { v: 'previous.v + current.v' }, ttl: '1h' },
  lookup: {
    join: { type: 'left', lookup: { http: { url: 'http://a/{k}' }, output: { n: 'long' }, cache: { rows: 9 } } },
  },
  dedupe: { keyBy: 'k', dedupe: { keep: 'last', ttl: '1h' } },
  topN: { keyBy: 'k', topN: { limit: 3, by: 'v', order: 'asc', rank: 'place', ttl: '1h' } },
  pattern: {
    keyBy: 'k',
    pattern: {
      steps: [
        { name: 'a', where: 'v > 1' },
        { name: 'b', where: 'v > a.v', times: '2+' },
      ],
      within: '1m',
      after: 'noSkip',
      select: { k: 'k', v: 'b.last.v' },
    },
  },
  process: {
    keyBy: 'k',
    process: {
      ...CODE,
      output: { k: 'string' },
      state: { last: { value: { v: 'long' } }, by: { map: { v: 'long' }, key: { who: 'string' }, ttl: '1h' } },
      sideOutputs: { odd: { k: 'string' } },
    },
  },
}

function ofTwo(entry: object): JobGraph {
  const source = (id: string): object => ({ id, source: 'list', schema: ROW, eventTime: { field: 'at' } })
  return bedGraph({
    graph: [
      source('in'),
      source('other'),
      { id: 'op', from: ['in', 'other'], ...entry },
      { id: 'out', from: 'op', sink: 'console' },
    ],
  })
}

/** A job for each verb, with the kind of its data. */
export function verbJobGraphs(): [string, JobGraph][] {
  return [
    ...Object.entries(ENTRIES).map(([kind, entry]): [string, JobGraph] => [kind, aroundOperator(ROW, entry, MORE)]),
    [
      'join',
      ofTwo({
        join: {
          keyBy: 'k',
          type: 'left',
          within: { before: '1s' },
          where: 'left.v > right.v',
          select: { k: 'left.k', v: 'right.v' },
        },
      }),
    ],
    [
      'broadcast',
      ofTwo({ broadcast: { key: 'k', where: 'left.v > right.v', remove: 'right.v === 0', select: { k: 'left.k' } } }),
    ],
  ]
}
