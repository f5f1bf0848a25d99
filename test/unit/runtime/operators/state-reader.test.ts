import { expect, test } from 'vitest'
import type { Row } from '../../../../runtime/model/schema.ts'
import { stateEntries } from '../../../../runtime/operators/state-reader.ts'
import type { StateEntry } from '../../../../runtime/state/state-entries.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { bedGraph, OperatorBed } from '../../../harness/operator-bed.ts'
import { wholeBlocks } from '../../../harness/whole-blocks.ts'

const SCHEMA = { id: 'long', name: 'string?', tag: 'json?', open: 'boolean?', price: 'double?', at: 'timestamp' }

/** Rows of every type, each with nulls, and texts that are no Latin. */
const rows = (offset: number): Row[] =>
  Array.from({ length: 40 }, (_, index) => ({
    id: offset + (index % 7),
    name: index % 5 === 0 ? null : `naïve ${'☂é'.repeat(index % 3)}${index}`,
    tag: index % 4 === 0 ? null : { list: [index, 'ü'] },
    open: index % 3 === 0 ? null : index % 2 === 0,
    price: index % 6 === 0 ? null : index / 8,
    at: 1_000_000 + index,
  }))

const text = (row: Row): string =>
  JSON.stringify(Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1))))

test('of a join every row of both sides is read as it came in', async () => {
  const source = (id: string): object => ({ id, source: 'list', schema: SCHEMA, eventTime: { field: 'at' } })
  const names = Object.keys(SCHEMA)
  const select = Object.fromEntries(
    ['l', 'r'].flatMap((side) => names.map((name) => [`${side}_${name}`, `${side}.${name}`])),
  )
  const graph = bedGraph({
    graph: [
      source('l'),
      source('r'),
      { id: 'op', from: ['l', 'r'], join: { keyBy: 'id', within: { before: '1h', after: '1h' }, select } },
      { id: 'out', from: 'op', sink: 'console' },
    ],
  })
  const bed = new OperatorBed(graph, 'op')
  const [lefts, rights] = [rows(0), rows(3)]
  await bed.process(lefts, 0)
  await bed.process(rights, 1)
  expect(bed.errors).toEqual([])
  const node = graph.operators.find(({ id }) => id === 'op')
  const input = graph.operators[0]?.schema
  if (node === undefined || input === undefined) throw new Error('the graph lacks the join')
  const entries: StateEntry[] = []
  for (const [group, blocks] of Map.groupBy(wholeBlocks(bed.stage.state), ([of]) => of)) {
    entries.push(
      ...(await stateEntries(
        { node, inputs: [input, input], maxParallelism: graph.maxParallelism },
        group,
        blocks.map(([, block]) => block),
        new ManualClock(),
      )),
    )
  }
  const side = (table: string): string[] =>
    entries
      .filter((entry) => entry.table === table)
      .map(({ value }) => text(value?.row ?? {}))
      .sort()
  expect(side('left')).toEqual(lefts.map(text).sort())
  expect(side('right')).toEqual(rights.map(text).sort())
})

test('of an outer join the rows that have had a match are told from those that wait for one', async () => {
  const source = (id: string): object => ({ id, source: 'list', schema: SCHEMA, eventTime: { field: 'at' } })
  const graph = bedGraph({
    graph: [
      source('l'),
      source('r'),
      {
        id: 'op',
        from: ['l', 'r'],
        join: { keyBy: 'id', type: 'full', within: { before: '1h', after: '1h' }, select: { l: 'l.id', r: 'r.id' } },
      },
      { id: 'out', from: 'op', sink: 'console' },
    ],
  })
  const bed = new OperatorBed(graph, 'op')
  await bed.process(rows(0), 0)
  await bed.process(rows(5).slice(0, 30), 1)
  const node = graph.operators.find(({ id }) => id === 'op')
  const input = graph.operators[0]?.schema
  if (node === undefined || input === undefined) throw new Error('the graph lacks the join')
  const matched = new Set<string>()
  for (const [group, blocks] of Map.groupBy(wholeBlocks(bed.stage.state), ([of]) => of)) {
    for (const { table, key, note } of await stateEntries(
      { node, inputs: [input, input], maxParallelism: graph.maxParallelism },
      group,
      blocks.map(([, block]) => block),
      new ManualClock(),
    )) {
      matched.add(`${table} ${String(key?.row['id'])} ${note ?? 'waits'}`)
    }
  }
  const side = (table: string, from: number): string[] =>
    Array.from(
      { length: 7 },
      (_, index) => `${table} ${from + index} ${[5, 6].includes(from + index) ? 'has had a match' : 'waits'}`,
    )
  expect([...matched].sort()).toEqual([...side('left', 0), ...side('right', 5)].sort())
})

test('of tables dates, bytes and decimals have their meaning, which the blocks do not say', async () => {
  const schema = { day: 'date', name: 'string', amount: 'decimal(10,2)', photo: 'bytes?' }
  const graph = bedGraph({
    graph: [
      { id: 'in', source: 'list', schema },
      { id: 'op', from: 'in', keyBy: 'day', reduce: { amount: 'current.amount' } },
      { id: 'out', from: 'op', sink: 'console' },
    ],
  })
  const bed = new OperatorBed(graph, 'op')
  await bed.process([{ day: 20_000, name: 'a', amount: '1.50', photo: '\u00ff' }])
  expect(bed.errors).toEqual([])
  const [input, node] = graph.operators
  const [group, block] = wholeBlocks(bed.stage.state)[0] ?? []
  if (node === undefined || input === undefined || group === undefined || block === undefined)
    throw new Error('the reduce keeps nothing')
  const [entry] = await stateEntries(
    { node, inputs: [input.schema], maxParallelism: graph.maxParallelism },
    group,
    [block],
    new ManualClock(),
  )
  expect(entry?.key?.fields.map(({ logical }) => logical?.kind)).toEqual(['date'])
  expect(entry?.value?.fields.map(({ logical }) => logical?.kind)).toEqual(['date', undefined, 'decimal', 'bytes'])
})

test('what only the code of the job could tell is refused with a reason', async () => {
  const graph = bedGraph({
    graph: [
      { id: 'l', source: 'list', schema: SCHEMA },
      { id: 'op', from: 'l', keyBy: 'id', window: { count: 10 }, aggregate: { n: 'count()' } },
      { id: 'out', from: 'op', sink: 'console' },
    ],
  })
  const bed = new OperatorBed(graph, 'op')
  await bed.process(rows(0))
  const node = graph.operators.find(({ id }) => id === 'op')
  const [input] = graph.operators
  const [group, block] = wholeBlocks(bed.stage.state)[0] ?? []
  if (node === undefined || input === undefined || group === undefined || block === undefined)
    throw new Error('the window keeps nothing')
  await expect(
    stateEntries(
      { node, inputs: [input.schema], maxParallelism: graph.maxParallelism },
      group,
      [block],
      new ManualClock(),
    ),
  ).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
})

test('of a ranking every row that is kept is read under its key, and none that has left', async () => {
  const graph = bedGraph({
    graph: [
      { id: 'in', source: 'list', schema: { id: 'long', price: 'long', name: 'string' } },
      { id: 'op', from: 'in', keyBy: 'id', topN: { limit: 2, by: 'price', rank: 'place' } },
      { id: 'out', from: 'op', sink: 'console' },
    ],
  })
  const bed = new OperatorBed(graph, 'op')
  const row = (id: number, price: number): Row => ({ id, price, name: `${id} at ${price}` })
  await bed.process([row(1, 10), row(1, 30), row(2, 5)])
  await bed.process([row(1, 20), row(2, 7), row(2, 6)])
  const entries: StateEntry[] = []
  for (const [group, blocks] of Map.groupBy(wholeBlocks(bed.stage.state), ([of]) => of)) {
    const bytes = blocks.map(([, block]) => block)
    entries.push(...(await stateEntries(undefined, group, bytes, new ManualClock())))
  }
  expect(
    entries
      .filter(({ table }) => table === 'rows')
      .map(({ key, value }) => [key?.row['id'], value?.row['name']])
      .sort(),
  ).toEqual([
    [1, '1 at 20'],
    [1, '1 at 30'],
    [2, '2 at 6'],
    [2, '2 at 7'],
  ])
})
