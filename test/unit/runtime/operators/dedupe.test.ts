import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../../../runtime/model/schema.ts'
import { rowsAndCheckpoints, takeSteps } from '../../../harness/checkpoint-steps.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { aroundOperator, OperatorBed } from '../../../harness/operator-bed.ts'
import { OperatorSlots } from '../../../harness/operator-slots.ts'
import { PlainDedupe, sizeOf } from '../../../harness/plain/plain-keyed.ts'

const SCHEMA = {
  a: 'string?',
  b: 'long',
  at: 'timestamp',
  price: 'double?',
  text: 'string',
  exact: 'decimal(31,2)?',
  whole: 'bigint',
}

const arbitraryRow = fc.record({
  a: fc.option(fc.constantFrom('', 'x', 'ž', '\ud83d', 'much longer than the others'), { nil: null }),
  b: fc.constantFrom(0, 1, 2 ** 40),
  at: fc.integer({ min: 0, max: 50 }),
  price: fc.double({ min: -5, max: 5, noNaN: true }),
  text: fc.constantFrom('p', 'q', '日本'),
  exact: fc.constantFrom('-90071992547409930.02', '-90071992547409930.01', '1.00', '90071992547409930.01'),
  whole: fc.constantFrom('9007199254740993', '9007199254740992', '-9007199254740993'),
})
const arbitraryRun = fc.array(rowsAndCheckpoints(arbitraryRow), { maxLength: 30, size: 'max' })

const lines = (rows: readonly Row[]): string[] => rows.map((row) => JSON.stringify(row)).sort()
const keyOf = (row: Row): string => JSON.stringify([row['a'], row['b']])

describe('dedupe', () => {
  test.each([
    ['first', {}, 'at'],
    ['first', { ttl: '100ms' }, 'at'],
    ['last', {}, 'at'],
    ['last', { ttl: '100ms' }, 'at'],
    ['last', { orderBy: 'price' }, 'price'],
    ['last', { orderBy: 'b' }, 'b'],
    ['last', { orderBy: 'exact' }, 'exact'],
    ['last', { orderBy: 'whole', ttl: '100ms' }, 'whole'],
  ] as const)(
    'keep: %s with %j passes what the plain one passes, over any checkpoints, on disk or not',
    async (keep, more, order) => {
      await fc.assert(
        fc.asyncProperty(arbitraryRun, fc.constantFrom('1Ki', undefined), async (steps, memory) => {
          const graph = aroundOperator(
            SCHEMA,
            { keyBy: ['a', 'b'], dedupe: { keep, ...more } },
            { eventTime: 'at', memory, maxParallelism: 4 },
          )
          const slots = new OperatorSlots(graph, 'op', 1)
          const plain = new PlainDedupe(keep, 'ttl' in more ? 100 : Infinity)
          await takeSteps(slots, steps, (rows) => {
            const expected = rows.filter((row) => plain.take(keyOf(row), sizeOf(row[order]), slots.clock.now()))
            return () => {
              expect(lines(slots.take())).toEqual(lines(expected))
            }
          })
        }),
        { numRuns: 40 },
      )
    },
  )

  test('keep: first drops every later row of a key, in one batch and over batches', async () => {
    const bed = new OperatorBed(
      aroundOperator({ id: 'long', n: 'long' }, { keyBy: 'id', dedupe: { keep: 'first' } }),
      'op',
    )
    await bed.process([
      { id: 1, n: 1 },
      { id: 1, n: 2 },
      { id: 2, n: 3 },
    ])
    await bed.process([
      { id: 2, n: 4 },
      { id: 3, n: 5 },
    ])
    expect(bed.out.rows.map((row) => row['n'])).toEqual([1, 3, 5])
  })

  test('keep: last passes rows as new as the last of their key, and not those that are older', async () => {
    const bed = new OperatorBed(
      aroundOperator({ id: 'long', at: 'timestamp' }, { keyBy: 'id', dedupe: { keep: 'last' } }, { eventTime: 'at' }),
      'op',
    )
    await bed.process([
      { id: 1, at: 10 },
      { id: 1, at: 9 },
      { id: 1, at: 10 },
      { id: 1, at: 11 },
    ])
    expect(bed.out.rows.map((row) => row['at'])).toEqual([10, 10, 11])
  })

  test('when the field rows are ordered by is null, it is an error of the row', async () => {
    const bed = new OperatorBed(
      aroundOperator(SCHEMA, { keyBy: 'b', dedupe: { keep: 'last', orderBy: 'price' } }),
      'op',
    )
    const row = { a: null, b: 1, at: 0, text: '' }
    await bed.process([
      { ...row, price: null },
      { ...row, price: 2 },
    ])
    expect(bed.out.rows).toMatchObject([{ price: 2 }])
    expect(bed.errors).toMatchObject([{ operator: 'op', row: { price: null }, error: { code: 'RECORD_INVALID' } }])
  })

  test('when keys come and their time to live ends, the state does not go on growing', async () => {
    const clock = new ManualClock()
    const bed = new OperatorBed(
      aroundOperator({ id: 'long' }, { keyBy: 'id', dedupe: { keep: 'first', ttl: '100ms' } }),
      'op',
      { clock },
    )
    for (let n = 0; n < 200; n++) {
      await bed.process(Array.from({ length: 100 }, (_, i) => ({ id: n * 100 + i })))
      await clock.advance(10)
    }
    expect(bed.stage.state?.size()).toBeLessThan(5000)
  })

  test('hands watermarks on', async () => {
    const bed = new OperatorBed(aroundOperator({ id: 'long' }, { keyBy: 'id', dedupe: { keep: 'first' } }), 'op')
    await bed.watermark(5)
    expect(bed.out.watermarks).toEqual([5])
  })
})
