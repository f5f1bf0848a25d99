import fc from 'fast-check'
import { expect, test } from 'vitest'
import { copiedColumns } from '../../../../../runtime/connectors/delta/copied-columns.ts'
import { KeyColumns } from '../../../../../runtime/connectors/delta/key-columns.ts'
import { TouchedKeys } from '../../../../../runtime/connectors/delta/touched-keys.ts'

const COLUMNS = copiedColumns(
  'table',
  [
    { name: 'id', type: 'long', nullable: true },
    { name: 'text', type: 'string', nullable: true },
    { name: 'at', type: 'timestamp', nullable: true },
    { name: 'day', type: 'date', nullable: true },
    { name: 'part', type: 'long', nullable: true },
  ],
  ['part'],
)

function touching(key: readonly string[], keys: readonly (readonly unknown[])[]): TouchedKeys {
  const touched = new TouchedKeys(new KeyColumns(COLUMNS, key), COLUMNS)
  for (const values of keys) touched.add(0, values)
  return touched
}

function file(
  minValues: object,
  maxValues: object,
  part: string | null = null,
): { partitionValues: Map<string, string | null>; stats: string } {
  return { partitionValues: new Map([['part', part]]), stats: JSON.stringify({ minValues, maxValues }) }
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

test('a file that holds a touched text is never left out, in the order of UTF-8', () => {
  const character = fc.constantFrom('a', 'é', '\uffee', '😀', 'z')
  const text = fc.string({ unit: character, maxLength: 3 })
  fc.assert(
    fc.property(fc.array(text, { minLength: 1 }), fc.array(text, { minLength: 1 }), (held, keys) => {
      const sorted = held.toSorted(byBytes)
      const isInside = (key: string): boolean =>
        byBytes(key, sorted[0] ?? '') >= 0 && byBytes(key, sorted.at(-1) ?? '') <= 0
      const found = touching(
        ['text'],
        keys.map((key) => [key]),
      ).mayBeIn(file({ text: sorted[0] }, { text: sorted.at(-1) }))
      expect(found).toBe(keys.some(isInside))
    }),
  )
})

test.each<[string, string, string, object, object, boolean]>([
  ['a number between the bounds', 'id', '5', { id: 1 }, { id: 9 }, true],
  ['a number above the bounds', 'id', '10', { id: 1 }, { id: 9 }, false],
  ['a number below the bounds', 'id', '0', { id: 1 }, { id: 9 }, false],
  ['bounds that a double cannot hold', 'id', '10', { id: 2 ** 60 }, { id: 2 ** 61 }, true],
  ['no bounds', 'id', '10', {}, {}, true],
  ['bounds of another type', 'id', '10', { id: 'a' }, { id: 'b' }, true],
  [
    'a time in the millisecond of the bound',
    'at',
    '1700000000123999',
    { at: '2023-11-14T22:13:20.123Z' },
    { at: '2023-11-14T22:13:20.123Z' },
    true,
  ],
  [
    'a time behind it',
    'at',
    '1700000000124000',
    { at: '2023-11-14T22:13:20.123Z' },
    { at: '2023-11-14T22:13:20.123Z' },
    false,
  ],
  [
    'a time with a bound in another zone',
    'at',
    '1700000000124000',
    { at: '2023-11-14T23:13:20.123+01:00' },
    { at: '2023-11-14T23:13:20.123+01:00' },
    false,
  ],
  [
    'a local bound',
    'at',
    '1700000000123000',
    { at: '2023-11-14 22:13:20.123' },
    { at: '2023-11-14 22:13:20.123' },
    true,
  ],
])('%s: whether a file may hold %s %s', (_, column, value, least, most, may) => {
  expect(touching([column], [[value]]).mayBeIn(file(least, most))).toBe(may)
})

test.each<[number, string, string, boolean]>([
  [20_000, '2024-10-04', '2024-10-04', true],
  [20_001, '2024-10-04', '2024-10-04', false],
])('whether day %d is from %s to %s', (day, least, most, may) => {
  expect(touching(['day'], [[day]]).mayBeIn(file({ day: least }, { day: most }))).toBe(may)
})

test('a file of another partition is left out when the partition is a part of the key, and one of none, too', () => {
  const touched = touching(['id', 'part'], [['1', '7']])
  expect(touched.mayBeIn(file({}, {}, '7'))).toBe(true)
  expect(touched.mayBeIn(file({}, {}, '8'))).toBe(false)
  expect(touched.mayBeIn(file({}, {}))).toBe(false)
})

test('statistics that are no JSON leave out nothing', () => {
  expect(touching(['id'], [['1']]).mayBeIn({ partitionValues: new Map(), stats: '{' })).toBe(true)
})

test('a row without a key is replaced by none', () => {
  const touched = touching(['id', 'text'], [['1', 'null']])
  expect(touched.replaces(-1, ['1', null])).toBe(false)
  expect(touched.replaces(-1, ['1', 'null'])).toBe(true)
})
