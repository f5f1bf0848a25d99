import { RowBatch } from '../../../../runtime/memory/batch.ts'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connector } from '../../../../runtime/connectors/file/connector.ts'
import type { Schema } from '../../../../runtime/model/schema.ts'
import { expectExactlyOnceSink } from '../../../harness/connector-conformance.ts'
import { readParquet } from '../../../harness/parquet-batches.ts'
import { quietPorts } from '../../../harness/source-context.ts'

const SCHEMA: Schema = { fields: [{ name: 'id', type: 'long', nullable: false }] }

const sink = connector.sink({ path: 'results', format: 'json' })

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-sink-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

const context = (jobUid: string) => ({
  jobUid,
  predecessors: [],
  operatorId: 'out',
  schema: SCHEMA,
  ports: quietPorts(),
  baseDir: folder,
  stopping: new AbortController().signal,
  reportTrouble(error: Error | null) {
    if (error) throw error
  },
})

async function visibleLines(): Promise<string[]> {
  const results = join(folder, 'results')
  const names = await readdir(results).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const texts = await Promise.all(
    names.filter((name) => !name.startsWith('.')).map((name) => readFile(join(results, name), 'utf8')),
  )
  return texts.flatMap((text) => text.split('\n')).filter((line) => line !== '')
}

test('part files hold every completed checkpoint once, through crashes, repeated recovery and other parallelism', async () => {
  await expectExactlyOnceSink({
    connector: sink,
    context: context('job-1'),
    row: (n) => ({ id: n }),
    visible: visibleLines,
    show: (row) => JSON.stringify(row),
  })
  const hidden = (await readdir(join(folder, 'results'))).filter((name) => name.startsWith('.'))
  expect(hidden).toEqual([])
})

test("a second run with the same job and a new store leaves the first run's output alone", async () => {
  for (let run = 0; run < 2; run++) {
    const writer = sink.writer({ ...context('job-1'), slot: 0, attempt: 1 })
    await writer.open([])
    await writer.write(new RowBatch([{ id: run }]))
    await writer.commit(await writer.prepareCommit(1))
  }
  expect((await visibleLines()).sort()).toEqual(['{"id":0}', '{"id":1}'])
})

/** What a checkpoint holds of one row written by the job into the folder. */
async function prepared(jobUid: string, attempt: number): Promise<{ from: string; to: string }> {
  const writer = sink.writer({ ...context(jobUid), slot: 0, attempt })
  await writer.open([])
  await writer.write(new RowBatch([{ id: 1 }]))
  const [committable] = await writer.prepareCommit(1)
  return committable as { from: string; to: string }
}

test('checkpointed output that is gone fails loudly', async () => {
  const part = await prepared('job-1', 1)
  await rm(part.from)
  const writer = sink.writer({ ...context('job-1'), slot: 0, attempt: 2 })
  await expect(writer.open([part])).rejects.toMatchObject({ code: 'SINK_OUTPUT_LOST' })
})

test("the output of another job's savepoint is committed in the sink's own folder", async () => {
  const part = await prepared('other-job', 1)
  await sink.writer({ ...context('job-1'), slot: 0, attempt: 1 }).open([part])
  expect(await visibleLines()).toEqual(['{"id":1}'])
})

test('output that the job itself wrote is committed after its sink was given another folder', async () => {
  const part = await prepared('job-1', 1)
  const elsewhere = connector.sink({ path: 'elsewhere', format: 'json' })
  await elsewhere.writer({ ...context('job-1'), slot: 0, attempt: 2 }).open([part])
  expect(await visibleLines()).toEqual(['{"id":1}'])
})

test.each<[string, (part: { from: string; to: string }) => { from: string; to: string }]>([
  ['any other file', ({ to }) => ({ from: join(folder, 'theirs'), to })],
  ['a part to any other name', ({ from }) => ({ from, to: join(folder, 'results', 'theirs') })],
  ['a part into another folder', ({ from, to }) => ({ from, to: join(folder, basename(to)) })],
  ['a part out of the folder', ({ from, to }) => ({ from, to: to.replace('results/', 'results/../') })],
  [
    'a part of another sink',
    ({ from, to }) => ({ from: from.replace('-out-', '-in-'), to: to.replace('-out-', '-in-') }),
  ],
  [
    'a part of another job in another folder',
    ({ from, to }) => ({ from: from.replace('results', 'others'), to: to.replace('results', 'others') }),
  ],
])('when a savepoint asks to rename %s, it is refused and nothing is renamed', async (_, changed) => {
  const part = await prepared('other-job', 1)
  await writeFile(join(folder, 'theirs'), 'theirs')
  const writer = sink.writer({ ...context('job-1'), slot: 0, attempt: 2 })
  await expect(writer.open([changed(part)])).rejects.toMatchObject({ code: 'COMMITTABLE_INVALID' })
  expect(await readFile(join(folder, 'theirs'), 'utf8')).toBe('theirs')
  expect(await visibleLines()).toEqual([])
})

test('as Parquet, part files hold every completed checkpoint once, through crashes and other parallelism', async () => {
  const results = join(folder, 'results')
  const rowsOf = async (name: string): Promise<string[]> =>
    (await readParquet(join(results, name), SCHEMA)).map((row) => JSON.stringify(row))
  await expectExactlyOnceSink({
    connector: connector.sink({ path: 'results', format: 'parquet' }),
    context: context('job-1'),
    row: (n) => ({ id: n }),
    visible: async () => {
      const names = existsSync(results) ? await readdir(results) : []
      return (await Promise.all(names.filter((name) => !name.startsWith('.')).map(rowsOf))).flat()
    },
    show: (row) => JSON.stringify(row),
  })
})

test('a folder that is a file is refused for good, with its name', async () => {
  await writeFile(join(folder, 'results'), '')
  const writer = sink.writer({ ...context('job-1'), slot: 0, attempt: 1 })
  await writer.open([])
  await writer.write(new RowBatch([{ id: 1 }]))
  await expect(writer.prepareCommit(1)).rejects.toMatchObject({
    code: 'FILE_UNWRITABLE',
    retriable: false,
    message: expect.stringContaining('results'),
  })
})

test('as CSV with a head, every part begins with the names of the fields, through crashes too', async () => {
  await expectExactlyOnceSink({
    connector: connector.sink({ path: 'results', format: { csv: { header: true } } }),
    context: context('job-1'),
    row: (n) => ({ id: n }),
    visible: async () => (await visibleLines()).filter((line) => line !== 'id'),
    show: (row) => String(row['id']),
  })
  const names = await readdir(join(folder, 'results'))
  for (const name of names) {
    expect(name).toMatch(/^part-.*\.csv$/)
    expect((await readFile(join(folder, 'results', name), 'utf8')).split('\n')[0]).toBe('id')
  }
})
