import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePorts } from '../harness/beds/free-port.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { DurableSenders } from '../harness/durable-senders.ts'
import { hasCheckpoint, killRun, linesOf, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { descendantsOf, startMillrace, type StartedMillrace } from '../harness/processes.ts'

const PATIENCE_MS = 120_000
const LONG_MS = 300_000

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-webhook-run-'))
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})

test(
  'when workers and whole runs are killed, every record that a webhook has acknowledged comes out, and with its id once',
  async () => {
    const [port = 0] = await freePorts(1)
    const [all, once] = [join(dir, 'all'), join(dir, 'once')]
    const file = new LocalRuns(dir).fileOf(
      [
        {
          id: 'events',
          source: {
            webhook: { port, log: { path: join(dir, 'intake') }, metadata: { headers: { 'x-event-id': 'id' } } },
          },
          schema: { id: 'string', n: 'long' },
        },
        { id: 'all', from: 'events', sink: { file: { path: all } } },
        { id: 'first', from: 'events', keyBy: 'id', dedupe: { keep: 'first', ttl: '1h' } },
        { id: 'once', from: 'first', sink: { file: { path: once } } },
      ],
      2,
    )
    const senders = new DurableSenders(async (id) => {
      const answer = await fetch(`http://127.0.0.1:${port}/`, {
        method: 'POST',
        body: '{"n":1}',
        headers: { 'x-event-id': id },
        signal: AbortSignal.timeout(2_000),
      })
      await answer.text()
      if (!answer.ok) throw new Error(`status ${answer.status}`)
    })
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
