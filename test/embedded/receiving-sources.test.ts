import { connect, type Socket } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { freePorts } from '../harness/beds/free-port.ts'
import { byWebhook, type SendRecord } from '../harness/durable-senders.ts'
import { expectAllThroughKills } from '../harness/senders-through-kills.ts'

const LONG_MS = 300_000

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-senders-'))
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})

/** One connection a record: acknowledged once the source has counted it. */
function byTcp(port: number): SendRecord {
  return (id) =>
    new Promise((resolve, reject) => {
      const socket: Socket = connect(port, '127.0.0.1', () => socket.write(`${JSON.stringify({ id })}\n`))
      socket.setTimeout(2_000, () => socket.destroy())
      socket.once('data', (bytes) => {
        if (bytes.toString() === '1\n') resolve()
        socket.destroy()
      })
      socket.once('error', reject)
      socket.once('close', () => {
        reject(new Error('no answer'))
      })
    })
}

test.each([
  ['a webhook', (port: number, log: object) => ({ webhook: { port, log } }), byWebhook],
  ['a TCP port', (port: number, log: object) => ({ tcp: { listen: port, acknowledge: 'count', log } }), byTcp],
] as const)(
  'when workers and whole runs are killed, every record that %s has acknowledged comes out, and deduplicated by its id once',
  async (name, sourceOf, senderOf) => {
    const [port = 0] = await freePorts(1)
    const folder = join(dir, name.replaceAll(' ', '-'))
    const source = sourceOf(port, { path: join(folder, 'intake') })
    await expectAllThroughKills({ folder, source, send: senderOf(port), kills: 3 })
  },
  LONG_MS,
)
