import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { waitFor } from './beds/wait-for.ts'
import { DurableSenders, type SendRecord } from './durable-senders.ts'
import { hasCheckpoint, killRun, linesOf, LocalRuns, runIdOf } from './local-runs.ts'
import { descendantsOf, startMillrace, type StartedMillrace } from './processes.ts'

const PATIENCE_MS = 120_000

export interface SendersThroughKills {
  /** For the job, its state and its output; it is made. */
  readonly folder: string
  /** Receives records with an `id`. */
  readonly source: object
  readonly send: SendRecord
  /** So often a worker and then the whole run is killed. */
  readonly kills: number
  /** Between the death of a worker and that of the run. */
  disturb?(): Promise<void>
  /** Resolves true once it holds; waited for when all is written. */
  isSettled?(): Promise<boolean>
}

/**
 * Sends records to a job of two slots that is killed, and expects that each acknowledged one comes out, and deduplicated by
 * its id once.
 */
export async function expectAllThroughKills(parts: SendersThroughKills): Promise<void> {
  const { folder, source, send, kills, disturb, isSettled } = parts
  const [all, once] = [join(folder, 'all'), join(folder, 'once')]
  mkdirSync(folder)
  const file = new LocalRuns(folder).fileOf(
    [
      { id: 'events', source, schema: { id: 'string' } },
      { id: 'all', from: 'events', sink: { file: { path: all } } },
      { id: 'first', from: 'events', keyBy: 'id', dedupe: { keep: 'first', ttl: '1h' } },
      { id: 'once', from: 'first', sink: { file: { path: once } } },
    ],
    2,
  )
  const senders = new DurableSenders(send)
  const acknowledges = (what: string, millrace: StartedMillrace): Promise<void> => {
    const before = senders.acknowledged.size
    return waitFor(what, PATIENCE_MS, async () => senders.acknowledged.size > before + 200, millrace.stderr)
  }
  let millrace = startMillrace('run', file)
  senders.start(['a', 'b', 'c', 'd'])
  await acknowledges('the first are acknowledged', millrace)
  await waitFor('a checkpoint is complete', PATIENCE_MS, async () => hasCheckpoint(file), millrace.stderr)
  for (let kill = 0; kill < kills; kill++) {
    const workers = descendantsOf(millrace.process.pid ?? 0).filter(({ command }) => command.includes('worker'))
    process.kill(workers[kill % workers.length]?.pid ?? 0, 'SIGKILL')
    await acknowledges('records are acknowledged after a worker was killed', millrace)
    if (disturb !== undefined) {
      await disturb()
      await acknowledges('records are acknowledged after the disturbance', millrace)
    }
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
  if (isSettled !== undefined) await waitFor('all is settled', PATIENCE_MS, isSettled, millrace.stderr)
  await killRun(millrace)
  senders.expectAll(idsIn(all))
  expect(idsIn(once).sort()).toEqual([...senders.acknowledged].sort())
  expect([...senders.tries.values()].some((tries) => tries > 1)).toBe(true)
}
