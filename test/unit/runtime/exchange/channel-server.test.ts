import { describe, expect, onTestFinished, test } from 'vitest'
import { ChannelServer } from '../../../../runtime/exchange/channel-server.ts'
import { ChannelWriter } from '../../../../runtime/exchange/channel-writer.ts'
import { encodeFrame, type ChannelHello } from '../../../../runtime/exchange/frame.ts'
import type { Connection, Listener, Net, NetAddress } from '../../../../runtime/ports/net.ts'
import { realNet } from '../../../../runtime/ports/real/net.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { until } from '../../../harness/until.ts'

const HELLO: ChannelHello = {
  token: 'secret',
  jobUid: 'job-uid',
  attempt: 3,
  exchange: 'in-count',
  producerSlot: 0,
  consumerSlot: 0,
}

/** A server that offers one channel in attempt 3. */
async function serving(net: Net = realNet) {
  const attached: Connection[] = []
  const reports: string[] = []
  const clock = new ManualClock()
  const server = new ChannelServer({
    token: 'secret',
    clock,
    onRejected: (error) => {
      reports.push(error.message)
    },
  })
  const writer = {
    attach: (connection: Connection) => {
      attached.push(connection)
    },
  } as unknown as ChannelWriter
  server.offer({ jobUid: 'job-uid', attempt: 3, find: (exchange) => (exchange === 'in-count' ? writer : undefined) })
  const address = await server.listen(net, { host: '127.0.0.1', port: 0 })
  onTestFinished(() => server.close())
  return { server, writer, address, attached, reports, clock }
}

/** A peer that sends bytes; resolves with how its connection fares. */
async function peer(address: NetAddress, bytes?: Uint8Array, net: Net = realNet) {
  const connection = await net.connect(address)
  const fate = { isClosed: false, received: 0 }
  connection.onData((data) => {
    fate.received += data.length
  })
  connection.onClose(() => {
    fate.isClosed = true
  })
  if (bytes !== undefined) connection.write(bytes)
  onTestFinished(() => {
    connection.destroy()
  })
  return fate
}

/** A network of more peers than a process may have sockets. */
class CrowdNet implements Net {
  readonly closed: number[] = []
  #count = 0
  #accept: (connection: Connection) => void = () => undefined

  listen(address: NetAddress, onConnection: (connection: Connection) => void): Promise<Listener> {
    this.#accept = onConnection
    return Promise.resolve({ address, close: () => Promise.resolve() })
  }

  connect(): Promise<Connection> {
    return Promise.reject(new Error('peers of this network send only'))
  }

  send(bytes: Uint8Array): void {
    const number = this.#count++
    let receive = (_: Uint8Array): void => undefined
    this.#accept({
      remote: `peer-${number}`,
      bufferedBytes: 0,
      write: () => undefined,
      onData: (listener) => {
        receive = listener
      },
      onDrain: () => undefined,
      onClose: () => undefined,
      pause: () => undefined,
      resume: () => undefined,
      end: () => undefined,
      destroy: () => {
        this.closed.push(number)
      },
    })
    receive(bytes)
  }
}

const hello = (changes: Partial<ChannelHello> = {}): Uint8Array =>
  encodeFrame({ kind: 'hello', hello: { ...HELLO, ...changes } })

describe('the data port of a worker', () => {
  test('a consumer with the token of the job is attached', async () => {
    const { address, attached } = await serving()
    await peer(address, hello())
    await until('it is attached', () => (attached.length === 1 ? true : undefined))
  })

  test.each([
    ['without the token', hello({ token: '' }), 'token'],
    ['with another token', hello({ token: 'Secret' }), 'token'],
    ['for an attempt behind the next one', hello({ attempt: 5 }), 'attempt 5'],
    ['for an attempt of the far future', hello({ attempt: Number.MAX_SAFE_INTEGER }), 'attempt 9007199254740991'],
    ['for an attempt that is no number', hello({ attempt: '4' as unknown as number }), 'lacks a field'],
    ['for a channel that is not offered', hello({ exchange: 'constructor' }), 'constructor 0→0'],
    ['for a channel of another job', hello({ jobUid: 'other-uid' }), 'job other-uid'],
    ['with something else than a hello', encodeFrame({ kind: 'idle' }), 'idle'],
    ['with bytes that are no frame', new Uint8Array(64).fill(255), 'frame length'],
    ['with a hello of a megabyte', hello({ exchange: 'x'.repeat(1 << 20) }), 'frame length'],
  ])('a peer %s gets nothing and is closed', async (_, bytes, reason) => {
    const { address, attached, reports } = await serving()
    const fate = await peer(address, bytes)
    await until('it is closed', () => (fate.isClosed ? true : undefined))
    expect(fate.received).toBe(0)
    expect(attached).toEqual([])
    expect(reports).toEqual([expect.stringContaining(reason)])
  })

  test('a consumer of the next attempt waits for it', async () => {
    const { address, attached, reports } = await serving()
    const fate = await peer(address, hello({ attempt: 4 }))
    await peer(address, hello())
    await until('a later one is attached', () => (attached.length === 1 ? true : undefined))
    expect(fate.isClosed).toBe(false)
    expect(reports).toEqual([])
  })

  test('a consumer of a past attempt hears which the newest is, and is closed', async () => {
    const { address, attached } = await serving()
    const fate = await peer(address, hello({ attempt: 2 }))
    await until('it is closed', () => (fate.isClosed ? true : undefined))
    expect(fate.received).toBe(encodeFrame({ kind: 'refused', seen: 3 }).length)
    expect(attached).toEqual([])
  })

  test('a consumer whose attempt is not offered within two minutes is closed', async () => {
    const { address, attached, reports, clock } = await serving()
    const fate = await peer(address, hello({ attempt: 4 }))
    await peer(address, hello())
    await until('a later one is attached', () => (attached.length === 1 ? true : undefined))
    await clock.advance(119_000)
    expect(fate.isClosed).toBe(false)
    await clock.advance(1_000)
    await until('it is closed', () => (fate.isClosed ? true : undefined))
    expect(reports).toEqual([expect.stringContaining('120000 ms')])
  })

  test('a consumer that has waited is attached for as long as it likes', async () => {
    const crowd = new CrowdNet()
    const { server, writer, attached, clock } = await serving(crowd)
    crowd.send(hello({ attempt: 4 }))
    server.offer({ jobUid: 'job-uid', attempt: 4, find: () => writer })
    expect(attached).toHaveLength(1)
    await clock.advance(600_000)
    expect(crowd.closed).toEqual([])
  })

  test('when more consumers than can be of a job wait for the next attempt, those that came first are closed', async () => {
    const crowd = new CrowdNet()
    const { reports } = await serving(crowd)
    for (let consumerSlot = 0; consumerSlot < 4_100; consumerSlot++) crowd.send(hello({ attempt: 4, consumerSlot }))
    expect(crowd.closed).toEqual([0, 1, 2, 3])
    expect(reports).toEqual([expect.stringContaining('4096 newer connections')])
  })

  test('when two wait for one channel, the next attempt is offered all the same', async () => {
    const crowd = new CrowdNet()
    const { server, reports } = await serving(crowd)
    crowd.send(hello({ attempt: 4 }))
    crowd.send(hello({ attempt: 4 }))
    const taken = new ChannelWriter('in-count 0→0', () => undefined)
    server.offer({ jobUid: 'job-uid', attempt: 4, find: () => taken })
    expect(crowd.closed).toEqual([1])
    expect(reports).toEqual([expect.stringContaining('has a consumer already')])
  })

  test('peers that say nothing are closed after five seconds', async () => {
    const { address, clock } = await serving()
    const fates = await Promise.all(Array.from({ length: 10 }, () => peer(address)))
    await until('their time runs', () => (clock.pending >= 10 ? true : undefined))
    await clock.advance(5_000)
    await until('all are closed', () => (fates.every(({ isClosed }) => isClosed) ? true : undefined))
  })

  test('of a flood of peers that say nothing 64 are held, one line is reported, and a consumer comes through among them', async () => {
    const { address, attached, reports } = await serving()
    const fates = await Promise.all(Array.from({ length: 200 }, () => peer(address)))
    await until('the others are closed', () =>
      fates.filter(({ isClosed }) => isClosed).length === 136 ? true : undefined,
    )
    expect(reports).toHaveLength(1)
    await peer(address, hello())
    await until('it is attached', () => (attached.length === 1 ? true : undefined))
    expect(fates.filter(({ isClosed }) => isClosed).length).toBeLessThan(140)
  })
})
