import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Clock } from '../../../../runtime/ports/clock.ts'
import { aroundOperator, OperatorBed, type BedOptions } from '../../../harness/operator-bed.ts'

const SCHEMA = { id: 'long', tags: 'json?' }

function bed(flatMap: object, options: BedOptions = {}): OperatorBed {
  return new OperatorBed(
    aroundOperator(SCHEMA, { flatMap }, { modules: { user: { path: './user.ts' } } }),
    'op',
    options,
  )
}

describe('flatMap: unnest', () => {
  test('when rows hold arrays, each element becomes a row beside the other fields, in order', async () => {
    const one = bed({ unnest: 'tags', as: 'tag', type: 'string' })
    await one.process([
      { id: 1, tags: ['a', 'b'] },
      { id: 2, tags: [] },
      { id: 3, tags: null },
      { id: 4, tags: ['c'] },
    ])
    expect(one.out.rows).toEqual([
      { id: 1, tag: 'a' },
      { id: 1, tag: 'b' },
      { id: 4, tag: 'c' },
    ])
  })

  test('when the array says of which type its elements are, the type need not be repeated', async () => {
    const one = new OperatorBed(
      aroundOperator({ id: 'long', tags: 'array<string>?' }, { flatMap: { unnest: 'tags', as: 'tag' } }),
      'op',
    )
    await one.process([
      { id: 1, tags: ['a', 'b'] },
      { id: 2, tags: null },
    ])
    expect(one.out.rows).toEqual([
      { id: 1, tag: 'a' },
      { id: 1, tag: 'b' },
    ])
  })

  test('when keepEmpty is set, an empty or null array gives one row with null', async () => {
    const one = bed({ unnest: 'tags', as: 'tag', type: 'string', keepEmpty: true })
    await one.process([
      { id: 2, tags: [] },
      { id: 3, tags: null },
      { id: 4, tags: ['c'] },
    ])
    expect(one.out.rows).toEqual([
      { id: 2, tag: null },
      { id: 3, tag: null },
      { id: 4, tag: 'c' },
    ])
  })

  test.each([
    ['a text among numbers', [1, 'x'], 'field \'tags\' (long) would be "x"'],
    ['a null element of a type that may not be null', [null], "field 'tags' (long) would be null"],
    ['a number beyond 2^53', [2 ** 53], 'at most 2^53 - 1'],
    ['an object instead of an array', { 0: 1 }, 'not an array'],
    ['a text instead of an array', 'xy', 'the string "xy", not an array'],
  ])('when a row holds %s, it is an error of the row and none of its rows come out', async (_what, tags, message) => {
    const one = bed({ unnest: 'tags', type: 'long' })
    await one.process([
      { id: 1, tags: [7] },
      { id: 2, tags },
      { id: 3, tags: [8] },
    ])
    expect(one.out.rows).toEqual([
      { id: 1, tags: 7 },
      { id: 3, tags: 8 },
    ])
    expect(one.errors).toMatchObject([
      { operator: 'op', row: { id: 2 }, error: { code: 'VALUE_INVALID', message: expect.stringContaining(message) } },
    ])
  })

  test('whatever the arrays, what comes out is the plain loop, in batches a stage may be given', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(fc.array(fc.integer(), { maxLength: 3000 }), { nil: null }), { maxLength: 20 }),
        fc.boolean(),
        async (lists, keepEmpty) => {
          const one = bed({ unnest: 'tags', as: 'n', type: 'long', keepEmpty })
          const sizes: number[] = []
          const { process } = one.out
          one.out.process = (batch) => {
            sizes.push(batch.count)
            return process.call(one.out, batch)
          }
          await one.process(lists.map((tags, id) => ({ id, tags })))
          expect(one.out.rows).toEqual(
            lists.flatMap((tags, id): object[] =>
              (tags ?? []).length === 0 ? (keepEmpty ? [{ id, n: null }] : []) : (tags ?? []).map((n) => ({ id, n })),
            ),
          )
          expect(sizes.every((size) => size >= 1 && size <= 1024)).toBe(true)
        },
      ),
      { numRuns: 30 },
    )
  })
})

describe('flatMap by a function', () => {
  const form = { module: 'user', function: 'split', output: { id: 'long', word: 'string' } }
  const withSplit = (split: unknown): BedOptions => ({ modules: { user: { split } } })

  test('when it returns a list or is a generator, every row of it comes out, checked', async () => {
    const one = bed(
      form,
      withSplit(function* split(row: { id: number; tags: string[] }) {
        for (const word of row.tags) yield { id: row.id, word }
      }),
    )
    await one.process([
      { id: 1, tags: ['a', 'b'] },
      { id: 2, tags: ['c', 3] },
    ])
    expect(one.out.rows).toEqual([
      { id: 1, word: 'a' },
      { id: 1, word: 'b' },
    ])
    expect(one.errors).toMatchObject([
      { row: { id: 2 }, error: { message: "field 'word' (string) would be 3: it must be a string" } },
    ])
  })

  test.each([
    ['one row instead of a list', () => ({ id: 1, word: 'x' }), 'not a list of rows'],
    ['a promise', () => Promise.resolve([]), 'a promise'],
    [
      'something that throws',
      () => {
        throw new Error('no luck')
      },
      'no luck',
    ],
  ])('when it gives %s, it is an error of the row', async (_what, split, message) => {
    const one = bed(form, withSplit(split))
    await one.process([{ id: 1, tags: null }])
    expect(one.errors).toMatchObject([{ operator: 'op', error: { message: expect.stringContaining(message) } }])
  })

  test('when it holds up the process for more than a second, it is told', async () => {
    let now = 0
    const clock: Clock = { now: () => now, after: () => () => undefined, nextTurn: setImmediate }
    const one = bed(form, {
      clock,
      ...withSplit(() => {
        now += 1500
        return []
      }),
    })
    await one.process([{ id: 1, tags: null }])
    expect(one.blocked).toEqual([{ operator: 'op', name: 'split', ms: 1500 }])
  })

  test('when the module does not export it, the operator is refused with what is exported', () => {
    expect(() => bed(form, withSplit(undefined))).toThrow(expect.objectContaining({ code: 'FUNCTION_MISSING' }))
    expect(() => bed(form, { modules: { user: { splits: () => [] } } })).toThrow('exported are splits')
  })
})
