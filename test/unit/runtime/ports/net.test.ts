import { expect, test } from 'vitest'
import type { Connection } from '../../../../runtime/ports/net.ts'
import { realNet } from '../../../../runtime/ports/real/net.ts'

test('bytes written on one side arrive in order on the other, and an end closes both sides once', async () => {
  const received: number[] = []
  const closes: string[] = []
  let accepted: (connection: Connection) => void
  const server = new Promise<Connection>((resolve) => {
    accepted = resolve
  })
  const listener = await realNet.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    connection.onData((bytes) => {
      received.push(...bytes)
    })
    connection.onClose(() => {
      closes.push('server')
    })
    accepted(connection)
  })
  const client = await realNet.connect(listener.address)
  const closed = new Promise<void>((resolve) => {
    client.onClose(() => {
      closes.push('client')
      resolve()
    })
  })
  client.onData(() => undefined)
  await server
  client.write(new Uint8Array([1, 2]))
  client.write(new Uint8Array([3]))
  client.end()
  await closed
  await expect.poll(() => closes.toSorted()).toEqual(['client', 'server'])
  expect(received).toEqual([1, 2, 3])
  client.write(new Uint8Array([4]))
  await listener.close()
})

test('a connection to a port where nobody listens fails with both values and may be retried', async () => {
  const listener = await realNet.listen({ host: '127.0.0.1', port: 0 }, () => undefined)
  await listener.close()
  await expect(realNet.connect(listener.address)).rejects.toMatchObject({ code: 'CONNECT_FAILED', retriable: true })
})

test('a writer above the high-water mark is told when everything has been sent', async () => {
  let seen = 0
  const listener = await realNet.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    connection.onData((bytes) => {
      seen += bytes.length
    })
  })
  const client = await realNet.connect(listener.address)
  const drained = new Promise<void>((resolve) => {
    client.onDrain(resolve)
  })
  const total = 8 * 1024 * 1024
  client.write(new Uint8Array(total))
  await drained
  expect(client.bufferedBytes).toBe(0)
  client.end()
  await expect.poll(() => seen).toBe(total)
  await listener.close()
})

test('a writer that stops as soon as its channel is full is told when everything has been sent', async () => {
  const received: { resume(): void }[] = []
  const listener = await realNet.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    connection.pause()
    connection.onData(() => undefined)
    received.push(connection)
  })
  const client = await realNet.connect(listener.address)
  await expect.poll(() => received.length).toBe(1)
  const drained = new Promise<void>((resolve) => {
    client.onDrain(resolve)
  })
  // as a producer does: it writes a batch at a time and waits once more than 512 KiB are buffered
  while (client.bufferedBytes <= 512 * 1024) {
    client.write(new Uint8Array(100 * 1024))
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
  received[0]?.resume()
  await drained
  expect(client.bufferedBytes).toBe(0)
  client.end()
  await listener.close()
})

test('one buffer that is written over as soon as it is sent arrives as it was each time, also when the reader pauses', async () => {
  const rounds = 40
  const size = 300_000
  const sent = async (connection: Connection): Promise<void> => {
    const buffer = new Uint8Array(size)
    for (let round = 0; round < rounds; round++) {
      buffer.fill(round)
      await new Promise<void>((done) => {
        connection.write(buffer, done)
      })
    }
    connection.end()
  }
  const listener = await realNet.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    connection.onData(() => undefined)
    void sent(connection)
  })
  const client = await realNet.connect(listener.address)
  let at = 0
  let wrong = 0
  client.onData((bytes) => {
    for (const byte of bytes) if (byte !== Math.floor(at++ / size)) wrong++
    client.pause()
    setImmediate(() => {
      client.resume()
    })
  })
  await new Promise<void>((resolve) => {
    client.onClose(() => {
      resolve()
    })
  })
  expect({ at, wrong }).toEqual({ at: rounds * size, wrong: 0 })
  await listener.close()
})
