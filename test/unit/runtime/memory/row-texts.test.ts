import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RowTexts } from '../../../../runtime/memory/row-texts.ts'

const CHUNK_BYTES = 1 << 20
const LENGTHS = [
  0,
  1,
  5,
  40_000,
  70_000,
  CHUNK_BYTES / 3,
  CHUNK_BYTES - 1,
  CHUNK_BYTES,
  CHUNK_BYTES + 9,
  CHUNK_BYTES * 3,
]
const LETTERS = ['a', 'é', '日', '\ud83d'] as const

test('texts that came behind one longer than a chunk are read as they were, in whatever batches they came', () => {
  const texts = fc.array(
    fc.record({ length: fc.constantFrom(...LENGTHS), letter: fc.constantFrom(...LETTERS), flushed: fc.boolean() }),
    { minLength: 2, maxLength: 6 },
  )
  fc.assert(
    fc.property(texts, (rows) => {
      const log = { o: new Int32Array(rows.length), b: new Int32Array(rows.length), w: new Uint8Array(rows.length) }
      const kept = new RowTexts([])
      const textOf = ({ length, letter }: (typeof rows)[number], row: number): string =>
        length === 0 ? '' : `${row}${letter.repeat(length - 1)}`
      rows.forEach((row, index) => {
        kept.add(log, index, textOf(row, index))
        if (row.flushed) kept.flush()
      })
      kept.flush()
      rows.forEach((row, index) => {
        expect(
          kept.of(log.o[index] ?? 0, log.b[index] ?? 0, log.w[index] ?? 0) === textOf(row, index),
          `row ${index} of ${row.length} characters`,
        ).toBe(true)
      })
    }),
    { numRuns: 30 },
  )
})
