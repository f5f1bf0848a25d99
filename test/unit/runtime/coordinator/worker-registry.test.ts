import { describe, expect, onTestFinished, test } from 'vitest'
import { silentLogger } from '../../../harness/silent-logger.ts'
import type { Logger } from '../../../../runtime/ports/logger.ts'
import { realNet } from '../../../../runtime/ports/real/net.ts'
import type { CoordinatorMessage, SubtaskMetrics, WorkerMessage } from '../../../../runtime/control/messages.ts'
import { onMessages, sendMessage } from '../../../../runtime/control/json-lines.ts'
import { WorkerRegistry } from '../../../../runtime/coordinator/worker-registry.ts'
import type { Connection } from '../../../../runtime/ports/net.ts'
import { until } from '../../../harness/until.ts'
import { quietPorts } from '../../../harness/source-context.ts'

const COUNTED: SubtaskMetrics = {
  attempt: 3,
  recordsIn: 100,
  recordsOut: 80,
  badRecords: 20,
  lateRecords: 0,
  firstRecordAt: 1,
  lastRecordAt: 2,
  watermark: null,
  lagRecords: null,
  series: [],
  trouble: { code: 'KAFKA_UNREACHABLE', message: 'gone', domain: 'platform', retriable: true },
}

test('when a worker runs nothing any more, what it counted stays and its trouble is over', async () => {
  const { clock, logger, net } = quietPorts()
  const registry = new WorkerRegistry({
    clock,
    logger,
    token: 'token',
    events: {
      registered: () => undefined,
      metrics: () => undefined,
      lost: () => undefined,
      message: () => undefined,
    },
  })
  const connection = await net.connect(await registry.listen(net, { host: '127.0.0.1', port: 0 }))
  const say = (message: WorkerMessage): void => {
    sendMessage(connection, message)
  }
  say({
    kind: 'register',
    worker: 'w',
    instance: 'w-1',
    token: 'token',
    chain: 'in',
    slot: 0,
    data: { host: '127.0.0.1', port: 1 },
    seen: 3,
    running: null,
  })
  say({ kind: 'heartbeat', metrics: COUNTED })
  await until('the counts are known', () => registry.worker('in-0')?.metrics?.trouble ?? undefined)
  say({ kind: 'heartbeat', metrics: null })
  await until('the trouble is over', () => (registry.worker('in-0')?.metrics?.trouble === null ? true : undefined))
  expect(registry.worker('in-0')?.metrics?.badRecords).toBe(20)
  connection.destroy()
  await registry.close()
})

describe('when two processes claim one subtask', () => {
  /** A registry, and a way for processes to connect to it and register. */
  async function openRegistry(): Promise<{
    registry: WorkerRegistry
    lost: string[]
    register(instance: string): Promise<Registered>
  }> {
    const { clock, logger, net } = quietPorts()
    const lost: string[] = []
    const registry = new WorkerRegistry({
      clock,
      logger,
      token: 'token',
      events: {
        registered: () => undefined,
        metrics: () => undefined,
        lost: (subtask) => {
          lost.push(subtask)
        },
        message: () => undefined,
      },
    })
    onTestFinished(() => registry.close())
    const address = await registry.listen(net, { host: '127.0.0.1', port: 0 })
    const register = async (instance: string): Promise<Registered> => {
      const connection = await net.connect(address)
      const told: CoordinatorMessage[] = []
      let closed = false
      connection.onClose(() => {
        closed = true
      })
      onMessages(connection, {
        onMessage: (message) => {
          told.push(message as CoordinatorMessage)
        },
        onError: (error) => {
          throw error
        },
      })
      sendMessage(connection, {
        kind: 'register',
        worker: instance,
        instance,
        token: 'token',
        chain: 'in',
        slot: 0,
        data: { host: '127.0.0.1', port: 1 },
        seen: 0,
        running: null,
      } satisfies WorkerMessage)
      return { told, isClosed: () => closed, connection }
    }
    return { registry, lost, register }
  }

  const inCharge = (registry: WorkerRegistry, instance: string): Promise<true> =>
    until(`${instance} is in charge`, () => (registry.worker('in-0')?.name === instance ? true : undefined))

  test('the one that comes later has it, and the earlier is told to end whenever it comes back', async () => {
    const { registry, lost, register } = await openRegistry()
    const earlier = await register('earlier')
    await inCharge(registry, 'earlier')
    await register('later')
    await inCharge(registry, 'later')
    await until('the earlier has lost its connection', () => (earlier.isClosed() ? true : undefined))
    for (const time of ['once', 'twice']) {
      const { told, isClosed } = await register('earlier')
      await until(`it has come back ${time} and been told`, () => (isClosed() ? true : undefined))
      expect(told).toEqual([{ kind: 'displaced' }])
    }
    expect(registry.worker('in-0')?.name).toBe('later')
    expect(lost).toEqual(['in-0'])
  })

  test('one that has lost its connection comes back as itself', async () => {
    const { registry, register } = await openRegistry()
    const first = await register('only')
    await inCharge(registry, 'only')
    first.connection.destroy()
    await until('it is gone', () => (registry.worker('in-0') === undefined ? true : undefined))
    const second = await register('only')
    await inCharge(registry, 'only')
    expect(second.told).toEqual([])
  })

  test('one that dies after it took the place leaves it to the next, and not to the one it took it from', async () => {
    const { registry, register } = await openRegistry()
    await register('asleep')
    await inCharge(registry, 'asleep')
    const second = await register('second')
    await inCharge(registry, 'second')
    second.connection.destroy()
    await until('it is gone', () => (registry.worker('in-0') === undefined ? true : undefined))
    const awake = await register('asleep')
    await until('the one that slept has been told', () => (awake.isClosed() ? true : undefined))
    await register('third')
    await inCharge(registry, 'third')
    expect(awake.told).toEqual([{ kind: 'displaced' }])
  })
})

interface Registered {
  told: CoordinatorMessage[]
  isClosed(): boolean
  connection: Connection
}

describe('a peer that has not proven who it is', () => {
  async function openPort() {
    const warnings: object[] = []
    const logger: Logger = { ...silentLogger, warn: (message, fields) => warnings.push({ message, ...fields }) }
    const registry = new WorkerRegistry({
      clock: quietPorts().clock,
      logger,
      token: 'token',
      events: {
        registered: () => undefined,
        metrics: () => undefined,
        lost: () => undefined,
        message: () => undefined,
      },
    })
    onTestFinished(() => registry.close())
    const address = await registry.listen(realNet, { host: '127.0.0.1', port: 0 })
    const connection = await realNet.connect(address)
    let isClosed = false
    connection.onData(() => undefined)
    connection.onClose(() => {
      isClosed = true
    })
    onTestFinished(() => {
      connection.destroy()
    })
    const closed = (): Promise<true> => until('it is closed', () => (isClosed ? true : undefined))
    return { registry, connection, warnings, closed }
  }

  test('and sends a line without end is closed before it costs more than 64 kB', async () => {
    const { connection, warnings, closed } = await openPort()
    for (let sent = 0; sent < 40; sent++) connection.write(new Uint8Array(8192).fill(0x20))
    await closed()
    expect(warnings).toEqual([
      expect.objectContaining({ reason: expect.stringContaining('longer than 65536 bytes') as unknown }),
    ])
  })

  test('and sends thousands of messages in one packet makes one line in the log', async () => {
    const { connection, warnings, closed } = await openPort()
    connection.write(Buffer.from('{"kind":"x"}\n'.repeat(4000)))
    await closed()
    expect(warnings).toHaveLength(1)
  })

  test('and shows another token is closed and registers nothing', async () => {
    const { registry, connection, closed } = await openPort()
    sendMessage(connection, {
      kind: 'register',
      worker: 'w',
      instance: 'w',
      token: 'Token',
      chain: 'in',
      slot: 0,
      data: { host: '127.0.0.1', port: 1 },
      seen: 0,
      running: null,
    } satisfies WorkerMessage)
    await closed()
    expect(registry.subtasks()).toEqual([])
  })
})
