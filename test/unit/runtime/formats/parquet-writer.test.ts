import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parquetMetadata } from 'hyparquet'
import { afterAll, expect, test } from 'vitest'
import { ParquetWriter, type ParquetOptions } from '../../../../runtime/formats/parquet/parquet-writer.ts'
import { RowBatch } from '../../../../runtime/memory/batch.ts'
import type { Row, Schema } from '../../../../runtime/model/schema.ts'
import { schemaOf } from '../../../harness/formats.ts'
import { batchesOf, readParquet } from '../../../harness/parquet-batches.ts'

const OPTIONS: ParquetOptions = { compression: 'zstd', jsonAs: 'json' }
const folder = mkdtempSync(join(tmpdir(), 'millrace-parquet-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

function written(schema: Schema, rows: readonly Row[], from: 'columns' | 'rows' = 'rows'): Buffer {
  const writer = new ParquetWriter(schema, OPTIONS)
  for (const batch of batchesOf(schema, rows, from === 'columns')) writer.add(batch)
  writer.end()
  return Buffer.concat(writer.take())
}

async function readBack(schema: Schema, bytes: Uint8Array): Promise<Row[]> {
  const path = join(folder, 'file.parquet')
  writeFileSync(path, bytes)
  return (await readParquet(path, schema)).map((row) => ({ ...row }))
}

const ASCII = schemaOf({
  id: 'long',
  name: 'string?',
  big: 'bigint',
  price: 'decimal(12,3)?',
  at: 'timestamp',
  ok: 'boolean?',
  raw: 'bytes',
  note: 'json?',
})

function asciiRow(n: number): Row {
  return {
    id: n - 500,
    name: n % 7 === 0 ? null : `name ${n}`,
    big: String(9_007_199_254_740_993n * BigInt((n % 3) - 1)),
    price: n % 5 === 0 ? null : `${n % 2 === 0 ? '-' : ''}${n}.125`,
    at: 1.7e12 + n,
    ok: n % 11 === 0 ? null : n % 2 === 0,
    raw: `r${n % 13}`,
    note: n % 3 === 0 ? null : { n, list: ['a'] },
  }
}

test('when batches have columns, the file is the same, byte by byte, as of their rows', () => {
  const rows = Array.from({ length: 20_000 }, (_, n) => asciiRow(n))
  expect(written(ASCII, rows, 'columns').equals(written(ASCII, rows, 'rows'))).toBe(true)
})

test('when rows need several row groups and texts outgrow the dictionary, all rows are read back', async () => {
  const schema = schemaOf({ id: 'long', text: 'string', word: 'string?' })
  const rows = Array.from({ length: 200_000 }, (_, n) => ({
    id: n,
    text: `${n} ${'x'.repeat(n % 50)} é`,
    word: n % 4 === 0 ? null : `w${n % 100}`,
  }))
  const bytes = written(schema, rows)
  expect(await readBack(schema, bytes)).toEqual(rows)
})

test('when there is no row, the file has none and is read', async () => {
  expect(await readBack(ASCII, written(ASCII, []))).toEqual([])
})

test('when the bytes of a text are not UTF-8, they are an error of their row', async () => {
  const bytes = written(schemaOf({ name: 'bytes' }), [{ name: 'M\xfcller' }])
  await expect(readBack(schemaOf({ name: 'string' }), bytes)).rejects.toMatchObject({
    code: 'RECORD_INVALID',
    message: expect.stringContaining("field 'name' must be a string, found bytes that are not UTF-8") as unknown,
  })
})

test('when a text begins with U+FEFF, it keeps it', async () => {
  const schema = schemaOf({ name: 'string', note: 'json' })
  const rows = [{ name: '\uFEFFa', note: '\uFEFFb' }]
  expect(await readBack(schema, written(schema, rows))).toEqual(rows)
})

test.each<[string, string, readonly unknown[]]>([
  ['long', 'long', [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0, -1, 2 ** 32, -(2 ** 32), 2 ** 31]],
  ['bigint', 'bigint', [String(2n ** 63n - 1n), String(-(2n ** 63n)), '0', '-1', '9007199254740993']],
  ['timestamp', 'timestamp', [8.64e15, -8.64e15, 0, -1, 253402300799999]],
  ['double', 'double', [Number.MAX_VALUE, Number.MIN_VALUE, -Number.MAX_VALUE, 0, 0.1]],
  ['date', 'date', [-719162, 2932896, 0]],
  ['decimal', 'decimal(38,10)', [`${'9'.repeat(28)}.${'9'.repeat(10)}`, `-${'9'.repeat(28)}.${'9'.repeat(10)}`]],
  ['decimal of 18 digits', 'decimal(18,0)', ['9'.repeat(18), `-${'9'.repeat(18)}`, '0']],
  ['decimal of 9 digits', 'decimal(9,9)', ['0.999999999', '-0.999999999', '0.000000000']],
  ['text', 'string', ['', '\u0000', '\u{10ffff}', 'é'.repeat(5000)]],
])('the extreme values of a %s are read back exactly', async (_, type, values) => {
  const schema = schemaOf({ value: type })
  const rows = values.map((value) => ({ value }))
  expect(await readBack(schema, written(schema, rows))).toEqual(rows)
})

test.each<[string, string, unknown]>([
  ['a date beyond 32 bits', 'date', 2 ** 31],
  ['a time after midnight', 'time', 86_400_000],
  ['a fraction in a long', 'long', 0.5],
  ['a long that no double holds exactly', 'long', 2 ** 60],
])('%s is refused with the name of its field', (_, type, value) => {
  expect(() => written(schemaOf({ value: type }), [{ value }])).toThrow(
    expect.objectContaining({ code: 'RECORD_INVALID', message: expect.stringContaining("field 'value'") }),
  )
})

test.each<[string, string[], object | undefined]>([
  ['that a double holds are numbers', ['-5', '1700000000123456', '7'], { min: -5, max: 1_700_000_000_123_456 }],
  ['with one that a double does not hold are unknown', ['-5', '9007199254740993'], undefined],
])('the bounds of 64-bit integers %s, and another reader finds them in the file', async (_, digits, bounds) => {
  const schema = schemaOf({ big: 'bigint' })
  const writer = new ParquetWriter(schema, OPTIONS)
  writer.add(new RowBatch(digits.map((big) => ({ big }))))
  expect(writer.end().columns).toEqual([{ nulls: 0, bounds }])
  const bytes = Buffer.concat(writer.take())
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
  const { statistics } = parquetMetadata(file).row_groups[0]?.columns[0]?.meta_data ?? {}
  const found =
    statistics?.min_value === undefined
      ? undefined
      : { min: Number(statistics.min_value), max: Number(statistics.max_value) }
  expect(found).toEqual(bounds)
})

test('the summary has the nulls and bounds of all row groups', () => {
  const schema = schemaOf({ id: 'long?', text: 'string', ok: 'boolean' })
  const writer = new ParquetWriter(schema, OPTIONS)
  const rows = Array.from({ length: 150_000 }, (_, n) => ({ id: n % 2 === 0 ? null : n, text: `t${n}`, ok: true }))
  for (const batch of batchesOf(schema, rows, true)) writer.add(batch)
  expect(writer.end()).toEqual({
    rows: 150_000,
    columns: [
      { nulls: 75_000, bounds: { min: 1, max: 149_999 } },
      { nulls: 0, bounds: { min: new Uint8Array(Buffer.from('t0')), max: new Uint8Array(Buffer.from('t99999')) } },
      { nulls: 0, bounds: { min: 1, max: 1 } },
    ],
  })
})
