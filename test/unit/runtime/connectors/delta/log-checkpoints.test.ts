import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { intervalMs } from '../../../../../runtime/connectors/delta/checkpoint-state.ts'
import { connector } from '../../../../../runtime/connectors/delta/connector.ts'
import type { SinkContext, SinkWriter } from '../../../../../runtime/connectors/sink.ts'
import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import type { Row } from '../../../../../runtime/model/schema.ts'
import { readAll } from '../../../../harness/connector-conformance.ts'
import { deltaSinkContext } from '../../../../harness/delta-table.ts'
import { schemaOf } from '../../../../harness/formats.ts'
import { sourceContext } from '../../../../harness/source-context.ts'

const SCHEMA = schemaOf({ id: 'long', day: 'string' })
const UPSERT = { path: 'table', mode: 'upsert', key: 'id', partitionBy: 'day' }

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-delta-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const log = (): string => join(folder, 'table', '_delta_log')
const named = (version: number, ending: string): string => `${String(version).padStart(20, '0')}.${ending}`
const checkpoints = (): string[] => readdirSync(log()).filter((name) => name.endsWith('.parquet'))
const pointer = (): unknown => JSON.parse(readFileSync(join(log(), '_last_checkpoint'), 'utf8'))

async function opened(options: object, context: Partial<SinkContext> = {}): Promise<SinkWriter> {
  const writer = connector.sink({ ...UPSERT, ...options }).writer({
    ...deltaSinkContext(folder, SCHEMA),
    slot: 0,
    attempt: 1,
    ...context,
  })
  await writer.open([])
  return writer
}

async function commit(writer: SinkWriter, from: number, to: number, rowOf: (n: number) => Row): Promise<void> {
  for (let n = from; n <= to; n++) {
    await writer.write(new RowBatch([rowOf(n)]))
    await writer.commit?.(await writer.prepareCommit(n))
  }
}

const row = (n: number): Row => ({ id: n % 7, day: `d${n % 2}` })

async function rowsOf(version: number): Promise<Record<string, Record<string, unknown> | null>[]> {
  const bytes = readFileSync(join(log(), named(version, 'checkpoint.parquet')))
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
  return (await parquetReadObjects({ file, compressors })) as Record<string, Record<string, unknown> | null>[]
}

async function readTable(): Promise<string[]> {
  return readAll({
    connector: connector.source({ path: 'table' }),
    context: sourceContext({ verb: { connector: 'delta' }, schema: SCHEMA, baseDir: folder }),
    maxRows: 5,
    interruptions: 1,
  })
}

function forgetBefore(version: number): void {
  for (let past = 0; past < version; past++) rmSync(join(log(), named(past, 'json')))
}

const APPEND = { mode: 'append', key: undefined }

test.each([
  ['append', APPEND],
  ['upsert', {}],
])('behind every tenth version of mode %s there is a checkpoint', async (_, options) => {
  await commit(await opened(options), 1, 21, row)
  expect(checkpoints()).toEqual([named(10, 'checkpoint.parquet'), named(20, 'checkpoint.parquet')])
  expect(pointer()).toMatchObject({ version: 20, size: (await rowsOf(20)).length })
})

test('when the versions before a checkpoint are gone, source and sink continue with the table', async () => {
  await commit(await opened({}), 1, 23, row)
  const whole = await readTable()
  forgetBefore(20)
  expect(await readTable()).toEqual(whole)
  await commit(await opened({}, { attempt: 2 }), 24, 30, row)
  expect(checkpoints()).toHaveLength(3)
  forgetFrom(20, 30)
  // what row(17) … row(30) say of each of the seven keys
  const last = new Map(Array.from({ length: 30 }, (__, index) => row(index + 1)).map((one) => [one['id'], one]))
  expect(await readTable()).toEqual([...last.values()].map((one) => JSON.stringify(one)).sort())
})

function forgetFrom(from: number, to: number): void {
  for (let past = from; past < to; past++) rmSync(join(log(), named(past, 'json')))
}

test('a checkpoint has what the log says and no file that was removed as one of the table', async () => {
  await commit(await opened({}), 1, 10, row)
  const rows = await rowsOf(10)
  const paths = (kind: string): unknown[] => rows.flatMap((one) => one[kind]?.['path'] ?? []).sort()
  const live = new Set<unknown>()
  const removed = new Set<unknown>()
  for (let version = 0; version <= 10; version++)
    for (const line of readFileSync(join(log(), named(version, 'json')), 'utf8')
      .trim()
      .split('\n')) {
      const { add, remove } = JSON.parse(line) as Record<string, { path: string } | undefined>
      if (add !== undefined) live.add(add.path)
      if (remove !== undefined) removed.add(remove.path)
    }
  for (const path of removed) live.delete(path)
  expect(removed.size).toBeGreaterThan(0)
  expect(paths('add')).toEqual([...live].sort())
  expect(paths('remove')).toEqual([...removed].sort())
  expect(rows.filter((one) => one['protocol']).map((one) => one['protocol'])).toEqual([
    { minReaderVersion: 1, minWriterVersion: 2, readerFeatures: undefined, writerFeatures: undefined },
  ])
  expect(rows.find((one) => one['add'])?.['add']).toMatchObject({
    partitionValues: { day: expect.stringMatching(/^d\d$/) },
  })
  expect(rows.filter((one) => one['txn'])).toHaveLength(1)
})

test('when the table sets delta.checkpointInterval, that holds', async () => {
  writeMeta({ 'delta.checkpointInterval': '3' })
  await commit(await opened(APPEND), 1, 7, row)
  expect(checkpoints()).toEqual([named(3, 'checkpoint.parquet'), named(6, 'checkpoint.parquet')])
})

test('when the table wants statistics in another form only, no checkpoint is written', async () => {
  writeMeta({ 'delta.checkpointInterval': '3', 'delta.checkpoint.writeStatsAsJson': 'false' })
  await commit(await opened(APPEND), 1, 7, row)
  expect(checkpoints()).toEqual([])
})

test('when the table keeps removed files for no time, a checkpoint forgets them', async () => {
  writeMeta({ 'delta.checkpointInterval': '4', 'delta.deletedFileRetentionDuration': 'interval 0 hours' })
  await commit(await opened({}), 1, 8, () => ({ id: 1, day: 'd' }))
  expect((await rowsOf(8)).filter((one) => one['remove'])).toEqual([])
})

test('when a checkpoint cannot be written, that is reported until one is, and no version is missing', async () => {
  const reports: (string | null)[] = []
  const { ports } = deltaSinkContext(folder, SCHEMA)
  const openObjects: typeof ports.openObjects = (url) => {
    const objects = ports.openObjects(url)
    const put = objects.put.bind(objects)
    objects.put = (path, bytes) =>
      path.includes('10.checkpoint') ? Promise.reject(new Error('the disk is full')) : put(path, bytes)
    return objects
  }
  const writer = await opened(
    {},
    {
      ports: { ...ports, openObjects },
      reportTrouble: (error) => {
        reports.push(error === null ? null : error.message)
      },
    },
  )
  await commit(writer, 1, 19, row)
  expect(reports).toEqual([expect.stringContaining('version 10 of the Delta table')])
  expect(reports[0]).toContain('the disk is full')
  await commit(writer, 20, 21, row)
  expect(reports).toHaveLength(2)
  expect(reports[1]).toBeNull()
  expect(readdirSync(log()).filter((name) => name.endsWith('.json'))).toHaveLength(22)
  expect(checkpoints()).toEqual([named(20, 'checkpoint.parquet')])
})

test('when there is a newer pointer, a late checkpoint leaves it', async () => {
  const writer = await opened({})
  await commit(writer, 1, 9, row)
  writeFileSync(join(log(), '_last_checkpoint'), '{"version":10,"size":1}')
  await commit(writer, 10, 10, row)
  expect(pointer()).toEqual({ version: 10, size: 1 })
})

test.each([
  ['names a checkpoint that is not there', '{"version":15,"size":1}'],
  ['is missing', undefined],
])('when the pointer %s, the newest checkpoint in the folder is read', async (_, text) => {
  await commit(await opened({}), 1, 12, row)
  const whole = await readTable()
  forgetBefore(10)
  rmSync(join(log(), '_last_checkpoint'))
  if (text !== undefined) writeFileSync(join(log(), '_last_checkpoint'), text)
  expect(await readTable()).toEqual(whole)
})

test.each<[unknown, number]>([
  [undefined, 5],
  ['interval 1 week', 604_800_000],
  ['INTERVAL 2 days', 172_800_000],
  ['interval 1 day 3 hours 4 minutes 5 seconds 6 milliseconds', 97_445_006],
  ['168 hours', 604_800_000],
  ['interval 1 fortnight', Infinity],
  ['P7D', Infinity],
])('the interval %s lasts %d ms', (written, ms) => {
  expect(intervalMs(written, 5)).toBe(ms)
})

function writeMeta(configuration: Record<string, string>): void {
  const field = (name: string, type: string): object => ({ name, type, nullable: false, metadata: {} })
  const schemaString = JSON.stringify({ type: 'struct', fields: [field('id', 'long'), field('day', 'string')] })
  const metaData = {
    id: 'x',
    format: { provider: 'parquet', options: {} },
    schemaString,
    partitionColumns: ['day'],
    configuration,
  }
  mkdirSync(log(), { recursive: true })
  writeFileSync(
    join(log(), named(0, 'json')),
    [{ protocol: { minReaderVersion: 1, minWriterVersion: 2 } }, { metaData }]
      .map((action) => `${JSON.stringify(action)}\n`)
      .join(''),
  )
}
