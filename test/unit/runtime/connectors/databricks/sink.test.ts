import { expect, test } from 'vitest'
import { connector } from '../../../../../runtime/connectors/databricks/connector.ts'
import { declaration, sinkOptions } from '../../../../../runtime/connectors/databricks/declaration.ts'
import type { Committable } from '../../../../../runtime/connectors/sink.ts'
import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import type { Field, Row, Schema } from '../../../../../runtime/model/schema.ts'
import { namedField } from '../../../../../runtime/model/schema.ts'
import { parseValueType } from '../../../../../runtime/model/value-type.ts'
import { CLIENT, FakeDatabricks, TOKEN } from '../../../../harness/databricks/fake-databricks.ts'
import type { FakeTable } from '../../../../harness/databricks/fake-table.ts'
import {
  OPTIONS,
  SCHEMA,
  secretsOf,
  TABLE,
  UPSERT,
  writerOf,
  type WriterParts,
} from '../../../../harness/databricks/sink-courses.ts'
import { jumpingClock } from '../../../../harness/kafka/jumping-clock.ts'
import { sinkContext } from '../../../../harness/sink-context.ts'

const COLUMNS = [
  { name: 'k', type: 'bigint', nullable: false },
  { name: 'v', type: 'bigint', nullable: true },
]
const STAGE = '/Volumes/main/sales/stage/job/job-1/out'

function orders(fake: FakeDatabricks, isUpsert = false): FakeTable {
  return fake.addTable(TABLE, isUpsert ? COLUMNS : [...COLUMNS, { name: 'gone', type: 'boolean', nullable: true }])
}

function row(k: number, v: number, gone = false): Row {
  return { k, v, gone }
}

/** Writes rows as one checkpoint, and returns what it keeps. */
async function staged(fake: FakeDatabricks, rows: Row[], parts: WriterParts = {}): Promise<readonly Committable[]> {
  const writer = writerOf(fake, parts)
  await writer.open([])
  await writer.write(new RowBatch(rows))
  return writer.prepareCommit(1)
}

/** Restores an attempt from what a checkpoint keeps. */
async function restored(
  fake: FakeDatabricks,
  committables: readonly Committable[],
  parts: WriterParts = {},
): Promise<void> {
  await writerOf(fake, { attempt: 2, ...parts }).open(committables)
}

function statements(fake: FakeDatabricks): string[] {
  return [...fake.statements.values()].map(({ text }) => text)
}

function fieldOf(name: string, type: string): Field {
  const read = parseValueType(type)
  if (read === undefined) throw new Error(`no type: ${type}`)
  return namedField(name, read)
}

test('rows are copied by a statement that names each file', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake)
  await restored(fake, await staged(fake, [row(1, 10), row(2, 20)]))
  expect(table.newest.rows).toEqual([row(1, 10), row(2, 20)])
  expect(statements(fake).map((text) => text.replaceAll(/[0-9a-f]{16}/g, 'ID'))).toEqual([
    [
      'COPY INTO `main`.`sales`.`orders`',
      `FROM (SELECT \`k\`, \`v\`, \`gone\` FROM '${STAGE}')`,
      'FILEFORMAT = PARQUET',
      "FILES = ('1-0-ID-0.parquet')",
    ].join('\n'),
  ])
})

test('rows are merged by a statement that reads each file and the gate by its name', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake, true)
  table.change([
    { type: 'insert', row: { k: 1, v: 1 } },
    { type: 'insert', row: { k: 2, v: 2 } },
  ])
  await restored(fake, await staged(fake, [row(1, 9), row(1, 10), row(2, 0, true), row(3, 30)], { options: UPSERT }), {
    options: UPSERT,
  })
  expect(table.newest.rows).toEqual([
    { k: 1, v: 10 },
    { k: 3, v: 30 },
  ])
  expect(statements(fake).map((text) => text.replaceAll(/[0-9a-f]{16}/g, 'ID'))).toEqual([
    "ALTER TABLE `main`.`sales`.`orders` SET TBLPROPERTIES ('millrace.job-1.out' = 'gate-2-0-ID.parquet')",
    [
      'MERGE INTO `main`.`sales`.`orders` AS t',
      'USING (SELECT * FROM (SELECT r.*, row_number() OVER (PARTITION BY r.`k` ORDER BY r.`_millrace_order` DESC) AS `_millrace_rank`',
      `FROM (SELECT \`k\`, \`v\`, \`_millrace_order\`, \`_millrace_deleted\` FROM parquet.\`${STAGE}/1-0-ID-0.parquet\`) AS r`,
      `CROSS JOIN parquet.\`${STAGE}/gate-2-0-ID.parquet\` AS g WHERE g.\`open\`) WHERE \`_millrace_rank\` = 1) AS s`,
      'ON t.`k` = s.`k`',
      'WHEN MATCHED AND s.`_millrace_deleted` THEN DELETE',
      'WHEN MATCHED THEN UPDATE SET t.`k` = s.`k`, t.`v` = s.`v`',
      'WHEN NOT MATCHED AND NOT s.`_millrace_deleted` THEN INSERT (`k`, `v`) VALUES (s.`k`, s.`v`)',
    ].join('\n'),
  ])
})

test('values of every type are in the files', async () => {
  const fields = [
    fieldOf('a', 'long'),
    fieldOf('b', 'double'),
    fieldOf('c', 'string'),
    fieldOf('d', 'timestamp'),
    fieldOf('e', 'json'),
    fieldOf('f', 'bigint'),
    fieldOf('g', 'bytes'),
    fieldOf('h', 'date'),
    fieldOf('i', 'decimal(9,2)'),
    fieldOf('j', 'boolean'),
  ]
  const types = [
    'bigint',
    'double',
    'string',
    'timestamp',
    'string',
    'bigint',
    'binary',
    'date',
    'decimal(9,2)',
    'boolean',
  ]
  const fake = new FakeDatabricks()
  const table = fake.addTable(
    TABLE,
    types.map((type, index) => ({ name: fields[index]?.name ?? '', type, nullable: false })),
  )
  const values = {
    a: 1,
    b: 0.5,
    c: 'é',
    d: Date.parse('2026-01-02T03:04:05.006Z'),
    e: [1],
    f: '9223372036854775807',
    g: '\u00ff',
    h: 20_000,
    i: '1.50',
    j: true,
  }
  const schema: Schema = { fields }
  await restored(fake, await staged(fake, [values], { schema }), { schema })
  expect(table.newest.rows).toEqual([
    {
      a: 1,
      b: 0.5,
      c: 'é',
      d: '2026-01-02T03:04:05.006Z',
      e: '[1]',
      f: '9223372036854775807',
      g: 'ff',
      h: '2024-10-04T00:00:00.000Z',
      i: 1.5,
      j: true,
    },
  ])
})

test('a checkpoint that is restored again when its rows are loaded and its files are gone loads nothing', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake, true)
  const writer = writerOf(fake, { options: UPSERT })
  await writer.open([])
  await writer.write(new RowBatch([row(1, 1)]))
  const first = await writer.prepareCommit(1)
  await writer.commit?.(first)
  await writer.write(new RowBatch([row(1, 2)]))
  await writer.commit?.(await writer.prepareCommit(2))
  await restored(fake, first, { options: UPSERT })
  expect(table.newest.rows).toEqual([{ k: 1, v: 2 }])
  expect([...fake.files.keys()].filter((path) => /-\d+\.parquet$/.test(path))).toEqual([])
})

test('a writer leaves one mark, whatever it has loaded', async () => {
  const fake = new FakeDatabricks()
  orders(fake)
  const writer = writerOf(fake)
  await writer.open([])
  for (let n = 1; n < 5; n++) {
    await writer.write(new RowBatch([row(n, n)]))
    await writer.commit?.(await writer.prepareCommit(n))
  }
  expect([...fake.files.keys()].map((path) => path.replace(/[0-9a-f]{16}/, 'ID'))).toEqual([
    `${STAGE}/1-0-ID-3.loaded-upto`,
  ])
})

test('rows whose files are gone without a mark are an error', async () => {
  const fake = new FakeDatabricks()
  orders(fake)
  const committables = await staged(fake, [row(1, 1)])
  fake.files.clear()
  await expect(restored(fake, committables)).rejects.toMatchObject({
    code: 'SINK_OUTPUT_LOST',
    message: expect.stringContaining('no mark says that main.sales.orders has its rows'),
  })
})

test('files of older attempts that nobody will load are deleted by the first commit', async () => {
  const fake = new FakeDatabricks()
  orders(fake)
  await staged(fake, [row(1, 1)])
  await staged(fake, [row(2, 2)], { jobUid: 'job-0' })
  const writer = writerOf(fake, { attempt: 2, predecessors: ['job-0', 'job-none'] })
  await writer.open([])
  expect(fake.files.size).toBe(2)
  await writer.commit?.(await writer.prepareCommit(1))
  expect([...fake.files.keys()]).toEqual([])
})

test('rows of a job whose savepoint is continued are loaded once, by both', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake, true)
  const parts = { options: UPSERT, jobUid: 'job-0' }
  const old = writerOf(fake, parts)
  await old.open([])
  await old.write(new RowBatch([row(1, 1)]))
  const savepoint = await old.prepareCommit(1)
  await writerOf(fake, { options: UPSERT }).open(savepoint)
  await old.commit?.(savepoint)
  expect(table.newest.rows).toEqual([{ k: 1, v: 1 }])
})

test('an attempt whose work a newer one has begun writes nothing, and its gate is gone', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake, true)
  const old = writerOf(fake, { options: UPSERT })
  await old.open([])
  await old.write(new RowBatch([row(1, 1)]))
  const kept = await old.prepareCommit(1)
  await restored(fake, kept, { options: UPSERT })
  await old.write(new RowBatch([row(1, 0)]))
  const late = await old.prepareCommit(2)
  await expect(old.commit?.(late)).rejects.toMatchObject({
    code: 'SINK_FENCED',
    message: 'attempt 1 of the sink out is over: attempt 2 has begun to write its table',
  })
  expect(table.newest.rows).toEqual([{ k: 1, v: 1 }])
  expect([...fake.files.keys()].filter((path) => path.includes('gate-1'))).toEqual([])
})

test('of two attempts that open gates at the same time the older one ends', async () => {
  const fake = new FakeDatabricks()
  orders(fake, true)
  const old = writerOf(fake, { options: UPSERT })
  await old.open([])
  await old.write(new RowBatch([row(1, 1)]))
  const kept = await old.prepareCommit(1)
  let lists = 0
  fake.onCall = async (call) => {
    // the older one has written its gate, and looks at the others when the newer one is done
    if (!call.startsWith('GET /api/2.0/fs/directories') || ++lists !== 2) return
    fake.onCall = undefined
    await restored(fake, kept, { options: UPSERT })
  }
  await expect(old.commit?.(kept)).rejects.toMatchObject({ code: 'SINK_FENCED' })
})

test('a job that is continued under another name opens no gate any more', async () => {
  const fake = new FakeDatabricks()
  orders(fake, true)
  const gone = writerOf(fake, { options: UPSERT, jobUid: 'job-0', attempt: 7 })
  await gone.open([])
  await gone.write(new RowBatch([row(1, 1)]))
  const kept = await gone.prepareCommit(1)
  const parts = { options: UPSERT, predecessors: ['job-0'] }
  await writerOf(fake, parts).open(kept)
  await gone.write(new RowBatch([row(1, 0)]))
  const late = await gone.prepareCommit(2)
  await expect(gone.commit?.(late)).rejects.toMatchObject({
    code: 'SINK_FENCED',
    message: 'attempt 7 of the sink out is over: another job that continues its work has begun to write its table',
  })
})

test('rows of several checkpoints are loaded in their order, whatever the order they are restored in', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake, true)
  const writer = writerOf(fake, { options: UPSERT })
  await writer.open([])
  const kept: Committable[] = []
  for (const v of [1, 2, 3]) {
    await writer.write(new RowBatch([row(1, v)]))
    kept.push(...(await writer.prepareCommit(v)))
  }
  await restored(fake, kept.toReversed(), { options: UPSERT })
  expect(table.newest.rows).toEqual([{ k: 1, v: 3 }])
})

test('a statement that is in no state that says how it ended is repeated', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake)
  const kept = await staged(fake, [row(1, 1)])
  const closed = { statement_id: '01ef-0', status: { state: 'CLOSED' } }
  fake.answers.push({ to: 'POST /api/2.0/sql', answer: { status: 200, body: JSON.stringify(closed) } })
  fake.onCall = (call) => {
    if (call.startsWith('POST') && fake.calls.filter((one) => one === call).length === 3) fake.answers.length = 0
  }
  await restored(fake, kept)
  expect(table.newest.rows).toEqual([row(1, 1)])
})

const HOSTILE: [string, object][] = [
  ['a file of another sink', { files: ['../other/1-0-ab-0.parquet'] }],
  ['a file of another writer', { files: ['1-1-ab-0.parquet'] }],
  ['a folder of another sink', { folder: 'job-1/other' }],
  ['a folder above', { folder: '../out' }],
  ['no columns', { columns: [] }],
  ['a count that is none', { rows: -1 }],
  ['a number that is none', { number: '0' }],
]
test.each(HOSTILE)('a checkpoint that names %s is refused', async (_, change) => {
  const fake = new FakeDatabricks()
  orders(fake)
  const sound = {
    table: TABLE,
    volume: OPTIONS.volume,
    folder: 'job-1/out',
    writer: '1-0-ab',
    number: 0,
    files: ['1-0-ab-0.parquet'],
    rows: 1,
    columns: ['k'],
  }
  await expect(restored(fake, [sound])).rejects.toMatchObject({ code: 'SINK_OUTPUT_LOST' })
  await expect(restored(fake, [{ ...sound, ...change }])).rejects.toMatchObject({ code: 'COMMITTABLE_INVALID' })
})

test('a sink that is to write another table while rows wait says so', async () => {
  const fake = new FakeDatabricks()
  orders(fake)
  const kept = await staged(fake, [row(1, 1)])
  await expect(restored(fake, kept, { options: { ...OPTIONS, table: 'main.sales.other' } })).rejects.toMatchObject({
    code: 'SINK_CHANGED',
    message:
      'the sink out has rows in /Volumes/main/sales/stage/job for main.sales.orders, and is to load those in /Volumes/main/sales/stage/job into main.sales.other now',
  })
})

test('a sink that is to append while rows wait that replace others says so', async () => {
  const fake = new FakeDatabricks()
  orders(fake, true)
  const kept = await staged(fake, [row(1, 1)], { options: UPSERT })
  await expect(restored(fake, kept)).rejects.toMatchObject({
    code: 'SINK_CHANGED',
    message: 'the sink out has rows that replace others by their key, and has mode: append now',
  })
})

test('a name with a quote in it stays a name in a statement', async () => {
  const fake = new FakeDatabricks()
  const table = `main.sa"les.or'd\\ers`
  const named = fake.addTable(table, [...COLUMNS, { name: 'gone', type: 'boolean', nullable: true }])
  const options = { ...OPTIONS, table }
  await restored(fake, await staged(fake, [row(1, 1)], { options }), { options })
  expect(named.newest.rows).toEqual([row(1, 1)])
})

const UNFIT: [string, { name: string; type: string; nullable: boolean }[], string][] = [
  ['has no column', COLUMNS, 'the table main.sales.orders has no column gone'],
  [
    'has another type',
    [...COLUMNS, { name: 'GONE', type: 'string', nullable: true }],
    'the column GONE of the table main.sales.orders is string, and the field is boolean?',
  ],
  [
    'takes no null',
    [...COLUMNS, { name: 'gone', type: 'boolean', nullable: false }],
    'the column gone of the table main.sales.orders may not be null, and the field may',
  ],
  [
    'wants more',
    [...COLUMNS, { name: 'gone', type: 'boolean', nullable: true }, { name: 'x', type: 'int', nullable: false }],
    'the column x of the table main.sales.orders may not be null, and the rows have no such field',
  ],
]
test.each(UNFIT)('a table that %s is refused before rows are written', async (_, columns, message) => {
  const fake = new FakeDatabricks()
  fake.addTable(TABLE, columns)
  await expect(writerOf(fake).open([])).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH', message })
})

test('a table that is not there is named with the statement that makes it', async () => {
  await expect(writerOf(new FakeDatabricks()).open([])).rejects.toMatchObject({
    code: 'DATABRICKS_TABLE_MISSING',
    domain: 'user',
    hint: 'Make it: CREATE TABLE `main`.`sales`.`orders` (`k` bigint NOT NULL, `v` bigint, `gone` boolean)',
  })
})

const REFUSALS: [string, number, string, Readonly<Record<string, string>>, object][] = [
  [
    'the login is not known',
    401,
    '{"error_code":"UNAUTHENTICATED","message":"Invalid access token."}',
    {},
    {
      code: 'DATABRICKS_REFUSED',
      domain: 'user',
      message: 'the Databricks at http://localhost:1 answered 401: UNAUTHENTICATED: Invalid access token.',
    },
  ],
  [
    'the login may not see the table',
    403,
    '{"error_code":"PERMISSION_DENIED","message":"User does not have USE CATALOG on Catalog main."}',
    {},
    { domain: 'user', hint: 'Give the job a login that may use the warehouse, the volume and the table.' },
  ],
  [
    'the address leads elsewhere',
    302,
    '',
    { location: 'https://elsewhere/login' },
    {
      message: 'the Databricks at http://localhost:1 answered 302, which points to https://elsewhere/login',
      hint: 'Write the address of the workspace itself as url.',
    },
  ],
  ['the address is of something else', 200, '<html>Welcome</html>', {}, { code: 'DATABRICKS_ANSWER' }],
  [
    'the table is a view',
    200,
    '{"table_type":"VIEW","data_source_format":"UNKNOWN"}',
    {},
    { code: 'DATABRICKS_TABLE_UNFIT', message: 'main.sales.orders is a VIEW of the format UNKNOWN' },
  ],
]
test.each(REFUSALS)('when %s, the job says so', async (_, status, body, headers, wanted) => {
  const fake = new FakeDatabricks()
  orders(fake)
  fake.answers.push({ to: 'GET /api/2.1', answer: { status, body, headers } })
  await expect(writerOf(fake).open([])).rejects.toMatchObject(wanted)
})

test('a warehouse that is not there ends the commit in the words of the workspace', async () => {
  const fake = new FakeDatabricks()
  orders(fake)
  const kept = await staged(fake, [row(1, 1)])
  const options = { ...OPTIONS, warehouse: 'ffff' }
  await expect(restored(fake, kept, { options })).rejects.toMatchObject({
    code: 'DATABRICKS_REFUSED',
    domain: 'user',
    message:
      'the Databricks at http://localhost:1 answered 404: RESOURCE_DOES_NOT_EXIST: SQL warehouse ffff does not exist',
  })
})

test('a statement that fails ends the commit in the words of the warehouse', async () => {
  const fake = new FakeDatabricks()
  orders(fake)
  const kept = await staged(fake, [row(1, 1)])
  const failed = {
    statement_id: '01ef-9',
    status: {
      state: 'FAILED',
      error: { error_code: 'BAD_REQUEST', message: '[INSUFFICIENT_PERMISSIONS] User does not have MODIFY on Table' },
    },
  }
  fake.answers.push({ to: 'POST /api/2.0/sql', answer: { status: 200, body: JSON.stringify(failed) } })
  await expect(restored(fake, kept)).rejects.toMatchObject({
    code: 'DATABRICKS_STATEMENT_FAILED',
    domain: 'user',
    hint: 'docs/databricks.md lists the privileges that the login of the job needs.',
  })
})

test('a folder whose pages never end is an error', async () => {
  const fake = new FakeDatabricks()
  orders(fake)
  const kept = await staged(fake, [row(1, 1)])
  const page = { contents: [{ name: 'a' }], next_page_token: 'again' }
  fake.answers.push({
    to: 'GET /api/2.0/fs/directories',
    answer: { status: 200, body: JSON.stringify(page) },
  })
  await expect(restored(fake, kept)).rejects.toMatchObject({ code: 'DATABRICKS_ANSWER' })
})

test('a service principal gets a token, and another one when that ends before its time', async () => {
  const fake = new FakeDatabricks()
  const table = orders(fake)
  const options = {
    ...OPTIONS,
    auth: { clientId: CLIENT.id, clientSecretFile: '/secrets/client' },
  }
  const context = sinkContext('job-1', SCHEMA)
  const writer = connector.sink(options).writer({
    ...context,
    ports: {
      ...context.ports,
      clock: jumpingClock(() => fake.isBusy),
      httpClient: fake,
      secretFiles: secretsOf({ '/secrets/client': CLIENT.secret }),
    },
  })
  await writer.open([])
  await writer.write(new RowBatch([row(1, 1)]))
  fake.tokens.clear()
  await writer.commit?.(await writer.prepareCommit())
  expect(table.newest.rows).toEqual([row(1, 1)])
  expect(fake.calls.filter((call) => call === 'POST /oidc/v1/token')).toHaveLength(2)
})

test('a service principal that is refused is an error with the words of the workspace, without its secret', async () => {
  const fake = new FakeDatabricks()
  orders(fake)
  const context = sinkContext('job-1', SCHEMA)
  const writer = connector
    .sink({ ...OPTIONS, auth: { clientId: 'other', clientSecretFile: '/secrets/client' } })
    .writer({
      ...context,
      ports: { ...context.ports, httpClient: fake, secretFiles: secretsOf({ '/secrets/client': 'wrong-secret' }) },
    })
  const error: unknown = await writer.open([]).catch((failure: unknown) => failure)
  expect(error).toMatchObject({
    code: 'DATABRICKS_LOGIN_REFUSED',
    message: 'localhost:1 gave no token: status 401, invalid_client: Client authentication failed',
  })
  expect(String(error)).not.toContain('wrong-secret')
})

test('a token whose Secret allows other hosts only is not sent', async () => {
  const fake = new FakeDatabricks()
  const context = sinkContext('job-1', SCHEMA)
  const writer = connector.sink(OPTIONS).writer({
    ...context,
    ports: {
      ...context.ports,
      httpClient: fake,
      secretFiles: secretsOf({ '/secrets/token': TOKEN, '/secrets/allowed-hosts': 'dbc.example.com' }),
    },
  })
  await expect(writer.open([])).rejects.toMatchObject({ code: 'SECRET_HOST_FORBIDDEN' })
  expect(fake.calls).toEqual([])
})

test('millrace doctor learns whether the table takes the rows, and starts nothing', async () => {
  const fake = new FakeDatabricks()
  orders(fake)
  const context = sinkContext('job-1', SCHEMA)
  const found = await connector.sink(OPTIONS).probe({
    ...context,
    ports: { ...context.ports, httpClient: fake, secretFiles: secretsOf({ '/secrets/token': TOKEN }) },
  })
  expect(found).toBe('main.sales.orders takes the rows; warehouse shared is STOPPED')
  expect(fake.calls.every((call) => call.startsWith('GET'))).toBe(true)
})

const MISTAKES: [object, string, string][] = [
  [{ url: undefined }, 'url', 'is required: the address of the workspace'],
  [{ table: 'orders' }, 'table', 'must be a table as catalog.schema.table, found "orders"'],
  [{ table: 'a.b.c`d' }, 'table', 'must be a table as catalog.schema.table, found "a.b.c`d"'],
  [{ volume: '/Volumes/a/b/../c' }, 'volume', 'must be a folder of a volume'],
  [{ warehouse: '../x' }, 'warehouse', 'must be a warehouse id'],
  [{ auth: {} }, 'auth', 'must have either tokenFile, or clientId and clientSecretFile'],
  [{ auth: { clientId: 'x' } }, 'auth', 'needs both clientId and clientSecretFile'],
  [{ url: 'http://dbc.example.com' }, 'auth', 'would travel as it is: the address is http'],
  [{ mode: 'upsert' }, 'key', 'is required with mode: upsert: the fields that tell rows apart'],
  [{ key: 'k' }, 'key', 'has no meaning with mode: append'],
]
test.each(MISTAKES)('the options %j are refused at %s', (change, path, message) => {
  expect(sinkOptions.check({ ...OPTIONS, ...change })).toContainEqual(
    expect.objectContaining({ path, message: expect.stringContaining(message) }),
  )
})

const FIELDS: [string, Record<string, string>, object, string][] = [
  ['a time of day', { t: 'time' }, OPTIONS, 'the field t is a time, for which Databricks has no type'],
  [
    'names that differ in case',
    { a: 'long', A: 'long' },
    OPTIONS,
    'Databricks takes the columns a and A for the same one',
  ],
  [
    'a column of ours',
    { _millrace_order: 'long' },
    OPTIONS,
    'Databricks takes the columns _millrace_order and _millrace_order for the same one',
  ],
  ['a key that may be null', { k: 'long?', gone: 'boolean' }, UPSERT, 'the field k may be null'],
  ['a key that is a double', { k: 'double', gone: 'boolean' }, UPSERT, 'the field k is a double'],
  ['no key', { x: 'long', gone: 'boolean' }, UPSERT, 'there is no field "k" in the table'],
  ['a tombstone that is a text', { k: 'long', gone: 'string' }, UPSERT, '"gone" is string, and must be boolean'],
]
test.each(FIELDS)('a schema with %s is refused', (_, types, options, message) => {
  const schema = { fields: Object.entries(types).map(([name, type]) => fieldOf(name, type)) }
  const problems = declaration.sink?.checkSchema?.({ ...options }, schema) ?? []
  expect(problems.map((problem) => problem.message)).toContain(message)
})

test('an upsert has one slot, and an append as many as the job gives it', () => {
  expect(declaration.sink?.slots?.(UPSERT)).toBe(1)
  expect(declaration.sink?.slots?.(OPTIONS)).toBeUndefined()
})
