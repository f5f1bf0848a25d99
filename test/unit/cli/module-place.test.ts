import { describe, expect, test } from 'vitest'
import { placeInModule } from '../../../cli/module-place.ts'
import type { Position } from '../../../runtime/model/errors.ts'

const TEXT = `const bids = stream('bids', kafka({ topic: 't' }), { schema: { price: 'log' } })
const dear = bids
  .filter('dear', "price > 100 && prce < 4")
  .set('x', { total: expr('double', \`price
    * qty\`) })
  .keyBy('acution')
  .aggregate('sums', { n: count() })
const other = bids.filter('other', built + 'price')
`
const GRAPH = [
  { id: 'bids', source: { kafka: { topic: 't' } }, schema: { price: 'log' } },
  { id: 'dear', filter: 'price > 100 && prce < 4' },
  { id: 'x', set: { total: 'price\n    * qty' } },
  { id: 'sums', keyBy: 'acution', aggregate: { n: 'count()' } },
  { id: 'other', filter: 'price > price' },
]

describe('a mistake of a graph list is placed in its module', () => {
  test.each<[string, string, Position | undefined, Position]>([
    ['at the text that is wrong', 'spec.graph[0].schema.price', undefined, { line: 1, column: 71 }],
    ['inside of an expression', 'spec.graph[1].filter', { line: 1, column: 16 }, { line: 3, column: 35 }],
    ['inside of an expression over lines', 'spec.graph[2].set.total', { line: 2, column: 7 }, { line: 5, column: 7 }],
    ['at a key, which stands before the id', 'spec.graph[3].keyBy', undefined, { line: 6, column: 10 }],
    ['at the name of what is no text of the module', 'spec.graph[3].aggregate.n', undefined, { line: 7, column: 24 }],
    [
      'at the id when the text is put together',
      'spec.graph[4].filter',
      { line: 1, column: 3 },
      { line: 8, column: 27 },
    ],
    ['at the id of an operator that lacks something', 'spec.graph[4]', undefined, { line: 8, column: 27 }],
    ['at the beginning when it is not about an operator', 'spec.replicas', undefined, { line: 1, column: 1 }],
  ])('%s', (_, path, position, place) => {
    expect(placeInModule(TEXT, GRAPH, { path, ...(position === undefined ? {} : { position }) })).toEqual(place)
  })
})
