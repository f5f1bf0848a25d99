import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkExpressionTree } from '../../../../runtime/expressions/check-tree.ts'
import { parseExpression } from '../../../../runtime/expressions/parse.ts'
import { expressionText } from '../../../../runtime/expressions/text.ts'
import { computed } from '../../../harness/computed.ts'
import { schemaOf } from '../../../harness/formats.ts'

const TYPES = { price: 'double', city: 'string?', day: 'date', payload: 'json?' }
const ROW = {
  price: 1.5,
  city: null,
  day: 20_000,
  payload: JSON.parse('{"constructor":1,"__proto__":{"a":2}}') as unknown,
}

describe('an object literal', () => {
  test.each([
    [
      '{ price, where: city, day }',
      'row{price: double, where: string?, day: date}',
      { price: 1.5, where: null, day: 20_000 },
    ],
    ['{ a: { b: price * 2 }, "c": true }', 'row{a: row{b: double}, c: boolean}', { a: { b: 3 }, c: true }],
    ["{ 'content-type': city, 1: price }", 'json', { 'content-type': null, 1: 1.5 }],
    ['{}', 'json', {}],
    ['price > 1 ? { a: 1 } : null', 'row{a: long}?', { a: 1 }],
    ['{ a: price }.a + 1', 'double', 2.5],
    ["{ 'x': { y: city ?? 'none' } }.x.y", 'string', 'none'],
    [
      '{ constructor: price, toString: 2 }',
      'row{constructor: double, toString: long}',
      { constructor: 1.5, toString: 2 },
    ],
  ])('%s is %s', (text, type, value) => {
    expect(computed(text, TYPES, ROW)).toEqual({ type, value })
  })

  test('has a key called __proto__ as its own, and no other prototype', () => {
    const { value } = computed('{ __proto__: { polluted: true }, a: 1 }', TYPES, ROW)
    expect(Object.keys(value as object)).toEqual(['__proto__', 'a'])
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect((value as { polluted?: unknown }).polluted).toBeUndefined()
  })

  test('refuses a number in it that no field can hold', () => {
    expect(() => computed('{ a: price / 0 }', TYPES, ROW)).toThrow('it must be finite')
  })

  test('of any keys holds exactly these, and reads as it was written', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('__proto__', 'constructor', "a'\\")), {
          maxLength: 8,
        }),
        (keys) => {
          const text = `{ ${keys.map((key, index) => `${JSON.stringify(key)}: ${index}`).join(', ')} }`
          const { value } = computed(text, TYPES, ROW)
          expect(Object.entries(value as object).sort()).toEqual(
            keys.map((key, index): [string, number] => [key, index]).sort(),
          )
          const tree = parseExpression(text, schemaOf(TYPES))
          expect(parseExpression(expressionText(tree), schemaOf(TYPES))).toEqual(tree)
          expect(checkExpressionTree(JSON.parse(JSON.stringify(tree)))).toBeUndefined()
        },
      ),
    )
  })

  test.each([
    [{ kind: 'object', members: [{ key: 1 }] }],
    [{ kind: 'object', members: [{ key: 'a', value: 3 }] }],
    [{ kind: 'object', members: 'a' }],
  ])('from another process is refused when it is unsound: %j', (tree) => {
    expect(checkExpressionTree({ ...tree, type: 'json', nullable: false })).toBeDefined()
  })
})

describe('a member of a json value', () => {
  test.each([
    ['payload.constructor', 1],
    ["payload['__proto__'].a", 2],
    ['payload.toString', null],
    ['payload.a.hasOwnProperty', null],
    ['payload?.prototype', null],
    ["JSON.parse('{}').constructor.constructor", null],
    ["JSON.parse('[1]').length", 1],
  ])('%s is its own, never what every object inherits', (text, value) => {
    expect(computed(text, TYPES, ROW).value).toEqual(value)
  })
})
