import { expect, test } from 'vitest'
import { compileRowClass } from '../../../../runtime/codegen/rows/row.ts'
import { connector } from '../../../../runtime/connectors/nexmark/connector.ts'
import {
  declaration,
  NEXMARK_BIDS,
  NEXMARK_PERSONS,
  sourceOptions,
} from '../../../../runtime/connectors/nexmark/declaration.ts'
import { expectExactRestores, readAll } from '../../../harness/connector-conformance.ts'
import { sourceContext } from '../../../harness/source-context.ts'

const source = {
  connector: connector.source({ events: 10_000 }),
  maxRows: 100,
  interruptions: 10,
  context: sourceContext({
    verb: { connector: 'nexmark' },
    schema: NEXMARK_BIDS,
    baseDir: '.',
  }),
}

test('of 10 000 events 9 200 are bids, and every interruption with any parallelism gives them once', async () => {
  expect(await readAll(source)).toHaveLength(9200)
  await expectExactRestores(source, 1, 3)
  await expectExactRestores(source, 3, 1)
})

test('when an option is misspelt, the problem suggests the right name and the missing option is named too', () => {
  expect(sourceOptions.check({ event: 1 })).toMatchObject([
    { path: 'event', hint: 'did you mean "events"?' },
    { path: 'events', message: 'is required: the number of events to generate' },
  ])
})

test.each([
  ['bid', 9200],
  ['auction', 600],
  ['person', 200],
])('of type %s, 10 000 events give %i rows, exactly once over restores', async (type, count) => {
  const options = { events: 10_000, type }
  const some = {
    connector: connector.source(options),
    maxRows: 100,
    interruptions: 5,
    context: sourceContext({
      verb: { connector: 'nexmark' },
      schema: declaration.source?.fixedSchema?.(options) ?? NEXMARK_BIDS,
      baseDir: '.',
    }),
  }
  expect(await readAll(some)).toHaveLength(count)
  await expectExactRestores(some, 2, 1)
})

test('what is read from the side outputs comes with the bids of the same stretch, and what nobody reads does not', async () => {
  const reader = source.connector.reader(
    { ...source.context, slot: 0, parallelism: 1, sides: { persons: compileRowClass(NEXMARK_PERSONS) } },
    compileRowClass(NEXMARK_BIDS),
  )
  await reader.open([{ id: '0-of-1', position: null, finished: false }])
  const batch = await reader.poll(100)
  expect(batch?.batch.count).toBe(92)
  expect(Object.entries(batch?.sides ?? {}).map(([name, side]) => [name, side.rows().map((row) => row['id'])])).toEqual(
    [['persons', [1000, 1001]]],
  )
  expect(reader.snapshot()).toEqual([{ id: '0-of-1', position: 100, finished: false }])
})
