import { expect, test } from 'vitest'
import { NEXMARK_BIDS, nexmarkSource } from '../../../../runtime/connectors/nexmark/connector.ts'
import { expectExactRestores, readAll } from '../../../harness/connector-conformance.ts'
import { sourceContext } from '../../../harness/source-context.ts'

const source = {
  connector: nexmarkSource, maxRows: 100, interruptions: 10,
  context: sourceContext({ verb: { connector: 'nexmark', options: { events: 10_000 } }, schema: NEXMARK_BIDS, baseDir: '.' }),
}

test('of 10 000 events 9 200 are bids, and every interruption with any parallelism gives them once', async () => {
  expect(await readAll(source)).toHaveLength(9200)
  await expectExactRestores(source, 1, 3)
  await expectExactRestores(source, 3, 1)
})

test('options are checked with their names', () => {
  expect(nexmarkSource.validate({ event: 1 }).map((problem) => problem.path)).toEqual(['event', 'events'])
})
