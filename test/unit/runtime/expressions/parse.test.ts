import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Expression } from '../../../../runtime/expressions/ast.ts'
import { parseAggregate } from '../../../../runtime/expressions/aggregate.ts'
import { FUNCTIONS } from '../../../../runtime/expressions/functions.ts'
import { parseCondition, parseExpression } from '../../../../runtime/expressions/parse.ts'
import { MillraceError } from '../../../../runtime/model/errors.ts'
import type { Field, Schema, ValueType } from '../../../../runtime/model/schema.ts'
import { parseValueType } from '../../../../runtime/model/value-type.ts'

const schema: Schema = {
  fields: [
    { name: 'price', type: 'long', nullable: false },
    { name: 'delay', type: 'double', nullable: true },
    { name: 'channel', type: 'string', nullable: false },
    { name: 'city', type: 'string', nullable: true },
    { name: 'at', type: 'timestamp', nullable: false },
    { name: 'late', type: 'boolean', nullable: false },
    { name: 'payload', type: 'json', nullable: false },
  ],
}

function typeOf(text: string): string {
  const { type, nullable } = parseExpression(text, schema)
  return nullable ? `${type}?` : type
}

function failure(text: string, parse: (text: string, schema: Schema) => unknown = parseExpression): MillraceError {
  return failureOf(() => parse(text, schema))
}

function failureOf(parse: () => unknown): MillraceError {
  try {
    parse()
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error('it was taken')
}

describe('types', () => {
  test.each([
    ['price', 'long'],
    ['price + 1', 'long'],
    ['price / 2', 'double'],
    ['price ** 2', 'double'],
    ['price % 7', 'long'],
    ['price * 1.5', 'double'],
    ['1.0', 'double'],
    ['0xff', 'long'],
    ['-price', 'long'],
    ['delay + 1', 'double?'],
    ['delay > 5', 'boolean'],
    ['delay === null', 'boolean'],
    ['delay ?? 0', 'double'],
    ['delay === null ? 0 : price', 'long'],
    ['late ? null : price', 'long?'],
    ['late && price > 3', 'boolean'],
    ['!late', 'boolean'],
    ["channel + 'x'", 'string'],
    ['`${channel}-${price}`', 'string'],
    ['`${city}`', 'string?'],
    ['channel.length', 'long'],
    ['city?.length', 'long?'],
    ['city.toUpperCase()', 'string?'],
    ["channel.startsWith('a')", 'boolean'],
    ["channel.replace('a', 'b').trim().padStart(10, '0')", 'string'],
    ["channel.split(',')[0]", 'json?'],
    ['Math.floor(delay ?? 0)', 'long'],
    ['Math.max(price, 1)', 'long'],
    ['Math.max(price, 1.5)', 'double'],
    ['Math.PI', 'double'],
    ['Number(channel)', 'double'],
    ['Number(at)', 'long'],
    ['String(price)', 'string'],
    ["at - Date.parse('2001-01-01')", 'long'],
    ["at > Date.parse('2001-01-01')", 'boolean'],
    ['at < 1000', 'boolean'],
    ['at + 1000', 'timestamp'],
    ['payload.user.name', 'json?'],
    ["payload['user-id'][0]", 'json?'],
    ["payload.kind === 'view'", 'boolean'],
    ['Number(payload.amount) * 2', 'double?'],
    ['JSON.parse(channel).a', 'json?'],
    ['price & 255', 'long'],
  ])('%s is %s', (text, type) => {
    expect(typeOf(text)).toBe(type)
  })

  test('null takes the type of what stands beside it', () => {
    expect(parseExpression('price !== null', schema)).toMatchObject({
      kind: 'binary',
      right: { kind: 'literal', value: null, type: 'long', nullable: true },
    })
  })

  test('a method has its receiver as the first argument', () => {
    expect(parseExpression('channel.slice(1, 2)', schema)).toMatchObject({
      kind: 'call',
      function: 'string.slice',
      arguments: [{ kind: 'field', name: 'channel' }, { value: 1 }, { value: 2 }],
    })
  })
})

describe('mistakes', () => {
  test.each([
    ['prcie > 100', 'UNKNOWN_FIELD', 1, 'did you mean "price"?'],
    ['price > 1 && chanel === "x"', 'UNKNOWN_FIELD', 14, 'did you mean "channel"?'],
    ['price >', 'EXPRESSION_SYNTAX', 8, undefined],
    ['price price', 'EXPRESSION_SYNTAX', 7, undefined],
    ['', 'EXPRESSION_SYNTAX', 1, undefined],
    ['price == 1', 'EXPRESSION_FORBIDDEN', 1, 'use ==='],
    ['price != 1', 'EXPRESSION_FORBIDDEN', 1, 'use !=='],
    ['price === channel', 'EXPRESSION_TYPE', 1, 'convert the text first: Number(…)'],
    ["at > '2001-01-01'", 'EXPRESSION_TYPE', 1, 'read the text as a time: Date.parse(…)'],
    ["price + ' USD'", 'EXPRESSION_TYPE', 1, 'join text with a template: `${a} ${b}`'],
    ['payload.a + 1', 'EXPRESSION_TYPE', 1, 'convert the json value first: Number(…), String(…) or Boolean(…)'],
    ['price || 1', 'EXPRESSION_TYPE', 1, 'for a default value use ??'],
    ['price ? 1 : 2', 'EXPRESSION_TYPE', 1, undefined],
    ['null', 'EXPRESSION_TYPE', 1, 'null may stand in ===, !==, ?? and ?:, beside something that has a type'],
    ['undefined', 'EXPRESSION_FORBIDDEN', 1, 'use null'],
    [
      '9007199254740993',
      'EXPRESSION_TYPE',
      1,
      'write 9007199254740993n to have a bigint, or a decimal point for a double',
    ],
    ['1e999', 'EXPRESSION_TYPE', 1, undefined],
    ['9223372036854775808n', 'EXPRESSION_TYPE', 1, undefined],
    ['Math.flor(price)', 'UNKNOWN_FUNCTION', 1, 'did you mean "Math.floor"?'],
    ['channel.toUppercase()', 'UNKNOWN_FUNCTION', 1, 'did you mean "toUpperCase"?'],
    ['Math.random()', 'EXPRESSION_FORBIDDEN', 1, undefined],
    ["Math.floor('1')", 'EXPRESSION_TYPE', 1, undefined],
    ['upper(channel)', 'UNKNOWN_FUNCTION', 1, 'write text.toUpperCase()'],
    ['COALESCE(city, channel)', 'UNKNOWN_FUNCTION', 1, 'write a ?? b'],
    ['ABS(price)', 'UNKNOWN_FUNCTION', 1, 'write Math.abs(…)'],
    ['price > 1 AND price < 5', 'EXPRESSION_SYNTAX', 11, 'write &&'],
    ['city IS NULL', 'EXPRESSION_SYNTAX', 6, 'write === null or !== null'],
    ['price = 5', 'EXPRESSION_FORBIDDEN', 1, 'compare with ==='],
    [
      'Math.max(price',
      'EXPRESSION_SYNTAX',
      15,
      'within { } and [ ] of YAML a comma ends a text: put quotes around the expression',
    ],
    ['delay === NaN', 'EXPRESSION_FORBIDDEN', 11, 'ask Number.isFinite(…)'],
    ['channel.replace(channel)', 'EXPRESSION_TYPE', 1, undefined],
  ])('%s gives %s', (text, code, column, hint) => {
    const error = failure(text)
    expect({ code: error.code, hint: error.hint }).toEqual({ code, hint })
    expect(error.position).toEqual({ line: 1, column })
    expect(error.domain).toBe('user')
  })

  test('a mistake on the second line is placed there', () => {
    expect(failure('price +\n  foo').position).toEqual({ line: 2, column: 3 })
  })

  test('a condition that is not boolean is refused', () => {
    expect(failure('price', parseCondition).code).toBe('EXPRESSION_TYPE')
  })

  test.each([
    ['a long text', 'price + '.repeat(600) + '1'],
    ['many brackets', '('.repeat(2000) + '1' + ')'.repeat(2000)],
    ['many prefixes', '!'.repeat(4000) + 'late'],
    ['a long chain', 'price+'.repeat(500) + '1'],
    ['many questions', 'late?1:'.repeat(400) + '1'],
  ])('%s is refused as too large', (_, text) => {
    expect(failure(text).code).toBe('EXPRESSION_TOO_LARGE')
  })
})

describe('values that are more than their JavaScript type', () => {
  const of = (name: string, text: string): Field => ({ name, ...(parseValueType(text) as ValueType) })
  const logical: Schema = {
    fields: [
      of('price', 'decimal(10,2)'),
      of('other', 'decimal(12,2)?'),
      of('rate', 'decimal(10,3)'),
      of('day', 'date'),
      of('at', 'timestamp'),
      of('name', 'string'),
      of('tags', 'array<string>?'),
      of('more', 'array<string>'),
      of('address', 'row{city: string}'),
    ],
  }

  test.each([
    [
      'price === name',
      'decimals and bigints go with each other and longs: Decimal(x, precision, scale) or BigInt(x) makes one, Number(…) a double of it',
    ],
    ['day >= at', 'a date counts days, a timestamp milliseconds: divide the timestamp by 86400000'],
    ['at - day', 'a date counts days, a timestamp milliseconds: divide the timestamp by 86400000'],
    ["day === '2020-01-31'", "a date counts days since 1970-01-01: Date.parse('2020-01-31') / 86400000"],
    ['tags === more', 'compare a field or element of them, or their texts: JSON.stringify(…)'],
    ['String(address)', 'write one of its fields, or JSON.stringify(…)'],
    ["tags.includes('a')", 'there are [0], .length, flatMap: { unnest: … }, and functions of a module'],
  ])('%s is refused: rows could never say so', (text, hint) => {
    expect(failureOf(() => parseExpression(text, logical))).toMatchObject({ code: 'EXPRESSION_TYPE', hint })
  })

  test.each([
    'price === other',
    'price === rate',
    "price === '9.001'",
    'price !== null',
    'tags === null',
    'tags[0] === name',
    "day >= Date.parse('2020-01-31') / 86400000",
    'day + 1 > 5',
    'Number(price) > Number(rate)',
  ])('%s can be asked', (text) => {
    expect(parseExpression(text, logical).type).toMatch(/boolean/)
  })

  test('a text beside a decimal gets its digits: 9.5 is 9.50 there', () => {
    expect(parseExpression("price === '9.5'", logical)).toMatchObject({ right: { kind: 'literal', value: '9.50' } })
  })

  test.each([
    ['stddev(price)', 'convert it: Number(…)'],
    ['percentile(rate, 0.5)', 'convert it: Number(…)'],
    ['sum(day)', undefined],
  ])('%s is refused: its text or number has another order or sum than the value', (text, hint) => {
    const error = failureOf(() => parseAggregate(text, logical))
    expect([error.code, error.hint]).toEqual(['EXPRESSION_TYPE', hint])
  })

  test.each(['countDistinct(price)', 'first(price)', 'min(day)', 'max(Number(price))'])('%s is taken', (text) => {
    expect(parseAggregate(text, logical).function).toBeDefined()
  })
})

describe('ways out of an expression', () => {
  test.each([
    "(1).constructor.constructor('return process')()",
    "channel.constructor('return process')()",
    "''['constructor']['constructor']('return process')()",
    "payload['const' + 'ructor']",
    'payload[`constructor`]',
    'payload[channel]',
    'payload.a.hasOwnProperty()',
    'payload.constructor.constructor("return process")()',
    '({ a: price }).constructor("return process")()',
    '{ ...payload }',
    '{ [channel]: 1 }',
    '{ get a() { return 1 } }',
    '{ a() { return 1 } }',
    '{ a: this }',
    '{ a: 1, a: 2 }',
    "{ 'a': 1, a: 2 }",
    '{ a: unknown }',
    '{ a: {} }.a.b.c()',
    'payload.toString()',
    'payload.map(x => x)',
    'Math.constructor',
    "Math['floor'](1)",
    'Math.floor.constructor',
    'Math.floor.call(1)',
    'Math',
    'JSON',
    'String.fromCharCode(1)',
    'String.raw`x`',
    'Date',
    'new Date()',
    'Date.now()',
    'globalThis',
    'process.exit()',
    'require("fs")',
    'import("fs")',
    'this',
    'arguments[0]',
    'eval("1")',
    'Function("return 1")()',
    '(() => process)()',
    'function () { return 1 }',
    'class {}',
    'price = 1',
    'price++',
    'delete payload.a',
    'typeof price',
    'void 0',
    "'a' in payload",
    'payload instanceof Object',
    '[].constructor',
    '[price]',
    '/x/.constructor',
    '(price, late)',
    '1, 2',
    'price; late',
    '/x/',
    '/x/.exec(channel)',
    '/x/.source',
    'channel.matches(channel)',
    'channel.matches(/a/, 1)',
    'channel.extract(/a/, price)',
    'channel.extract(/a/, 1)',
    'channel.extract(/(?<n>a)/, "m")',
    'channel.replace(/a/, price)',
    'channel.match(/a/)',
    'price.matches(/a/)',
    'channel.replace("a", () => 1)',
    'Math.max(...payload)',
    'channel`x`',
    'await price',
    'yield price',
    'new.target',
    'import.meta',
    'super.x',
    'a"];process.exit()//',
    'price /* */ // ; process.exit()',
    'price\u2028process.exit()',
    '-->',
    '<!-- x',
    'undefined?.x',
    'channel[0]',
    'channel.at',
    'string.slice(channel, 1)',
  ])('%s is refused with a coded error', (text) => {
    expect(failure(text).domain).toBe('user')
  })

  test('whatever the text, there is a checked tree or a coded error', () => {
    const pieces = fc.constantFrom(
      'price',
      'delay',
      'city',
      'payload',
      'at',
      'late',
      'Math',
      'Math.max',
      'constructor',
      '__proto__',
      '(',
      ')',
      '[',
      ']',
      '.',
      '?.',
      '?',
      ':',
      '??',
      '&&',
      '||',
      '===',
      '==',
      '+',
      '-',
      '**',
      '!',
      ',',
      "'a'",
      '"',
      '`',
      '${',
      '}',
      '{',
      '0',
      '1.5',
      'null',
      '=>',
      '=',
      ';',
      '/',
      '\n',
      ' ',
      '\\',
      '\u2028',
      'slice',
      'length',
      'new',
      'this',
    )
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.array(pieces, { maxLength: 25 }).map((some) => some.join('')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        let expression: Expression
        try {
          expression = parseExpression(text, schema)
        } catch (error) {
          expect(error).toBeInstanceOf(MillraceError)
          expect(error).toMatchObject({
            domain: 'user',
            position: { line: expect.any(Number), column: expect.any(Number) },
          })
          return
        }
        expectOnlyListed(expression)
      }),
      { numRuns: 3000 },
    )
  })
})

/** Every name in the tree is a field, a listed function, a key of a json value, or a member that no object inherits. */
function expectOnlyListed(expression: Expression): void {
  switch (expression.kind) {
    case 'literal':
      return
    case 'field': {
      expect(schema.fields.map((field) => field.name)).toContain(expression.name)
      return
    }
    case 'unary':
      return expectOnlyListed(expression.operand)
    case 'binary':
    case 'logical':
      return [expression.left, expression.right].forEach(expectOnlyListed)
    case 'conditional':
      return [expression.test, expression.then, expression.otherwise].forEach(expectOnlyListed)
    case 'template':
      return expression.parts.forEach(expectOnlyListed)
    case 'call': {
      expect(FUNCTIONS.has(expression.function)).toBe(true)
      return expression.arguments.forEach(expectOnlyListed)
    }
    case 'member': {
      // Generated code reads only what a json value has itself.
      if (expression.object.type !== 'json') expect(String(expression.property) in Object.prototype).toBe(false)
      return expectOnlyListed(expression.object)
    }
  }
}

describe('aggregates', () => {
  test.each([
    ['count()', 'count', 'long', false],
    ['sum(price)', 'sum', 'long', false],
    ['sum(delay)', 'sum', 'double', true],
    ['avg(price * 2)', 'avg', 'double', false],
    ['max(at)', 'max', 'timestamp', false],
    ['min(city)', 'min', 'string', true],
    ['sum(delay === null ? 0 : 1)', 'sum', 'long', false],
    ['count(city)', 'count', 'long', false],
    ['countIf(price > 5)', 'count', 'long', false],
    ['countDistinctIf(city, price > 5)', 'countDistinct', 'long', false],
    ['argMax(city, price)', 'argMax', 'string', true],
    ['last(payload)', 'last', 'json', false],
    ['percentile(delay, 0.5)', 'percentile', 'double', true],
    ['histogram(price, -10, 10, 4)', 'histogram', 'json', false],
  ])('%s gives %s as %s', (text, name, type, nullable) => {
    expect(parseAggregate(text, schema)).toMatchObject({ function: name, result: { type, nullable } })
  })

  test.each([
    ['price', 'AGGREGATE_INVALID'],
    ['count(price, at)', 'AGGREGATE_INVALID'],
    ['countIf(price)', 'EXPRESSION_TYPE'],
    ['argMax(price)', 'AGGREGATE_INVALID'],
    ['percentile(price, 2)', 'AGGREGATE_INVALID'],
    ['percentile(price, price)', 'AGGREGATE_INVALID'],
    ['histogram(price, 5, 1, 3)', 'AGGREGATE_INVALID'],
    ['countDistinct(payload)', 'EXPRESSION_TYPE'],
    ['sum()', 'AGGREGATE_INVALID'],
    ['sum(price, 1)', 'AGGREGATE_INVALID'],
    ['summ(price)', 'AGGREGATE_INVALID'],
    ['sum(...payload)', 'AGGREGATE_INVALID'],
    ['sum(channel)', 'EXPRESSION_TYPE'],
    ['avg(city)', 'EXPRESSION_TYPE'],
    ['sum(payload)', 'EXPRESSION_TYPE'],
    ['sum(at)', 'EXPRESSION_TYPE'],
    ['sum(null)', 'EXPRESSION_TYPE'],
    ['sum(prise)', 'UNKNOWN_FIELD'],
    ['sum(price', 'EXPRESSION_SYNTAX'],
  ])('%s is refused with %s', (text, code) => {
    expect(failure(text, parseAggregate).code).toBe(code)
  })
})
