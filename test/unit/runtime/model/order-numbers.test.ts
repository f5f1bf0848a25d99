import fc from 'fast-check'
import { expect, test } from 'vitest'
import { textOfUnits } from '../../../../runtime/model/decimal-units.ts'
import { orderNumber, orderNumbers } from '../../../../runtime/model/order-numbers.ts'
import { parseValueType } from '../../../../runtime/model/value-type.ts'

const LARGEST = 10n ** 38n - 1n

function compareNumbers(left: string, right: string, count: number): number {
  for (let index = 0; index < count; index++) {
    const difference = orderNumber(left, index, count) - orderNumber(right, index, count)
    if (difference !== 0) return Math.sign(difference)
  }
  return 0
}

test('the numbers of two decimals of one type have the order of the decimals, near or far apart', () => {
  const arbitraryPair = fc
    .record({
      precision: fc.integer({ min: 1, max: 38 }),
      scale: fc.nat(38),
      left: fc.bigInt(-LARGEST, LARGEST),
      step: fc.oneof(fc.bigInt(-2n, 2n), fc.bigInt(-LARGEST, LARGEST)),
    })
    .map(({ precision, scale, left, step }) => {
      const limit = 10n ** BigInt(precision)
      return { precision, scale: Math.min(scale, precision), left: left % limit, right: (left + step) % limit }
    })
  fc.assert(
    fc.property(arbitraryPair, ({ precision, scale, left, right }) => {
      const count = orderNumbers({ type: 'string', nullable: false, logical: { kind: 'decimal', precision, scale } })
      const expected = left < right ? -1 : left > right ? 1 : 0
      expect(compareNumbers(textOfUnits(left, scale), textOfUnits(right, scale), count)).toBe(expected)
    }),
    { numRuns: 2000 },
  )
})

test.each([
  ['long', 1],
  ['timestamp', 1],
  ['decimal(15,2)', 1],
  ['decimal(16,2)', 2],
  ['decimal(38,10)', 3],
  ['bigint', 2],
  ['string', 0],
  ['bytes', 0],
  ['boolean', 0],
  ['array<long>', 0],
])('%s is ordered by %i numbers', (text, numbers) => {
  const type = parseValueType(text)
  expect(type && orderNumbers(type)).toBe(numbers)
})
