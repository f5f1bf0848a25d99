import { connect as connectTcp } from 'node:net'
import { onTestFinished, describe, expect, test } from 'vitest'
import type { Connection, Listener, Net } from '../../../../runtime/ports/net.ts'
import { encryptedNet } from '../../../../runtime/ports/real/encrypted-net.ts'
import { realNet } from '../../../../runtime/ports/real/net.ts'
import { MOST_STRANGERS } from '../../../../runtime/ports/strangers.ts'
import { until } from '../../../harness/until.ts'

const LOOPBACK = { host: '127.0.0.1', port: 0 }
const OWN = encryptedNet({ jobUid: 'job', token: 'token' })

async function listening(): Promise<{ listener: Listener; accepted: Connection[]; refused: string[] }> {
  const accepted: Connection[] = []
  const refused: string[] = []
  const listener = await OWN.listen(
    LOOPBACK,
    (connection) => {
      connection.onClose(() => undefined)
      connection.onData((bytes) => {
        connection.write(bytes.slice())
      })
      accepted.push(connection)
    },
    (_remote, reason) => refused.push(reason),
  )
  onTestFinished(() => listener.close())
  return { listener, accepted, refused }
}

/** A relay that keeps what it carries. */
async function tapped(to: Listener): Promise<{ listener: Listener; carried: Uint8Array[] }> {
  const carried: Uint8Array[] = []
  const listener = await realNet.listen(LOOPBACK, (here) => {
    here.pause()
    void realNet.connect(to.address).then((there) => {
      for (const [one, other] of [
        [here, there],
        [there, here],
      ] as const) {
        one.onData((bytes) => {
          carried.push(bytes.slice())
          other.write(bytes.slice())
        })
        one.onClose(() => {
          other.destroy()
        })
      }
      here.resume()
    })
  })
  onTestFinished(() => listener.close())
  return { listener, carried }
}

async function echoed(net: Net, listener: Listener, text: string): Promise<string> {
  const connection = await net.connect(listener.address)
  let received = ''
  connection.onClose(() => undefined)
  connection.onData((bytes) => {
    received += Buffer.from(bytes).toString()
  })
  connection.write(Buffer.from(text))
  await until('everything came back', () => (received.length === text.length ? true : undefined))
  connection.destroy()
  return received
}

describe('connections between the processes of a job', () => {
  test('carry every byte in order, and none of them as it is', async () => {
    const { listener } = await listening()
    const tap = await tapped(listener)
    const text = 'a record that nobody else may read; '.repeat(100_000)
    expect(await echoed(OWN, tap.listener, text)).toBe(text)
    expect(Buffer.concat(tap.carried).includes('nobody else')).toBe(false)
  })

  test.each([
    ['another token', encryptedNet({ jobUid: 'job', token: 'other' })],
    ['another job', encryptedNet({ jobUid: 'other', token: 'token' })],
  ])('are refused to a process with %s, which gets no further than that', async (_, other) => {
    const { listener, accepted, refused } = await listening()
    await expect(other.connect(listener.address)).rejects.toMatchObject({ code: 'CONNECT_FAILED' })
    await until('the refusal is told', () => (refused.length > 0 ? true : undefined))
    expect(accepted).toEqual([])
  })

  test('are refused to whoever speaks without encryption', async () => {
    const { listener, accepted, refused } = await listening()
    const plain = await realNet.connect(listener.address)
    const closed = new Promise((resolve) => {
      plain.onClose(resolve)
    })
    plain.write(Buffer.from('{"kind":"register"}\n'.repeat(100)))
    await closed
    expect(refused).toEqual([expect.stringContaining('no encrypted connection') as unknown])
    expect(accepted).toEqual([])
  })

  test('are no more at once, of peers that say nothing, than the limit', async () => {
    const { listener, refused } = await listening()
    const strangers = Array.from({ length: MOST_STRANGERS + 3 }, () => {
      const socket = connectTcp(listener.address)
      socket.on('error', () => undefined)
      return socket
    })
    await until('the ones too many are refused', () => (refused.length === 3 ? true : undefined))
    expect(await echoed(OWN, listener, 'a process of the job gets in among them')).toContain('among them')
    for (const socket of strangers) socket.destroy()
  })
})

test.each([
  ['encrypted', OWN],
  ['plain', realNet],
])('what comes over an %s connection before anybody listens is there when somebody does', async (_, net) => {
  let sent = false
  const listener = await net.listen(LOOPBACK, (connection) => {
    connection.onClose(() => undefined)
    connection.write(Buffer.from('early'), () => {
      sent = true
    })
    connection.onData((bytes) => {
      connection.write(bytes.slice())
    })
  })
  onTestFinished(() => listener.close())
  const connection = await net.connect(listener.address)
  connection.onClose(() => undefined)
  await until('it was sent', () => sent || undefined)
  let received = ''
  connection.onData((bytes) => {
    received += Buffer.from(bytes).toString()
  })
  connection.write(Buffer.from(' late'))
  await until('all of it came', () => received === 'early late' || undefined)
  connection.destroy()
})
