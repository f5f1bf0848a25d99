import { connect, type Socket } from 'node:net'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePorts } from '../harness/beds/free-port.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { byWebhook, DurableSenders, type SendRecord } from '../harness/durable-senders.ts'
import { hasCheckpoint, killRun, linesOf, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { descendantsOf, startMillrace, type StartedMillrace } from '../harness/processes.ts'

const PATIENCE_MS = 120_000
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
    const [all, once] = [join(folder, 'all'), join(folder, 'once')]
    mkdirSync(folder)
    const file = new LocalRuns(folder).fileOf(
      [
        { id: 'events', source: sourceOf(port, { path: join(folder, 'intake') }), schema: { id: 'string' } },
        { id: 'all', from: 'events', sink: { file: { path: all } } },
        { id: 'first', from: 'events', keyBy: 'id', dedupe: { keep: 'first', ttl: '1h' } },
        { id: 'once', from: 'first', sink: { file: { path: once } } },
      ],
      2,
    )
    const senders = new DurableSenders(senderOf(port))
    const acknowledges = (what: string, millrace: StartedMillrace): Promise<void> => {
      const before = senders.acknowledged.size
      return waitFor(what, PATIENCE_MS, async () => senders.acknowledged.size > before + 200, millrace.stderr)
    }
    let millrace = startMillrace('run', file)
    senders.start(['a', 'b', 'c', 'd'])
    await acknowledges('the first are acknowledged', millrace)
    await waitFor('a checkpoint is complete', PATIENCE_MS, async () => hasCheckpoint(file), millrace.stderr)
    for (let kill = 0; kill < 3; kill++) {
      const workers = descendantsOf(millrace.process.pid ?? 0).filter(({ command }) => command.includes('worker'))
      process.kill(workers[kill % workers.length]?.pid ?? 0, 'SIGKILL')
      await acknowledges('records are acknowledged after a worker was killed', millrace)
      const id = runIdOf(millrace)
      await killRun(millrace)
      millrace = startMillrace('run', file, '--resume', id)
      await acknowledges('records are acknowledged after the run was killed', millrace)
    }
    await senders.stop()
    const idsIn = (out: string): string[] => linesOf(out).map((line) => (JSON.parse(line) as { id: string }).id)
    await waitFor(
      'all are written',
      PATIENCE_MS,
      async () => new Set(idsIn(once)).size === senders.tries.size && new Set(idsIn(all)).size === senders.tries.size,
      millrace.stderr,
    )
    await killRun(millrace)
    senders.expectAll(idsIn(all))
    expect(idsIn(once).sort()).toEqual([...senders.acknowledged].sort())
    expect([...senders.tries.values()].some((tries) => tries > 1)).toBe(true)
  },
  LONG_MS,
)
