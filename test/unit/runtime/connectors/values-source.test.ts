import { describe, expect, test } from 'vitest'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { connector } from '../../../../runtime/connectors/values/connector.ts'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import type { Schema } from '../../../../runtime/model/schema.ts'
import { validateJob } from '../../../../runtime/front/job-spec.ts'
import { expectExactRestores, readAll } from '../../../harness/connector-conformance.ts'
import { sourceContext } from '../../../harness/source-context.ts'

const NUMBERS: Schema = { fields: [{ name: 'n', type: 'long', nullable: false }] }
const EVENTS: Schema = {
  fields: [
    { name: 'name', type: 'string', nullable: false },
    { name: 'at', type: 'timestamp', nullable: true },
  ],
}

function contextOf(schema: Schema, eventTime?: { field: string; outOfOrdernessMs: number }) {
  return sourceContext({
    verb: { connector: 'values', ...(eventTime === undefined ? {} : { eventTime }) },
    schema,
    baseDir: '.',
  })
}

test('when the reading stops anywhere, every value comes once, in any number of slots', async () => {
  const source = {
    connector: connector.source({ rows: Array.from({ length: 100 }, (_, n) => n) }),
    context: contextOf(NUMBERS),
    maxRows: 7,
    interruptions: 20,
  }
  expect(await readAll(source)).toEqual(Array.from({ length: 100 }, (_, n) => JSON.stringify({ n })).sort())
  await expectExactRestores(source, 1, 3)
  await expectExactRestores(source, 3, 1)
})

test('a value that is none of its type, or has no event time, is a bad record with its place, and the others are read', async () => {
  const context = contextOf(EVENTS, { field: 'at', outOfOrdernessMs: 0 })
  const rows = [
    { name: 'a', at: '2026-11-22T00:00:00Z' },
    { name: 'b', at: 'yesterday' },
    { name: 'c' },
    { name: 'd', at: 5 },
  ]
  const source = { connector: connector.source({ rows }), context, maxRows: 10, interruptions: 1 }
  expect(await readAll(source)).toEqual(['{"name":"a","at":1795305600000}', '{"name":"d","at":5}'])
  expect(context.bad.map(({ where }) => where)).toEqual(['values[1]', 'values[2]'])
})

test('when a checkpoint continues behind the end of a shorter list, the error says how many values there are', async () => {
  const { reader } = connector.source({ rows: [1, 2] })
  const opened = reader({ ...contextOf(NUMBERS), slot: 0, parallelism: 1 }, compileRowClass(NUMBERS))
  await expect(opened.open([{ id: 'values', position: 3, finished: false }])).rejects.toMatchObject({
    code: 'SPLIT_INVALID',
    message: 'the checkpoint continues at 3 of values, and the job has 2 values',
  })
})

describe('in a job', () => {
  function problemsOf(values: unknown, schema: unknown): object[] {
    const graph = [
      { id: 'numbers', source: { values }, schema },
      { id: 'out', from: 'numbers', sink: 'console' },
    ]
    const read = validateJob({ graph }, builtinConnectors)
    return 'problems' in read ? [...read.problems] : []
  }

  test('a list stands for the rows', () => {
    expect(problemsOf([1, 2, 3], { n: 'long' })).toEqual([])
  })

  test('an unknown field, a missing one and a number that has lost digits are problems at their row', () => {
    const rows = [
      { n: 1, m: 'x' },
      { m: 'x', o: 1 },
      { n: 2 ** 60, m: 'x' },
    ]
    expect(problemsOf(rows, { n: 'bigint', m: 'string' })).toMatchObject([
      { path: 'spec.graph[0].source.values.rows[1].o', hint: 'known: n, m' },
      { path: 'spec.graph[0].source.values.rows[1]', message: 'has no n' },
      { path: 'spec.graph[0].source.values.rows[2].n', hint: 'write it in quotes' },
    ])
  })

  test('a text in place of the list is a problem', () => {
    expect(problemsOf({ rows: 'one' }, { n: 'long' })).toMatchObject([
      { path: 'spec.graph[0].source.values.rows', message: 'must be a list of rows, found "one"' },
    ])
  })
})
