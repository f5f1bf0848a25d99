import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connector } from '../../../../runtime/connectors/file/connector.ts'
import type { Schema } from '../../../../runtime/model/schema.ts'
import { expectExactlyOnceSink } from '../../../harness/connector-conformance.ts'
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
    await writer.write([{ id: run }], 1)
    await writer.commit(await writer.prepareCommit(1))
  }
  expect((await visibleLines()).sort()).toEqual(['{"id":0}', '{"id":1}'])
})

test('checkpointed output that is gone fails loudly', async () => {
  const writer = sink.writer({ ...context('job-1'), slot: 0, attempt: 2 })
  await expect(writer.open([{ from: join(folder, '.gone'), to: join(folder, 'gone') }])).rejects.toMatchObject({
    code: 'SINK_OUTPUT_LOST',
  })
})

test('a folder that is a file is refused for good, with its name', async () => {
  await writeFile(join(folder, 'results'), '')
  const writer = sink.writer({ ...context('job-1'), slot: 0, attempt: 1 })
  await writer.open([])
  await writer.write([{ id: 1 }], 1)
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
