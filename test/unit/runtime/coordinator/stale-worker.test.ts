import { expect, onTestFinished, test } from 'vitest'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { onMessages, sendMessage } from '../../../../runtime/control/json-lines.ts'
import type { CoordinatorMessage, WorkerMessage } from '../../../../runtime/control/messages.ts'
import type { NetAddress } from '../../../../runtime/ports/net.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'
import { quietPorts } from '../../../harness/source-context.ts'
import { until } from '../../../harness/until.ts'

const SPEC = {
  checkpoints: { interval: '50ms' },
  graph: [
    { id: 'in', source: { nexmark: { events: 1_000_000, type: 'bid', rate: '2000/s' } } },
    { id: 'out', from: 'in', sink: { file: { path: 'out' } } },
  ],
}

async function runningJob(): Promise<{ job: InProcessJob; control: NetAddress }> {
  const job = new InProcessJob(SPEC, builtinConnectors)
  onTestFinished(() => job.close())
  const control = await job.start()
  await job.reportWith('running', ({ phase }) => phase === 'running')
  return { job, control }
}

/** What the coordinator orders a worker to do that no plan has, and that says it runs this attempt. */
async function ordersTo(control: NetAddress, running: number | null): Promise<readonly CoordinatorMessage[]> {
  const orders: CoordinatorMessage[] = []
  const connection = await quietPorts().net.connect(control)
  let answered = false
  onMessages(connection, {
    onMessage: (message) => {
      const order = message as CoordinatorMessage
      if (order.kind === 'heartbeat') answered = true
      else orders.push(order)
    },
    onError: (error) => {
      throw error
    },
  })
  const say = (message: WorkerMessage): void => {
    sendMessage(connection, message)
  }
  say({
    kind: 'register',
    worker: 'woken',
    instance: 'woken-1',
    token: 'token',
    chain: 'in',
    slot: 7,
    data: { host: '127.0.0.1', port: 1 },
    seen: running ?? 0,
    running,
  })
  say({ kind: 'heartbeat', metrics: null })
  await until('the coordinator has answered', () => (answered ? true : undefined))
  connection.destroy()
  return orders
}

test('when a worker comes back that runs an older attempt and has no place in the newest, it is told to stop', async () => {
  const { control } = await runningJob()
  expect(await ordersTo(control, 0)).toEqual([{ kind: 'fence', attempt: 1 }])
})

test('when a worker comes back that runs the newest attempt, or nothing, it is told nothing', async () => {
  const { control } = await runningJob()
  expect(await ordersTo(control, 1)).toEqual([])
  expect(await ordersTo(control, null)).toEqual([])
})

test('when a worker comes back that runs the newest attempt of a job that is suspended, it is told to stop', async () => {
  const { job, control } = await runningJob()
  job.want('suspended')
  await job.reportWith('suspended', ({ phase }) => phase === 'suspended')
  expect(await ordersTo(control, 1)).toEqual([{ kind: 'fence', attempt: 1 }])
})
