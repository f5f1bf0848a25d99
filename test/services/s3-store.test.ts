import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type S3Bed, s3BedMissing, startS3 } from '../harness/beds/s3-bed.ts'
import { pythonBedMissing, runPython } from '../harness/beds/python-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { deltaActions } from '../harness/delta-table.ts'
import { descendantsOf, startMillrace } from '../harness/processes.ts'

const why = s3BedMissing()
const PATIENCE_MS = 20_000
const LONG_MS = 300_000
const ROWS = 60_000

describe.skipIf(why !== undefined)(`checkpoints in S3${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-s3-store-'))
  let s3: S3Bed

  beforeAll(async () => {
    s3 = await startS3({ dir: join(dir, 's3'), buckets: ['state', 'lake'] })
    process.env['AWS_ACCESS_KEY_ID'] = s3.accessKey
    process.env['AWS_SECRET_ACCESS_KEY'] = s3.secretKey
  }, LONG_MS)
  afterAll(async () => {
    delete process.env['AWS_ACCESS_KEY_ID']
    delete process.env['AWS_SECRET_ACCESS_KEY']
    await s3?.stop()
    rmSync(dir, { recursive: true })
  })

  test(
    'a job killed with SIGKILL and resumed, and a server killed and restarted, lose and repeat no row',
    async () => {
      const store = `s3://state/jobs?endpoint=${encodeURIComponent(s3.endpoint)}`
      const numbers = Array.from({ length: ROWS }, (_, n) => JSON.stringify({ number: n, k: n % 10 }))
      writeFileSync(join(dir, 'in.json'), `${numbers.join('\n')}\n`)
      const file = join(dir, 'job.yaml')
      writeFileSync(file, jobOf(store))
      const first = startMillrace('run', file)
      await waitFor('a first checkpoint', PATIENCE_MS, () => Promise.resolve(manifests().length > 0), first.stderr)
      for (const { pid } of descendantsOf(first.process.pid ?? 0)) process.kill(pid, 'SIGKILL')
      first.process.kill('SIGKILL')
      const { stderr } = await first.ended
      const [, run = ''] = /run (run-[0-9a-f]+)/.exec(stderr) ?? []
      const second = startMillrace('run', file, '--resume', run)
      const before = manifests().length
      await waitFor(
        'a later checkpoint',
        PATIENCE_MS,
        () => Promise.resolve(manifests().length > before),
        second.stderr,
      )
      await s3.kill()
      await s3.start()
      const ended = await second.ended
      expect(ended.stderr).not.toContain('RUN_UNKNOWN')
      expect(ended.code).toBe(0)
      const out = join(dir, 'out')
      const written = readdirSync(out)
        .filter((name) => !name.startsWith('.'))
        .flatMap((name) => readFileSync(join(out, name), 'utf8').trimEnd().split('\n'))
        .map((line) => (JSON.parse(line) as { number: number }).number)
      expect(written.toSorted((a, b) => a - b)).toEqual(Array.from({ length: ROWS }, (_, n) => n))
    },
    LONG_MS,
  )

  test.skipIf(pythonBedMissing() !== undefined)(
    'a Delta table in S3 that a killed and resumed job wrote is read by delta-rs, each row once',
    async () => {
      const file = join(dir, 'delta.yaml')
      const endpoint = encodeURIComponent(s3.endpoint)
      const lake = `sink: { delta: { path: 's3://lake/table?endpoint=${endpoint}' } }`
      writeFileSync(file, jobOf(`s3://state/delta?endpoint=${endpoint}`).replace('sink: { file: { path: out } }', lake))
      const table = join(s3.folderOf('lake'), 'table')
      const first = startMillrace('run', file)
      await waitFor('two versions', PATIENCE_MS, () => Promise.resolve(deltaActions(table).length > 2), first.stderr)
      for (const { pid } of descendantsOf(first.process.pid ?? 0)) process.kill(pid, 'SIGKILL')
      first.process.kill('SIGKILL')
      const [, run = ''] = /run (run-[0-9a-f]+)/.exec((await first.ended).stderr) ?? []
      expect((await startMillrace('run', file, '--resume', run).ended).code).toBe(0)
      const [found] = (await runPython('read_delta.py', [table])) as { rows: Record<string, string | null>[] }[]
      const written = found?.rows.map(({ number }) => Number(number)).toSorted((a, b) => a - b)
      expect(written).toEqual(Array.from({ length: ROWS }, (_, n) => n))
    },
    LONG_MS,
  )

  test(
    'a store whose bucket is missing is reported with bucket and reason',
    async () => {
      const file = join(dir, 'wrong.yaml')
      writeFileSync(file, jobOf(`s3://absent/jobs?endpoint=${encodeURIComponent(s3.endpoint)}`))
      const job = startMillrace('run', file)
      await waitFor('the report', PATIENCE_MS, () => Promise.resolve(job.stderr().includes('NoSuchBucket')), job.stderr)
      expect(job.stderr()).toContain('s3://absent/jobs/')
      job.process.kill('SIGINT')
      await job.ended
    },
    LONG_MS,
  )

  test(
    'a checkpoint of 20 slots with little state takes three PUTs and the log entry, by the log of the server',
    async () => {
      const file = join(dir, 'twenty.json')
      const store = `s3://state/twenty?endpoint=${encodeURIComponent(s3.endpoint)}`
      writeFileSync(file, JSON.stringify(twentySlots(store)))
      const job = startMillrace('run', file, '--in-process')
      const entries = (): number[] => putsOf('twenty/').flatMap((path, at) => (/log\/\d+$/.test(path) ? [at] : []))
      await waitFor('20 checkpoints', PATIENCE_MS, () => Promise.resolve(entries().length > 22), job.stderr)
      job.process.kill('SIGINT')
      await job.ended
      // behind the claim and the checkpoints of the start
      const at = entries()
      const [from = 0, to = 0] = [at[2], at[22]]
      expect((to - from) / 20).toBeLessThanOrEqual(4)
    },
    LONG_MS,
  )

  /** The paths of what was put below a folder, in order. */
  function putsOf(folder: string): string[] {
    return s3
      .accessLog()
      .flatMap((line) => / s3_(?:PutObject|CreateMultipartUpload|UploadPart) (\S+) /.exec(line)?.[1] ?? [])
      .filter((path) => path.startsWith(folder))
  }

  /** Ten that read and ten that count by 20 keys. */
  function twentySlots(store: string): object {
    const graph = [
      { id: 'bids', source: { nexmark: { rate: '1000/s', events: 1_000_000 } } },
      { id: 'of', from: 'bids', set: { k: 'bidder % 20' } },
      { id: 'counts', from: 'of', keyBy: 'k', aggregate: { n: 'count()' }, emit: 'everyRow' },
      { id: 'out', from: 'counts', sink: { file: { path: 'counts' } } },
    ]
    const spec = { replicas: 10, checkpoints: { store, interval: '500ms' }, graph }
    return { apiVersion: 'millrace.dev/v1alpha1', kind: 'StreamJob', metadata: { name: 'twenty' }, spec }
  }

  /** The files on the server's disk: not our client. */
  function manifests(): string[] {
    return readdirSync(s3.folderOf('state'), { recursive: true })
      .map(String)
      .filter((path) => path.endsWith('manifest.json'))
  }

  function jobOf(store: string): string {
    return `apiVersion: millrace.dev/v1alpha1
kind: StreamJob
metadata: { name: kept-in-s3 }
spec:
  checkpoints: { store: '${store}', interval: 500ms }
  graph:
    - id: numbers
      source: { file: { path: in.json, format: json, rate: 5000/s } }
      schema: { number: long, k: long }
    - id: out
      from: numbers
      sink: { file: { path: out } }
`
  }
})
