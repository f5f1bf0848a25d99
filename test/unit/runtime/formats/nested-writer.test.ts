import fc from 'fast-check'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { expect, test } from 'vitest'
import { nestedParquet, type Shape } from '../../../../runtime/formats/parquet/nested-writer.ts'

const SHAPES: readonly Shape[] = [
  { kind: 'text', name: 'text' },
  {
    kind: 'struct',
    name: 'outer',
    members: [
      { kind: 'long', name: 'long' },
      { kind: 'boolean', name: 'flag' },
      { kind: 'list', name: 'list' },
      { kind: 'map', name: 'map' },
      {
        kind: 'struct',
        name: 'inner',
        members: [
          { kind: 'int', name: 'int' },
          { kind: 'map', name: 'tags' },
        ],
      },
    ],
  },
]

const text = fc.string({ maxLength: 5 })
const orNull = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { nil: null })
const texts = orNull(fc.array(orNull(text), { maxLength: 4 }))
const map = orNull(
  fc
    .dictionary(
      fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 4 }).map((key) => `k${key}`),
      orNull(text),
      { maxKeys: 3 },
    )
    .map((members) => ({ ...members })),
)
const ROW = fc.record({
  text: orNull(text),
  outer: orNull(
    fc.record({
      long: orNull(fc.maxSafeInteger()),
      flag: orNull(fc.boolean()),
      list: texts,
      map,
      inner: orNull(fc.record({ int: orNull(fc.integer()), tags: map })),
    }),
  ),
})

/** JSON with longs as numbers, and null for what the reader leaves out. */
function plain(rows: unknown): unknown {
  return JSON.parse(
    JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : (value ?? null))),
  )
}

test('another reader finds the rows in every nesting of nulls, empty lists and empty maps', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(ROW, { maxLength: 30 }),
      fc.constantFrom('none', 'gzip', 'zstd'),
      async (rows, compression) => {
        const bytes = nestedParquet(SHAPES, rows, compression)
        const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
        expect(plain(await parquetReadObjects({ file, compressors }))).toEqual(plain(rows))
      },
    ),
    { numRuns: 60 },
  )
})

test('rows of several row groups are all there', async () => {
  const rows = Array.from({ length: 9000 }, (_, n) => ({ text: `t${n}`, outer: { list: [`a${n}`, null] } }))
  const bytes = nestedParquet(SHAPES, rows, 'zstd')
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
  const found = await parquetReadObjects({ file, compressors, columns: ['text'] })
  expect(found.map((row) => row['text'])).toEqual(rows.map((row) => row.text))
})
