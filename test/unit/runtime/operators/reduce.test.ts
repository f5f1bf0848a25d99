import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Row } from '../../../../runtime/model/schema.ts'
import { rowsAndCheckpoints, takeSteps } from '../../../harness/checkpoint-steps.ts'
import { aroundOperator } from '../../../harness/operator-bed.ts'
import { OperatorSlots } from '../../../harness/operator-slots.ts'

const SCHEMA = { k: 'long', price: 'long', note: 'string?' }
const reduced = (more: object = {}, memory?: string) =>
  aroundOperator(
    SCHEMA,
    {
      keyBy: 'k',
      reduce: { price: 'Math.max(previous.price, current.price)', note: 'current.note ?? previous.note' },
      ...more,
    },
    { memory, maxParallelism: 4 },
  )

describe('reduce', () => {
  test('gives for each row what a map of last results gives, over any rows and checkpoints, on disk or not', async () => {
    const row = fc.record({
      k: fc.integer({ min: 0, max: 4 }),
      price: fc.integer({ min: -9, max: 9 }),
      note: fc.option(fc.constantFrom('a', 'ž', ''), { nil: null }),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(rowsAndCheckpoints(row), { maxLength: 30, size: 'max' }),
        fc.constantFrom('1Ki', undefined),
        async (steps, memory) => {
          const slots = new OperatorSlots(reduced({}, memory), 'op', 2)
          const last = new Map<number, Row>()
          await takeSteps(slots, steps, (rows) => {
            const expected = rows.map((current): Row => {
              const previous = last.get(current.k) as typeof current | undefined
              const next =
                previous === undefined
                  ? current
                  : {
                      k: current.k,
                      price: Math.max(previous.price, current.price),
                      note: current.note ?? previous.note,
                    }
              last.set(current.k, next)
              return next
            })
            const bySlot = (some: readonly Row[]): string[] => some.map((made) => JSON.stringify(made)).sort()
            return () => {
              expect(bySlot(slots.take())).toEqual(bySlot(expected))
            }
          })
          expect(slots.errors()).toEqual([])
        },
      ),
      { numRuns: 40 },
    )
  })

  test('begins anew with a key nothing came for in its time to live', async () => {
    const slots = new OperatorSlots(reduced({ ttl: '1s' }), 'op', 1)
    await slots.process([{ k: 1, price: 9, note: null }])
    await slots.advance(1500)
    await slots.process([{ k: 1, price: 2, note: null }])
    expect(slots.take().map(({ price }) => price)).toEqual([9, 2])
  })

  test('hands a row that does not fit to the error handler and keeps what came out before', async () => {
    const slots = new OperatorSlots(
      aroundOperator({ k: 'long', v: 'long' }, { keyBy: 'k', reduce: { v: 'previous.v + current.v' } }),
      'op',
      1,
    )
    await slots.process([
      { k: 1, v: Number.MAX_SAFE_INTEGER },
      { k: 1, v: 5 },
      { k: 1, v: -1 },
    ])
    expect(slots.take().map(({ v }) => v)).toEqual([Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1])
    expect(slots.errors()).toHaveLength(1)
  })
})
