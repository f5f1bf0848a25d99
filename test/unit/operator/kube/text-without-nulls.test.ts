import { expect, test } from 'vitest'
import { textWithoutNulls } from '../../../../operator/kube/text-without-nulls.ts'

test('values that differ in the order of members, or in members without a value, have the same text', () => {
  const written = { b: [{ d: 1, c: null }], a: undefined, e: null }
  expect(textWithoutNulls(written)).toBe('{"b":[{"d":1}]}')
  expect(textWithoutNulls({ b: [{ d: 1 }] })).toBe('{"b":[{"d":1}]}')
  expect(textWithoutNulls({ z: 1, a: { y: 2, b: 3 } })).toBe('{"a":{"b":3,"y":2},"z":1}')
})

test('a null in a list stays, because it holds a place', () => {
  expect(textWithoutNulls([1, null])).toBe('[1,null]')
})
