import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { ParquetWriter } from '../../runtime/formats/parquet/parquet-writer.ts'
import { pythonBedMissing, runPython } from '../harness/beds/python-bed.ts'
import { batchesOf, readParquet } from '../harness/parquet-batches.ts'
import { parquetRows, parquetText, randomSchema } from '../harness/parquet-rows.ts'

const CASES = 120
const folder = mkdtempSync(join(tmpdir(), 'millrace-parquet-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

interface Judged {
  types: Record<string, string>
  groups: number
  nulls: number[]
  rows: (string | null)[][]
}

test.skipIf(pythonBedMissing() !== undefined)(
  'when random rows of random schemas are written, pyarrow and the own reader read exactly them',
  async () => {
    const cases = fc.sample(
      randomSchema.chain((schema) =>
        fc.tuple(
          fc.constant(schema),
          parquetRows(schema),
          fc.constantFrom('none' as const, 'gzip' as const, 'zstd' as const),
          fc.boolean(),
        ),
      ),
      { numRuns: CASES, seed: 7 },
    )
    const paths = cases.map(([schema, rows, compression, asColumns], index) => {
      const writer = new ParquetWriter(schema, { compression, jsonAs: 'json' })
      for (const batch of batchesOf(schema, rows, asColumns)) writer.add(batch)
      expect(writer.end().rows).toBe(rows.length)
      const path = join(folder, `${index}.parquet`)
      writeFileSync(path, Buffer.concat(writer.take()))
      return path
    })
    const judged = (await runPython('read_parquet.py', paths)) as Judged[]
    for (const [index, [schema, rows]] of cases.entries()) {
      const found = judged[index]
      expect(found?.rows, `case ${index}`).toEqual(
        rows.map((row) => schema.fields.map((field) => parquetText(field, row[field.name]))),
      )
      expect(found?.nulls).toEqual(schema.fields.map(({ name }) => rows.filter((row) => row[name] === null).length))
      const own = await readParquet(paths[index] ?? '', schema)
      expect(own.length).toBe(rows.length)
      for (const [at, row] of own.entries()) expect({ ...row }, `row ${at} of case ${index}`).toEqual(rows[at])
    }
  },
)
