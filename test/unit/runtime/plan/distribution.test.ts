import { describe, expect, test } from 'vitest'
import { executionPlan } from '../../../../runtime/plan/chaining.ts'
import { bedGraph } from '../../../harness/operator-bed.ts'

const SOURCES = [
  { id: 'a', source: 'list', schema: { k: 'long', v: 'long', at: 'timestamp' }, eventTime: { field: 'at' } },
  { id: 'b', source: 'list', schema: { id: 'long', w: 'string', time: 'timestamp' }, eventTime: { field: 'time' } },
]

/** The operators of each chain behind the sources. */
function chains(...graph: object[]): string[] {
  const last = graph.at(-1) as { id: string }
  const spec = {
    graph: [
      ...SOURCES.filter(({ id }) => JSON.stringify(graph).includes(`"${id}"`)),
      ...graph,
      { id: 'out', from: last.id, sink: 'console' },
    ],
  }
  return executionPlan(bedGraph(spec))
    .chains.map(({ operators }) => operators.map(({ id }) => id).join(' '))
    .filter((chain) => !['a', 'b'].includes(chain))
}

const join = (type: string, select: object) => ({
  id: 'j',
  from: ['a', 'b'],
  join: { keyBy: { k: 'id' }, type, within: { after: '1s' }, select },
})
const top = (keyBy: string, more: object = {}) => ({
  id: 'top',
  from: 'j',
  keyBy,
  topN: { limit: 1, by: 'v' },
  ...more,
})

describe('an operator keyed by what its rows are dealt by already needs no exchange', () => {
  test.each([
    [
      'behind a join, by the key of the left under another name',
      join('inner', { x: 'a.k', v: 'a.v' }),
      top('x'),
      ['j top out'],
    ],
    ['behind a join, by the key of the right', join('inner', { x: 'b.id', v: 'a.v' }), top('x'), ['j top out']],
    ['behind a left join, by the key of the left', join('left', { x: 'a.k', v: 'a.v' }), top('x'), ['j top out']],
    [
      'behind a left join, by the key of the right, which may be null',
      join('left', { x: 'b.id', v: 'a.v' }),
      top('x'),
      ['j', 'top out'],
    ],
    [
      'behind a join, by something computed of the key',
      join('inner', { x: 'a.k + 1', v: 'a.v' }),
      top('x'),
      ['j', 'top out'],
    ],
    ['behind a join, by another field', join('inner', { x: 'a.k', v: 'a.v' }), top('v'), ['j', 'top out']],
    ['with other replicas', join('inner', { x: 'a.k', v: 'a.v' }), top('x', { replicas: 2 }), ['j', 'top', 'out']],
  ])('%s', (_, first, second, expected) => {
    expect(chains(first, second)).toEqual(expected)
  })

  test('behind a window and a map, by its key', () => {
    expect(
      chains(
        { id: 'w', from: 'a', keyBy: 'k', window: { tumble: '1s' }, aggregate: { n: 'count()' } },
        { id: 'm', from: 'w', map: { k2: 'k', n: 'n' } },
        { id: 'd', from: 'm', keyBy: 'k2', topN: { limit: 1, by: 'n' } },
      ),
    ).toEqual(['w m d out'])
  })
})
