import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { builtinConnectors } from '../../../../../runtime/builtin-connectors.ts'
import type { CassandraColumn } from '../../../../../runtime/connectors/cassandra/client.ts'
import { cassandraConnector } from '../../../../../runtime/connectors/cassandra/connector.ts'
import { type Mishap, VirtualCassandra } from '../../../../../runtime/connectors/cassandra/virtual/cluster.ts'
import type { SinkWriter } from '../../../../../runtime/connectors/sink.ts'
import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import type { Field, Row } from '../../../../../runtime/model/schema.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'

const COLUMNS: readonly CassandraColumn[] = [
  { name: 'id', type: { kind: 'bigint' } },
  { name: 'name', type: { kind: 'text' } },
  { name: 'amount', type: { kind: 'int' } },
]
const KEY = { partitionKey: ['id'], clusteringKey: [] }
const FIELDS: readonly Field[] = [
  { name: 'id', type: 'long', nullable: false },
  { name: 'name', type: 'string', nullable: true },
  { name: 'amount', type: 'long', nullable: true },
]
const AT: Field = { name: 'at', type: 'timestamp', nullable: false }
const OPTIONS = { hosts: 'virtual:9042', keyspace: 'shop', table: 'orders' }

function writerOf(cassandra: VirtualCassandra, options: object = {}, fields = FIELDS): SinkWriter {
  return cassandraConnector(() => cassandra.connect())
    .sink({ ...OPTIONS, ...options })
    .writer({
      jobUid: 'uid',
      predecessors: [],
      operatorId: 'out',
      slot: 0,
      attempt: 1,
      schema: { fields },
      ports: jumpingPorts(),
      baseDir: '.',
      stopping: new AbortController().signal,
      reportTrouble: () => undefined,
    })
}

async function writeAll(writer: SinkWriter, rows: readonly Row[]): Promise<void> {
  await writer.open([])
  for (let at = 0; at < rows.length; at += 7) await writer.write(new RowBatch(rows.slice(at, at + 7)))
  await writer.prepareCommit(1)
}

const arbitraryRows = fc.array(
  fc.record({
    id: fc.integer({ min: 0, max: 5 }),
    name: fc.option(fc.constantFrom('a', 'b', 'ž'), { nil: null }),
    amount: fc.option(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { nil: null }),
    at: fc.integer({ min: 0, max: 20 }),
  }),
  { maxLength: 60 },
)
const arbitraryMishaps = fc.array(fc.constantFrom<Mishap | undefined>('refused', 'unheard', undefined, undefined), {
  maxLength: 80,
})

/** Requests arrive in another order than they were sent. */
function overtaking(delays: readonly number[]): () => Promise<void> {
  let next = 0
  return async () => {
    const turns = delays[next++ % Math.max(1, delays.length)] ?? 0
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('the Cassandra sink', () => {
  test('leaves the last row of each key, whatever requests fail, are tried again, or overtake each other', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryRows,
        arbitraryMishaps,
        fc.array(fc.nat(4), { maxLength: 10 }),
        async (rows, mishaps, delays) => {
          const cassandra = new VirtualCassandra(COLUMNS, KEY, overtaking(delays))
          cassandra.mishaps.push(...mishaps)
          await writeAll(writerOf(cassandra), rows)
          const last = new Map(rows.map(({ id, name, amount }) => [id, { id: BigInt(id), name, amount }]))
          expect(cassandra.rows()).toEqual([...last.keys()].sort().map((id) => last.get(id)))
        },
      ),
      { numRuns: 100 },
    )
  })

  test('with writeTime leaves the row of the latest time of each key, in whatever order rows come', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryRows, arbitraryMishaps, async (all, mishaps) => {
        // of two rows of one time Cassandra keeps the greater value
        const rows = all.filter((row, index) => all.findIndex(({ id, at }) => id === row.id && at === row.at) === index)
        const cassandra = new VirtualCassandra(COLUMNS, KEY, overtaking([3, 0, 1]))
        cassandra.mishaps.push(...mishaps)
        await writeAll(writerOf(cassandra, { writeTime: 'at' }, [...FIELDS, AT]), rows)
        const last = new Map(
          rows.toSorted((a, b) => a.at - b.at).map(({ id, name, amount }) => [id, { id: BigInt(id), name, amount }]),
        )
        expect(cassandra.rows()).toEqual([...last.keys()].sort().map((id) => last.get(id)))
      }),
      { numRuns: 60 },
    )
  })

  test('with nulls: skip a null leaves its column as it is', async () => {
    const cassandra = new VirtualCassandra(COLUMNS, KEY)
    await writeAll(writerOf(cassandra, { nulls: 'skip' }), [
      { id: 1, name: 'a', amount: 5 },
      { id: 1, name: null, amount: 6 },
    ])
    expect(cassandra.rows()).toEqual([{ id: 1n, name: 'a', amount: 6 }])
  })

  test('with mode: delete only the key counts, and a row that is not there is none to miss', async () => {
    const cassandra = new VirtualCassandra(COLUMNS, KEY)
    await writeAll(writerOf(cassandra), [
      { id: 1, name: 'a', amount: 5 },
      { id: 2, name: 'b', amount: 6 },
    ])
    await writeAll(writerOf(cassandra, { mode: 'delete' }), [
      { id: 1, name: null, amount: null },
      { id: 7, name: null, amount: null },
    ])
    expect(cassandra.rows()).toEqual([{ id: 2n, name: 'b', amount: 6 }])
  })

  test('names of the schema are quoted, so that none becomes a part of the statement', async () => {
    const column = { name: 'x"; DROP', type: { kind: 'text' } } as const
    const cassandra = new VirtualCassandra([...COLUMNS, column], KEY)
    const fields = [...FIELDS, { name: column.name, type: 'string', nullable: true } as const]
    await writeAll(writerOf(cassandra, { ttl: '90s' }, fields), [{ id: 1, name: 'a', amount: 5, [column.name]: null }])
    expect(cassandra.statements[0]?.cql).toBe(
      'INSERT INTO "shop"."orders" ("id", "name", "amount", "x""; DROP") VALUES (?, ?, ?, ?) USING TTL 90',
    )
  })

  test.each([
    ['a number that the column cannot hold', FIELDS, { id: 1, name: 'a', amount: 2 ** 31 }, 'VALUE_INVALID', 'amount'],
    ['a null in the key', [{ ...FIELDS[0], nullable: true } as Field], { id: null }, 'VALUE_INVALID', 'id'],
    ['a field without a column', [...FIELDS, { ...AT, name: 'nam' }], { id: 1 }, 'COLUMN_MISSING', 'nam'],
    ['a key column without a field', FIELDS.slice(1), { name: 'a' }, 'COLUMN_MISSING', 'id'],
    [
      'a field of another type',
      [FIELDS[0] as Field, { ...AT, name: 'name' }],
      { id: 1 },
      'CASSANDRA_TYPE_MISMATCH',
      'name',
    ],
  ])('%s is an error that names it', async (_, fields, row, code, name) => {
    const written = writeAll(writerOf(new VirtualCassandra(COLUMNS, KEY), {}, fields), [row])
    await expect(written).rejects.toMatchObject({ code, message: expect.stringContaining(name) as string })
  })

  test.each([
    [{ writeTime: 'tim' }, 'writeTime', 'there is no field "tim"'],
    [{ writeTime: 'name' }, 'writeTime', '"name" is no timestamp'],
  ])('%j is a mistake of the schema', (options, path, message) => {
    const problems = builtinConnectors.sinks['cassandra']?.checkSchema?.({ ...OPTIONS, ...options }, { fields: FIELDS })
    expect(problems).toEqual([{ path, message: expect.stringContaining(message) as string }])
  })

  test('ttl and nulls do not go with mode: delete', () => {
    const check = builtinConnectors.sinks['cassandra']?.options.check({
      ...OPTIONS,
      mode: 'delete',
      ttl: '1h',
      nulls: 'skip',
    })
    expect(check?.map(({ path }) => path)).toEqual(['ttl', 'nulls'])
  })
})

describe('lookups in Cassandra', () => {
  const output = FIELDS.slice(1)
  const columns = [...COLUMNS, { name: 'day', type: { kind: 'int' } } as const]
  const field = (name: string): { column: string; field: Field } => ({
    column: name,
    field: { name: `my_${name}`, type: 'long', nullable: false },
  })
  const open = (cassandra: VirtualCassandra, names: readonly string[]) =>
    cassandraConnector(() => cassandra.connect())
      .table(OPTIONS)
      .open({
        operatorId: 'named',
        key: names.map(field),
        output,
        ports: jumpingPorts(),
        baseDir: '.',
        stopping: new AbortController().signal,
        reportTrouble: () => undefined,
      })

  test('find the row of a key, also when the cluster cannot answer at first', async () => {
    const cassandra = new VirtualCassandra(COLUMNS, KEY)
    await writeAll(writerOf(cassandra), [{ id: 1, name: null, amount: 5 }])
    const table = await open(cassandra, ['id'])
    cassandra.mishaps.push('refused', 'refused')
    const { signal } = new AbortController()
    expect(await table.find([1], signal)).toEqual([{ name: null, amount: 5 }])
    expect(await table.find([2], signal)).toEqual([])
  })

  test.each([
    [['id'], { partitionKey: ['id'], clusteringKey: ['day'] }, undefined],
    [['id', 'day'], { partitionKey: ['id'], clusteringKey: ['day'] }, undefined],
    [['id'], { partitionKey: ['id', 'day'], clusteringKey: [] }, 'CASSANDRA_KEY_INVALID'],
    [['day'], { partitionKey: ['id'], clusteringKey: ['day'] }, 'CASSANDRA_KEY_INVALID'],
    [['id', 'amount'], { partitionKey: ['id'], clusteringKey: ['day', 'amount'] }, 'CASSANDRA_KEY_INVALID'],
    [['nobody'], KEY, 'COLUMN_MISSING'],
  ])('by %j of a table with the key %j: %s', async (names, key, code) => {
    const opened = open(new VirtualCassandra(columns, key), names)
    if (code === undefined) await expect(opened).resolves.toBeDefined()
    else await expect(opened).rejects.toMatchObject({ code })
  })
})
