import { describe, expect, test } from 'vitest'
import { aroundOperator } from '../../../harness/operator-bed.ts'
import { OperatorSlots } from '../../../harness/operator-slots.ts'

const KEYS = 4000

/** A first row of every key waits for its second one, which never comes: until its time is over. */
function slotsOf(): OperatorSlots {
  const graph = aroundOperator(
    { k: 'string', v: 'long', at: 'timestamp' },
    {
      keyBy: 'k',
      pattern: {
        steps: [
          { name: 'a', where: 'v < 1000' },
          { name: 'b', where: 'v === 1000' },
        ],
        within: '1h',
        select: { k: 'k', a: 'a.v', b: 'b.v' },
      },
    },
    { eventTime: 'at' },
  )
  return new OperatorSlots(graph, 'op', 1)
}

async function add(
  slots: OperatorSlots,
  first: number,
  count: number,
  { at, v }: { at: number; v: number },
): Promise<void> {
  for (let n = 0; n < count; n += 1000)
    await slots.process(
      Array.from({ length: Math.min(1000, count - n) }, (_, i) => ({
        k: `key ${(first + (n + i) * 7) % KEYS}`,
        v,
        at,
      })),
    )
  await slots.watermark(at)
}

/** Bytes that a checkpoint writes. */
async function checkpoint(slots: OperatorSlots): Promise<number> {
  const before = slots.writtenBytes
  await slots.freeze('changes')
  slots.read(Infinity)
  return slots.writtenBytes - before
}

describe('a checkpoint of a pattern', () => {
  test('writes little after one percent of the keys has changed, and nothing when none has', async () => {
    const slots = slotsOf()
    await add(slots, 0, KEYS, { at: 1, v: 1 })
    const whole = await checkpoint(slots)
    expect(await checkpoint(slots)).toBe(0)
    const sizes: number[] = []
    for (let n = 0; n < 60; n++) {
      await add(slots, n * 331, KEYS / 100, { at: 2 + n, v: 2000 })
      sizes.push(await checkpoint(slots))
    }
    // how far it has come is written of every key group
    expect(sizes[0]).toBeLessThan(whole / 4)
    expect(sizes.reduce((sum, size) => sum + size, 0) / sizes.length).toBeLessThan(whole / 3)
    expect(slots.files).toBeLessThan(50)
  })

  test('when all its matches have timed out, holds no more than how far it has come, and later ones do not grow', async () => {
    const slots = slotsOf()
    for (let day = 0; day < 20; day++) {
      await add(slots, 0, KEYS, { at: day * 86_400_000 + 1, v: 1 })
      await checkpoint(slots)
      await slots.watermark(day * 86_400_000 + 80_000_000)
      expect(slots.size()).toBe(0)
      await checkpoint(slots)
    }
    const before = slots.writtenBytes
    await slots.freeze('whole')
    slots.read(Infinity)
    expect(slots.writtenBytes - before).toBeLessThan(128 * 150)
    expect(slots.files).toBe(2)
  })

  test('holds what was there at its barrier when every key changes, goes or comes before it is read', async () => {
    const slots = slotsOf()
    await add(slots, 0, KEYS, { at: 1, v: 1 })
    await checkpoint(slots)
    await add(slots, 0, KEYS / 4, { at: 2, v: 1000 })
    slots.take()
    await slots.rescale(2, 'changes', async () => {
      // the rest is completed, and what was complete begins anew
      await add(slots, 0, KEYS, { at: 3, v: 1000 })
      await add(slots, 0, KEYS, { at: 4, v: 3 })
    })
    await add(slots, 0, KEYS, { at: 5, v: 1000 })
    const out = slots.take()
    expect(out).toHaveLength((KEYS * 3) / 4)
    expect(new Set(out.map((row) => row['a']))).toEqual(new Set([1]))
  })
})
