import { describe, expect, onTestFinished, test } from 'vitest'
import { ChannelServer } from '../../../../runtime/exchange/channel-server.ts'
import type { ChannelWriter } from '../../../../runtime/exchange/channel-writer.ts'
import { encodeFrame, type ChannelHello } from '../../../../runtime/exchange/frame.ts'
import type { Connection, NetAddress } from '../../../../runtime/ports/net.ts'
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
async function serving() {
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
  const address = await server.listen(realNet, { host: '127.0.0.1', port: 0 })
  onTestFinished(() => server.close())
  return { address, attached, reports, clock }
}

/** A peer that sends bytes; resolves with how its connection fares. */
async function peer(address: NetAddress, bytes?: Uint8Array) {
  const connection = await realNet.connect(address)
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

  test('peers that say nothing are closed after five seconds', async () => {
    const { address, clock } = await serving()
    const fates = await Promise.all(Array.from({ length: 10 }, () => peer(address)))
    await until('their time runs', () => (clock.pending >= 10 ? true : undefined))
    await clock.advance(5_000)
    await until('all are closed', () => (fates.every(({ isClosed }) => isClosed) ? true : undefined))
  })

  test('of a flood of peers that say nothing 64 are held, one line is reported, and a consumer comes through after them', async () => {
    const { address, attached, reports, clock } = await serving()
    const fates = await Promise.all(Array.from({ length: 200 }, () => peer(address)))
    await until('the others are closed', () =>
      fates.filter(({ isClosed }) => isClosed).length === 136 ? true : undefined,
    )
    expect(reports).toHaveLength(1)
    await clock.advance(5_000)
    await peer(address, hello())
    await until('it is attached', () => (attached.length === 1 ? true : undefined))
  })
})
