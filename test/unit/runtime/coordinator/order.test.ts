import { describe, expect, onTestFinished, test } from 'vitest'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import { isOlder } from '../../../../runtime/model/order.ts'
import type { Order } from '../../../../runtime/model/job.ts'
import { fileEntry, nexmarkEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'

const order = (generation: number, transitions?: number, id = 'lease'): Order => ({
  generation,
  ...(transitions === undefined ? {} : { lease: { id, transitions } }),
})

describe('an order', () => {
  test.each([
    ['of an older generation', order(1, 5), order(2, 5), true],
    ['of an earlier turn of the lease', order(2, 4), order(2, 5), true],
    ['of an earlier turn, with a newer generation', order(3, 4), order(2, 5), true],
    ['that is the same', order(2, 5), order(2, 5), false],
    ['of a later turn', order(2, 6), order(2, 5), false],
    ['of another lease, which counts from the beginning', order(2, 0, 'other'), order(2, 5), false],
    ['without a lease', order(2), order(2, 5), false],
    ['that an older operator does not give', undefined, order(2, 5), false],
    ['that is the first', order(1, 0), undefined, false],
  ])('%s is too late: see the table', (_, one, seen, isTooLate) => {
    expect(isOlder(one, seen)).toBe(isTooLate)
  })
})

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

test('a coordinator refuses what was decided before the newest order that it has obeyed, also after its death', async () => {
  const first = new InProcessJob(SPEC, connectors, undefined, { template: 'a' })
  onTestFinished(() => first.close())
  await first.startIdle()
  first.want('running', order(2, 5))
  await first.reportWith('running', ({ phase }) => phase === 'running')
  expect(() => {
    first.want('suspended', order(1, 5))
  }).toThrow(/generation 1, transition 5 .* generation 2, transition 5/)
  first.want('suspended', order(3, 6))
  await first.reportWith('suspended', ({ phase }) => phase === 'suspended')

  const again = new InProcessJob(SPEC, connectors, undefined, { folder: first.folder, template: 'a' })
  onTestFinished(() => again.close())
  await again.startIdle()
  for (const late of [order(2, 5), order(2, 6), order(3, 5)])
    expect(() => {
      again.want('running', late)
    }).toThrow(expect.objectContaining({ code: 'ORDER_OUTDATED' }))
  expect(again.report().phase).toBe('suspended')
  again.want('running', order(4, 6))
  await again.reportWith('running', ({ phase, attempt }) => phase === 'running' && attempt === 2)
})

test('a target that came before the log could be read gives way to a newer one in the log', async () => {
  const first = new InProcessJob(SPEC, connectors, undefined, { template: 'a' })
  onTestFinished(() => first.close())
  await first.startIdle()
  first.want('running', order(2, 5))
  await first.reportWith('running', ({ phase }) => phase === 'running')
  first.want('suspended', order(3, 5))
  await first.reportWith('suspended', ({ phase }) => phase === 'suspended')
  const again = new InProcessJob(SPEC, connectors, undefined, { folder: first.folder, template: 'a' })
  onTestFinished(() => again.close())
  again.want('running', order(2, 5))
  await again.startIdle()
  await again.reportWith('suspended', ({ phase }) => phase === 'suspended')
})
