import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkExpressionTree } from '../../../../runtime/expressions/check-tree.ts'
import { parseExpression } from '../../../../runtime/expressions/parse.ts'
import { computed } from '../../../harness/computed.ts'
import { schemaOf } from '../../../harness/formats.ts'

const [LEAST, MOST] = [-(2n ** 63n), 2n ** 63n - 1n]
const bigint = fc.oneof(
  fc.bigInt({ min: LEAST, max: MOST }),
  fc.bigInt({ min: -9n, max: 9n }),
  fc.constantFrom(LEAST, MOST),
)
const OPERATIONS: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
}

describe('bigints', () => {
  test.each(Object.keys(OPERATIONS))('a %s b is that of 64 bits, and an error of the row beyond', (operator) => {
    fc.assert(
      fc.property(bigint, bigint, (a, b) => {
        const act = () =>
          computed(`a ${operator} b`, { a: 'bigint', b: 'bigint?' }, { a: String(a), b: String(b) }).value
        if (b === 0n && (operator === '/' || operator === '%')) {
          expect(act).toThrow(/divides by zero/)
          return
        }
        const exact = OPERATIONS[operator]?.(a, b) ?? 0n
        if (exact < LEAST || exact > MOST) expect(act).toThrow(/beyond the 64 bits/)
        else expect(act()).toBe(String(exact))
      }),
      { numRuns: 300 },
    )
  })

  test.each(['<', '<=', '>', '>=', '===', '!=='])('a %s b is what the numbers say', (operator) => {
    fc.assert(
      fc.property(bigint, bigint, fc.boolean(), (a, other, isSame) => {
        const b = isSame ? a : other
        const expected = { '<': a < b, '<=': a <= b, '>': a > b, '>=': a >= b, '===': a === b, '!==': a !== b }
        const row = { a: String(a), b: String(b) }
        expect(computed(`a ${operator} b`, { a: 'bigint', b: 'bigint' }, row).value).toBe(expected[operator as '<'])
      }),
      { numRuns: 300 },
    )
  })

  test.each([
    ['id + 1', 'bigint', '9007199254740994'],
    ['id + 1n', 'bigint', '9007199254740994'],
    ['id + n', 'bigint', '9007199254740996'],
    ['-id', 'bigint', '-9007199254740993'],
    ['id / 10', 'bigint', '900719925474099'],
    ['-id / 10', 'bigint', '-900719925474099'],
    ['id === 9007199254740993n', 'boolean', true],
    ["id === '9007199254740993'", 'boolean', true],
    ['id === n', 'boolean', false],
    ["id > '9007199254740992.5'", 'boolean', true],
    ['id * 0.1', 'decimal(20,1)', '900719925474099.3'],
    ['id > 1.5 && id > -1', 'boolean', true],
    ['id * price', 'decimal(29,2)', '13510798882111489.50'],
    ['maybe ?? 0', 'bigint', '0'],
    ['maybe === null', 'boolean', true],
    ['maybe + id', 'bigint?', null],
    ['BigInt(n) * 2', 'bigint', '6'],
    ["BigInt('12')", 'bigint', '12'],
    ['BigInt(price * 2)', 'bigint', '3'],
    ['Decimal(id, 20, 1)', 'decimal(20,1)', '9007199254740993.0'],
    ['Number(id)', 'double', 9007199254740992],
    ['String(id)', 'string', '9007199254740993'],
    ['`#${id}`', 'string', '#9007199254740993'],
    ['Math.trunc(id / 10)', 'long', 900719925474099],
    ['Math.abs(-id)', 'bigint', '9007199254740993'],
  ])('%s is a %s: %s', (text, type, value) => {
    const types = { id: 'bigint', n: 'long', price: 'decimal(10,2)', maybe: 'bigint?' }
    const row = { id: '9007199254740993', n: 3, price: '1.50', maybe: null }
    const found = computed(text, types, row)
    expect([found.type, found.value]).toEqual([type, value])
    // what another process decodes
    const tree = JSON.parse(JSON.stringify(parseExpression(text, schemaOf(types)))) as unknown
    expect(checkExpressionTree(tree)).toBe(undefined)
  })

  test.each(['id & 1', 'id ** 2', 'id * ratio', 'id < name', 'id && true', 'id + name'])('%s is refused', (text) => {
    const schema = schemaOf({ id: 'bigint', name: 'string', ratio: 'double' })
    expect(() => parseExpression(text, schema)).toThrow(expect.objectContaining({ code: 'EXPRESSION_TYPE' }) as Error)
  })

  test.each(['Math.trunc(id)', 'BigInt(price)', "BigInt('x')", 'id * id', '-least', 'Math.abs(least)'])(
    '%s is an error of the row',
    (text) => {
      const types = { id: 'bigint', least: 'bigint', price: 'decimal(10,2)' }
      const row = { id: '9007199254740993', least: String(LEAST), price: '1.50' }
      expect(() => computed(text, types, row)).toThrow(expect.objectContaining({ code: 'VALUE_INVALID' }) as Error)
    },
  )
})

describe('times and maps', () => {
  test('a time is milliseconds since midnight', () => {
    expect(computed('open > 12 * 3600000', { open: 'time' }, { open: 43_200_001 }).value).toBe(true)
    expect(() => parseExpression("open > '12:00'", schemaOf({ open: 'time' }))).toThrow(
      expect.objectContaining({
        code: 'EXPRESSION_TYPE',
        hint: expect.stringContaining('milliseconds') as unknown,
      }) as Error,
    )
  })

  test('a member of a map has the type of its values, and is null where the map has none', () => {
    const types = { counts: 'map<long>', deep: 'map<map<bigint>>?' }
    const row = { counts: { a: 1, 'b c': 2 }, deep: { x: { y: '9007199254740993' } } }
    expect(computed('counts.a + counts["b c"]', types, row)).toEqual({ type: 'long?', value: 3 })
    expect(computed('counts.none ?? 0', types, row)).toEqual({ type: 'long', value: 0 })
    expect(computed('deep.x.y === 9007199254740993n', types, row).value).toBe(true)
    expect(computed('deep.z.y', types, row)).toEqual({ type: 'bigint?', value: null })
  })

  test.each(['counts.a.length', 'counts === counts', 'String(counts)'])('%s is refused', (text) => {
    expect(() => parseExpression(text, schemaOf({ counts: 'map<long>' }))).toThrow()
  })
})
