import fc from 'fast-check'
import { expect, test } from 'vitest'
import { declaration, sourceOptions } from '../../../../../runtime/connectors/databricks/declaration.ts'
import type { Field, Row, Schema } from '../../../../../runtime/model/schema.ts'
import { namedField } from '../../../../../runtime/model/schema.ts'
import { parseValueType } from '../../../../../runtime/model/value-type.ts'
import { FakeDatabricks, type Mishap } from '../../../../harness/databricks/fake-databricks.ts'
import type { Change, FakeTable } from '../../../../harness/databricks/fake-table.ts'
import { FEED, FeedReading, SOURCE } from '../../../../harness/databricks/feed-reading.ts'
import { TABLE } from '../../../../harness/databricks/sink-courses.ts'

const COLUMNS = [
  { name: 'k', type: 'bigint', nullable: false },
  { name: 'v', type: 'string', nullable: true },
]
const SCHEMA = schemaOf({ k: 'long', v: 'string?', what: 'string', version: 'long', at: 'timestamp?' })
const METADATA = { changeType: 'what', version: 'version', timestamp: 'at' }
const CHANGES = { ...FEED, metadata: METADATA }
const PLAIN = schemaOf({ k: 'long', v: 'string?' })

function schemaOf(types: Readonly<Record<string, string>>): Schema {
  return {
    fields: Object.entries(types).map(([name, text]): Field => {
      const type = parseValueType(text)
      if (type === undefined) throw new Error(`no type: ${text}`)
      return namedField(name, type)
    }),
  }
}

function orders(fake: FakeDatabricks): FakeTable {
  return fake.addTable(TABLE, COLUMNS)
}

function insert(k: number, v: string | null = `v${k}`): Change {
  return { type: 'insert', row: { k, v } }
}

function update(k: number, from: string, to: string): Change[] {
  return [
    { type: 'update_preimage', row: { k, v: from } },
    { type: 'update_postimage', row: { k, v: to } },
  ]
}

async function started(
  fake: FakeDatabricks,
  schema: Schema,
  options: Readonly<Record<string, unknown>>,
): Promise<FeedReading> {
  const reading = new FeedReading(fake, schema, options)
  await reading.restart()
  return reading
}

test('a source that ends reads the snapshot of the version that was the newest when it began', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake)
  table.change([1, 2, 3, 4, 5, 6, 7].map((k) => insert(k)))
  const reading = await started(fake, PLAIN, SOURCE)
  table.change([insert(8)])
  expect((await reading.rest()).map(({ k }) => k)).toEqual([1, 2, 3, 4, 5, 6, 7])
  expect(reading.isFinished).toBe(true)
})

test('a source that goes on reads the changes behind its snapshot, what is taken away before what is added', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake)
  table.change([insert(1), insert(2)])
  const reading = await started(fake, SCHEMA, CHANGES)
  expect(await reading.rest()).toEqual([
    { k: 1, v: 'v1', what: 'insert', version: 1, at: null },
    { k: 2, v: 'v2', what: 'insert', version: 1, at: null },
  ])
  table.change([insert(3), ...update(1, 'v1', 'w1'), { type: 'delete', row: { k: 2, v: 'v2' } }])
  table.change([insert(4, null)])
  const at = 1_700_000_000_000
  expect(await reading.rest()).toEqual([
    { k: 2, v: 'v2', what: 'delete', version: 2, at: at + 2000 },
    { k: 1, v: 'v1', what: 'update_preimage', version: 2, at: at + 2000 },
    { k: 3, v: 'v3', what: 'insert', version: 2, at: at + 2000 },
    { k: 1, v: 'w1', what: 'update_postimage', version: 2, at: at + 2000 },
    { k: 4, v: null, what: 'insert', version: 3, at: at + 3000 },
  ])
})

test('a source that starts at a version reads its changes and no snapshot', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake)
  table.change([insert(1)])
  table.change([insert(2)])
  const reading = await started(fake, SCHEMA, { ...CHANGES, startingVersion: 2 })
  expect((await reading.rest()).map(({ k }) => k)).toEqual([2])
})

test('a snapshot is of the version that the job names', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake)
  table.change([insert(1)])
  table.change([insert(2)])
  const reading = await started(fake, PLAIN, { ...SOURCE, version: 1 })
  expect((await reading.rest()).map(({ k }) => k)).toEqual([1])
})

test('a filter is applied to snapshot and changes', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake)
  table.change([insert(1), insert(2)])
  const reading = await started(fake, PLAIN, { ...FEED, filter: 'k = 2', onRemove: 'ignore' })
  expect(await reading.rest()).toEqual([{ k: 2, v: 'v2' }])
  table.change([insert(2, 'again'), insert(3), ...update(1, 'v1', 'w1')])
  expect(await reading.rest()).toEqual([{ k: 2, v: 'again' }])
})

test('values of every type come as they are', async () => {
  const types = {
    a: 'long',
    b: 'double',
    c: 'boolean',
    d: 'timestamp',
    e: 'json',
    f: 'bigint',
    g: 'bytes',
    h: 'date',
    i: 'decimal(9,2)',
    j: 'array<long>',
    l: 'string?',
    m: 'decimal(20,10)',
  }
  const columns = ['int', 'double', 'boolean', 'timestamp', 'string', 'bigint', 'binary', 'date', 'decimal(9,2)']
  const fake = new FakeDatabricks()
  const table = fake.addTable(
    TABLE,
    [...columns, 'array<bigint>', 'string', 'decimal(20,10)'].map((type, index) => ({
      name: Object.keys(types)[index] ?? '',
      type,
      nullable: true,
    })),
  )
  const row = {
    a: 1,
    b: -0.5,
    c: true,
    d: '2026-01-02T03:04:05.006Z',
    e: '{"x":[1]}',
    f: '9223372036854775807',
    g: '00ff',
    h: '2024-10-04',
    i: '-1.50',
    j: '[1,2]',
    l: null,
    m: '1.000E-7',
  }
  table.change([{ type: 'insert', row }])
  const reading = await started(fake, schemaOf(types), SOURCE)
  expect(await reading.rest()).toEqual([
    {
      a: 1,
      b: -0.5,
      c: true,
      d: Date.parse('2026-01-02T03:04:05.006Z'),
      e: { x: [1] },
      f: '9223372036854775807',
      g: '\u0000\u00ff',
      h: 20_000,
      i: '-1.50',
      j: [1, 2],
      l: null,
      m: '0.0000001000',
    },
  ])
})

test('a row that does not become one is a bad record, and is not read again', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake)
  table.change([insert(1, null), insert(2)])
  const reading = await started(fake, schemaOf({ k: 'long', v: 'string' }), SOURCE)
  expect(await reading.rest()).toEqual([{ k: 2, v: 'v2' }])
  reading.checkpoint()
  await reading.restart()
  expect(await reading.rest()).toEqual([])
  expect(reading.bad).toEqual([expect.objectContaining({ where: 'a row of version 1' })])
})

const STEPS = ['poll', 'poll', 'poll', 'checkpoint', 'die', 'change', 'result gone', 'links too old'] as const
const MISHAPS = ['lost call', 'lost answer', 'late', 'slow', 'slow and lost', 'busy', 'broken'] as const
type Step = (typeof STEPS)[number] | Mishap

test('whatever is interrupted, lost or forgotten when, each row of each version comes once and in the order of versions', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom<Step>(...STEPS, ...MISHAPS), { maxLength: 80 }),
      fc.nat(),
      async (steps, seed) => {
        const fake = new FakeDatabricks(seed)
        const table = orders(fake)
        table.change([1, 2, 2, 3, 4, 5, 6, 7].map((k) => insert(k)))
        const reading = new FeedReading(fake, SCHEMA, CHANGES)
        const rows = await readThrough(reading, steps, fake, table)
        expect(rows).toEqual(plainRows(table))
      },
    ),
    { numRuns: 250 },
  )
})

async function readThrough(
  reading: FeedReading,
  steps: readonly Step[],
  fake: FakeDatabricks,
  table: FakeTable,
): Promise<Row[]> {
  const kept: Row[] = []
  let fresh: Row[] = []
  await reading.restart()
  for (const [at, step] of steps.entries()) {
    if (step === 'change') table.change(changesOf(table, at))
    else if (step === 'result gone') fake.statements.clear()
    else if (step === 'links too old') fake.linkKey++
    else if (step === 'checkpoint') {
      reading.checkpoint()
      kept.push(...fresh.splice(0))
    } else if (step === 'die') {
      fresh = []
      await reading.restart()
    } else if (step !== 'poll') fake.mishaps.push(...Array.from({ length: at % 3 }, () => undefined), step)
    fresh.push(...(await reading.poll(1 + (at % 4))))
  }
  return [...kept, ...fresh, ...(await reading.rest())]
}

/** Some changes of another writer, two equal rows among them. */
function changesOf({ newest: { rows } }: FakeTable, at: number): Change[] {
  const [first, second] = rows
  const changed: Change[] = [insert(at), insert(at), insert(100 + at)]
  if (first !== undefined) changed.push({ type: 'delete', row: first })
  if (second !== undefined) {
    changed.push({ type: 'update_preimage', row: second })
    changed.push({ type: 'update_postimage', row: { ...second, v: `w${at}` } })
  }
  return changed
}

/** The snapshot of version 1 and the changes behind it, as a plain sort gives them. */
function plainRows(table: FakeTable): Row[] {
  const order = ['delete', 'update_preimage', 'insert', 'update_postimage']
  return table.versions.slice(1).flatMap(({ number, timeMs, changes }) =>
    changes
      .map(({ type, row }) => ({
        k: row['k'],
        v: row['v'],
        what: type,
        version: number,
        at: number === 1 ? null : timeMs,
      }))
      .toSorted((a, b) => order.indexOf(a.what) - order.indexOf(b.what) || (textOf(a) < textOf(b) ? -1 : 1)),
  )
}

function textOf({ k, v }: Row): string {
  return JSON.stringify({ k, v })
}

test('a row that is updated ends a job that has no field for what happened', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake)
  table.change([insert(1)])
  const reading = await started(fake, PLAIN, FEED)
  await reading.rest()
  table.change(update(1, 'v1', 'w1'))
  await expect(reading.rest()).rejects.toMatchObject({
    code: 'DATABRICKS_ROWS_REMOVED',
    message: 'version 2 of the table main.sales.orders has a row of update_preimage',
  })
})

test('versions that the table does not keep any more are an error', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake)
  table.change([insert(1)])
  const reading = await started(fake, SCHEMA, CHANGES)
  await reading.rest()
  reading.checkpoint()
  table.change([insert(2)])
  table.change([insert(3)])
  table.kept = 3
  await reading.restart()
  await expect(reading.rest()).rejects.toMatchObject({
    code: 'DATABRICKS_HISTORY_GONE',
    cause: { message: expect.stringContaining('Cannot time travel Delta table to version 2') },
  })
})

test('a table without a change feed is an error with the statement that gives it one', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake)
  table.change([insert(1)])
  table.feedSince = 9
  await expect(
    started(fake, SCHEMA, { ...CHANGES, startingVersion: 1 }).then((reading) => reading.rest()),
  ).rejects.toMatchObject({
    code: 'DATABRICKS_FEED_MISSING',
    hint: expect.stringContaining('delta.enableChangeDataFeed = true'),
  })
})

test('a table that is made again under its name is an error, while the job runs and when it is restored', async () => {
  const fake = new FakeDatabricks()
  orders(fake).change([insert(1)])
  const reading = await started(fake, SCHEMA, CHANGES)
  await reading.rest()
  reading.checkpoint()
  orders(fake).change([insert(7)])
  await expect(reading.rest()).rejects.toMatchObject({ code: 'DATABRICKS_TABLE_RECREATED' })
  await expect(reading.restart()).rejects.toMatchObject({ code: 'DATABRICKS_TABLE_RECREATED' })
})

test('another filter is refused in the middle of a unit, and taken between two of them', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake)
  table.change([1, 2, 3, 4].map((k) => insert(k)))
  const reading = await started(fake, SCHEMA, CHANGES)
  let read: Row[] = []
  while (read.length === 0) read = await reading.poll(2)
  reading.checkpoint()
  const options = { ...CHANGES, filter: 'k = 9' }
  await expect(reading.restart(reading.splits, options)).rejects.toMatchObject({
    code: 'DATABRICKS_QUERY_CHANGED',
    message: 'the source source has read 2 rows of a unit with other fields or another filter',
  })
  await reading.restart()
  await reading.rest()
  reading.checkpoint()
  await reading.restart(reading.splits, options)
  table.change([insert(8), insert(9)])
  expect((await reading.rest()).map(({ k }) => k)).toEqual([9])
})

const UNFIT: [string, Readonly<Record<string, string>>, string][] = [
  ['is not there', { x: 'long' }, 'the table main.sales.orders has no column x'],
  [
    'has another type',
    { k: 'string' },
    'the column k of the table main.sales.orders is bigint, and the field is string',
  ],
]
test.each(UNFIT)('a field whose column %s is refused', async (_, types, message) => {
  const fake = new FakeDatabricks()
  orders(fake)
  await expect(started(fake, schemaOf(types), SOURCE)).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH', message })
})

/** The answer to the statement that reads a snapshot of three rows, with a change. */
async function withAnswer(
  change: (answer: { result: { external_links: object[] } }) => void,
): Promise<{ rows: Row[]; statements: number }> {
  const fake = new FakeDatabricks()
  orders(fake).change([1, 2, 3].map((k) => insert(k)))
  const reading = await started(fake, PLAIN, SOURCE)
  await reading.poll()
  const send = fake.send.bind(fake)
  let isChanged = false
  fake.send = async (request) => {
    const answer = await send(request)
    if (!request.url.endsWith('/statements/') || isChanged) return answer
    isChanged = true
    const value = JSON.parse(answer.body) as { result: { external_links: object[] } }
    change(value)
    return { ...answer, body: JSON.stringify(value) }
  }
  await reading.restart()
  const before = fake.statements.size
  const rows = await reading.rest()
  return { rows, statements: fake.statements.size - before }
}

const WRONG: [string, object][] = [
  ['begins later', { row_offset: 1 }],
  ['has another count', { row_count: 2 }],
  ['comes after itself', { next_chunk_index: 0 }],
  ['is no address', { external_link: 'storage' }],
  ['has headers that are none', { http_headers: { a: 1 } }],
]
test.each(WRONG)('a result whose chunk %s is asked for again', async (_, change) => {
  const { rows, statements } = await withAnswer(({ result }) => {
    Object.assign(result.external_links[0] ?? {}, change)
  })
  expect(rows.map(({ k }) => k)).toEqual([1, 2, 3])
  expect(statements).toBe(2)
})

test('a link that others could read on the way is not followed', async () => {
  await expect(
    withAnswer(({ result }) => {
      Object.assign(result.external_links[0] ?? {}, { external_link: 'http://169.254.169.254/latest' })
    }),
  ).rejects.toMatchObject({
    code: 'DATABRICKS_LINK_REFUSED',
    message: 'a link leads to http://169.254.169.254, which is not https',
  })
})

test('a position of another source is refused', async () => {
  const fake = new FakeDatabricks()
  orders(fake)
  const reading = new FeedReading(fake, SCHEMA, CHANGES)
  for (const position of [null, {}, { table: 't', unit: { kind: 'changes', from: 3, to: 2 }, skip: 0, query: '' }])
    await expect(reading.restart([{ id: 'table', position, finished: false }])).rejects.toMatchObject({
      code: 'SPLIT_INVALID',
    })
})

const MISTAKES: [object, string, string][] = [
  [{ startingVersion: 3 }, 'startingVersion', 'needs continuous: a source that ends reads a snapshot'],
  [
    { startingVersion: 3, version: 2, continuous: {} },
    'version',
    'has no meaning beside startingVersion, which reads no snapshot',
  ],
  [
    { metadata: { changeType: 'c' }, onRemove: 'ignore' },
    'onRemove',
    'has no meaning beside metadata.changeType: all changes become rows',
  ],
]
test.each(MISTAKES)('the options %j are refused at %s', (change, path, message) => {
  expect(sourceOptions.check({ ...SOURCE, ...change })).toContainEqual(expect.objectContaining({ path, message }))
})

test('fields of metadata have the types of what they hold', () => {
  const schema = schemaOf({ what: 'long', at: 'long' })
  const problems = declaration.source?.checkSchema?.(
    { ...SOURCE, metadata: { changeType: 'what', timestamp: 'at', version: 'none' } },
    schema,
  )
  expect(problems?.map(({ path, message }) => `${path}: ${message}`)).toEqual([
    'metadata.changeType: "what" is long, and must be string',
    'metadata.version: there is no field "none" in the schema',
    'metadata.timestamp: "at" is long, and must be timestamp',
    'metadata: takes every field: a row needs a column of the table',
  ])
})
