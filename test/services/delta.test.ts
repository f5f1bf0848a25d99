import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connector } from '../../runtime/connectors/delta/connector.ts'
import { deltaType } from '../../runtime/connectors/delta/declaration.ts'
import { compileRowClass } from '../../runtime/codegen/rows/row.ts'
import type { Row } from '../../runtime/model/schema.ts'
import { expectExactlyOnceSink, expectExactRestores, readAll } from '../harness/connector-conformance.ts'
import { deltaSinkContext } from '../harness/delta-table.ts'
import { pythonBedMissing, runPython } from '../harness/beds/python-bed.ts'
import { sourceContext } from '../harness/source-context.ts'
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
  test.each(['append', 'appendByDay'])(
    'that delta-rs wrote by %s, with a checkpoint of its log, is read exactly',
    async (how) => {
      const table = join(folder, 'table')
      await runPython('write_delta.py', [table, `${how}=0+50`, `${how}=50+30`, 'checkpoint', `${how}=80+20`])
      const source = {
        connector: connector.source({ path: 'table' }),
        context: sourceContext({ verb: { connector: 'delta' }, schema: SCHEMA, baseDir: folder }),
        maxRows: 9,
        interruptions: 8,
      }
      expect(await readAll(source)).toEqual(
        Array.from({ length: 100 }, (_, n) => JSON.stringify(expectedRow(n))).sort(),
      )
      await expectExactRestores(source, 2, 3)
    },
  )

  test('whose log was cleaned up behind a checkpoint is read whole, and no more from the versions that are gone', async () => {
    const table = join(folder, 'table')
    await runPython('write_delta.py', [table, 'append=0+3', 'append=3+3', 'append=6+3', 'checkpoint', 'append=9+3'])
    for (const version of [0, 1, 2]) rmSync(join(table, '_delta_log', `${String(version).padStart(20, '0')}.json`))
    const context = sourceContext({ verb: { connector: 'delta' }, schema: SCHEMA, baseDir: folder })
    const snapshot = connector.source({ path: 'table' })
    expect(await readAll({ connector: snapshot, context, maxRows: 5, interruptions: 1 })).toHaveLength(12)
    const source = connector.source({ path: 'table', startingVersion: 1, continuous: { every: '100ms' } })
    const reader = source.reader({ ...context, slot: 0, parallelism: 1 }, compileRowClass(SCHEMA))
    await reader.open(await source.enumerator(context).discover([], 1))
    const poll = async (): Promise<never> => {
      for (;;) expect(await reader.poll(100)).toBeUndefined()
    }
    await expect(poll()).rejects.toMatchObject({
      code: 'DELTA_VERSION_GONE',
      message: expect.stringContaining('version 1'),
    })
  })

  test('that delta-rs compacted is not read twice, and one of which it deleted rows stops the source', async () => {
    const table = join(folder, 'table')
    await runPython('write_delta.py', [table, 'append=0+3', 'append=3+3', 'optimize', 'append=6+3'])
    const source = connector.source({ path: 'table', startingVersion: 1, continuous: { every: '100ms' } })
    const context = sourceContext({ verb: { connector: 'delta' }, schema: SCHEMA, baseDir: folder })
    const reader = source.reader({ ...context, slot: 0, parallelism: 1 }, compileRowClass(SCHEMA))
    await reader.open(await source.enumerator(context).discover([], 1))
    const found: Row[] = []
    while (found.length < 6) found.push(...((await reader.poll(100))?.batch.rows() ?? []))
    expect(found.map((row) => row['id'])).toEqual([3, 4, 5, 6, 7, 8])
    await runPython('write_delta.py', [table, 'delete=id = 4'])
    const poll = async (): Promise<never> => {
      for (;;) expect(await reader.poll(100)).toBeUndefined()
    }
    await expect(poll()).rejects.toMatchObject({ code: 'DELTA_ROWS_REMOVED' })
  })

  test('that delta-rs made takes rows of the sink, and delta-rs goes on with it', async () => {
    const table = join(folder, 'table')
    await runPython('write_delta.py', [table, 'appendByDay=0+10', 'checkpoint'])
    const fields = SCHEMA.fields.map((field) => ({ ...field, nullable: true }))
    const writer = connector
      .sink({ path: 'table' })
      .writer({ ...deltaSinkContext(folder, { fields }), slot: 0, attempt: 1 })
    await writer.open([])
    const rows = Array.from({ length: 2000 }, (_, n) => expectedRow(10 + n))
    for (const batch of batchesOf({ fields }, rows, false)) await writer.write(batch)
    await writer.commit(await writer.prepareCommit(1))
    await runPython('write_delta.py', [table, 'appendByDay=2010+10', 'optimize', 'checkpoint'])
    const { rows: found, partitionColumns } = await readByDeltaRs(table)
    expect(partitionColumns).toEqual(['day'])
    const text = (row: Row): string => JSON.stringify(fields.map((field) => parquetText(field, row[field.name])))
    const foundText = (row: Record<string, string | null>): string =>
      JSON.stringify(fields.map(({ name }) => row[name]))
    expect(found.map(foundText).sort()).toEqual(Array.from({ length: 2020 }, (_, n) => text(expectedRow(n))).sort())
  })
})

const SCHEMA = schemaOf({
  id: 'long',
  name: 'string?',
  amount: 'double',
  at: 'timestamp',
  ok: 'boolean',
  price: 'decimal(20,2)',
  day: 'date',
  raw: 'bytes',
})

/** The n-th row that `write_delta.py` writes. */
function expectedRow(n: number): Row {
  return {
    id: n,
    name: n % 5 === 0 ? null : `né ${n}`,
    amount: n / 3,
    at: 1_700_000_000_000 + n,
    ok: n % 2 === 0,
    price: (n / 4).toFixed(2),
    day: 20_454 + (n % 3),
    raw: String.fromCharCode(n % 256, 255),
  }
}
