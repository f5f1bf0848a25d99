import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import { fileEntry, nexmarkEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'

const SPEC = {
  checkpoints: { interval: '1h' },
  graph: [
    {
      id: 'bids',
      source: { nexmark: { events: 1_000_000, type: 'bid', rate: '100/s' } },
      eventTime: { field: 'dateTime' },
    },
    { id: 'out', from: 'bids', sink: { file: { path: 'out', format: 'json' } } },
  ],
}
const connectors = new Connectors([fileEntry, nexmarkEntry])

test('a coordinator of other pods claims nothing until it is given the target, and continues from what the first one left', async () => {
  const first = new InProcessJob(SPEC, connectors, undefined, { template: 'a' })
  onTestFinished(() => first.close())
  await first.start()
  await first.reportWith('reading', ({ phase, recordsIn }) => phase === 'running' && recordsIn > 0)
  const entries = (): string[] => readdirSync(join(first.folder, 'store', 'job', 'log'))
  const before = entries()

  const second = new InProcessJob(SPEC, connectors, undefined, { folder: first.folder, template: 'b' })
  onTestFinished(() => second.close())
  await second.startIdle()
  const idle = await second.reportWith('whole', ({ registeredWorkers }) => registeredWorkers.length === 1)
  expect(idle).toMatchObject({ phase: 'waiting', attempt: 0, targetRevision: null, runningWorkers: [] })
  const { recordsIn } = first.report()
  await first.reportWith('reading on', (report) => report.recordsIn > recordsIn)
  expect(first.report()).toMatchObject({ phase: 'running', attempt: 1 })
  expect(entries()).toEqual(before)

  first.want('suspended')
  await first.reportWith('suspended', ({ phase }) => phase === 'suspended')
  second.want('running')
  const report = await second.reportWith('running', ({ phase }) => phase === 'running')
  expect(report).toMatchObject({ attempt: 2, checkpoint: { attempt: 1, savepoint: 'suspended-1' } })
})

test('a coordinator of the pods that claimed the newest attempt takes up its target by itself, one of earlier pods does not', async () => {
  const first = new InProcessJob(SPEC, connectors, undefined, { template: 'a' })
  onTestFinished(() => first.close())
  await first.start()
  await first.reportWith('running', ({ phase }) => phase === 'running')
  const earlier = new InProcessJob(SPEC, connectors, undefined, { folder: first.folder, template: 'before-a' })
  onTestFinished(() => earlier.close())
  const same = new InProcessJob(SPEC, connectors, undefined, { folder: first.folder, template: 'a' })
  onTestFinished(() => same.close())
  await earlier.startIdle()
  await same.startIdle()
  await same.reportWith('running', ({ phase, attempt }) => phase === 'running' && attempt === 2)
  expect(earlier.report()).toMatchObject({ phase: 'waiting', targetRevision: null })
})
