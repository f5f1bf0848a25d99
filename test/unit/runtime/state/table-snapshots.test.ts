import { describe, expect, test } from 'vitest'
import type { Row } from '../../../../runtime/model/schema.ts'
import { MAX_TIMESTAMP } from '../../../../runtime/model/time.ts'
import { aroundOperator } from '../../../harness/operator-bed.ts'
import { OperatorSlots } from '../../../harness/operator-slots.ts'

const SCHEMA = { k: 'string', at: 'timestamp', v: 'long' }
const KEYS = 4000
const AGGREGATES = { n: 'count()', total: 'sum(v)' }
const OBJECTS = {
  n: 'count()',
  all: 'collect(v)',
  kinds: 'countDistinct(v)',
  first: 'first(k)',
  middle: 'percentile(v, 0.5)',
}

const VERBS: Readonly<Record<string, object>> = {
  'a tumbling window': { window: { tumble: '1h' }, aggregate: AGGREGATES },
  'a hopping window': { window: { hop: '1h', size: '2h' }, aggregate: AGGREGATES },
  sessions: { window: { session: '1h' }, aggregate: AGGREGATES },
  'a global window': { window: 'global', aggregate: AGGREGATES },
  'a window of so many rows': { window: { count: 1000, every: 100 }, aggregate: AGGREGATES },
}

const slotsOf = (verb: object): OperatorSlots =>
  new OperatorSlots(aroundOperator(SCHEMA, { keyBy: 'k', ...verb }, { eventTime: 'at' }), 'op', 1)

async function add(slots: OperatorSlots, first: number, count: number, step = 1): Promise<void> {
  for (let n = 0; n < count; n += 1000) {
    await slots.process(
      Array.from({ length: Math.min(1000, count - n) }, (_, i) => ({
        k: `key ${(first + (n + i) * step) % KEYS}`,
        at: 1000,
        v: first + n + i,
      })),
    )
  }
}

/** Bytes that a checkpoint writes. */
async function checkpoint(slots: OperatorSlots): Promise<number> {
  const before = slots.writtenBytes
  await slots.freeze('changes')
  slots.read(Infinity)
  return slots.writtenBytes - before
}

/** All that an operator still puts out. */
async function results(slots: OperatorSlots): Promise<string[]> {
  slots.take()
  for (let n = 0; n < 100; n++) await add(slots, 0, 10, KEYS / 10)
  await slots.watermark(MAX_TIMESTAMP)
  return slots
    .take()
    .map((row: Row) => JSON.stringify(row))
    .sort()
}

describe('a checkpoint of tables by key', () => {
  test.each(Object.entries(VERBS))(
    'of %s writes little after one percent of the keys has changed, and nothing when none has',
    async (_, verb) => {
      const slots = slotsOf(verb)
      await add(slots, 0, KEYS)
      const whole = await checkpoint(slots)
      expect(await checkpoint(slots)).toBe(0)
      const sizes: number[] = []
      for (let n = 0; n < 60; n++) {
        await add(slots, n * 331, KEYS / 100, 7)
        sizes.push(await checkpoint(slots))
      }
      expect(sizes[0]).toBeLessThan(whole / 10)
      expect(sizes.reduce((sum, size) => sum + size, 0) / sizes.length).toBeLessThan(whole / 5)
      expect(slots.files).toBeLessThan(50)
    },
  )

  test.each([
    ...Object.entries(VERBS),
    ['a tumbling window with objects', { window: { tumble: '1h' }, aggregate: OBJECTS }],
    ['a global window with objects', { window: 'global', aggregate: OBJECTS }],
  ] as const)(
    'of %s holds what was there at its barrier, whichever files were merged while rows came',
    { timeout: 60_000 },
    async (_, verb) => {
      for (const checkpoints of [9, 18]) {
        const [slots, twin] = [slotsOf(verb), slotsOf(verb)]
        const both = async (first: number, count: number, step: number): Promise<void> => {
          for (const one of [slots, twin]) await add(one, first, count, step)
        }
        await both(0, KEYS, 1)
        for (let n = 0; n < checkpoints; n++) {
          await slots.freeze('changes')
          slots.read(20)
          await both(n * 331, KEYS / 100, 7)
          slots.read(Infinity)
        }
        await slots.rescale(2, 'changes', async () => {
          slots.read(40)
          await add(slots, 0, KEYS / 3, 3)
        })
        expect(await results(slots)).toEqual(await results(twin))
      }
    },
  )

  test('of a set of distinct values, a collection and a text writes what there is of the keys that have changed', async () => {
    const slots = slotsOf({ window: { tumble: '1h' }, aggregate: OBJECTS })
    await add(slots, 0, KEYS)
    const whole = await checkpoint(slots)
    await add(slots, 0, 100, 7)
    expect(await checkpoint(slots)).toBeLessThan(whole / 2)
  })
})
