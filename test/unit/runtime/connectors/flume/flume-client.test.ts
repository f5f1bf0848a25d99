import { afterEach, expect, test } from 'vitest'
import { FlumeClient } from '../../../../../runtime/connectors/flume/flume-client.ts'
import { FlumeRequests, statusAnswer, type FlumeEvent } from '../../../../../runtime/connectors/flume/flume-rpc.ts'
import { encodeNettyMessage, NettyReader } from '../../../../../runtime/connectors/flume/netty-frames.ts'
import type { Listener } from '../../../../../runtime/ports/net.ts'
import { realNet } from '../../../../../runtime/ports/real/net.ts'
import { quietPorts } from '../../../../harness/source-context.ts'

const ending: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

interface Server {
  readonly address: string
  /** The bodies of the events that were answered with OK, in their order. */
  readonly taken: string[]
}

/** Does so with a call, in place of an answer of OK. */
type Fault = 'FAILED' | 'cut' | 'silent' | Buffer

/** An Avro source. The calls of all its connections meet these faults first, one each. */
async function server(...faults: Fault[]): Promise<Server> {
  const taken: string[] = []
  const listener: Listener = await realNet.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    const reader = new NettyReader(1_000_000)
    const requests = new FlumeRequests(1_000)
    connection.onData((bytes) => {
      for (const { serial, bytes: call } of reader.push(bytes)) {
        const request = requests.decode(call)
        if (request.kind !== 'events') throw new Error(`a call of the kind ${request.kind}`)
        const fault = faults.shift()
        if (fault === 'cut') connection.destroy()
        else if (fault === 'FAILED')
          connection.write(encodeNettyMessage({ serial, bytes: statusAnswer(request.handshake, 'FAILED') }))
        else if (fault instanceof Buffer) connection.write(fault)
        else if (fault === undefined) {
          taken.push(...request.events.map(({ body }) => String(body)))
          connection.write(encodeNettyMessage({ serial, bytes: statusAnswer(request.handshake, 'OK') }))
        }
      }
    })
    connection.onClose(() => undefined)
  })
  ending.push(() => listener.close())
  return { address: `127.0.0.1:${listener.address.port}`, taken }
}

function client(connect: readonly string[], timeoutMs = 60_000): FlumeClient {
  const made = new FlumeClient(quietPorts(), { connect, timeoutMs, tls: false })
  ending.push(() => made.close())
  return made
}

const events = (...bodies: string[]): FlumeEvent[] =>
  bodies.map((body) => ({ headers: new Map(), body: Buffer.from(body) }))

test('an agent gets batches in their order, over one connection', async () => {
  const one = await server()
  const flume = client([one.address])
  await flume.send(events('a', 'b'))
  await flume.send(events('c'))
  expect(one.taken).toEqual(['a', 'b', 'c'])
})

const HTTP = Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')

test.each([
  ['answers FAILED', 'FAILED', /answered FAILED/, 60_000],
  ['ends the connection before it answers', 'cut', /closed the connection/, 60_000],
  ['does not answer in time', 'silent', /no answer within 100 ms/, 100],
  ['is no agent', HTTP, /HTTP/, 60_000],
] as const)('an agent that %s is named, and the next one gets the batch', async (_what, fault, reason, timeoutMs) => {
  const one = await server(fault)
  const two = await server()
  const flume = client([one.address, two.address], timeoutMs)
  const refused = flume.send(events('a'))
  await expect(refused).rejects.toMatchObject({ code: 'FLUME_FAILED', retriable: true })
  await expect(refused).rejects.toThrow(one.address)
  await expect(refused).rejects.toThrow(reason)
  expect(one.taken).toEqual([])
  await flume.send(events('a'))
  expect(two.taken).toEqual(['a'])
})

test('an agent that failed gets the batch again when there is no other', async () => {
  const one = await server('FAILED', 'cut')
  const flume = client([one.address])
  await expect(flume.send(events('a'))).rejects.toThrow(/FAILED/)
  await expect(flume.send(events('a'))).rejects.toThrow(/closed/)
  await flume.send(events('a'))
  expect(one.taken).toEqual(['a'])
})

test('an agent that is not there is named, and the next one gets the batch', async () => {
  const gone = await realNet.listen({ host: '127.0.0.1', port: 0 }, () => undefined)
  const { port } = gone.address
  await gone.close()
  const two = await server()
  const flume = client([`127.0.0.1:${port}`, two.address])
  await expect(flume.send(events('a'))).rejects.toThrow(`127.0.0.1:${port}`)
  await flume.send(events('a'))
  expect(two.taken).toEqual(['a'])
})
