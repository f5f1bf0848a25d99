import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'

let job: InProcessJob | undefined

afterEach(async () => {
  await job?.close()
  job = undefined
})

/** Stops a job with state at a checkpoint; gives what lies in the store, below the job's folder. */
async function stoppedJob(): Promise<{ job: InProcessJob; store: string; manifest: string }> {
  const started = new InProcessJob(
    {
      checkpoints: { interval: '50ms' },
      graph: [
        { id: 'bids', source: { nexmark: { events: 1_000_000, type: 'bid', rate: '2000/s' } } },
        { id: 'sums', from: 'bids', keyBy: 'auction', aggregate: { n: 'count()' }, emit: 'everyRow' },
        { id: 'out', from: 'sums', sink: { file: { path: 'out' } } },
      ],
    },
    builtinConnectors,
    undefined,
    { inlineStateBytes: 0 },
  )
  job = started
  await started.start()
  await started.reportWith('checkpointing', ({ checkpoint }) => (checkpoint?.id ?? 0) > 1)
  started.want('suspended')
  const { checkpoint } = await started.reportWith('suspended', ({ phase }) => phase === 'suspended')
  const store = join(started.folder, 'store', 'job')
  return { job: started, store, manifest: join(store, checkpoint?.path ?? '') }
}

/** State files that hold something. */
function stateFiles(store: string): string[] {
  return readdirSync(join(store, 'checkpoints'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.state'))
    .map((name) => join(store, 'checkpoints', name))
    .filter((path) => readFileSync(path).length > 0)
}

describe('a job whose newest checkpoint is damaged', () => {
  test.each([
    {
      what: 'its manifest is gone',
      code: 'MANIFEST_MISSING',
      damage: ({ manifest }: { manifest: string }) => {
        rmSync(manifest)
      },
    },
    {
      what: 'its manifest is cut off',
      code: 'FILE_CORRUPT',
      damage: ({ manifest }: { manifest: string }) => {
        writeFileSync(manifest, readFileSync(manifest).subarray(0, 100))
      },
    },
    {
      what: 'its state files are gone',
      code: 'STATE_MISSING',
      damage: ({ store }: { store: string }) => {
        for (const path of stateFiles(store)) rmSync(path)
      },
    },
    {
      what: 'a bit of each state file is turned',
      code: 'STATE_CORRUPT',
      damage: ({ store }: { store: string }) => {
        for (const path of stateFiles(store)) {
          const bytes = readFileSync(path)
          bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
          writeFileSync(path, bytes)
        }
      },
    },
  ])(
    'when $what, it fails with $code after a few attempts, and never starts from nothing or from an older one',
    async ({ code, damage }) => {
      const stopped = await stoppedJob()
      damage(stopped)
      stopped.job.want('running')
      const report = await stopped.job.reportWith('given up', ({ phase }) => phase === 'failed' || phase === 'running')
      expect(report).toMatchObject({ phase: 'failed', attempt: 6, error: { code } })
    },
  )
})
