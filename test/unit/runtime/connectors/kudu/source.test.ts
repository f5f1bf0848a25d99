import { describe, expect, test } from 'vitest'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import { KUDU_TYPE, type KuduColumn } from '../../../../../runtime/connectors/kudu/columns.ts'
import { kuduConnector } from '../../../../../runtime/connectors/kudu/connector.ts'
import { sinkOptions, sourceOptions } from '../../../../../runtime/connectors/kudu/declaration.ts'
import { type Mishap, VirtualKudu } from '../../../../../runtime/connectors/kudu/virtual/cluster.ts'
import type { SourceReader, Split } from '../../../../../runtime/connectors/source.ts'
import type { Schema } from '../../../../../runtime/model/schema.ts'
import { type Clock, sleep } from '../../../../../runtime/ports/clock.ts'
import { expectExactRestores, readAll } from '../../../../harness/connector-conformance.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'
import { sourceContext } from '../../../../harness/source-context.ts'

const plain = { isNullable: false, precision: 0, scale: 0, length: 0 }
const COLUMNS: readonly KuduColumn[] = [
  { ...plain, name: 'id', type: KUDU_TYPE.int64, isKey: true },
  { ...plain, name: 'name', type: KUDU_TYPE.string, isKey: false, isNullable: true },
]
const SCHEMA: Schema = {
  fields: [
    { name: 'id', type: 'long', nullable: false },
    { name: 'name', type: 'string', nullable: true },
  ],
}

function bed(rows: number, tablets: number, options: object = {}) {
  const kudu = new VirtualKudu(COLUMNS, tablets)
  for (let id = 0; id < rows; id++) kudu.upsert([BigInt(id), id % 3 === 0 ? null : `n${id}`])
  const ports = jumpingPorts()
  const context = {
    ...sourceContext({ verb: { connector: 'kudu' }, schema: SCHEMA, baseDir: '.', ports }),
    reportTrouble: () => undefined,
  }
  const connector = kuduConnector(() => kudu.connect()).source({ masters: 'virtual:7051', table: 'table', ...options })
  const discover = (known: readonly Split[] = []): Promise<Split[]> => connector.enumerator(context).discover(known, 1)
  const reader = async (splits: readonly Split[]): Promise<SourceReader> => {
    const opened = connector.reader({ ...context, slot: 0, parallelism: 1 }, compileRowClass(SCHEMA))
    await opened.open(splits)
    return opened
  }
  return { kudu, context, connector, discover, reader, clock: ports.clock }
}

/** `clock` moves on with each poll that gives nothing. */
async function idsOf(reader: SourceReader, count: number, clock?: Clock): Promise<number[]> {
  const ids: number[] = []
  for (let polls = 0; ids.length < count; polls++) {
    expect(polls, `after ${ids.length} rows`).toBeLessThan(2000)
    const batch = await reader.poll(5)
    if (batch === undefined && clock !== undefined) await sleep(clock, 100)
    ids.push(...(batch?.batch.rows() ?? []).map((row) => Number(row['id'])))
  }
  return ids
}

describe('a snapshot', () => {
  test('is read once, wherever the reading stops and in any number of slots', async () => {
    const { connector, context } = bed(100, 3)
    const source = { connector, context, maxRows: 5, interruptions: 20 }
    expect(await readAll(source)).toHaveLength(100)
    await expectExactRestores(source, 1, 3)
    await expectExactRestores(source, 3, 2)
  })

  test('has a bad record where a text of the table is not UTF-8', async () => {
    const { kudu, context, connector, discover } = bed(0, 1)
    kudu.upsert([1n, Buffer.from('Müller', 'latin1')])
    kudu.upsert([2n, 'Müller'])
    const bad: string[] = []
    const reader = connector.reader(
      { ...context, onBadRecord: (error) => void bad.push(error.message), slot: 0, parallelism: 1 },
      compileRowClass(SCHEMA),
    )
    await reader.open(await discover())
    expect(await idsOf(reader, 1)).toEqual([2])
    expect(bad).toEqual(['column name is M\uFFFDller, which the field name cannot hold'])
  })

  test('has no row that was written behind it', async () => {
    const { kudu, discover, reader } = bed(20, 2)
    const splits = await discover()
    kudu.upsert([99n, 'late'])
    const opened = await reader(splits)
    expect((await idsOf(opened, 20)).sort((a, b) => a - b)).toEqual([...Array(20).keys()])
    for (let polls = 0; !opened.isFinished(); polls++) {
      expect(polls).toBeLessThan(100)
      expect(await opened.poll(5)).toBeUndefined()
    }
  })

  test('goes on behind the last row when blocks have other sizes after a restore', async () => {
    const { kudu, discover, reader } = bed(60, 1)
    const first = await reader(await discover())
    const read = await idsOf(first, 33)
    kudu.rowsABlock = 2
    const second = await reader(first.snapshot())
    read.push(...(await idsOf(second, 60 - read.length)))
    expect([...read].sort((a, b) => a - b)).toEqual([...Array(60).keys()])
  })

  test.each<Mishap>(['unreachable', 'notTheLeader', 'scannerExpired', 'throttled'])(
    'loses and doubles no row when a server is %s',
    async (mishap) => {
      const { kudu, discover, reader } = bed(60, 2)
      const opened = await reader(await discover())
      const read = await idsOf(opened, 12)
      kudu.mishaps.push(mishap, mishap, mishap)
      read.push(...(await idsOf(opened, 60 - read.length)))
      expect([...read].sort((a, b) => a - b)).toEqual([...Array(60).keys()])
    },
  )

  test('whose tablet is gone ends the job', async () => {
    const { kudu, discover, reader } = bed(60, 2)
    const opened = await reader(await discover())
    kudu.tablets.length = 0
    await expect(idsOf(opened, 60)).rejects.toMatchObject({ code: 'KUDU_TABLET_GONE', domain: 'user' })
  })
})

describe('continuous reading', () => {
  const continuous = { every: '1s' }

  test('reads each change once, in splits that stay as many as the tablets', async () => {
    const { kudu, discover, reader, clock } = bed(20, 3, { continuous })
    const opened = await reader(await discover())
    await idsOf(opened, 20)
    kudu.upsert([5n, 'changed'])
    kudu.upsert([77n, 'new'])
    await sleep(clock, 5000)
    expect((await idsOf(opened, 2, clock)).sort()).toEqual([5, 77])
    await sleep(clock, 5000)
    for (let polls = 0; polls < 20; polls++) expect(await opened.poll(5)).toBeUndefined()
    expect(opened.snapshot()).toHaveLength(3)
    expect(opened.isFinished()).toBe(false)
  })

  test('continues with what changed while it was away', async () => {
    const { kudu, discover, reader, clock } = bed(20, 2, { continuous })
    const opened = await reader(await discover())
    await idsOf(opened, 20)
    for (let polls = 0; polls < 10; polls++) await opened.poll(5)
    const known = JSON.parse(JSON.stringify(opened.snapshot())) as Split[]
    kudu.upsert([5n, 'changed'])
    const restored = await reader(await discover(known))
    await sleep(clock, 5000)
    expect(await idsOf(restored, 1, clock)).toEqual([5])
  })

  test('reads the tablet of a range that is added while it runs from its beginning', async () => {
    const { kudu, discover, reader, clock } = bed(20, 2, { continuous })
    const late = kudu.tablets.pop()
    const known = await discover()
    expect(known).toHaveLength(1)
    const opened = await reader(known)
    const first = kudu.tablets[0]?.rows.size ?? 0
    const read = await idsOf(opened, first, clock)
    if (late !== undefined) kudu.tablets.push(late)
    const all = await discover(opened.snapshot())
    opened.addSplits?.(all.filter(({ id }) => !known.some((split) => split.id === id)))
    read.push(...(await idsOf(opened, 20 - first, clock)))
    expect(read.sort((a, b) => a - b)).toEqual([...Array(20).keys()])
  })

  test('leaves a tablet that is dropped with its range, and reads the others', async () => {
    const { kudu, discover, reader, clock } = bed(20, 2, { continuous })
    const opened = await reader(await discover())
    await idsOf(opened, 20)
    for (let polls = 0; polls < 10; polls++) await opened.poll(5)
    kudu.tablets.shift()
    for (let id = 0; id < 20; id++) kudu.upsert([BigInt(id), 'changed'])
    await sleep(clock, 5000)
    const left = kudu.tablets[0]?.rows.size ?? 0
    expect(await idsOf(opened, left, clock)).toHaveLength(left)
    expect(opened.isFinished()).toBe(false)
  })

  test.each([
    ['bounded', {}],
    ['continuous', { continuous }],
  ])('ends the attempt when the table was dropped and created again, %s', async (_what, options) => {
    const { kudu, discover, reader, clock } = bed(20, 2, options)
    const opened = await reader(await discover())
    await idsOf(opened, 5)
    kudu.table = { ...kudu.table, id: 'another' }
    for (const tablet of kudu.tablets) Object.assign(tablet, { id: `new-${tablet.id}` })
    const reading = (async (): Promise<void> => {
      for (let polls = 0; polls < 200; polls++) {
        await opened.poll(5)
        await sleep(clock, 1000)
      }
    })()
    await expect(reading).rejects.toMatchObject({ code: 'KUDU_TABLE_REPLACED' })
  })

  test('ends the job at a deleted row, or leaves it out where the job says so', async () => {
    const failing = bed(5, 1, { continuous })
    const opened = await failing.reader(await failing.discover())
    await idsOf(opened, 5)
    failing.kudu.delete([3n, null])
    await sleep(failing.clock, 5000)
    await expect(idsOf(opened, 1, failing.clock)).rejects.toMatchObject({ code: 'KUDU_ROW_DELETED' })
    const ignoring = bed(5, 1, { continuous: { ...continuous, deletes: 'ignore' } })
    const other = await ignoring.reader(await ignoring.discover())
    await idsOf(other, 5)
    ignoring.kudu.delete([3n, null])
    ignoring.kudu.upsert([4n, 'changed'])
    await sleep(ignoring.clock, 5000)
    expect(await idsOf(other, 1, ignoring.clock)).toEqual([4])
  })
})

test('a number that a long cannot hold is a bad record, and the rows around it are read', async () => {
  const { kudu, context, discover, reader } = bed(0, 1)
  kudu.upsert([2n ** 60n, 'large'])
  kudu.upsert([1n, 'small'])
  const opened = await reader(await discover())
  expect(await idsOf(opened, 1)).toEqual([1])
  for (let polls = 0; !opened.isFinished() && polls < 100; polls++) await opened.poll(5)
  expect(context.bad).toMatchObject([
    { reason: 'column id is 1152921504606846976, which the field id cannot hold', where: 'a row of table' },
  ])
})

test('a position that is none of a Kudu source is refused', async () => {
  const { reader } = bed(1, 1)
  for (const position of [
    null,
    5,
    { snapshot: -1 },
    { snapshot: '1', skip: -1, isRead: true },
    { snapshot: '1', skip: 0, isRead: true, afterKey: 'x' },
  ])
    await expect(reader([{ id: 'tablet-0', position, finished: false }])).rejects.toMatchObject({
      code: 'SPLIT_INVALID',
    })
})

test.each([
  [{ table: 't' }, 'masters'],
  [{ masters: 'kudu', table: 't' }, 'masters'],
  [{ masters: 'kudu:7051' }, 'table'],
  [{ masters: 'kudu:7051', table: 't', continuous: { every: '1ms' } }, 'continuous.every'],
  [{ masters: 'kudu:7051', table: 't', continuous: { deletes: 'maybe' } }, 'continuous.deletes'],
])('when a source says %j, the problem is at %s', (options, path) => {
  expect(sourceOptions.check(options).map((problem) => problem.path)).toContain(path)
})

test('when a sink has an operation that repeats differently, the modes that do not are named', () => {
  expect(sinkOptions.check({ masters: 'kudu:7051', table: 't', mode: 'insert' })).toMatchObject([
    { path: 'mode', message: expect.stringContaining('upsert, insertIgnore, updateIgnore, deleteIgnore') },
  ])
})
