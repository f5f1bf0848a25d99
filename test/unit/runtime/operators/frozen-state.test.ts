import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { GroupState } from '../../../../runtime/model/snapshot.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { aroundOperator, OperatorBed } from '../../../harness/operator-bed.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

const SCHEMA = { k: 'string', at: 'timestamp', price: 'double', text: 'string' }
const arbitraryRow = fc.record({
  k: fc.constantFrom('', 'x', 'ž', 'much longer than the others'),
  at: fc.nat(50),
  price: fc.constantFrom(-1, 0, 0.5, 1, 2, 3),
  text: fc.constantFrom('p', 'q'.repeat(300), '日本'),
})
const arbitraryRun = fc.array(
  fc.record({ rows: fc.array(arbitraryRow, { maxLength: 20 }), passMs: fc.nat(60), freezes: fc.boolean() }),
  { maxLength: 12 },
)

const VERBS = {
  'dedupe that keeps the first': { dedupe: { keep: 'first', ttl: '100ms' } },
  'dedupe that keeps the last': { dedupe: { keep: 'last' } },
  'dedupe that keeps the last for a time': { dedupe: { keep: 'last', ttl: '100ms' } },
  topN: { topN: { limit: 2, by: 'price' } },
  'topN with ranks': { topN: { limit: 3, by: 'price', rank: 'place' } },
  'topN with a time to live': { topN: { limit: 2, by: 'price', rank: 'place', ttl: '100ms' } },
  reduce: { reduce: { price: 'previous.price + current.price', text: 'current.text' } },
} as const

const bytesOf = (blocks: Iterable<GroupState>): [number, string][] =>
  Array.from(blocks, ([group, bytes]) => [group, Buffer.from(bytes).toString('base64')])

describe('what an operator froze', () => {
  test.each(Object.entries(VERBS))(
    'of %s is, whenever it is read, what a snapshot at the barrier would have been',
    async (_, verb) => {
      await fc.assert(
        fc.asyncProperty(arbitraryRun, async (batches) => {
          const clock = new ManualClock(0)
          const bed = new OperatorBed(aroundOperator(SCHEMA, { keyBy: 'k', ...verb }, { eventTime: 'at' }), 'op', {
            clock,
          })
          const { state } = bed.stage
          const waiting: (() => void)[] = []
          for (const { rows, passMs, freezes } of batches) {
            await clock.advance(passMs)
            if (freezes) {
              const frozen = state?.freeze('whole')
              if (state === undefined || frozen === undefined) throw new Error('the operator freezes nothing')
              const expected = bytesOf(wholeBlocks(state))
              waiting.push(() => {
                expect(bytesOf(frozen.read().blocks)).toEqual(expected)
                frozen.release()
              })
            }
            await bed.process(rows)
          }
          for (const read of waiting) read()
        }),
        { numRuns: 40 },
      )
    },
  )
})
