import { expect, test } from 'vitest'
import { columnConverter } from '../../../../runtime/connectors/file/parquet-values.ts'
import { parseValueType } from '../../../../runtime/model/value-type.ts'

const DAY = new Date(981_158_400_000)

test.each([
  ['timestamp', DAY, 981_158_400_000],
  ['date', DAY, 11_356],
  ['json', DAY, '2001-02-03'],
  ['array<date>', [DAY, null], undefined],
  ['array<date?>', [DAY, null], [11_356, null]],
  ['row{d: date, n: long}', { d: DAY, n: 5n }, { d: 11_356, n: 5 }],
  ['row{t: timestamp}', { t: DAY }, { t: 981_158_400_000 }],
  ['decimal(5,2)', 1.5, '1.50'],
  ['decimal(5,2)', 1.555, undefined],
  ['bytes', Uint8Array.of(0, 255), '\0\xff'],
  ['bytes', 'text', undefined],
  ['row{b: bytes}', { b: Uint8Array.of(255) }, { b: '\xff' }],
  ['long', 2n ** 60n, undefined],
  ['double', NaN, undefined],
  ['double', 2n, 2],
  ['date', null, null],
])('as %s the value %o of Parquet is %o', (text, value, expected) => {
  const type = parseValueType(text)
  expect(type).toBeDefined()
  if (type !== undefined) expect(columnConverter(type)(value)).toEqual(expected)
})
