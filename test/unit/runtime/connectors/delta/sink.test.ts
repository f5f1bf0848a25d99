import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connector } from '../../../../../runtime/connectors/delta/connector.ts'
import { declaration } from '../../../../../runtime/connectors/delta/declaration.ts'
import type { SinkWriter } from '../../../../../runtime/connectors/sink.ts'
import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import type { Row, Schema } from '../../../../../runtime/model/schema.ts'
import type { Committable } from '../../../../../runtime/model/snapshot.ts'
import { expectExactlyOnceSink } from '../../../../harness/connector-conformance.ts'
import { deltaActions, deltaRows, deltaSinkContext } from '../../../../harness/delta-table.ts'
import { schemaOf } from '../../../../harness/formats.ts'

const SCHEMA = schemaOf({ id: 'long' })

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-delta-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const table = (): string => join(folder, 'table')
const ids = async (): Promise<number[]> => (await deltaRows(table(), SCHEMA)).map((row) => Number(row['id'])).sort()

async function opened(
  schema: Schema,
  {
    slot = 0,
    attempt = 1,
    recovered = [],
    ...options
  }: { slot?: number; attempt?: number; recovered?: Committable[]; partitionBy?: string } = {},
): Promise<SinkWriter> {
  const writer = connector
    .sink({ path: 'table', ...options })
    .writer({ ...deltaSinkContext(folder, schema), slot, attempt })
  await writer.open(recovered)
  return writer
}

async function append(schema: Schema, rows: Row[], options: Parameters<typeof opened>[1] = {}): Promise<void> {
  const writer = await opened(schema, options)
  await writer.write(new RowBatch(rows))
  await writer.commit?.(await writer.prepareCommit(1))
}

test('a table holds every completed checkpoint once, through crashes, repeated recovery and other parallelism', async () => {
  await expectExactlyOnceSink({
    connector: connector.sink({ path: 'table' }),
    context: deltaSinkContext(folder, SCHEMA),
    row: (n) => ({ id: n }),
    visible: async () => (await deltaRows(table(), SCHEMA)).map((row) => JSON.stringify(row)),
    show: (row) => JSON.stringify(row),
  })
})

test.each([
  ['in their order', [0, 1]],
  ['the later one first', [1, 0]],
])('when other writers recover the checkpoints of one slot %s, both are there once', async (_, order) => {
  const crashed = await opened(SCHEMA)
  const committables: Committable[] = []
  for (const id of [1, 2]) {
    await crashed.write(new RowBatch([{ id }]))
    committables.push(...(await crashed.prepareCommit(id)))
  }
  for (const [slot, index] of order.entries()) {
    const committable = committables[index]
    if (committable !== undefined) await opened(SCHEMA, { slot, attempt: 2, recovered: [committable] })
  }
  expect(await ids()).toEqual([1, 2])
})

test('when a job is restored from an older savepoint, the checkpoints that it counts again are committed', async () => {
  await append(SCHEMA, [{ id: 1 }])
  await append(SCHEMA, [{ id: 2 }])
  expect(await ids()).toEqual([1, 2])
})

test('when four writers commit at once, every version holds one commit and no row is lost', async () => {
  const writers = await Promise.all([0, 1, 2, 3].map((slot) => opened(SCHEMA, { slot })))
  await Promise.all(
    writers.map(async (writer, slot) => {
      for (let checkpoint = 1; checkpoint <= 20; checkpoint++) {
        await writer.write(new RowBatch([{ id: slot * 100 + checkpoint }]))
        await writer.commit?.(await writer.prepareCommit(checkpoint))
      }
    }),
  )
  const versions = deltaActions(table())
  expect(versions.map((actions) => actions.filter((action) => action['add'] !== undefined).length)).toEqual([
    0,
    ...Array.from({ length: 80 }, () => 1),
  ])
  expect(new Set(await ids()).size).toBe(80)
})

test('when a field is new and nullable, its column is added, and rows without it stay', async () => {
  await append(SCHEMA, [{ id: 1 }])
  const wider = schemaOf({ id: 'long', note: 'string?' })
  await append(wider, [{ id: 2, note: 'new' }], { attempt: 2 })
  const rows = await deltaRows(table(), wider)
  expect(rows.map((row) => ({ ...row }))).toEqual([
    { id: 1, note: null },
    { id: 2, note: 'new' },
  ])
})

test.each<[string, Record<string, string>, string]>([
  ['a new field may not be null', { id: 'long', note: 'string' }, 'has no column note'],
  ['a type differs', { id: 'double' }, 'is a long, the field is a double'],
  [
    'a column that may not be null has no field',
    { other: 'string?' },
    'may not be null, and the rows have no such field',
  ],
  ['a field may be null and its column not', { id: 'long?' }, 'may not be null, the field (long?) may'],
  ['a name differs in case only', { ID: 'long' }, 'Delta takes both for one'],
])('when %s, the sink refuses the table with both', async (_, fields, message) => {
  await append(SCHEMA, [{ id: 1 }])
  await expect(opened(schemaOf(fields), { attempt: 2 })).rejects.toMatchObject({
    code: 'SCHEMA_MISMATCH',
    message: expect.stringContaining(message),
  })
})

test('when the sink partitions, the log has the values and the files do not', async () => {
  const schema = schemaOf({ id: 'long', day: 'date?', kind: 'string' })
  const rows = [
    { id: 1, day: 0, kind: 'a/b=c' },
    { id: 2, day: null, kind: 'x' },
    { id: 3, day: 0, kind: 'a/b=c' },
  ]
  const writer = connector
    .sink({ path: 'table', partitionBy: ['day', 'kind'] })
    .writer({ ...deltaSinkContext(folder, schema), slot: 0, attempt: 1 })
  await writer.open([])
  await writer.write(new RowBatch(rows))
  await writer.commit(await writer.prepareCommit(1))
  const adds = deltaActions(table())
    .flat()
    .flatMap(({ add }) => (add === undefined ? [] : [add]))
  expect(adds.map(({ partitionValues }) => partitionValues)).toEqual([
    { day: '1970-01-01', kind: 'a/b=c' },
    { day: null, kind: 'x' },
  ])
  expect(String(adds[0]?.['path'])).toMatch(/^day=1970-01-01\/kind=a_b_c\/part-.*\.parquet$/)
  expect((await deltaRows(table(), SCHEMA)).map((row) => row['id'])).toEqual([1, 3, 2])
})

test('when a partition is an empty text, the row is refused', async () => {
  const writer = await opened(schemaOf({ id: 'long', kind: 'string' }), { partitionBy: 'kind' })
  await expect(writer.write(new RowBatch([{ id: 1, kind: '' }]))).rejects.toMatchObject({
    code: 'RECORD_INVALID',
    message: expect.stringContaining("field 'kind'"),
  })
})

test('statistics have the bounds of numbers, times and texts', async () => {
  const schema = schemaOf({ id: 'long', at: 'timestamp', day: 'date', name: 'string?', ok: 'boolean' })
  await append(schema, [
    { id: 5, at: 1000, day: 1, name: 'b', ok: true },
    { id: -1, at: 0, day: 0, name: null, ok: false },
  ])
  const add = deltaActions(table())
    .flat()
    .find((action) => action['add'] !== undefined)?.['add']
  expect(JSON.parse(String(add?.['stats']))).toEqual({
    numRecords: 2,
    minValues: { id: -1, at: '1970-01-01T00:00:00.000Z', day: '1970-01-01', name: 'b' },
    maxValues: { id: 5, at: '1970-01-01T00:00:01.000Z', day: '1970-01-02', name: 'b' },
    nullCount: { id: 0, at: 0, day: 0, name: 1, ok: 0 },
  })
})

const PLAIN_META = {
  id: 'x',
  schemaString: '{"type":"struct","fields":[{"name":"id","type":"long","nullable":false,"metadata":{}}]}',
  partitionColumns: [],
  configuration: {},
}

test.each<[string, object, object]>([
  ['a writer feature', { minReaderVersion: 1, minWriterVersion: 7, writerFeatures: ['rowTracking'] }, PLAIN_META],
  ['a newer writer version', { minReaderVersion: 1, minWriterVersion: 8 }, PLAIN_META],
  [
    'a constraint',
    { minReaderVersion: 1, minWriterVersion: 3 },
    { ...PLAIN_META, configuration: { 'delta.constraints.positive': 'id > 0' } },
  ],
  [
    'column mapping',
    { minReaderVersion: 2, minWriterVersion: 5 },
    { ...PLAIN_META, configuration: { 'delta.columnMapping.mode': 'name' } },
  ],
  [
    'an invariant',
    { minReaderVersion: 1, minWriterVersion: 2 },
    {
      ...PLAIN_META,
      schemaString:
        '{"type":"struct","fields":[{"name":"id","type":"long","nullable":false,"metadata":{"delta.invariants":"{}"}}]}',
    },
  ],
])('when the table has %s that the sink would break, it is refused by name', async (_, protocol, metaData) => {
  mkdirSync(join(table(), '_delta_log'), { recursive: true })
  writeFileSync(
    join(table(), '_delta_log', `${'0'.repeat(20)}.json`),
    `${JSON.stringify({ protocol })}\n${JSON.stringify({ metaData })}\n`,
  )
  await expect(opened(SCHEMA)).rejects.toMatchObject({ code: 'DELTA_FEATURE_UNKNOWN', domain: 'user' })
})

test('when another writer creates the table between two questions about it, both write to that table', async () => {
  const context = deltaSinkContext(folder, SCHEMA)
  let created: SinkWriter | undefined
  const openObjects: typeof context.ports.openObjects = (url) => {
    const objects = context.ports.openObjects(url)
    const head = objects.head.bind(objects)
    objects.head = async (path) => {
      const found = await head(path)
      if (found === undefined && path.endsWith('0.json')) created ??= await opened(SCHEMA, { slot: 1 })
      return found
    }
    return objects
  }
  const late = connector
    .sink({ path: 'table' })
    .writer({ ...context, ports: { ...context.ports, openObjects }, slot: 0, attempt: 1 })
  await late.open([])
  for (const [id, writer] of [late, created].entries()) {
    await writer?.write(new RowBatch([{ id }]))
    await writer?.commit?.(await writer.prepareCommit(1))
  }
  expect(await ids()).toEqual([0, 1])
})

test('when the log has lost its beginning, it is not taken for a new table', async () => {
  mkdirSync(join(table(), '_delta_log'), { recursive: true })
  writeFileSync(join(table(), '_delta_log', `${'0'.repeat(18)}12.json`), '')
  await expect(opened(SCHEMA)).rejects.toMatchObject({ code: 'DELTA_LOG_INVALID' })
})

test.each(['{', '{"add":{"path":"a","size":-1}}', '{"metaData":{"id":7}}'])(
  'when the log has %s, it is refused with its line',
  async (line) => {
    await append(SCHEMA, [{ id: 1 }])
    appendFileSync(join(table(), '_delta_log', `${'0'.repeat(19)}1.json`), line)
    await expect(opened(SCHEMA, { attempt: 2 })).rejects.toMatchObject({
      code: 'DELTA_LOG_INVALID',
      message: expect.stringContaining('line'),
    })
  },
)

async function prepared(): Promise<Record<string, unknown>> {
  const writer = await opened(SCHEMA)
  await writer.write(new RowBatch([{ id: 1 }]))
  const [committable] = await writer.prepareCommit(1)
  return JSON.parse(JSON.stringify(committable)) as Record<string, unknown>
}

test.each<[string, (text: string) => string]>([
  ['another table', (text) => text.replace('/table"', '/other"')],
  ['files of another sink', (text) => text.replaceAll('-out-', '-in-')],
  ['a file out of the table', (text) => text.replace('"path":"', '"path":"../')],
  ['any other file', (text) => text.replace(/"path":"[^"]*"/, '"path":"theirs.parquet"')],
  ['statistics that are none', (text) => text.replace(/"stats":"(?:[^"\\]|\\.)*"/, '"stats":"}"')],
  ['no files', (text) => text.replace(/"prepared":.*/, '"prepared":7}')],
])('when a savepoint asks to commit %s, it is refused and nothing is committed', async (_, change) => {
  const text = JSON.stringify(await prepared())
  expect(change(text)).not.toBe(text)
  const recovered = [JSON.parse(change(text)) as Committable]
  await expect(opened(SCHEMA, { attempt: 2, recovered })).rejects.toMatchObject({ code: 'COMMITTABLE_INVALID' })
  expect(await ids()).toEqual([])
})

test('when checkpointed output is gone, the restore fails loudly and the table stays readable', async () => {
  const committable = await prepared()
  for (const name of readdirSync(table())) if (name.endsWith('.parquet')) rmSync(join(table(), name))
  await expect(opened(SCHEMA, { attempt: 2, recovered: [committable as Committable] })).rejects.toMatchObject({
    code: 'SINK_OUTPUT_LOST',
  })
  expect(await ids()).toEqual([])
})

test('when the folder is a file, that is reported with its name', async () => {
  writeFileSync(table(), '')
  await expect(opened(SCHEMA)).rejects.toMatchObject({
    code: 'OBJECTS_UNAVAILABLE',
    message: expect.stringContaining('table'),
  })
  expect(existsSync(join(table(), '_delta_log'))).toBe(false)
})

test.each([
  ['tables/a', ['tables/a']],
  ['file:///tables/a', ['/tables/a']],
  ['s3://bucket/a', []],
])('of the table %s the operator checks the files %j', (path, files) => {
  const opened = declaration.sink?.options.opens?.({ path }) ?? []
  expect(opened.map(({ file }) => file)).toEqual(files)
})

test('when the table is a file URL, it lies there', async () => {
  const writer = connector
    .sink({ path: `file://${table()}` })
    .writer({ ...deltaSinkContext('/nowhere', SCHEMA), slot: 0, attempt: 1 })
  await writer.open([])
  await writer.write(new RowBatch([{ id: 1 }]))
  await writer.commit(await writer.prepareCommit(1))
  expect(await ids()).toEqual([1])
})

test.each<[Record<string, string>, object, string]>([
  [{ id: 'time' }, {}, 'Delta has no type'],
  [{ id: 'long', ID: 'long' }, {}, 'same column'],
  [{ id: 'long' }, { partitionBy: 'id' }, 'names every field'],
  [{ id: 'long', at: 'timestamp' }, { partitionBy: 'at' }, 'is a timestamp'],
  [{ id: 'long', at: 'timestamp' }, { partitionBy: 'nothing' }, 'there is no field'],
])('the check of a job refuses %o with %o', (fields, options, message) => {
  const problems = declaration.sink?.checkSchema?.({ path: 'table', ...options }, schemaOf(fields)) ?? []
  expect(problems.map((problem) => problem.message).join()).toContain(message)
})
