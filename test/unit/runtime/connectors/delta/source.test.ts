import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import { connector } from '../../../../../runtime/connectors/delta/connector.ts'
import type { SourceReader } from '../../../../../runtime/connectors/source.ts'
import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import type { Row, Schema } from '../../../../../runtime/model/schema.ts'
import { expectExactRestores, readAll } from '../../../../harness/connector-conformance.ts'
import { deltaActions, deltaSinkContext } from '../../../../harness/delta-table.ts'
import { schemaOf } from '../../../../harness/formats.ts'
import { sourceContext } from '../../../../harness/source-context.ts'

const SCHEMA = schemaOf({ id: 'long', kind: 'string', note: 'json?' })

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-delta-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const context = (schema: Schema = SCHEMA) => sourceContext({ verb: { connector: 'delta' }, schema, baseDir: folder })
const row = (n: number): Row => ({ id: n, kind: `k${n % 3}`, note: n % 4 === 0 ? null : { n } })
const rows = (from: number, count: number): Row[] => Array.from({ length: count }, (_, index) => row(from + index))

/** One version for each list of rows. */
async function write(versions: readonly Row[][], options: object = {}, schema = SCHEMA): Promise<void> {
  const writer = connector
    .sink({ path: 'table', ...options })
    .writer({ ...deltaSinkContext(folder, schema), slot: 0, attempt: 1 })
  await writer.open([])
  for (const [index, version] of versions.entries()) {
    await writer.write(new RowBatch(version))
    await writer.commit(await writer.prepareCommit(index + 1))
  }
}

function commit(version: number, ...actions: object[]): void {
  const path = join(folder, 'table', '_delta_log', `${String(version).padStart(20, '0')}.json`)
  writeFileSync(path, actions.map((action) => JSON.stringify(action)).join('\n'))
}

async function changes(options: object = {}): Promise<SourceReader> {
  const source = connector.source({ path: 'table', continuous: { every: '100ms' }, startingVersion: 1, ...options })
  const splits = await source.enumerator(context()).discover([], 1)
  const reader = source.reader({ ...context(), slot: 0, parallelism: 1 }, compileRowClass(SCHEMA))
  await reader.open(splits)
  return reader
}

async function next(reader: SourceReader, count: number): Promise<Row[]> {
  const found: Row[] = []
  while (found.length < count) found.push(...((await reader.poll(10))?.batch.rows() ?? []))
  return found.map((one) => ({ ...one }))
}

test.each([{}, { partitionBy: 'kind' }, { partitionBy: ['kind', 'id'] }])(
  'a snapshot of a table written with %o is read exactly wherever reading stops',
  async (options) => {
    await write([rows(0, 40), rows(40, 7), rows(47, 30)], options)
    const source = { connector: connector.source({ path: 'table' }), context: context(), maxRows: 7, interruptions: 9 }
    expect(await readAll(source)).toEqual(
      rows(0, 77)
        .map((one) => JSON.stringify(one))
        .sort(),
    )
    await expectExactRestores(source, 1, 1)
    await expectExactRestores(source, 2, 3)
    await expectExactRestores(source, 3, 1)
  },
)

test('when columns are left out, only the others are read', async () => {
  await write([rows(0, 3)], { partitionBy: 'kind' })
  const schema = schemaOf({ kind: 'string' })
  const source = {
    connector: connector.source({ path: 'table' }),
    context: context(schema),
    maxRows: 7,
    interruptions: 1,
  }
  expect(await readAll(source)).toEqual(['{"kind":"k0"}', '{"kind":"k1"}', '{"kind":"k2"}'])
})

test('a source that goes on reads the snapshot and then what is committed, and restores at the row', async () => {
  await write([rows(0, 5)])
  const source = connector.source({ path: 'table', continuous: { every: '100ms' } })
  const splits = await source.enumerator(context()).discover([], 1)
  expect(splits.map(({ id }) => id)).toEqual(['snapshot-0-of-1', 'changes'])
  const reader = source.reader({ ...context(), slot: 0, parallelism: 1 }, compileRowClass(SCHEMA))
  await reader.open(splits)
  expect(await next(reader, 5)).toEqual(rows(0, 5))
  await write([rows(5, 8), rows(13, 4)])
  const some = [...((await until(reader))?.batch.rows() ?? [])].map((one) => ({ ...one }))
  const known = JSON.parse(JSON.stringify(reader.snapshot())) as typeof splits
  await reader.close()
  expect(some).toEqual(rows(5, 3))
  const restored = source.reader({ ...context(), slot: 0, parallelism: 1 }, compileRowClass(SCHEMA))
  await restored.open(await source.enumerator(context()).discover(known, 1))
  expect(await next(restored, 9)).toEqual(rows(8, 9))
  expect(restored.isFinished()).toBe(false)
})

async function until(reader: SourceReader): ReturnType<SourceReader['poll']> {
  for (;;) {
    const batch = await reader.poll(3)
    if (batch !== undefined) return batch
  }
}

test('when a version removes rows, the source fails with its number; with onRemove: ignore it goes on', async () => {
  await write([rows(0, 2)])
  commit(2, { remove: { path: 'x.parquet', dataChange: true } })
  const failing = await changes()
  expect(await next(failing, 2)).toEqual(rows(0, 2))
  await expect(next(failing, 1)).rejects.toMatchObject({
    code: 'DELTA_ROWS_REMOVED',
    message: expect.stringContaining('version 2'),
  })
  await write([rows(2, 2)])
  expect(await next(await changes({ onRemove: 'ignore' }), 4)).toEqual(rows(0, 4))
})

test('when rows were only moved, they are not read again', async () => {
  await write([rows(0, 2)])
  commit(
    2,
    { remove: { path: 'x.parquet', dataChange: false } },
    { add: { path: 'y.parquet', partitionValues: {}, size: 1, modificationTime: 1, dataChange: false } },
  )
  await write([rows(2, 2)])
  expect(await next(await changes(), 4)).toEqual(rows(0, 4))
})

const META = {
  id: 'x',
  schemaString:
    '{"type":"struct","fields":[{"name":"id","type":"long"},{"name":"kind","type":"string"},{"name":"note","type":"string"}]}',
  partitionColumns: [],
  configuration: {},
}

test.each(['behind', 'before'])(
  'when rows of a file are deleted by a vector, and its removal stands %s its addition, the file is refused and not left out',
  async (place) => {
    await write([rows(0, 3)])
    const path = String(
      deltaActions(join(folder, 'table'))
        .flat()
        .find(({ add }) => add !== undefined)?.['add']?.['path'],
    )
    const deletionVector = { storageType: 'u', pathOrInlineDv: 'x', offset: 1, sizeInBytes: 1, cardinality: 1 }
    const file = { path, partitionValues: {}, size: 1, modificationTime: 1, dataChange: true }
    const [add, remove] = [{ add: { ...file, deletionVector } }, { remove: { path, dataChange: true } }]
    commit(2, ...(place === 'behind' ? [add, remove] : [remove, add]))
    const source = connector.source({ path: 'table' })
    await expect(source.enumerator(context()).discover([], 1)).rejects.toMatchObject({
      code: 'DELTA_FEATURE_UNKNOWN',
      message: expect.stringContaining('deletion vector'),
    })
  },
)

test.each<[string, object[]]>([
  [
    'a reader feature',
    [
      {
        protocol: {
          minReaderVersion: 3,
          minWriterVersion: 7,
          readerFeatures: ['v2Checkpoint'],
          writerFeatures: ['v2Checkpoint'],
        },
      },
      { metaData: META },
    ],
  ],
  [
    'column mapping',
    [
      { protocol: { minReaderVersion: 2, minWriterVersion: 5 } },
      { metaData: { ...META, configuration: { 'delta.columnMapping.mode': 'id' } } },
    ],
  ],
  ['a newer reader version', [{ protocol: { minReaderVersion: 4, minWriterVersion: 7 } }, { metaData: META }]],
  [
    'deletion vectors',
    [
      {
        protocol: {
          minReaderVersion: 3,
          minWriterVersion: 7,
          readerFeatures: ['deletionVectors'],
          writerFeatures: ['deletionVectors'],
        },
      },
      { metaData: META },
      {
        add: {
          path: 'y',
          partitionValues: {},
          size: 1,
          modificationTime: 1,
          dataChange: true,
          deletionVector: { storageType: 'u' },
        },
      },
    ],
  ],
])('when the table has %s, the source refuses it by name', async (name, actions) => {
  mkdirSync(join(folder, 'table', '_delta_log'), { recursive: true })
  commit(0, ...actions)
  const source = connector.source({ path: 'table' })
  await expect(source.enumerator(context()).discover([], 1)).rejects.toMatchObject({
    code: 'DELTA_FEATURE_UNKNOWN',
    message: expect.stringContaining(
      name === 'deletion vectors'
        ? 'a deletion vector'
        : name.replace('a newer reader', 'reader').replace('a reader', 'the reader'),
    ),
  })
})

test.each(['../theirs.parquet', '/etc/passwd', 's3://bucket/x', 'a%ZZ', '%2e%2e/x', ''])(
  'when the log names the file %j, it is refused',
  async (path) => {
    mkdirSync(join(folder, 'table', '_delta_log'), { recursive: true })
    commit(
      0,
      { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
      { metaData: META },
      { add: { path, partitionValues: {}, size: 1, modificationTime: 1, dataChange: true } },
    )
    await expect(connector.source({ path: 'table' }).enumerator(context()).discover([], 1)).rejects.toMatchObject({
      code: 'DELTA_LOG_INVALID',
    })
  },
)

test('when an entry of the log is not UTF-8, it is refused', async () => {
  const log = join(folder, 'table', '_delta_log')
  mkdirSync(log, { recursive: true })
  commit(0, { protocol: { minReaderVersion: 1, minWriterVersion: 2 } }, { metaData: { ...META, name: 'Müller' } })
  const entry = join(log, '00000000000000000000.json')
  writeFileSync(entry, readFileSync(entry, 'utf8'), 'latin1')
  await expect(connector.source({ path: 'table' }).enumerator(context()).discover([], 1)).rejects.toMatchObject({
    code: 'DELTA_LOG_INVALID',
    message: expect.stringContaining('it is not UTF-8') as unknown,
  })
})

test.each<[Record<string, string>, string]>([
  [{ other: 'long' }, 'has no column other'],
  [{ id: 'string' }, 'is a long, the field is a string'],
  [{ kind: 'long' }, 'is a string, the field is a long'],
])('when the job declares %o, the source refuses it with both', async (fields, message) => {
  await write([rows(0, 1)])
  const source = connector.source({ path: 'table' })
  await expect(source.enumerator(context(schemaOf(fields))).discover([], 1)).rejects.toMatchObject({
    code: 'SCHEMA_MISMATCH',
    message: expect.stringContaining(message),
  })
})

test('when there is no table, the source names the folder', async () => {
  const quiet = { ...context(), reportTrouble: () => undefined }
  await expect(connector.source({ path: 'table' }).enumerator(quiet).discover([], 1)).rejects.toMatchObject({
    code: 'DELTA_TABLE_MISSING',
    message: expect.stringContaining(join(folder, 'table')),
  })
})

test('when a file of the table is gone, it is named', async () => {
  await write([rows(0, 2)])
  commit(2, { add: { path: 'gone.parquet', partitionValues: {}, size: 1, modificationTime: 1, dataChange: true } })
  const reader = await changes()
  await next(reader, 2)
  await expect(next(reader, 1)).rejects.toMatchObject({
    code: 'DELTA_FILE_GONE',
    message: expect.stringContaining('gone.parquet'),
  })
})

test('when a text is no JSON, the row is reported with its place and left out', async () => {
  const schema = schemaOf({ id: 'long', kind: 'string', note: 'string?' })
  await write(
    [
      [
        { id: 1, kind: 'a', note: '{' },
        { id: 2, kind: 'a', note: '[1]' },
      ],
    ],
    {},
    schema,
  )
  const about = context()
  const source = { connector: connector.source({ path: 'table' }), context: about, maxRows: 7, interruptions: 1 }
  expect(await readAll(source)).toEqual(['{"id":2,"kind":"a","note":[1]}'])
  expect(about.bad.map(({ reason }) => reason).join()).toContain("field 'note' must be a json?")
})
