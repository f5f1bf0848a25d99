import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bitAnd, bitOr, bitXor } from '../../../../runtime/memory/accumulators/long-bits.ts'

test('bits of any two longs are those of 64-bit integers', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), (one, other) => {
      const [left, right] = [BigInt(one), BigInt(other)]
      expect(BigInt(bitAnd(one, other))).toBe(left & right)
      expect(BigInt(bitOr(one, other))).toBe(left | right)
      expect(BigInt(bitXor(one, other))).toBe(left ^ right)
    }),
  )
})
