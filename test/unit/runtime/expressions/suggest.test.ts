import { expect, test } from 'vitest'
import { editDistance, nearest, suggestion } from '../../../../runtime/expressions/suggest.ts'

test.each([
  ['price', 'price', 0],
  ['prcie', 'price', 1],
  ['', 'ab', 2],
  ['kitten', 'sitting', 3],
])('from %s to %s it takes %i steps', (a, b, steps) => {
  expect(editDistance(a, b)).toBe(steps)
  expect(editDistance(b, a)).toBe(steps)
})

test('a word that is near to nothing gets the list of what there is', () => {
  expect(nearest('zzz', ['price', 'at'])).toBeUndefined()
  expect(suggestion('zzz', ['price', 'at'])).toBe('known here: price, at')
})

test('a word that differs in case only is meant', () => {
  expect(suggestion('PRICE', ['pric', 'price'])).toBe('did you mean "price"?')
})
