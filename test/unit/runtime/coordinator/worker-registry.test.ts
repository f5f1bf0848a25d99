import { expect, test } from 'vitest'
import type { SubtaskMetrics, WorkerMessage } from '../../../../runtime/control/messages.ts'
import { sendMessage } from '../../../../runtime/control/json-lines.ts'
import { WorkerRegistry } from '../../../../runtime/coordinator/worker-registry.ts'
import { until } from '../../../harness/until.ts'
import { quietPorts } from '../../../harness/source-context.ts'

const COUNTED: SubtaskMetrics = {
  attempt: 3, recordsIn: 100, recordsOut: 80, badRecords: 20, lateRecords: 0, firstRecordAt: 1, lastRecordAt: 2, watermark: null, stateEntries: 0,
  lagRecords: null, blockedMs: {}, trouble: { code: 'KAFKA_UNREACHABLE', message: 'gone', domain: 'platform', retriable: true },
}

test('when a worker runs nothing any more, what it counted stays and its trouble is over', async () => {
  const { clock, logger, net } = quietPorts()
  const registry = new WorkerRegistry(clock, logger, 'token', { registered: () => undefined, metrics: () => undefined, lost: () => undefined, message: () => undefined })
  const connection = await net.connect(await registry.listen(net, { host: '127.0.0.1', port: 0 }))
  const say = (message: WorkerMessage): void => { sendMessage(connection, message) }
  say({ kind: 'register', worker: 'w', token: 'token', chain: 'in', slot: 0, data: { host: '127.0.0.1', port: 1 }, seen: 3, running: null })
  say({ kind: 'heartbeat', metrics: COUNTED })
  await until('the counts are known', () => registry.worker('in-0')?.metrics?.trouble ?? undefined)
  say({ kind: 'heartbeat', metrics: null })
  await until('the trouble is over', () => (registry.worker('in-0')?.metrics?.trouble === null ? true : undefined))
  expect(registry.worker('in-0')?.metrics?.badRecords).toBe(20)
  connection.destroy()
  await registry.close()
})
