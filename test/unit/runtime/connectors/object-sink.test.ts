import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connector } from '../../../../runtime/connectors/file/connector.ts'
import { declaration, sinkOptions } from '../../../../runtime/connectors/file/declaration.ts'
import { RowBatch } from '../../../../runtime/memory/batch.ts'
import type { Row, Schema } from '../../../../runtime/model/schema.ts'
import type { Committable } from '../../../../runtime/model/snapshot.ts'
import { portsWithBuckets } from '../../../harness/bucket-folder.ts'
import { readAvro } from '../../../harness/avro-file.ts'
import { expectExactlyOnceSink } from '../../../harness/connector-conformance.ts'
import { readParquet } from '../../../harness/parquet-batches.ts'

const SCHEMA: Schema = {
  fields: [
    { name: 'id', type: 'long', nullable: false },
    { name: 'day', type: 'string', nullable: true },
  ],
}
const PLACES = { 'a local folder': 'out', 'a bucket': 's3://bucket/out?endpoint=http://s3' }

let home = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'millrace-parts-'))
})
afterEach(async () => {
  await rm(home, { recursive: true })
})

function context(more: { jobUid?: string; predecessors?: readonly string[] } = {}) {
  return {
    jobUid: 'job-1',
    predecessors: [],
    operatorId: 'out',
    schema: SCHEMA,
    ports: portsWithBuckets(home),
    baseDir: join(home, 'bucket'),
    stopping: new AbortController().signal,
    reportTrouble(error: Error | null) {
      if (error) throw error
    },
    ...more,
  }
}

async function filesIn(folder: string): Promise<string[]> {
  const root = join(home, folder)
  if (!existsSync(root)) return []
  const found = await readdir(root, { recursive: true, withFileTypes: true })
  return found.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name).slice(root.length + 1))
}

async function visible(folder = 'bucket/out'): Promise<string[]> {
  return (await filesIn(folder)).filter((path) => !path.includes('/.') && !path.startsWith('.')).sort()
}

async function linesOf(paths: readonly string[], unpack = (bytes: Buffer): Buffer => bytes): Promise<string[]> {
  const texts = await Promise.all(paths.map(async (path) => unpack(await readFile(join(home, 'bucket/out', path)))))
  return texts.flatMap((text) => text.toString().split('\n')).filter((line) => line !== '')
}

async function written(path: string, options: object, rows: readonly Row[], size = 1000): Promise<Committable[]> {
  const writer = connector.sink({ path, ...options }).writer({ ...context(), slot: 0, attempt: 1 })
  await writer.open([])
  for (let at = 0; at < rows.length; at += size) await writer.write(new RowBatch(rows.slice(at, at + size)))
  const committables = await writer.prepareCommit(1)
  await writer.commit(committables)
  await writer.close()
  return committables
}

describe.each(Object.entries(PLACES))('in %s', (_, path) => {
  test.each([
    ['lines', { format: 'json' }],
    ['lines in folders of partitions', { format: 'json', partitionBy: ['day'] }],
    ['lines that are packed with gzip', { format: 'json', compression: 'gzip' }],
    ['lines that are packed with zstd', { format: 'json', compression: 'zstd' }],
    ['Parquet', { format: 'parquet' }],
    ['Avro', { format: 'avro' }],
    ['Parquet in folders of partitions', { format: 'parquet', partitionBy: ['day'] }],
  ])(
    '%s of every completed checkpoint are there once, through crashes and other parallelism',
    async (_name, options) => {
      const unpack = { gzip: gunzipSync, zstd: zstdDecompressSync }[
        String('compression' in options && options.compression)
      ]
      await expectExactlyOnceSink({
        connector: connector.sink({ path, ...options }),
        context: context(),
        row: (n) => ({ id: n, day: `day ${n % 3}` }),
        visible: async () => {
          if (options.format === 'json') return linesOf(await visible(), unpack)
          const readFormat = options.format === 'avro' ? readAvro : readParquet
          const rows = (await visible()).map((name) => readFormat(join(home, 'bucket/out', name), SCHEMA))
          return (await Promise.all(rows)).flat().map((row) => JSON.stringify(row))
        },
        show: (row) => JSON.stringify(row),
      })
      expect(await filesIn('bucket/out')).toEqual(expect.arrayContaining(await visible()))
      expect(await filesIn('bucket/out')).toHaveLength((await visible()).length)
    },
  )

  test('no value of a partition leads out of its folder, and every value has a folder of its own', async () => {
    const days = ['..', '.', '/etc', 'a/b', 'a\\b', 'a=b', 'a%2Fb', 'a:b', 'é', '\0', ' ', '', null, '__proto__']
    await written(
      path,
      { format: 'json', partitionBy: ['day'] },
      days.map((day, id) => ({ id, day })),
    )
    const paths = await visible()
    const folders = new Set(paths.map((name) => name.slice(0, name.lastIndexOf('/'))))
    expect([...folders].sort()).toEqual(
      [
        'day=%00',
        'day=%20',
        'day=%2E',
        'day=%2E.',
        'day=%2Fetc',
        'day=__HIVE_DEFAULT_PARTITION__',
        'day=__proto__',
        'day=a%252Fb',
        'day=a%2Fb',
        'day=a%3Ab',
        'day=a%3Db',
        'day=a%5Cb',
        'day=é',
      ].sort(),
    )
    expect((await linesOf(paths)).map((line) => (JSON.parse(line) as { day: string | null }).day).sort()).toEqual(
      days.toSorted(),
    )
    expect(await readdir(home)).toEqual(['bucket'])
    expect(await readdir(join(home, 'bucket'))).toEqual(['out'])
  })

  test('a value that no folder can be named for is an error of its record with the field', async () => {
    await expect(
      written(path, { format: 'json', partitionBy: ['day'] }, [{ id: 1, day: 'x'.repeat(300) }]),
    ).rejects.toMatchObject({ code: 'RECORD_INVALID', message: expect.stringContaining("'day'") })
  })

  test('of more partitions than parts may be open every row is written once', async () => {
    const rows = Array.from({ length: 400 }, (_row, id) => ({ id, day: String(id % 200) }))
    await written(path, { format: 'json', partitionBy: ['day'] }, rows, 50)
    expect((await linesOf(await visible())).sort()).toEqual(rows.map((row) => JSON.stringify(row)).sort())
  })

  test('a file ends behind roll.size, and all of one checkpoint become visible together', async () => {
    const rows = Array.from({ length: 30_000 }, (_row, id) => ({ id, day: 'x'.repeat(100) }))
    const writer = connector
      .sink({ path, format: 'json', roll: { size: '1Mi' } })
      .writer({ ...context(), slot: 0, attempt: 1 })
    await writer.open([])
    for (let at = 0; at < rows.length; at += 1000) await writer.write(new RowBatch(rows.slice(at, at + 1000)))
    expect(await visible()).toEqual([])
    await writer.commit(await writer.prepareCommit(1))
    expect(await visible()).toHaveLength(4)
    expect(await linesOf(await visible())).toHaveLength(rows.length)
  })

  test('what a closed writer had begun, and what older attempts left, is removed; what others left stays', async () => {
    const sink = connector.sink({ path, format: 'json', partitionBy: ['day'] })
    const abandon = async (jobUid: string, attempt: number): Promise<void> => {
      const writer = sink.writer({ ...context({ jobUid }), slot: 0, attempt })
      await writer.open([])
      await writer.write(new RowBatch([{ id: 1, day: jobUid }]))
      await writer.prepareCommit(1)
    }
    await abandon('job-1', 1)
    await abandon('job-0', 7)
    await abandon('stranger', 1)
    expect(await filesIn('bucket/out')).toHaveLength(3)
    const later = sink.writer({ ...context({ predecessors: ['job-0'] }), slot: 0, attempt: 2 })
    await later.open([])
    await later.commit(await later.prepareCommit(1))
    const left = await filesIn('bucket/out')
    expect(left.map((name) => name.slice(0, name.indexOf('/')))).toEqual(['day=stranger'])
    await later.write(new RowBatch([{ id: 2, day: 'closed' }]))
    await later.close()
    expect(await filesIn('bucket/out')).toHaveLength(1)
  })
})

describe('a committable of a storage for objects', () => {
  const path = PLACES['a bucket']

  async function prepared(jobUid: string): Promise<{ place: string; upload: { path: string; token: string } }> {
    const writer = connector.sink({ path, format: 'json' }).writer({ ...context({ jobUid }), slot: 0, attempt: 1 })
    await writer.open([])
    await writer.write(new RowBatch([{ id: 1, day: null }]))
    const [committable] = JSON.parse(JSON.stringify(await writer.prepareCommit(1))) as never[]
    return committable as never
  }

  const openWith = (to: string, committable: Committable): Promise<void> =>
    connector
      .sink({ path: to, format: 'json' })
      .writer({ ...context(), slot: 0, attempt: 2 })
      .open([committable])

  test('is completed where it was prepared after the sink was moved, and under another endpoint of the same bucket', async () => {
    await openWith('elsewhere', (await prepared('job-1')) as never)
    expect(await visible()).toHaveLength(1)
    await openWith('s3://bucket/out?endpoint=http://moved', (await prepared('other-job')) as never)
    expect(await visible()).toHaveLength(2)
  })

  test('of a local folder is renamed after the sink was moved to a bucket', async () => {
    const local = connector.sink({ path: 'out', format: 'json' }).writer({ ...context(), slot: 0, attempt: 1 })
    await local.open([])
    await local.write(new RowBatch([{ id: 1, day: null }]))
    const [committable = null] = await local.prepareCommit(1)
    await openWith('s3://bucket/new', committable)
    expect(await visible()).toHaveLength(1)
  })

  test('whose upload is gone fails loudly', async () => {
    const part = await prepared('job-1')
    await rm(join(home, 'bucket/out', part.upload.token))
    await expect(openWith(path, part as never)).rejects.toMatchObject({ code: 'SINK_OUTPUT_LOST' })
  })

  test.each<[string, (part: Awaited<ReturnType<typeof prepared>>) => object, string]>([
    [
      'another name',
      ({ upload, ...part }) => ({ ...part, upload: { ...upload, path: 'theirs' } }),
      'COMMITTABLE_INVALID',
    ],
    [
      'a part of another sink',
      ({ upload, ...part }) => ({ ...part, upload: { ...upload, path: upload.path.replace('-out-', '-in-') } }),
      'COMMITTABLE_INVALID',
    ],
    ['another bucket', (part) => ({ ...part, place: 's3://others/out' }), 'COMMITTABLE_INVALID'],
    ['a folder of the pod', (part) => ({ ...part, place: '/etc' }), 'COMMITTABLE_INVALID'],
    [
      'a place above the folder',
      ({ upload, ...part }) => ({ ...part, upload: { ...upload, path: `../${upload.path}` } }),
      'OBJECT_PATH_INVALID',
    ],
    [
      'a token that is none',
      ({ upload, ...part }) => ({ ...part, upload: { ...upload, token: 'x' } }),
      'OBJECT_UPLOAD_INVALID',
    ],
    ['nothing that is known', () => ({ upload: { path: 1 } }), 'COMMITTABLE_INVALID'],
  ])('that names %s is refused', async (_, changed, code) => {
    const part = await prepared('other-job')
    await expect(openWith(path, changed(part) as never)).rejects.toMatchObject({ code })
    expect(await visible()).toEqual([])
  })
})

test.each([
  [{ partitionBy: ['dya'] }, 'there is no field "dya"'],
  [{ partitionBy: ['day', 'day'] }, 'names a field twice'],
  [{ format: 'parquet', compression: 'gzip' }, 'is for files of lines'],
  [{ roll: { size: '1Ki' } }, 'must be a size from 1Mi'],
  [{ path: 's3://B/out' }, 'is no name of a bucket'],
])('lint refuses %j: %s', (options, reason) => {
  const all = { path: 'out', ...options }
  const problems = sinkOptions.check(all)
  const found = problems.length > 0 ? problems : (declaration.sink?.checkSchema?.(all, SCHEMA) ?? [])
  expect(found.map(({ message }) => message).join()).toContain(reason)
})
