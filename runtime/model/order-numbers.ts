import type { ValueType } from './schema.ts'
import { BIGINT_AS_DECIMAL } from './decimal-type.ts'
import { traitsOf } from './type-traits.ts'

/** As many digits make a number that a double holds exactly. */
const DIGITS = 15

/**
 * How many numbers, compared one after the other, order the values of a type as the values are ordered; 0 when they
 * have no such order. A number is its own. A decimal or a bigint is a text, which state cannot compare in place: it is
 * ordered by its units, 15 digits to a number.
 */
export function orderNumbers({ type, logical }: ValueType): number {
  if (logical?.kind === 'decimal') return Math.ceil(logical.precision / DIGITS)
  if (logical?.kind === 'bigint') return Math.ceil(BIGINT_AS_DECIMAL.precision / DIGITS)
  return traitsOf({ type }).isRanked ? 1 : 0
}

/** Whether values of the type are ordered by numbers made from their text, by `orderNumber`. */
export function isOrderedByDigits({ logical }: ValueType): boolean {
  return logical?.kind === 'decimal' || logical?.kind === 'bigint'
}

/** Number `index` of the `count` that order a canonical text of digits; 0 is the most significant. All have its sign. */
export function orderNumber(text: string, index: number, count: number): number {
  const isNegative = text.startsWith('-')
  const digits = text.replace('.', '').slice(isNegative ? 1 : 0)
  const end = digits.length - DIGITS * (count - 1 - index)
  if (end <= 0) return 0
  const size = Number(digits.slice(Math.max(0, end - DIGITS), end))
  return isNegative ? -size : size
}
