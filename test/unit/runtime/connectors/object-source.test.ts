import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import { connector } from '../../../../runtime/connectors/file/connector.ts'
import { sourceOptions } from '../../../../runtime/connectors/file/declaration.ts'
import type { SourceReader } from '../../../../runtime/connectors/source.ts'
import { ParquetWriter } from '../../../../runtime/formats/parquet/parquet-writer.ts'
import { RowBatch } from '../../../../runtime/memory/batch.ts'
import type { Schema } from '../../../../runtime/model/schema.ts'
import type { Split } from '../../../../runtime/model/snapshot.ts'
import { portsWithBuckets } from '../../../harness/bucket-folder.ts'
import { expectExactRestores, readAll } from '../../../harness/connector-conformance.ts'
import { sourceContext } from '../../../harness/source-context.ts'

const SCHEMA: Schema = { fields: [{ name: 'id', type: 'long', nullable: false }] }

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-bucket-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

async function put(path: string, first: number, count: number): Promise<void> {
  const lines = Array.from({ length: count }, (_, index) => JSON.stringify({ id: first + index }))
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), lines.join('\n'))
}

const context = () =>
  sourceContext({ verb: { connector: 'file' }, schema: SCHEMA, baseDir: '/nowhere', ports: portsWithBuckets(folder) })

function sourceOf(path: string, more: object = {}) {
  return connector.source({ path, format: 'json', ...more })
}

async function discovered(source: ReturnType<typeof sourceOf>, known: readonly Split[] = []): Promise<Split[]> {
  const enumerator = source.enumerator(context())
  const splits = await enumerator.discover(known, 2)
  await enumerator.close()
  return splits
}

async function idsOf(reader: SourceReader): Promise<unknown[]> {
  const ids: unknown[] = []
  const isDone = (): boolean => reader.snapshot().every(({ finished }) => finished)
  while (!isDone()) ids.push(...((await reader.poll(100))?.batch.rows() ?? []).map((row) => row['id']))
  return ids
}

async function readIds(source: ReturnType<typeof sourceOf>, splits: readonly Split[]): Promise<unknown[]> {
  const reader = source.reader({ ...context(), slot: 0, parallelism: 1 }, compileRowClass(SCHEMA))
  await reader.open(splits)
  const ids = await idsOf(reader)
  await reader.close()
  return ids
}

test('objects that match are read once, wherever reading was interrupted', async () => {
  await put('bucket/in/2026-01/a.json', 0, 40)
  await put('bucket/in/2026-02/b.json', 100, 25)
  await put('bucket/in/2026-02/left.csv', 900, 3)
  await put('bucket/other/c.json', 800, 3)
  const source = sourceOf('s3://bucket/in/2026-*/*.json')
  const under = { connector: source, context: context(), maxRows: 3, interruptions: 20 }
  expect(await readAll(under)).toHaveLength(65)
  await expectExactRestores(under, 1, 3)
  await expectExactRestores(under, 3, 2)
})

test('Parquet objects are read once, by ranges', async () => {
  await mkdir(join(folder, 'bucket/in'), { recursive: true })
  for (const first of [0, 100]) {
    const writer = new ParquetWriter(SCHEMA, { compression: 'zstd', jsonAs: 'json' })
    writer.add(new RowBatch(Array.from({ length: 30 }, (_, n) => ({ id: first + n }))))
    writer.end()
    await writeFile(join(folder, `bucket/in/${first}.parquet`), Buffer.concat(writer.take()))
  }
  const source = connector.source({ path: 's3://bucket/in/*.parquet', format: 'parquet' })
  const under = { connector: source, context: context(), maxRows: 5, interruptions: 8 }
  expect(await readAll(under)).toHaveLength(60)
  await expectExactRestores(under, 2, 1)
})

test('an object that was replaced since it was planned is refused, in the middle and before its first row', async () => {
  await put('bucket/in/a.json', 0, 10)
  const source = sourceOf('s3://bucket/in/*.json')
  const splits = await discovered(source)
  const [split] = JSON.parse(JSON.stringify(splits)) as Split[]
  await put('bucket/in/a.json', 50, 10)
  await expect(readIds(source, splits)).rejects.toMatchObject({ code: 'OBJECT_CHANGED' })
  const middle = { ...split, position: { ...(split?.position as object), next: 9 } } as Split
  await expect(readIds(source, [middle])).rejects.toMatchObject({ code: 'OBJECT_CHANGED' })
})

test('with lookAgain an empty folder is waited for, new objects are read, and those known are not looked at again', async () => {
  const source = sourceOf('s3://bucket/in/*.json', { lookAgain: '1s' })
  expect(await discovered(source)).toEqual([])
  await put('bucket/in/b.json', 0, 3)
  const first = await discovered(source)
  const reader = source.reader({ ...context(), slot: 0, parallelism: 1 }, compileRowClass(SCHEMA))
  await reader.open(first)
  expect(await idsOf(reader)).toEqual([0, 1, 2])
  // its name sorts before that of the one that was read
  await put('bucket/in/a.json', 10, 2)
  const all = await discovered(source, first)
  const fresh = all.filter(({ id }) => !first.some((known) => known.id === id))
  expect(fresh.map(({ id }) => id)).toEqual(['s3://bucket/in/a.json:0-19'])
  reader.addSplits?.(fresh)
  expect(await idsOf(reader)).toEqual([10, 11])
  expect(reader.isFinished()).toBe(false)
  await reader.close()
})

test('a name without an object is reported by its URL, and so is an object that is gone', async () => {
  await put('bucket/in/a.json', 0, 1)
  const source = sourceOf('s3://bucket/in/*.json')
  const splits = await discovered(source)
  for (const name of await readdir(join(folder, 'bucket/in'))) await rm(join(folder, 'bucket/in', name))
  await expect(readIds(source, splits)).rejects.toMatchObject({
    code: 'FILE_MISSING',
    message: expect.stringContaining('s3://bucket/in/a.json'),
  })
  await expect(discovered(source)).rejects.toMatchObject({
    code: 'FILE_MISSING',
    message: 'no object matches "s3://bucket/in/*.json"',
  })
})

test.each([
  ['s3://b/x.json', 'is no name of a bucket'],
  ['s3://UPPER_CASE/x.json', 'is no name of a bucket'],
  ['s3://bucket/', 'it names no object'],
  ['s3://bucket/in/', 'it names no object'],
  ['s3://bucket/../x.json', 'must be relative, without . and ..'],
  ['s3://bucket/%2e%2e/x.json', 'must be relative, without . and ..'],
  ['s3://bucket/%zz.json', 'two hex digits'],
  ['s3://user:word@bucket/x.json', 'without a user or password'],
  ['s3://bucket/x.json?endpiont=http://h', 'option "endpiont" is unknown'],
  [`s3://bucket/${'x'.repeat(1100)}/a.json`, 'more than 1024 bytes'],
  ['ftp://bucket/x.json', 'no storage of kind "ftp"'],
])('lint refuses %s: %s', (path, reason) => {
  const problems = sourceOptions.check({ path, format: 'json' })
  expect(problems.map(({ message }) => message).join()).toContain(reason)
})

test('files of Secrets that a URL names are known to the check of what a job may reach', () => {
  expect(
    sourceOptions.opens({
      path: ['s3://bucket/*.json?accessKeyFile=/s3/key&secretKeyFile=/s3/secret', 'a.json', 'file:///data/*.json'],
      format: 'json',
    }),
  ).toEqual([
    { path: 'path[0]', file: '/s3/key', as: 'secret' },
    { path: 'path[0]', file: '/s3/secret', as: 'secret' },
    { path: 'path[1]', file: 'a.json', as: 'file' },
    { path: 'path[2]', file: '/data/*.json', as: 'file' },
  ])
})
