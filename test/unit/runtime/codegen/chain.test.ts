import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileChainLoop, type ChainStep } from '../../../../runtime/codegen/chain.ts'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import type { BinaryOperator, Expression } from '../../../../runtime/expressions/ast.ts'
import { parseExpression } from '../../../../runtime/expressions/parse.ts'
import type { Field, FieldType, Row, Schema } from '../../../../runtime/model/schema.ts'
import { evaluate } from '../../../harness/plain/plain-expression.ts'

const field = (name: string, type: FieldType, nullable = false): Field => ({ name, type, nullable })
const schema: Schema = {
  fields: [
    field('n', 'long'),
    field('m', 'long', true),
    field('d', 'double', true),
    field('s', 'string', true),
    field('b', 'boolean', true),
    field('j', 'json', true),
    field('t', 'timestamp'),
  ],
}
const Input = compileRowClass(schema)
const row = (values: Partial<Record<string, unknown>>): Row =>
  new Input(
    ...schema.fields.map(({ name, type, nullable }) =>
      name in values ? values[name] : nullable ? null : type === 'string' ? '' : 0,
    ),
  )

function mapStep(
  operatorId: string,
  input: Schema,
  fields: Readonly<Record<string, string>>,
): ChainStep & { kind: 'map' } {
  const computed = Object.entries(fields).map(([name, text]) => {
    const value = parseExpression(text, input)
    return { field: field(name, value.type, value.nullable), value }
  })
  return {
    kind: 'map',
    operatorId,
    fields: computed,
    rowClass: compileRowClass({ fields: computed.map((one) => one.field) }),
  }
}
const filterStep = (operatorId: string, text: string, input: Schema = schema): ChainStep => ({
  kind: 'filter',
  operatorId,
  condition: parseExpression(text, input),
})

function run(steps: ChainStep[], rows: Row[]): { out: Row[]; errors: [code: string, row: Row, operatorId: string][] } {
  const out: Row[] = []
  const errors: [string, Row, string][] = []
  const count = compileChainLoop(steps)(rows, rows.length, out, (error, bad, operatorId) => {
    errors.push([(error as { code: string }).code, bad, operatorId])
  })
  expect(out.length).toBe(count)
  return { out: out.map((one) => ({ ...one })), errors }
}
const value = (text: string, values: Partial<Record<string, unknown>>): unknown =>
  run([mapStep('m', schema, { v: text })], [row(values)]).out[0]?.['v']

describe('chain loop', () => {
  test('filters and maps run in order, one loop over the batch', () => {
    const first = mapStep('double', schema, { twice: 'n * 2', s: "s ?? 'none'" })
    const middle: Schema = { fields: first.fields.map((one) => one.field) }
    const steps = [
      filterStep('even', 'n % 2 === 0'),
      first,
      filterStep('small', 'twice < 12', middle),
      mapStep('text', middle, { text: '`${twice} ${s}`' }),
    ]
    const rows = Array.from({ length: 10 }, (_, n) => row({ n, s: n === 2 ? 'two' : null }))
    expect(run(steps, rows)).toEqual({ out: [{ text: '0 none' }, { text: '4 two' }, { text: '8 none' }], errors: [] })
  })

  test('a chain without steps hands its rows on', () => {
    const rows = [row({ n: 1 }), row({ n: 2 })]
    expect(run([], rows).out).toEqual(rows.map((one) => ({ ...one })))
  })

  test('a row whose expression fails goes to the handler with its operator, and the loop goes on', () => {
    const steps = [
      filterStep('keep', 'n !== 3'),
      mapStep('big', schema, { v: 'n * m', n: 'n' }),
      mapStep(
        'parsed',
        { fields: [field('v', 'long', true), field('n', 'long')] },
        { j: 'JSON.parse(n === 5 ? "{" : "1")' },
      ),
    ]
    const rows = Array.from({ length: 7 }, (_, n) => row({ n, m: n === 2 ? Number.MAX_SAFE_INTEGER : 1 }))
    const { out, errors } = run(steps, rows)
    expect(out.length).toBe(4)
    expect(errors).toEqual([
      ['VALUE_INVALID', rows[2], 'big'],
      ['VALUE_INVALID', rows[5], 'parsed'],
    ])
  })

  test('what the handler throws leaves the loop', () => {
    const loop = compileChainLoop([mapStep('m', schema, { v: 'd / 0' })])
    expect(() =>
      loop([row({ d: 1 })], 1, [], (error) => {
        throw error
      }),
    ).toThrow(expect.objectContaining({ code: 'VALUE_INVALID', message: expect.stringContaining("field 'v'") }))
  })

  test.each([
    ['d / 0', { d: 1 }],
    ['0 / d', { d: 0 }],
    ['n * 3', { n: 2 ** 52 }],
    ['n + 1', { n: Number.MAX_SAFE_INTEGER }],
    ["Number.parseInt('x')", {}],
    ["Date.parse('x')", {}],
  ])('%s with %j is an error of the record, never NaN or an inexact long', (text, values) => {
    expect(run([mapStep('m', schema, { v: text })], [row(values)]).errors.map(([code]) => code)).toEqual([
      'VALUE_INVALID',
    ])
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['Number(s) > 0', { s: 'x' }, 'Number(s) is NaN: it must be finite'],
    ['!(Math.sqrt(n) > 2)', { n: -1 }, 'Math.sqrt(n) is NaN: it must be finite'],
    ['n / m > 2', { n: 1, m: 0 }, 'n / m is Infinity: it must be finite'],
    ['n * 3 % 10 === 3', { n: 2 ** 53 - 1 }, 'n * 3 is 27021597764222972: it must be an integer of at most 2^53 - 1'],
    ['n * 3 - n * 2 > 0', { n: 2 ** 53 - 1 }, 'n * 3 is 27021597764222972: it must be an integer of at most 2^53 - 1'],
    ["`${d / 0}` === ''", { d: 1 }, 'd / 0 is Infinity: it must be finite'],
    ['Number.parseInt(s) === 5', { s: 'x' }, 'Number.parseInt(s) is NaN: it must be an integer of at most 2^53 - 1'],
    ['JSON.parse(s).a === 1', { s: '{' }, 'JSON.parse(s) has no answer'],
    ["n.toFixed(m) === '1'", { m: 200 }, 'n.toFixed(m) has no answer'],
  ])(
    'a condition %s over %j is an error of the record that names what could not be, not a silent no',
    (text, values, message) => {
      const messages: string[] = []
      expect(
        compileChainLoop([filterStep('f', text)])([row(values)], 1, [], (error) => {
          messages.push((error as Error).message)
        }),
      ).toBe(0)
      expect(messages).toEqual([message])
    },
  )

  test.each<[string, Record<string, unknown>, boolean]>([
    ['Number.isFinite(Number(s)) && Number(s) > 0', { s: 'x' }, false],
    ['Number.isInteger(Number(s))', { s: '1.5' }, false],
    ['Number.isFinite(n / m)', { m: 0 }, false],
    ['n / m > 2', { n: 1 }, false],
  ])('a condition may ask first: %s over %j is %j', (text, values, expected) => {
    expect(run([filterStep('f', text)], [row(values)])).toMatchObject({ out: expected ? [{}] : [], errors: [] })
  })

  test.each([
    ['2020-01-01T00:00:00', 1577836800000],
    ['2020-01-01 00:00', 1577836800000],
    ['2020-01-01', 1577836800000],
    ['2020-01-01T01:00:00+01:00', 1577836800000],
    ['Jan 1 2020', 1577836800000],
    ['Wed, 01 Jan 2020 01:00:00 GMT+0100', 1577836800000],
  ])('the time of %s is the same on a machine in New York', (text, time) => {
    const zone = process.env['TZ']
    process.env['TZ'] = 'America/New_York'
    try {
      expect(value('Date.parse(s)', { s: text })).toBe(time)
    } finally {
      if (zone === undefined) delete process.env['TZ']
      else process.env['TZ'] = zone
    }
  })

  test('a field that cannot hold its value says from which expression it came', () => {
    const messages: string[] = []
    compileChainLoop([mapStep('m', schema, { v: "n / (m ?? 0) + s.indexOf('it')" })])(
      [row({ n: 1, s: '' })],
      1,
      [],
      (error) => {
        messages.push((error as Error).message)
      },
    )
    expect(messages).toEqual([
      "field 'v' (double) would be Infinity: it must be finite; it is (n / (m ?? 0)) + s.indexOf('it')",
    ])
  })

  test.each<[string, Record<string, unknown>, unknown]>([
    ['m + 1', {}, null],
    ['m > 5', {}, false],
    ['m < 5', {}, false],
    ['m === null', {}, true],
    ['m !== null', { m: 0 }, true],
    ["s !== 'x'", {}, true],
    ['-(n)', { n: 3 }, -3],
    ['(-n) ** 2', { n: 3 }, 9],
    ['m ?? 7', {}, 7],
    ['s.length', { s: 'abc' }, 3],
    ['s.length', {}, null],
    ['s.toUpperCase().slice(1)', { s: 'abc' }, 'BC'],
    ['s.at(9)', { s: 'abc' }, null],
    ['Math.max(n, m)', { n: 1, m: 5 }, 5],
    ['Math.max(n, m)', { n: 1 }, null],
    ['j.a.b[1]', { j: { a: { b: [1, 2] } } }, 2],
    ['j.a.b', { j: 5 }, null],
    ['j.map', { j: [1] }, null],
    ['j.length', { j: [1, 2] }, 2],
    ['String(j)', { j: { a: [1, 'b'] } }, '{"a":[1,"b"]}'],
    ['String(j)', { j: [1, [2]] }, '[1,[2]]'],
    ['String(j)', { j: 'a' }, 'a'],
    ['String(j.a)', { j: { a: 1 } }, '1'],
    ['String(j.a)', { j: { a: null } }, null],
    ['`${n} ${String(j)}`', { n: 1, j: { a: true } }, '1 {"a":true}'],
    ['b ? 1 : 2', {}, 2],
    ['!b', {}, null],
    ['b && true', {}, null],
    ['b || false', {}, false],
    ['`${s}!`', { s: 'ž"\u2028' }, 'ž"\u2028!'],
    ["s === '\\u2028`${x}'", { s: '\u2028`${x}' }, true],
    ['`${s}!`', {}, null],
    ['t - 1', { t: 5 }, 4],
    ['1 - -n', { n: 2 }, 3],
    ['+n', { n: 2 }, 2],
    ['- -n', { n: 2 }, 2],
    ['(-0) ** n', { n: 2 }, 0],
  ])('%s of %j is %j', (text, values, expected) => {
    expect(value(text, values)).toEqual(expected)
  })

  test('random expressions give what walking the tree gives', () => {
    const cells = fc.record({
      n: fc.integer(),
      m: fc.option(fc.integer({ min: -9, max: 9 }), { nil: null }),
      d: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }), { nil: null }),
      s: fc.option(fc.string(), { nil: null }),
      b: fc.option(fc.boolean(), { nil: null }),
    })
    fc.assert(
      fc.property(arbitraryExpression, fc.array(cells, { minLength: 1, maxLength: 5 }), (expression, values) => {
        const rows = values.map(row)
        // json takes any value unchecked, so that NaN and infinity come out too
        const step: ChainStep = {
          kind: 'map',
          operatorId: 'm',
          fields: [{ field: field('v', 'json', true), value: expression }],
          rowClass: compileRowClass({ fields: [field('v', 'json', true)] }),
        }
        const out: Row[] = []
        const failed = new Set<Row>()
        compileChainLoop([step])(rows, rows.length, out, (error, bad) => {
          expect(error).toMatchObject({ code: 'VALUE_INVALID' })
          failed.add(bad)
        })
        const valueOf = (one: Row): unknown[] => {
          try {
            return [evaluate(expression, one)]
          } catch {
            return []
          }
        }
        expect(rows.map((one) => failed.has(one))).toEqual(rows.map((one) => valueOf(one).length === 0))
        expect(out.map((one) => one['v'])).toEqual(rows.flatMap(valueOf))
      }),
      { numRuns: 500 },
    )
  })

  test('parts of a split are those of the array, wherever they are read and in whatever order, with a text of null too', () => {
    const partOf = fc.record({
      text: fc.array(fc.constantFrom('/', '//', 'a', 'é'), { maxLength: 9 }).map((pieces) => pieces.join('')),
      indexes: fc.array(fc.nat(5), { minLength: 3, maxLength: 3 }),
      separator: fc.constantFrom('/', '//', 'x'),
    })
    fc.assert(
      fc.property(fc.array(partOf, { minLength: 1, maxLength: 6 }), fc.boolean(), (cases, isNull) => {
        for (const {
          indexes: [i, j, k],
          separator,
        } of cases) {
          const split = mapStep('split', schema, { copy: 's', parts: `s.split('${separator}')` })
          const between: Schema = { fields: split.fields.map((one) => one.field) }
          const steps = [
            split,
            filterStep('some', `String(parts[${i}]) !== 'x'`, between),
            mapStep('take', between, { a: `String(parts[${j}])`, b: `String(parts[${k}]) ?? 'none'`, c: 'copy' }),
          ]
          const rows = cases.map(({ text }, index) => row({ s: isNull && index === 1 ? null : text }))
          const expected = rows.map((one) => {
            const parts = (one['s'] as string | null)?.split(separator)
            return { a: parts?.[j ?? 0] ?? null, b: parts?.[k ?? 0] ?? 'none', c: one['s'] }
          })
          expect(run(steps, rows).out).toEqual(expected)
        }
      }),
    )
  })

  test('a split that is read as a whole, or handed on, stays an array', () => {
    const split = mapStep('split', schema, { copy: 's', parts: "s.split('/')" })
    const between: Schema = { fields: split.fields.map((one) => one.field) }
    expect(
      run([split, mapStep('take', between, { first: 'parts[0]', parts: 'parts' })], [row({ s: 'a/b' })]).out,
    ).toEqual([{ first: 'a', parts: ['a', 'b'] }])
    expect(
      run([split, filterStep('some', "String(parts[1]) === 'b'", between)], [row({ s: 'a/b' }), row({ s: 'a' })]).out,
    ).toEqual([{ copy: 'a/b', parts: ['a', 'b'] }])
    expect(value("s.split('')[1]", { s: 'ab' })).toBe('b')
  })
})

const typed = <E>(expression: E, type: FieldType, nullable: boolean): E & { type: FieldType; nullable: boolean } => ({
  ...expression,
  type,
  nullable,
})

/** Typed as the checker types, so that null rules apply where they do in jobs. */
const arbitraryExpression: fc.Arbitrary<Expression> = fc.letrec<{
  number: Expression
  flag: Expression
  text: Expression
}>((tie) => {
  const number = tie('number')
  const flag = tie('flag')
  const arithmetic = fc
    .tuple(
      fc.constantFrom<BinaryOperator>('+', '-', '*', '/', '%', '**', '&', '|', '^', '<<', '>>', '>>>'),
      number,
      number,
    )
    .map(
      ([operator, left, right]): Expression =>
        typed({ kind: 'binary' as const, operator, left, right }, 'double', left.nullable || right.nullable),
    )
  const comparison = fc
    .tuple(fc.constantFrom<BinaryOperator>('<', '<=', '>', '>=', '===', '!=='), number, number)
    .map(
      ([operator, left, right]): Expression =>
        typed({ kind: 'binary' as const, operator, left, right }, 'boolean', false),
    )
  const choice = fc
    .tuple(flag, number, number)
    .map(
      ([test, then, otherwise]): Expression =>
        typed({ kind: 'conditional' as const, test, then, otherwise }, 'double', then.nullable || otherwise.nullable),
    )
  const both = fc
    .tuple(fc.constantFrom('&&' as const, '||' as const), flag, flag)
    .map(
      ([operator, left, right]): Expression =>
        typed(
          { kind: 'logical' as const, operator, left, right },
          'boolean',
          operator === '||' ? right.nullable : left.nullable || right.nullable,
        ),
    )
  const coalesce = fc
    .tuple(number, number)
    .map(
      ([left, right]): Expression =>
        typed(
          { kind: 'logical' as const, operator: '??' as const, left, right },
          'double',
          left.nullable && right.nullable,
        ),
    )
  return {
    number: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<Expression>(
        typed({ kind: 'field' as const, name: 'n' }, 'long', false),
        typed({ kind: 'field' as const, name: 'm' }, 'long', true),
        typed({ kind: 'field' as const, name: 'd' }, 'double', true),
      ),
      fc
        .oneof(fc.integer(), fc.constantFrom(-0, 0.5, -1e-7, 1e21))
        .map((literal): Expression => typed({ kind: 'literal' as const, value: literal }, 'double', false)),
      arithmetic,
      choice,
      coalesce,
      fc
        .tuple(fc.constantFrom('-' as const, '+' as const), number)
        .map(
          ([operator, operand]): Expression =>
            typed({ kind: 'unary' as const, operator, operand }, 'double', operand.nullable),
        ),
      tie('text').map(
        (object): Expression => typed({ kind: 'member' as const, object, property: 'length' }, 'long', object.nullable),
      ),
    ),
    flag: fc.oneof(
      { maxDepth: 3 },
      fc.constant<Expression>(typed({ kind: 'field' as const, name: 'b' }, 'boolean', true)),
      comparison,
      both,
      flag.map(
        (operand): Expression =>
          typed({ kind: 'unary' as const, operator: '!' as const, operand }, 'boolean', operand.nullable),
      ),
    ),
    text: fc.oneof(
      { maxDepth: 2 },
      fc.constant<Expression>(typed({ kind: 'field' as const, name: 's' }, 'string', true)),
      fc.string().map((literal): Expression => typed({ kind: 'literal' as const, value: literal }, 'string', false)),
      fc.array(fc.oneof(number, tie('text')), { maxLength: 3 }).map(
        (parts): Expression =>
          typed(
            { kind: 'template' as const, parts },
            'string',
            parts.some((part) => part.nullable),
          ),
      ),
    ),
  }
}).number
