import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseValueType, valueTypeText } from '../../../../runtime/model/value-type.ts'
import { arbitraryValueType } from '../../../harness/plain/random-rows.ts'

describe('types as text', () => {
  test('every type reads back from its own text', () => {
    fc.assert(
      fc.property(arbitraryValueType(3), (type) => {
        expect(parseValueType(valueTypeText(type))).toEqual(type)
      }),
      { numRuns: 300 },
    )
  })

  test.each(['array<string>', 'row{a:long,b:array<row{c: decimal(4)?}?>?}', 'decimal( 10 , 2 )?'])(
    '%s is a type',
    (text) => {
      expect(parseValueType(text)).toBeDefined()
    },
  )

  test.each([
    '',
    'lon',
    'long??',
    'long ?',
    'array',
    'array<>',
    'array<long',
    'row{}',
    'row{a}',
    'row{a: long, a: long}',
    'row{__proto__: long}',
    'decimal(0)',
    'decimal(39)',
    'decimal(2,3)',
    'decimal',
    'long, long',
    `${'array<'.repeat(20)}long${'>'.repeat(20)}`,
    'date(3)',
    'Row{a: long}',
  ])('%j is none', (text) => {
    expect(parseValueType(text)).toBe(undefined)
  })
})
