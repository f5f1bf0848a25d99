import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import {
  connectToMaster,
  masterInfo,
  negotiation,
  responseHeader,
  rpcError,
  tableSchema,
} from '../../../../../runtime/connectors/kudu/protocol/messages.ts'
import { encodeMessage, varint } from '../../../../../runtime/connectors/kit/protobuf.ts'
import { connectKudu } from '../../../../../runtime/connectors/kudu/real/client.ts'
import { KuduConnection } from '../../../../../runtime/connectors/kudu/real/connection.ts'
import { realClock } from '../../../../../runtime/ports/real/clock.ts'
import { ManualClock } from '../../../../harness/manual-clock.ts'

const servers: { server: Server; sockets: Set<Socket> }[] = []
const NEGOTIATION = -33

afterEach(endServers)

async function endServers(): Promise<void> {
  for (const { server, sockets } of servers.splice(0)) {
    for (const socket of sockets) socket.destroy()
    await new Promise((closed) => server.close(closed))
  }
}

function frame(header: Buffer, body: Buffer): Buffer {
  const all = Buffer.concat([varint(header.length), header, varint(body.length), body])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(all.length)
  return Buffer.concat([length, all])
}

function answer(callId: number, body: Buffer, sidecarOffsets: readonly number[] = []): Buffer {
  return frame(encodeMessage(responseHeader, { callId, sidecarOffsets }), body)
}

const OFFERED = answer(NEGOTIATION, encodeMessage(negotiation, { step: 1, mechanisms: [{ mechanism: 'PLAIN' }] }))
const LET_IN = answer(NEGOTIATION, encodeMessage(negotiation, { step: 0 }))

/** A server that answers the n-th chunk of a connection with `replies[n]`; its address. */
async function serverThat(...replies: readonly (Buffer | 'close' | undefined)[]): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    let chunk = 0
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', () => {
      const reply = replies[chunk++]
      if (reply === 'close') socket.destroy()
      else if (reply !== undefined) socket.write(reply)
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  servers.push({ server, sockets })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const open = (address: string): Promise<KuduConnection> =>
  KuduConnection.open(address, { user: 'me', idleConnections: 'hold the process' }, realClock)
const ask = (connection: KuduConnection) =>
  connection.call({
    service: 'kudu.master.MasterService',
    method: 'ConnectToMaster',
    request: [connectToMaster, {}],
    answer: masterInfo,
  })

/** A server that lets the client in and then answers its first call, which has the id 0. */
async function asked(...replies: readonly (Buffer | 'close')[]): Promise<unknown> {
  const connection = await open(await serverThat(OFFERED, LET_IN, ...replies))
  try {
    return (await ask(connection)).values
  } finally {
    connection.close()
  }
}

test('an answer comes in any pieces, beside answers that nobody asked for', async () => {
  const whole = Buffer.concat([answer(77, Buffer.of(1, 2, 3)), answer(0, encodeMessage(masterInfo, { role: 1 }))])
  const address = await serverThat(OFFERED, LET_IN)
  const { sockets } = servers.at(-1) ?? {}
  const connection = await open(address)
  const answered = ask(connection)
  for (const byte of whole) for (const socket of sockets ?? []) socket.write(Buffer.of(byte))
  expect((await answered).values).toMatchObject({ role: 1 })
  connection.close()
})

describe('a connection ends with the reason when a server', () => {
  const huge = Buffer.alloc(4)
  huge.writeUInt32BE(0xffffffff)
  test.each<[string, Buffer | 'close']>([
    ['announces a message of 4 GB', huge],
    ['sends a header that ends behind its message', Buffer.from([0, 0, 0, 2, 200, 1])],
    ['sends an empty message', Buffer.from([0, 0, 0, 0])],
    ['sends sidecars that go back', answer(0, Buffer.alloc(20), [10, 5])],
    ['sends a sidecar behind the end of its message', answer(0, Buffer.alloc(20), [30])],
    ['sends what is no message', answer(0, Buffer.from([0xff, 0xff, 0xff]))],
    ['closes the connection', 'close'],
  ])('%s', async (_what, reply) => {
    await expect(asked(reply)).rejects.toMatchObject({ retriable: true })
  })

  test('refuses the call, and the connection can be used further', async () => {
    const refusal = frame(
      encodeMessage(responseHeader, { callId: 0, isError: true }),
      encodeMessage(rpcError, { code: 4, message: 'too busy' }),
    )
    const connection = await open(
      await serverThat(OFFERED, LET_IN, refusal, answer(1, encodeMessage(masterInfo, { role: 0 }))),
    )
    await expect(ask(connection)).rejects.toThrow(/too busy \(rpc error 4\)/)
    expect((await ask(connection)).values).toMatchObject({ role: 0 })
    connection.close()
  })

  test('lets nobody in by name', async () => {
    const kerberos = answer(NEGOTIATION, encodeMessage(negotiation, { step: 1, mechanisms: [{ mechanism: 'GSSAPI' }] }))
    await expect(open(await serverThat(kerberos))).rejects.toMatchObject({
      code: 'KUDU_REFUSED',
      message: expect.stringContaining('takes GSSAPI only'),
    })
  })

  test('demands TLS', async () => {
    const refusal = frame(
      encodeMessage(responseHeader, { callId: NEGOTIATION, isError: true }),
      encodeMessage(rpcError, { code: 15, message: 'client does not support required TLS encryption' }),
    )
    await expect(open(await serverThat(refusal))).rejects.toThrow(/required TLS encryption \(rpc error 15\)/)
  })

  test('is none of Kudu', async () => {
    await expect(open(await serverThat(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')))).rejects.toMatchObject({
      code: 'KUDU_UNREACHABLE',
    })
  })

  test('is not there', async () => {
    await expect(open('127.0.0.1:1')).rejects.toMatchObject({ code: 'KUDU_UNREACHABLE' })
  })
})

describe('a connection that demands TLS ends with the reason when a server', () => {
  const WITH_TLS = answer(
    NEGOTIATION,
    encodeMessage(negotiation, { step: 1, features: [1, 2], mechanisms: [{ mechanism: 'PLAIN' }] }),
  )
  const refusal = frame(
    encodeMessage(responseHeader, { callId: NEGOTIATION, isError: true }),
    encodeMessage(rpcError, { code: 15, message: 'no cipher in common' }),
  )
  const handshake = (bytes: Buffer): Buffer =>
    answer(NEGOTIATION, encodeMessage(negotiation, { step: 5, tlsHandshake: bytes }))
  test.each<[string, string, readonly (Buffer | 'close')[]]>([
    ['offers none', 'KUDU_REFUSED', [OFFERED]],
    ['goes on in plain text', 'KUDU_UNREACHABLE', [WITH_TLS, LET_IN]],
    ['shakes hands with what is not TLS', 'KUDU_UNREACHABLE', [WITH_TLS, handshake(Buffer.from('HTTP/1.1 400'))]],
    ['sends records before the handshake is over', 'KUDU_UNREACHABLE', [WITH_TLS, Buffer.from([23, 3, 3, 0, 1, 0])]],
    ['announces a message of 300 MB', 'KUDU_UNREACHABLE', [WITH_TLS, Buffer.from([18, 0, 0, 0])]],
    ['closes the connection', 'KUDU_UNREACHABLE', [WITH_TLS, 'close']],
  ])('%s', async (_what, code, replies) => {
    const tls = { material: {}, certificates: 'check' } as const
    await expect(
      KuduConnection.open(
        await serverThat(...replies),
        { user: 'me', tls, idleConnections: 'hold the process' },
        realClock,
      ),
    ).rejects.toMatchObject({ code })
  })

  test('refuses the handshake', async () => {
    const tls = { material: {}, certificates: 'check' } as const
    await expect(
      KuduConnection.open(
        await serverThat(WITH_TLS, refusal),
        { user: 'me', tls, idleConnections: 'hold the process' },
        realClock,
      ),
    ).rejects.toThrow(/no cipher in common \(rpc error 15\)/)
  })
})

test('a call on a connection that was closed is refused at once', async () => {
  const connection = await open(await serverThat(OFFERED, LET_IN))
  connection.close()
  await expect(ask(connection)).rejects.toMatchObject({ code: 'KUDU_UNREACHABLE' })
})

test('a master that says nothing holds nobody back while another leads', async () => {
  const silent = await serverThat()
  const leads = answer(0, encodeMessage(masterInfo, { role: 1 }))
  const opens = answer(1, encodeMessage(tableSchema, { id: Buffer.from('t1') }))
  const both = Buffer.concat([leads, opens])
  const leader = await serverThat(OFFERED, LET_IN, both, both, both)
  // no time passes: nobody gives up waiting for the silent one
  const client = connectKudu({
    masters: [silent, leader],
    user: 'me',
    clock: new ManualClock(),
    idleConnections: 'hold the process',
    clientId: 'test',
  })
  expect(await client.openTable('orders')).toMatchObject({ name: 'orders', id: 't1' })
  await endServers()
  await client.close()
})

test('when no master leads, the reason of one that cannot be reached is named', async () => {
  const follower = await serverThat(OFFERED, LET_IN, answer(0, encodeMessage(masterInfo, { role: 0 })))
  const masters = [follower, '127.0.0.1:1']
  const client = connectKudu({
    masters,
    user: 'me',
    clock: realClock,
    idleConnections: 'hold the process',
    clientId: 'test',
  })
  await expect(client.openTable('orders')).rejects.toThrow('the Kudu server 127.0.0.1:1 cannot be reached')
  await client.close()
})
