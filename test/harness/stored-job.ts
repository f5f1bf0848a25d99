import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openAnyStore } from '../../runtime/builtin-stores.ts'
import { MillraceError } from '../../runtime/model/errors.ts'
import { waitFor } from './beds/wait-for.ts'
import { killRun, linesOf, runIdOf } from './local-runs.ts'
import { startMillrace } from './processes.ts'

const PATIENCE_MS = 60_000
const ROWS = 60_000

/** A server of a store, which is taken away and brought back. */
export interface StoppedServer {
  /** Whether checkpoints complete without it. */
  readonly isReplicated: boolean
  stop(): Promise<void>
  start(): Promise<void>
}

/**
 * Runs a job whose state is kept at this URL, kills it with SIGKILL and resumes it, stops the servers one after the other
 * meanwhile, and expects each row once.
 */
export async function expectExactThroughKills(
  dir: string,
  store: string,
  servers: readonly StoppedServer[],
): Promise<void> {
  mkdirSync(dir, { recursive: true })
  const numbers = Array.from({ length: ROWS }, (_, n) => JSON.stringify({ number: n, k: n % 10 }))
  writeFileSync(join(dir, 'in.json'), `${numbers.join('\n')}\n`)
  const file = join(dir, 'job.yaml')
  writeFileSync(file, storedJob(store))
  const manifests = async (): Promise<string[]> =>
    (await openAnyStore(store).list('')).filter((path) => path.endsWith('manifest.json'))
  const first = startMillrace('run', file)
  await waitFor('a first checkpoint', PATIENCE_MS, async () => (await manifests()).length > 0, first.stderr)
  await killRun(first)
  const before = new Set(await manifests())
  const second = startMillrace('run', file, '--resume', runIdOf(first))
  // on a slow machine the job may end before all of them have been killed
  let isOver = false
  const ended = second.ended.finally(() => {
    isOver = true
  })
  const checkpointBeyond = (known: ReadonlySet<string>): Promise<void> =>
    waitFor(
      'a later checkpoint',
      PATIENCE_MS,
      async () => isOver || (await manifests().catch(whileAway)).some((path) => !known.has(path)),
      second.stderr,
    )
  // a run that begins needs its store
  await checkpointBeyond(before)
  for (const server of servers) {
    const known = new Set(await manifests())
    await server.stop()
    if (server.isReplicated) await checkpointBeyond(known)
    await server.start()
    if (!server.isReplicated) await checkpointBeyond(known)
  }
  const { code, stderr } = await ended
  expect(code, stderr).toBe(0)
  const written = linesOf(join(dir, 'out')).map((line) => (JSON.parse(line) as { number: number }).number)
  expect(written.toSorted((a, b) => a - b)).toEqual(Array.from({ length: ROWS }, (_, n) => n))
}

/** Expects `millrace doctor` and a job to say these words of a store that cannot be used. */
export async function expectStoreRefused(dir: string, store: string, words: string): Promise<void> {
  mkdirSync(dir, { recursive: true })
  const file = join(dir, 'refused.yaml')
  writeFileSync(file, storedJob(store))
  const doctor = await startMillrace('doctor', file).ended
  expect([doctor.code, doctor.stdout]).toEqual([1, expect.stringContaining(words)])
  const job = startMillrace('run', file)
  await waitFor('the report', PATIENCE_MS, async () => job.stderr().includes(words), job.stderr)
  await killRun(job)
}

/** Nothing is known while servers are away for longer than the store is patient. */
function whileAway(error: unknown): string[] {
  if (error instanceof MillraceError && error.code === 'STORE_UNAVAILABLE') return []
  throw error
}

/** Reads `in.json` beside it, for half a minute, and writes each number once to the folder `out`. */
function storedJob(store: string): string {
  return `apiVersion: millrace.dev/v1alpha1
kind: StreamJob
metadata: { name: kept }
spec:
  checkpoints: { store: '${store}', interval: 500ms }
  graph:
    - id: numbers
      source: { file: { path: in.json, format: json, rate: 2000/s } }
      schema: { number: long, k: long }
    - id: latest
      from: numbers
      keyBy: number
      dedupe: { keep: first }
    - id: out
      from: latest
      sink: { file: { path: out } }
`
}
