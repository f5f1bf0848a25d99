import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connector } from '../../runtime/connectors/delta/connector.ts'
import { deltaType } from '../../runtime/connectors/delta/table-schema.ts'
import { expectExactlyOnceSink } from '../harness/connector-conformance.ts'
import { deltaSinkContext } from '../harness/delta-table.ts'
import { pythonBedMissing, runPython } from '../harness/beds/python-bed.ts'
import { schemaOf } from '../harness/formats.ts'
import { batchesOf } from '../harness/parquet-batches.ts'
import { parquetRows, parquetText, randomSchema } from '../harness/parquet-rows.ts'

interface DeltaRsTable {
  version: number
  types: Record<string, string>
  partitionColumns: string[]
  files: number
  rows: Record<string, string | null>[]
}

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-delta-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

async function readByDeltaRs(table: string): Promise<DeltaRsTable> {
  const [found] = (await runPython('read_delta.py', [table])) as DeltaRsTable[]
  if (found === undefined) throw new Error('delta-rs said nothing')
  return found
}

describe.skipIf(pythonBedMissing() !== undefined)('a Delta table', () => {
  test('that the sink wrote holds for delta-rs every completed checkpoint once, through crashes and other parallelism', async () => {
    const schema = schemaOf({ id: 'long', kind: 'string' })
    await expectExactlyOnceSink({
      connector: connector.sink({ path: 'table', partitionBy: 'kind' }),
      context: deltaSinkContext(folder, schema),
      row: (n) => ({ id: n, kind: `k${n % 3}` }),
      visible: async () => (await readByDeltaRs(join(folder, 'table'))).rows.map(({ id, kind }) => `${id} ${kind}`),
      show: ({ id, kind }) => `${String(id)} ${String(kind)}`,
    })
    expect((await readByDeltaRs(join(folder, 'table'))).partitionColumns).toEqual(['kind'])
  })

  test('that the sink wrote has for delta-rs exactly the rows, of random schemas', async () => {
    const isHeld = (schema: Parameters<typeof parquetRows>[0]): boolean =>
      schema.fields.every((field) => deltaType(field) !== undefined)
    const cases = fc.sample(
      randomSchema.filter(isHeld).chain((schema) => fc.tuple(fc.constant(schema), parquetRows(schema), fc.boolean())),
      { numRuns: 12, seed: 11 },
    )
    for (const [index, [schema, rows, asColumns]] of cases.entries()) {
      const path = `table-${index}`
      const writer = connector.sink({ path }).writer({ ...deltaSinkContext(folder, schema), slot: 0, attempt: 1 })
      await writer.open([])
      for (const batch of batchesOf(schema, rows, asColumns)) await writer.write(batch)
      await writer.commit(await writer.prepareCommit(1))
      const found = await readByDeltaRs(join(folder, path))
      expect(found.rows, `case ${index}`).toEqual(
        rows.map((row) =>
          Object.fromEntries(schema.fields.map((field) => [field.name, parquetText(field, row[field.name])])),
        ),
      )
    }
  })
})
