import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connector } from '../../../../../runtime/connectors/delta/connector.ts'
import { declaration } from '../../../../../runtime/connectors/delta/declaration.ts'
import type { SinkContext, SinkWriter } from '../../../../../runtime/connectors/sink.ts'
import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import type { Row, Schema } from '../../../../../runtime/model/schema.ts'
import type { Committable } from '../../../../../runtime/model/snapshot.ts'
import type { Objects } from '../../../../../runtime/ports/objects.ts'
import { expectExactlyOnceSink } from '../../../../harness/connector-conformance.ts'
import { deltaActions, deltaSinkContext, liveDeltaRows } from '../../../../harness/delta-table.ts'
import { schemaOf } from '../../../../harness/formats.ts'
import { batchesOf } from '../../../../harness/parquet-batches.ts'

const SCHEMA = schemaOf({ id: 'long', value: 'string?', gone: 'boolean' })
const TABLE = schemaOf({ id: 'long', value: 'string?' })
const OPTIONS = { path: 'table', mode: 'upsert', key: 'id', tombstone: 'gone' }

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-delta-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const table = (): string => join(folder, 'table')
const set = (id: number, value: string | null): Row => ({ id, value, gone: false })
const remove = (id: number): Row => ({ id, value: null, gone: true })

interface Opening {
  slot?: number
  attempt?: number
  jobUid?: string
  schema?: Schema
  options?: object
  recovered?: Committable[]
  openObjects?: SinkContext['ports']['openObjects']
}

async function opened(opening: Opening = {}): Promise<SinkWriter> {
  const { slot = 0, attempt = 1, jobUid = 'job-1', schema = SCHEMA, options = {}, recovered = [] } = opening
  const context = deltaSinkContext(folder, schema)
  const openObjects = opening.openObjects ?? context.ports.openObjects
  const writer = connector
    .sink({ ...OPTIONS, ...options })
    .writer({ ...context, ports: { ...context.ports, openObjects }, jobUid, slot, attempt })
  await writer.open(recovered)
  return writer
}

async function checkpoint(writer: SinkWriter, id: number, ...rows: Row[]): Promise<Committable[]> {
  await writer.write(new RowBatch(rows))
  const committables = await writer.prepareCommit(id)
  await writer.commit?.(committables)
  return committables
}

/** `id=value` of every row, in order. */
async function found(): Promise<string[]> {
  const rows = await liveDeltaRows(table(), TABLE)
  return rows.map(({ id, value }) => `${String(id)}=${String(value)}`).sort()
}

const adds = (version: number): unknown[] =>
  (deltaActions(table())[version] ?? []).flatMap(({ add }) => (add === undefined ? [] : [add['path']]))

test('a row replaces the row of its key, and of rows of one checkpoint the last one stays', async () => {
  const writer = await opened()
  await checkpoint(writer, 1, set(1, 'a'), set(2, 'b'), set(1, 'c'))
  expect(await found()).toEqual(['1=c', '2=b'])
  await checkpoint(writer, 2, set(2, 'd'), set(3, 'e'))
  expect(await found()).toEqual(['1=c', '2=d', '3=e'])
})

test('a tombstone deletes the row of its key, a row behind it writes it again, and one without a row does nothing', async () => {
  const writer = await opened()
  await checkpoint(writer, 1, set(1, 'a'), set(2, 'b'), set(3, 'c'))
  await checkpoint(writer, 2, remove(1), remove(2), set(2, 'again'), set(3, 'x'), remove(3), remove(9))
  expect(await found()).toEqual(['2=again'])
})

test('a checkpoint is one version of the table, and one without rows is none', async () => {
  const writer = await opened()
  await checkpoint(writer, 1, set(1, 'a'))
  await checkpoint(writer, 2, set(1, 'b'), remove(2))
  await checkpoint(writer, 3)
  expect(deltaActions(table())).toHaveLength(3)
})

test('a file of which no row has a touched key stays as it is', async () => {
  const writer = await opened()
  await checkpoint(writer, 1, set(1, 'a'))
  await checkpoint(writer, 2, set(2, 'b'))
  const [first] = adds(1)
  await checkpoint(writer, 3, set(2, 'c'))
  expect(deltaActions(table())[3]?.flatMap((action) => (action['remove'] === undefined ? [] : [action]))).toHaveLength(
    1,
  )
  expect(adds(3)).toHaveLength(1)
  expect(adds(3)).not.toContain(first)
})

/** Objects whose reads of files of the table are noted by path. */
function counted(reads: string[]): SinkContext['ports']['openObjects'] {
  const { openObjects } = deltaSinkContext(folder, SCHEMA).ports
  return (url) => {
    const objects = openObjects(url)
    const read = objects.read.bind(objects)
    objects.read = (path, ...range) => {
      if (path.endsWith('.parquet')) reads.push(path)
      return read(path, ...range)
    }
    return objects
  }
}

test('a file whose statistics leave no room for a touched key is not read', async () => {
  const reads: string[] = []
  const writer = await opened({ openObjects: counted(reads) })
  await checkpoint(writer, 1, set(1, 'a'), set(9, 'a'))
  await checkpoint(writer, 2, set(11, 'b'), set(19, 'b'))
  const [[low], [high]] = [adds(1), adds(2)]
  reads.length = 0
  await checkpoint(writer, 3, set(12, 'c'))
  expect(reads).toContain(high)
  expect(reads).not.toContain(low)
})

test('a table holds every completed checkpoint once, through crashes, repeated recovery and other parallelism', async () => {
  await expectExactlyOnceSink({
    connector: connector.sink(OPTIONS),
    context: deltaSinkContext(folder, SCHEMA),
    row: (n) => set(n, `v${n}`),
    visible: found,
    show: ({ id, value }) => `${String(id)}=${String(value)}`,
  })
})

/** What a job does: rows, barriers, commits, and deaths at each place. */
const STEP = fc.oneof(
  { weight: 8, arbitrary: fc.record({ set: fc.nat(12), value: fc.nat(99) }) },
  { weight: 3, arbitrary: fc.record({ remove: fc.nat(12) }) },
  { weight: 3, arbitrary: fc.constant('commit' as const) },
  { weight: 1, arbitrary: fc.constantFrom('die' as const, 'die before commit' as const, 'die behind commit' as const) },
)

test('whatever comes and wherever the writer dies, the table is what a map holds that took the same rows', async () => {
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { maxLength: 40 }), fc.boolean(), async (steps, partitions) => {
      const path = `table-${run++}`
      const options = { ...OPTIONS, path, key: ['id'], ...(partitions ? { partitionBy: 'value' } : {}) }
      const expected = new Map<number, string>()
      let pending: Row[] = []
      let attempt = 1
      let number = 0
      let writer = await opened({ options, attempt })
      const complete = (): void => {
        for (const { id, value, gone } of pending) {
          if (gone === true) expected.delete(Number(id))
          else expected.set(Number(id), String(value))
        }
        pending = []
      }
      for (const step of [...steps, 'commit' as const]) {
        if (typeof step === 'object') {
          const row =
            'set' in step
              ? set(step.set, `v${step.value % (partitions ? 3 : 100)}`)
              : { ...remove(step.remove), value: 'v0' }
          pending.push(row)
          await writer.write(new RowBatch([row]))
          continue
        }
        const committables = step === 'die' ? [] : await writer.prepareCommit(++number)
        if (step !== 'die') complete()
        if (step === 'commit' || step === 'die behind commit') await writer.commit?.(committables)
        if (step === 'commit') continue
        pending = []
        const recovered = JSON.parse(JSON.stringify(committables)) as Committable[]
        writer = await opened({ options, attempt: ++attempt, recovered })
      }
      const rows = await liveDeltaRows(join(folder, path), TABLE)
      expect(rows.map(({ id, value }) => [Number(id), String(value)] as const).sort(([a], [b]) => a - b)).toEqual(
        [...expected].sort(([a], [b]) => a - b),
      )
    }),
    { numRuns: 40, seed: 7 },
  )
}, 60_000)

test('when a checkpoint is larger than memory holds, later rows replace those that are in files already', async () => {
  const writer = await opened()
  const rows = Array.from({ length: 200_000 }, (_, n) => set(n, 'old'))
  for (const batch of batchesOf(SCHEMA, rows, false)) await writer.write(batch)
  await writer.write(new RowBatch([set(7, 'new'), remove(8)]))
  await writer.commit?.(await writer.prepareCommit(1))
  const live = await liveDeltaRows(table(), TABLE)
  expect(live).toHaveLength(199_999)
  expect(live.filter(({ value }) => value === 'new')).toEqual([expect.objectContaining({ id: 7 })])
  expect(live.some(({ id }) => id === 8)).toBe(false)
})

test('a row that moves to another partition leaves no row in the one that it was in', async () => {
  const writer = await opened({ options: { partitionBy: 'value' } })
  await checkpoint(writer, 1, set(1, 'a'), set(2, 'a'), set(3, 'b'))
  await checkpoint(writer, 2, set(1, 'b'))
  expect(await found()).toEqual(['1=b', '2=a', '3=b'])
})

test('when a partition is a part of the key, files of other partitions are not read', async () => {
  const reads: string[] = []
  const options = { key: ['id', 'value'], partitionBy: 'value' }
  const schema = schemaOf({ id: 'long', value: 'string', note: 'long', gone: 'boolean' })
  const writer = await opened({ options, schema, openObjects: counted(reads) })
  const row = (id: number, value: string, note: number): Row => ({ id, value, note, gone: false })
  await checkpoint(writer, 1, row(1, 'a', 1), row(1, 'b', 1))
  reads.length = 0
  await checkpoint(writer, 2, row(1, 'a', 2))
  expect(reads.every((path) => path.startsWith('value=a/'))).toBe(true)
  const rows = await liveDeltaRows(table(), schemaOf({ id: 'long', value: 'string', note: 'long' }))
  expect(rows.map(({ value, note }) => `${String(value)}${String(note)}`).sort()).toEqual(['a2', 'b1'])
})

test.each<[string, Record<string, string>, Row[]]>([
  ['bigint', { id: 'bigint' }, [{ id: '9007199254740993' }, { id: '-5' }]],
  ['decimal', { id: 'decimal(20,2)' }, [{ id: '1.50' }, { id: '-12.00' }]],
  ['timestamp', { id: 'timestamp' }, [{ id: -1 }, { id: 1_700_000_000_123 }]],
  ['date', { id: 'date' }, [{ id: -400 }, { id: 20_000 }]],
  ['boolean', { id: 'boolean' }, [{ id: true }, { id: false }]],
  ['bytes', { id: 'bytes' }, [{ id: '\u00ff\u0000' }, { id: 'a' }]],
  ['string', { id: 'string' }, [{ id: 'é😀' }, { id: '' }]],
  [
    'two fields',
    { id: 'string', other: 'long' },
    [
      { id: 'a', other: 1 },
      { id: 'a', other: 2 },
    ],
  ],
])('a key of %s is found again', async (_, fields, keys) => {
  const key = Object.keys(fields)
  const schema = schemaOf({ ...fields, n: 'long' })
  const options = { key, tombstone: undefined }
  const writer = await opened({ schema, options })
  const rows = keys.map((row, n) => ({ ...row, n }))
  await checkpoint(writer, 1, ...rows)
  await checkpoint(writer, 2, { ...rows[0], n: 10 })
  const live = await liveDeltaRows(table(), schema)
  expect(live.map(({ n }) => n).sort()).toEqual([1, 10])
})

/** Lets `meanwhile` happen once, right before the version with that number is put. */
function interrupted(version: number, meanwhile: () => Promise<unknown>): SinkContext['ports']['openObjects'] {
  const { openObjects } = deltaSinkContext(folder, SCHEMA).ports
  let isDone = false
  return (url) => {
    const objects: Objects = openObjects(url)
    const create = objects.createIfAbsent.bind(objects)
    objects.createIfAbsent = async (path, bytes) => {
      if (!isDone && path.endsWith(`${version}.json`)) {
        isDone = true
        await meanwhile()
      }
      return create(path, bytes)
    }
    return objects
  }
}

describe('when another writer commits between the look at the table and the commit', () => {
  test('and rewrites the same file, the upsert is computed again', async () => {
    const other = await opened({ jobUid: 'job-2' })
    const writer = await opened({ openObjects: interrupted(2, () => checkpoint(other, 2, set(2, 'theirs'))) })
    await checkpoint(other, 1, set(1, 'a'), set(2, 'b'), set(3, 'c'))
    await checkpoint(writer, 1, set(1, 'ours'))
    expect(await found()).toEqual(['1=ours', '2=theirs', '3=c'])
  })

  test('and deletes a row of the same file, it does not come back', async () => {
    const other = await opened({ jobUid: 'job-2' })
    const writer = await opened({ openObjects: interrupted(2, () => checkpoint(other, 2, remove(2))) })
    await checkpoint(other, 1, set(1, 'a'), set(2, 'b'), set(3, 'c'))
    await checkpoint(writer, 1, set(1, 'ours'))
    expect(await found()).toEqual(['1=ours', '3=c'])
  })

  test('and appends a row of the same key, the upsert replaces it', async () => {
    const other = await opened({
      jobUid: 'job-2',
      schema: TABLE,
      options: { mode: 'append', key: undefined, tombstone: undefined },
    })
    const writer = await opened({ openObjects: interrupted(2, () => checkpoint(other, 2, { id: 1, value: 'theirs' })) })
    await checkpoint(writer, 1, set(1, 'a'), set(2, 'b'))
    await checkpoint(writer, 2, set(1, 'ours'))
    expect(await found()).toEqual(['1=ours', '2=b'])
  })

  test('and appends other rows, no copy is made again', async () => {
    const other = await opened({
      jobUid: 'job-2',
      schema: TABLE,
      options: { mode: 'append', key: undefined, tombstone: undefined },
    })
    const writer = await opened({
      openObjects: interrupted(2, () => checkpoint(other, 2, { id: 99, value: 'theirs' })),
    })
    await checkpoint(writer, 1, set(1, 'a'), set(2, 'b'))
    await checkpoint(writer, 2, set(1, 'ours'))
    expect(await found()).toEqual(['1=ours', '2=b', '99=theirs'])
    // two of the first checkpoint and of the other writer, and the row and the copy of the second
    expect(readdirSync(table()).filter((name) => name.endsWith('.parquet'))).toHaveLength(4)
  })

  test('and sets delta.appendOnly, the upsert is refused', async () => {
    const meta = deltaMeta({ 'delta.appendOnly': 'true' })
    const writer = await opened({
      openObjects: interrupted(2, () => {
        writeLog(2, [{ metaData: meta }])
        return Promise.resolve()
      }),
    })
    await checkpoint(writer, 1, set(1, 'a'))
    await expect(checkpoint(writer, 2, set(1, 'b'))).rejects.toMatchObject({ code: 'DELTA_APPEND_ONLY' })
  })
})

test('when four jobs upsert the same keys at once, each key has one row, which one of them wrote last', async () => {
  const writers = await Promise.all([1, 2, 3, 4].map((n) => opened({ jobUid: `job-${n}` })))
  await Promise.all(
    writers.map(async (writer, n) => {
      for (let id = 1; id <= 8; id++)
        await checkpoint(writer, id, ...[0, 1, 2, 3, 4].map((key) => set(key, `${n}-${id}`)))
    }),
  )
  const rows = await liveDeltaRows(table(), TABLE)
  expect(rows.map(({ id }) => id).sort()).toEqual([0, 1, 2, 3, 4])
  expect(new Set(rows.map(({ value }) => value)).size).toBe(1)
  expect(rows[0]?.['value']).toMatch(/-8$/)
})

test('when a newer attempt has written the table, the older one is fenced', async () => {
  const old = await opened({ attempt: 1 })
  await old.write(new RowBatch([set(1, 'old')]))
  const committables = await old.prepareCommit(1)
  await checkpoint(await opened({ attempt: 2 }), 1, set(1, 'new'))
  await expect(old.commit?.(committables)).rejects.toMatchObject({ code: 'SINK_FENCED' })
  expect(await found()).toEqual(['1=new'])
})

test('when a commit is repeated after later rows of others, it changes nothing', async () => {
  const writer = await opened()
  const committables = await checkpoint(writer, 1, remove(1))
  await checkpoint(await opened({ jobUid: 'job-2' }), 1, set(1, 'a'))
  await writer.commit?.(committables)
  expect(await found()).toEqual(['1=a'])
  expect(deltaActions(table())).toHaveLength(3)
})

test('when the mode of the job is changed, what the mode before had prepared is committed as it was meant', async () => {
  const appending = { schema: TABLE, options: { mode: 'append', key: undefined, tombstone: undefined } }
  const writer = await opened()
  await checkpoint(writer, 1, set(1, 'a'))
  await writer.write(new RowBatch([set(1, 'b')]))
  const upserted = await writer.prepareCommit(2)
  const appender = await opened({ ...appending, attempt: 2, recovered: upserted })
  expect(await found()).toEqual(['1=b'])
  await appender.write(new RowBatch([{ id: 1, value: 'c' }]))
  await opened({ attempt: 3, recovered: await appender.prepareCommit(3) })
  expect(await found()).toEqual(['1=b', '1=c'])
})

test('when the keys of a checkpointed deletion are gone, the restore fails loudly and the table stays', async () => {
  await checkpoint(await opened(), 1, set(1, 'a'))
  const crashed = await opened({ attempt: 2 })
  const before = new Set(readdirSync(table()))
  await crashed.write(new RowBatch([remove(1)]))
  const recovered = await crashed.prepareCommit(1)
  for (const name of readdirSync(table())) if (!before.has(name)) rmSync(join(table(), name))
  await expect(opened({ attempt: 3, recovered })).rejects.toMatchObject({ code: 'SINK_OUTPUT_LOST' })
  expect(await found()).toEqual(['1=a'])
})

test.each<[string, (text: string) => string]>([
  ['a key that is none', (text) => text.replace('"key":["id"]', '"key":"id"')],
  ['an empty key', (text) => text.replace('"key":["id"]', '"key":[]')],
  ['keys of another sink', (text) => text.replace(/"deletes":\[\{"path":"part/, '"deletes":[{"path":"theirs')],
])('when a savepoint asks to commit %s, it is refused and nothing is committed', async (_, change) => {
  const writer = await opened()
  await checkpoint(writer, 1, set(1, 'a'))
  await writer.write(new RowBatch([remove(1)]))
  const text = JSON.stringify(await writer.prepareCommit(2))
  expect(change(text)).not.toBe(text)
  const recovered = JSON.parse(change(text)) as Committable[]
  await expect(opened({ attempt: 2, recovered })).rejects.toMatchObject({ code: 'COMMITTABLE_INVALID' })
  expect(await found()).toEqual(['1=a'])
})

test('when a row has no key, it is refused', async () => {
  const writer = await opened()
  await expect(writer.write(new RowBatch([{ id: null, value: 'a', gone: false }]))).rejects.toMatchObject({
    code: 'RECORD_INVALID',
    message: expect.stringContaining('a row has no id'),
  })
})

function deltaMeta(configuration: Record<string, string>, columns: readonly object[] = []): object {
  const field = (name: string, type: string): object => ({ name, type, nullable: true, metadata: {} })
  const fields = [field('id', 'long'), field('value', 'string'), ...columns]
  return { id: 'x', schemaString: JSON.stringify({ type: 'struct', fields }), partitionColumns: [], configuration }
}

function writeLog(version: number, actions: readonly object[]): void {
  mkdirSync(join(table(), '_delta_log'), { recursive: true })
  const name = `${String(version).padStart(20, '0')}.json`
  writeFileSync(join(table(), '_delta_log', name), actions.map((action) => `${JSON.stringify(action)}\n`).join(''))
}

const column = (name: string, type: unknown): object => ({ name, type, nullable: true, metadata: {} })
const V2 = { minReaderVersion: 1, minWriterVersion: 2 }
const V7 = {
  minReaderVersion: 3,
  minWriterVersion: 7,
  readerFeatures: ['deletionVectors'],
  writerFeatures: ['deletionVectors'],
}
const DV = { storageType: 'u', pathOrInlineDv: 'x', offset: 1, sizeInBytes: 1, cardinality: 1 }
const FILE = { path: 'a.parquet', partitionValues: {}, size: 1, modificationTime: 1, dataChange: true }

test.each<[string, object[], string, string]>([
  [
    'only takes appended rows',
    [{ protocol: V2 }, { metaData: deltaMeta({ 'delta.appendOnly': 'true' }) }],
    'DELTA_APPEND_ONLY',
    'delta.appendOnly',
  ],
  [
    'keeps a change data feed',
    [
      { protocol: { minReaderVersion: 1, minWriterVersion: 4 } },
      { metaData: deltaMeta({ 'delta.enableChangeDataFeed': 'true' }) },
    ],
    'DELTA_FEATURE_UNKNOWN',
    'delta.enableChangeDataFeed',
  ],
  [
    'has a column of floats',
    [{ protocol: V2 }, { metaData: deltaMeta({}, [column('x', 'float')]) }],
    'SCHEMA_MISMATCH',
    '"x"',
  ],
  [
    'has a nested column',
    [
      { protocol: V2 },
      { metaData: deltaMeta({}, [column('x', { type: 'array', elementType: 'long', containsNull: true })]) },
    ],
    'SCHEMA_MISMATCH',
    '"x"',
  ],
  [
    'has a file with a deletion vector',
    [{ protocol: V7 }, { metaData: deltaMeta({}) }, { add: { ...FILE, deletionVector: DV } }],
    'DELTA_FEATURE_UNKNOWN',
    'deletion vector',
  ],
])('a table that %s is refused', async (_, actions, code, message) => {
  writeLog(0, actions)
  await expect(opened()).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
  const probe = connector.sink(OPTIONS).probe(deltaSinkContext(folder, SCHEMA))
  await expect(probe).rejects.toMatchObject({ code })
})

test('a table with named features that names neither appendOnly nor changeDataFeed takes upserts, whatever its settings', async () => {
  writeLog(0, [
    { protocol: V7 },
    { metaData: deltaMeta({ 'delta.appendOnly': 'true', 'delta.enableChangeDataFeed': 'true' }) },
  ])
  await checkpoint(await opened(), 1, set(1, 'a'))
  expect(await found()).toEqual(['1=a'])
})

test('when a table lacks the column of the key, it is refused', async () => {
  writeLog(0, [{ protocol: V2 }, { metaData: deltaMeta({}) }])
  const schema = schemaOf({ other: 'long', id: 'long?', value: 'string?' })
  await expect(opened({ schema, options: { key: 'other', tombstone: undefined } })).rejects.toMatchObject({
    code: 'SCHEMA_MISMATCH',
    message: expect.stringContaining('has no column other'),
  })
})

test.each<[object, Record<string, string>, string]>([
  [{ key: 'nothing' }, { id: 'long' }, 'there is no field "nothing"'],
  [{ key: 'id' }, { id: 'long?' }, 'may be null'],
  [{ key: 'id' }, { id: 'double' }, 'is a double'],
  [{ key: 'id' }, { id: 'json' }, 'is a json'],
  [{ key: ['id', 'id'] }, { id: 'long' }, 'names a field twice'],
  [{ key: 'gone', tombstone: 'gone' }, { id: 'long', gone: 'boolean' }, 'there is no field "gone"'],
  [{ key: 'id', tombstone: 'id' }, { id: 'long', other: 'long' }, 'must be boolean'],
  [{ key: 'id', partitionBy: 'id' }, { id: 'long', other: 'long' }, 'names the whole key'],
])('the check of a job refuses %o over %o', (options, fields, message) => {
  const written = { path: 'table', mode: 'upsert', ...options }
  const problems = declaration.sink?.checkSchema?.(written, schemaOf(fields)) ?? []
  expect(problems.map((problem) => problem.message).join()).toContain(message)
})

test.each<[object, string, string]>([
  [{ mode: 'upsert' }, 'key', 'is required'],
  [{ key: 'id' }, 'key', 'no meaning'],
  [{ tombstone: 'gone' }, 'tombstone', 'no meaning'],
])('the check of options %o names %s', (options, path, message) => {
  const problems = declaration.sink?.options.check({ path: 'table', ...options }) ?? []
  expect(problems).toEqual([expect.objectContaining({ path, message: expect.stringContaining(message) })])
})

test('an upsert has one slot, and a sink that appends any number', () => {
  expect(declaration.sink?.slots?.(OPTIONS)).toBe(1)
  expect(declaration.sink?.slots?.({ path: 'table' })).toBeUndefined()
})
