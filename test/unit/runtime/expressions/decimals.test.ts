import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseExpression } from '../../../../runtime/expressions/parse.ts'
import { valueTypeText } from '../../../../runtime/model/value-type.ts'
import { computed } from '../../../harness/computed.ts'
import { schemaOf } from '../../../harness/formats.ts'

/** Exact fractions: what the generated code is checked against. */
interface Fraction {
  n: bigint
  d: bigint
}
const fraction = (text: string): Fraction => {
  const [whole = '', digits = ''] = text.split('.')
  return { n: BigInt(whole + digits), d: 10n ** BigInt(digits.length) }
}
const OPERATIONS: Readonly<Record<string, (a: Fraction, b: Fraction) => Fraction>> = {
  '+': (a, b) => ({ n: a.n * b.d + b.n * a.d, d: a.d * b.d }),
  '-': (a, b) => ({ n: a.n * b.d - b.n * a.d, d: a.d * b.d }),
  '*': (a, b) => ({ n: a.n * b.n, d: a.d * b.d }),
  '/': (a, b) => ({ n: a.n * b.d, d: a.d * b.n }),
  '%': (a, b) => ({ n: (a.n * b.d) % (b.n * a.d), d: a.d * b.d }),
}
/** The text of a fraction with so many digits, half away from zero: by searching, not by dividing and correcting. */
function rounded({ n, d }: Fraction, scale: number): string {
  const isNegative = n < 0n !== d < 0n && n !== 0n
  const [size, by] = [(n < 0n ? -n : n) * 10n ** BigInt(scale) * 2n, d < 0n ? -d : d]
  const units = (size / by + 1n) / 2n
  const digits = String(units).padStart(scale + 1, '0')
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  return isNegative && units !== 0n ? `-${text}` : text
}

const decimal = fc
  .tuple(fc.integer({ min: 1, max: 38 }), fc.nat(38))
  .map(([precision, scale]) => ({ precision, scale: Math.min(precision, scale) }))
  .chain(({ precision, scale }) => {
    const limit = 10n ** BigInt(precision) - 1n
    const units = fc.oneof(fc.bigInt({ min: -limit, max: limit }), fc.bigInt({ min: -9n, max: 9n }))
    return units.map((value) => ({
      type: `decimal(${precision},${scale})`,
      text: rounded({ n: value, d: 10n ** BigInt(scale) }, scale),
    }))
  })

describe('decimals are computed exactly', () => {
  test.each(Object.keys(OPERATIONS))('a %s b is the fraction rounded half up to the type, or refused', (operator) => {
    fc.assert(
      fc.property(decimal, decimal, (a, b) => {
        const act = () => computed(`a ${operator} b`, { a: a.type, b: b.type }, { a: a.text, b: b.text })
        const isByZero = (operator === '/' || operator === '%') && fraction(b.text).n === 0n
        if (isByZero) {
          expect(act).toThrow(/divides by zero/)
          return
        }
        const exact = OPERATIONS[operator]?.(fraction(a.text), fraction(b.text)) as Fraction
        try {
          const { type, value } = act()
          const [, scale] = /,(\d+)\)/.exec(type) ?? []
          expect(value).toBe(rounded(exact, Number(scale)))
        } catch (error) {
          expect((error as Error).message).toMatch(/more than the 38 digits/)
          expect(String(exact.n / exact.d).replace('-', '').length).toBeGreaterThan(38 - 7)
        }
      }),
      { numRuns: 400 },
    )
  })

  test.each(['<', '<=', '>', '>=', '===', '!=='])('a %s b is what the numbers say, across scales', (operator) => {
    fc.assert(
      fc.property(decimal, decimal, fc.boolean(), (a, other, isSame) => {
        const b = isSame ? a : other
        const [one, two] = [fraction(a.text), fraction(b.text)]
        const order = one.n * two.d < two.n * one.d ? -1 : one.n * two.d > two.n * one.d ? 1 : 0
        const expected = {
          '<': order < 0,
          '<=': order <= 0,
          '>': order > 0,
          '>=': order >= 0,
          '===': order === 0,
          '!==': order !== 0,
        }
        const text = { a: a.text, b: b.text }
        const types = { a: a.type, b: b.type }
        expect(computed(`a ${operator} b`, types, text).value).toBe(expected[operator as '<'])
        expect(computed(`a ${operator} b`, { a: `${a.type}?`, b: b.type }, text).value).toBe(expected[operator as '<'])
      }),
      { numRuns: 300 },
    )
  })

  test.each([
    // as Flink's documentation and SQL Server's have them
    ['a + b', 'decimal(10,2)', 'decimal(12,4)', 'decimal(13,4)'],
    ['a * b', 'decimal(10,2)', 'decimal(12,4)', 'decimal(22,6)'],
    ['a / b', 'decimal(10,2)', 'decimal(12,4)', 'decimal(27,15)'],
    ['a % b', 'decimal(10,2)', 'decimal(12,4)', 'decimal(12,4)'],
    ['a * b', 'decimal(38,10)', 'decimal(38,10)', 'decimal(38,6)'],
    ['a / b', 'decimal(38,10)', 'decimal(38,10)', 'decimal(38,6)'],
    ['a + b', 'decimal(38,10)', 'decimal(38,10)', 'decimal(38,9)'],
    ['a + b', 'decimal(10,2)', 'long', 'decimal(19,2)'],
    ['a * 1.21', 'decimal(10,2)', 'long', 'decimal(13,4)'],
    ['a * 2', 'decimal(10,2)', 'long', 'decimal(11,2)'],
    ['-a', 'decimal(10,2)', 'long', 'decimal(10,2)'],
    ['a ?? 0', 'decimal(10,2)?', 'long', 'decimal(10,2)'],
    ['Decimal(a, 12, 1)', 'decimal(10,2)?', 'long', 'decimal(12,1)?'],
    ['Math.floor(a)', 'decimal(10,2)', 'long', 'long'],
    ['Math.abs(a)', 'decimal(10,2)', 'long', 'decimal(10,2)'],
    ['Number(a)', 'decimal(10,2)', 'long', 'double'],
    ['String(a)', 'decimal(10,2)', 'long', 'string'],
  ])('%s of %s and %s is %s', (text, a, b, type) => {
    expect(valueTypeText(parseExpression(text, schemaOf({ a, b })))).toBe(type)
  })

  test.each([
    ['price * 1.21', '12.1000', '10.00'],
    ['price * amount', '30.00', '10.00'],
    ['(price + 0.005) * amount - price', '20.015', '10.00'],
    ['price / amount', '3.3333333333333333333', '10.00'],
    ['-price / amount', '-3.3333333333333333333', '10.00'],
    ['price > 9.999 ? price : 0', '10.00', '10.00'],
    ["price === '10'", true, '10.00'],
    ["price < '12345678901234567.89'", true, '10.00'],
    ['price > -1.5 && price >= 10', true, '10.00'],
    ['10 < price', false, '10.00'],
    ['maybe + price', null, '10.00'],
    ['maybe < price', false, '10.00'],
    ['maybe === price', false, '10.00'],
    ['maybe === null', true, '10.00'],
    ['(maybe ?? 1.5) * 2', '3.00', '10.00'],
    ['`${price}/${price + 1}`', '10.00/11.00', '10.00'],
    ['Math.floor(price)', -3, '-2.50'],
    ['Math.ceil(price)', -2, '-2.50'],
    ['Math.trunc(price)', -2, '-2.50'],
    ['Math.abs(price)', '2.50', '-2.50'],
    ['Decimal(price, 10, 1)', '-2.6', '-2.55'],
    ['Decimal(price, 10, 1)', '2.5', '2.54'],
    ['Decimal(ratio, 10, 2)', '0.13', '0.00'],
    ["Decimal('1e3', 10, 2)", '1000.00', '0.00'],
    ['Decimal(amount, 5)', '3', '0.00'],
  ])('%s is %s where the price is %s', (text, value, price) => {
    const types = { price: 'decimal(10,2)', maybe: 'decimal(10,2)?', amount: 'long', ratio: 'double' }
    expect(computed(text, types, { price, maybe: null, amount: 3, ratio: 0.125 }).value).toBe(value)
  })

  test.each([
    ['price * ratio', 'EXPRESSION_TYPE', 'Decimal(x, precision, scale)'],
    ['price ** 2', 'EXPRESSION_TYPE', 'Number(…)'],
    ['price === name', 'EXPRESSION_TYPE', 'Decimal(x, precision, scale)'],
    ['price * 0.12345678901234567', 'EXPRESSION_TYPE', 'Decimal(x, precision, scale)'],
    ['Decimal(price)', 'EXPRESSION_TYPE', 'Decimal(price, 10, 2)'],
    ['Decimal(price, 39, 2)', 'EXPRESSION_TYPE', 'Decimal(price, 10, 2)'],
    ['Decimal(price, ratio)', 'EXPRESSION_TYPE', 'Decimal(price, 10, 2)'],
    ['Decimal(flag, 3)', 'EXPRESSION_TYPE', undefined],
  ])('%s is refused with what to write', (text, code, hint) => {
    const schema = schemaOf({ price: 'decimal(10,2)', ratio: 'double', name: 'string', flag: 'boolean' })
    expect(() => parseExpression(text, schema)).toThrow(
      expect.objectContaining({
        code,
        ...(hint === undefined ? {} : { hint: expect.stringContaining(hint) as unknown }),
      }) as Error,
    )
  })

  test.each([
    ['Decimal(price, 3, 2)', '10.00', 'more than the 3 digits'],
    ['price / Decimal(0, 1)', '10.00', 'divides by zero'],
    ['Decimal(name, 3)', '10.00', 'no number'],
    ['big * big', '10.00', 'more than the 38 digits'],
    ['Math.floor(big)', '10.00', 'at most 2^53'],
  ])('%s is an error of the row', (text, price, said) => {
    const types = { price: 'decimal(10,2)', name: 'string', big: 'decimal(38,0)' }
    expect(() => computed(text, types, { price, name: 'x', big: '9'.repeat(38) })).toThrow(
      expect.objectContaining({ code: 'VALUE_INVALID', message: expect.stringContaining(said) as unknown }) as Error,
    )
  })
})
