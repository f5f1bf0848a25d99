import { describe, expect, test } from 'vitest'
import { parseExpression } from '../../../../runtime/expressions/parse.ts'
import { expressionText } from '../../../../runtime/expressions/text.ts'
import type { Schema } from '../../../../runtime/model/schema.ts'

const schema: Schema = {
  fields: [
    { name: 'price', type: 'long', nullable: false },
    { name: 'city', type: 'string', nullable: true },
    { name: 'payload', type: 'json', nullable: false },
    { name: 'late', type: 'boolean', nullable: false },
  ],
}

describe('the text of an expression', () => {
  test.each([
    'price',
    '(price * 2) - 1',
    "city ?? 'it\\'s'",
    'Math.max(price, 1) > (price / 3)',
    "payload.a[0].b === 'x'",
    '`${city}: ${price}!`',
    'late ? city.slice(1, 2).length : null',
    '!late && (price !== 5)',
    '(-price) + 1',
    "'a\"b\\n'.startsWith(city)",
    'price.toFixed(2)',
  ])('%s reads back as the same tree', (text) => {
    const expression = parseExpression(text, schema)
    expect(parseExpression(expressionText(expression), schema)).toEqual(expression)
  })

  test('fields of a row that has a name stand behind it', () => {
    expect(expressionText(parseExpression('left.price + right.price', { rows: { left: schema, right: schema } }))).toBe(
      'left.price + right.price',
    )
  })
})
