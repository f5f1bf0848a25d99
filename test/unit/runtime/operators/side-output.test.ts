import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { aroundOperator, OperatorBed } from '../../../harness/operator-bed.ts'

const SCHEMA = { id: 'long', price: 'double?' }
const graph = (sideOutput: object) =>
  aroundOperator(
    SCHEMA,
    { sideOutput: Object.entries(sideOutput).map(([name, condition]) => ({ [name]: condition as unknown })) },
    { modules: { user: { path: './user.ts' } }, sides: Object.keys(sideOutput) },
  )

describe('sideOutput', () => {
  test('whatever the rows, each goes to the first output whose condition it meets, the rest on', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(fc.integer({ min: 0, max: 20 }), { nil: null }), { maxLength: 200 }),
        async (prices) => {
          const bed = new OperatorBed(graph({ big: 'price > 10', even: 'price % 2 === 0' }), 'op')
          const rows = prices.map((price, id) => ({ id, price }))
          await bed.process(rows)
          const placeOf = ({ price }: { price: number | null }) =>
            price === null ? 'main' : price > 10 ? 'big' : price % 2 === 0 ? 'even' : 'main'
          expect(bed.out.rows).toEqual(rows.filter((row) => placeOf(row) === 'main'))
          expect(bed.side('big').rows).toEqual(rows.filter((row) => placeOf(row) === 'big'))
          expect(bed.side('even').rows).toEqual(rows.filter((row) => placeOf(row) === 'even'))
          expect(bed.errors).toEqual([])
        },
      ),
      { numRuns: 50 },
    )
  })

  test('when nobody reads an output, its rows are gone and not in the main one', async () => {
    const bed = new OperatorBed(graph({ big: 'price > 10' }), 'op', { sides: [] })
    await bed.process([
      { id: 1, price: 11 },
      { id: 2, price: 1 },
    ])
    expect(bed.out.rows).toEqual([{ id: 2, price: 1 }])
  })

  test('when a function decides and throws or gives no boolean, it is an error of that row alone', async () => {
    const isBig = ({ price }: { price: number | null }) => {
      if (price === 13) throw new Error('unlucky')
      return price === null ? 'maybe' : price > 10
    }
    const bed = new OperatorBed(graph({ big: { module: 'user', function: 'isBig' } }), 'op', {
      modules: { user: { isBig } },
    })
    await bed.process([
      { id: 1, price: 11 },
      { id: 2, price: 13 },
      { id: 3, price: null },
      { id: 4, price: 1 },
    ])
    expect(bed.side('big').rows).toEqual([{ id: 1, price: 11 }])
    expect(bed.out.rows).toEqual([{ id: 4, price: 1 }])
    expect(bed.errors.map(({ row, error }) => [row['id'], error.message])).toEqual([
      [2, 'unlucky'],
      [3, 'the condition gave maybe, not true or false'],
    ])
  })

  test('a watermark goes on in the main output', async () => {
    const bed = new OperatorBed(graph({ big: 'price > 10' }), 'op')
    await bed.watermark(5)
    expect(bed.out.watermarks).toEqual([5])
  })
})
