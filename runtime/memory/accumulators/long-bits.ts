const HALF = 2 ** 32

/*
 * Bits of longs, which are exact to 2^53 and more than the 32 bits of JavaScript's operators: in two halves, of two's
 * complement as in every database.
 */

export function bitAnd(one: number, other: number): number {
  return (Math.floor(one / HALF) & Math.floor(other / HALF)) * HALF + ((one & other) >>> 0)
}

export function bitOr(one: number, other: number): number {
  return (Math.floor(one / HALF) | Math.floor(other / HALF)) * HALF + ((one | other) >>> 0)
}

export function bitXor(one: number, other: number): number {
  return (Math.floor(one / HALF) ^ Math.floor(other / HALF)) * HALF + ((one ^ other) >>> 0)
}
