import { expect, test } from 'vitest'
import { clipped } from '../../../../runtime/model/clipped.ts'

test.each([
  ['a text that fits', 'abc', 'abc'],
  ['a text that is too long', 'abcde', 'abcd…'],
  ['a text that is cut through a character', 'abc😀e', 'abc\ufffd…'],
  ['half a character', 'a\ud83dc', 'a\ufffdc'],
])('%s becomes one that every store keeps', (_, text, shown) => {
  expect(clipped(text, 4)).toBe(shown)
})
