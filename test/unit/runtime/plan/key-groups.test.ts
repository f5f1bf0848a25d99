import fc from 'fast-check'
import { expect, test } from 'vitest'
import { keyGroupsOfSlot, slotOfKeyGroup } from '../../../../runtime/plan/key-groups.ts'

const sizes = fc.integer({ min: 1, max: 32_768 }).chain((maxParallelism) =>
  fc.record({
    maxParallelism: fc.constant(maxParallelism),
    parallelism: fc.integer({ min: 1, max: maxParallelism }),
  }),
)

test('the slot of a key group owns it, and no other slot does', () => {
  fc.assert(
    fc.property(sizes, fc.nat(), ({ maxParallelism, parallelism }, some) => {
      const keyGroup = some % maxParallelism
      const slot = slotOfKeyGroup(keyGroup, maxParallelism, parallelism)
      const owners = [slot - 1, slot, slot + 1].filter((candidate) => {
        const { first, endExclusive } = keyGroupsOfSlot(candidate, maxParallelism, parallelism)
        return first <= keyGroup && keyGroup < endExclusive
      })
      expect(owners).toEqual([slot])
    }),
  )
})

test('the ranges of all slots follow one another without gap, and none is empty', () => {
  fc.assert(
    fc.property(sizes, ({ maxParallelism, parallelism }) => {
      let next = 0
      for (let slot = 0; slot < parallelism; slot++) {
        const { first, endExclusive } = keyGroupsOfSlot(slot, maxParallelism, parallelism)
        if (first !== next || endExclusive <= first)
          throw new Error(`slot ${slot}: ${first} to ${endExclusive}, expected from ${next}`)
        next = endExclusive
      }
      expect(next).toBe(maxParallelism)
    }),
    { numRuns: 50 },
  )
})
