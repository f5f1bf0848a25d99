import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findProgram, runCommand } from '../harness/beds/run-command.ts'
import { type S3Bed, s3BedMissing, startS3 } from '../harness/beds/s3-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { descendantsOf, startMillrace, type StartedMillrace } from '../harness/processes.ts'

const why = s3BedMissing() ?? (findProgram('curl') === undefined ? 'no curl, the other client' : undefined)
const PATIENCE_MS = 30_000
const LONG_MS = 300_000
const FILES = 8
const ROWS_PER_FILE = 5000
const ROWS = FILES * ROWS_PER_FILE

/** Source, sink and checkpoints of these jobs are in S3; rows are counted in the files of the server. */
describe.skipIf(why !== undefined)(`files in S3${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-s3-files-'))
  let s3: S3Bed

  beforeAll(async () => {
    s3 = await startS3({ dir: join(dir, 's3'), buckets: ['input', 'output', 'state'] })
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
      for (let file = 0; file < FILES; file++) putRows('ended', file)
      const job = jobFile('ended', '')
      const first = startMillrace('run', job)
      await someOutput('ended', 1, first)
      for (const { pid } of descendantsOf(first.process.pid ?? 0)) process.kill(pid, 'SIGKILL')
      first.process.kill('SIGKILL')
      const [, run = ''] = /run (run-[0-9a-f]+)/.exec((await first.ended).stderr) ?? []
      const second = startMillrace('run', job, '--resume', run)
      await someOutput('ended', outputOf('ended').length + 1, second)
      await s3.kill()
      await s3.start()
      await someOutput('ended', outputOf('ended').length + 1, second)
      const workers = descendantsOf(second.process.pid ?? 0).filter(({ command }) => command.includes('worker'))
      expect(workers.length).toBeGreaterThan(0)
      for (const { pid } of workers) process.kill(pid, 'SIGKILL')
      const ended = await second.ended
      expect(ended.code, ended.stderr).toBe(0)
      expect(numbersOf('ended')).toEqual(Array.from({ length: ROWS }, (_, n) => n))
      expect(uploadsLeft('ended')).toEqual([])
      expect(await keysByCurl('output')).toEqual(
        outputOf('ended')
          .map((path) => `ended/${path}`)
          .sort(),
      )
    },
    LONG_MS,
  )

  test(
    'with lookAgain objects that appear while the job runs are read once, through a kill of all its processes',
    async () => {
      putRows('endless', 0)
      const job = jobFile('endless', ', lookAgain: 500ms')
      const first = startMillrace('run', job)
      await allRows('endless', ROWS_PER_FILE, first)
      // its name sorts before that of the first
      putRows('endless', 1, 'a-new')
      await allRows('endless', 2 * ROWS_PER_FILE, first)
      for (const { pid } of descendantsOf(first.process.pid ?? 0)) process.kill(pid, 'SIGKILL')
      first.process.kill('SIGKILL')
      const [, run = ''] = /run (run-[0-9a-f]+)/.exec((await first.ended).stderr) ?? []
      putRows('endless', 2)
      const second = startMillrace('run', job, '--resume', run)
      await allRows('endless', 3 * ROWS_PER_FILE, second)
      putRows('endless', 3)
      await allRows('endless', 4 * ROWS_PER_FILE, second)
      second.process.kill('SIGINT')
      await second.ended
      expect(numbersOf('endless')).toEqual(Array.from({ length: 4 * ROWS_PER_FILE }, (_, n) => n))
    },
    LONG_MS,
  )

  test.each([
    ['a bucket that is missing', 's3://absent/in/*.json', 'NoSuchBucket'],
    ['a folder without objects', 's3://input/empty/*.json', 'no object matches'],
  ])(
    '%s is reported with its URL and the reason',
    async (_, path, reason) => {
      const job = jobFile('ended', '').replace('.yaml', '-wrong.yaml')
      writeFileSync(job, readFileSync(jobFile('ended', ''), 'utf8').replace('s3://input/ended/*.json', path))
      const started = startMillrace('run', job)
      await waitFor('the report', 15_000, () => Promise.resolve(started.stderr().includes(reason)), started.stderr)
      expect(started.stderr()).toContain(path.replace('*.json', ''))
      started.process.kill('SIGINT')
      await started.ended
    },
    LONG_MS,
  )

  /** Not by our client: a file of the server. */
  function putRows(name: string, file: number, called = `part-${file}`): void {
    const first = file * ROWS_PER_FILE
    const lines = Array.from({ length: ROWS_PER_FILE }, (_, n) =>
      JSON.stringify({ number: first + n, day: `2026-11-${10 + ((first + n) % 3)}` }),
    )
    const folder = join(s3.folderOf('input'), name)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(dir, called), `${lines.join('\n')}\n`)
    // appears whole
    writeFileSync(join(folder, `${called}.json`), readFileSync(join(dir, called)))
  }

  function outputOf(name: string): string[] {
    return pathsBelow(join(s3.folderOf('output'), name)).filter((path) => path.endsWith('.gz'))
  }

  function numbersOf(name: string): number[] {
    return outputOf(name)
      .flatMap((path) => {
        const text = gunzipSync(readFileSync(join(s3.folderOf('output'), name, path))).toString()
        const rows = text.trimEnd().split('\n')
        return rows.map((row) => {
          const { number, day } = JSON.parse(row) as { number: number; day: string }
          expect(path).toMatch(new RegExp(`^day=${day}/part-`))
          return number
        })
      })
      .toSorted((a, b) => a - b)
  }

  /** How the server keeps uploads that nobody has completed. */
  function uploadsLeft(name: string): string[] {
    return pathsBelow(join(s3.folderOf('output'), '.sgwtmp')).filter((path) => path.includes(name))
  }

  function someOutput(name: string, files: number, job: StartedMillrace): Promise<void> {
    return waitFor(`${files} files`, PATIENCE_MS, () => Promise.resolve(outputOf(name).length >= files), job.stderr)
  }

  function allRows(name: string, rows: number, job: StartedMillrace): Promise<void> {
    return waitFor(`${rows} rows`, PATIENCE_MS, () => Promise.resolve(numbersOf(name).length >= rows), job.stderr)
  }

  async function keysByCurl(bucket: string): Promise<string[]> {
    const user = `${s3.accessKey}:${s3.secretKey}`
    const url = `${s3.endpoint}/${bucket}?list-type=2`
    // curl of Debian 12 does not send this header by itself
    const header = 'x-amz-content-sha256: UNSIGNED-PAYLOAD'
    const sign = ['--aws-sigv4', 'aws:amz:us-east-1:s3', '--user', user, '-H', header]
    const xml = await runCommand('curl', ['-sf', ...sign, url], {
      bed: 's3',
      doing: `listing ${bucket} by curl`,
    })
    return [...xml.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key = '']) => key).sort()
  }

  function jobFile(name: string, more: string): string {
    const options = `?endpoint=${encodeURIComponent(s3.endpoint)}`
    const file = join(dir, `${name}.yaml`)
    writeFileSync(
      file,
      `apiVersion: millrace.dev/v1alpha1
kind: StreamJob
metadata: { name: ${name} }
spec:
  replicas: 2
  checkpoints: { store: 's3://state/${name}${options}', interval: 500ms }
  graph:
    - id: numbers
      source: { file: { path: 's3://input/${name}/*.json${options}', format: json, rate: 2500/s${more} } }
      schema: { number: long, day: string }
    - id: out
      from: numbers
      sink: { file: { path: 's3://output/${name}${options}', format: json, compression: gzip, partitionBy: day } }
`,
    )
    return file
  }
})

function pathsBelow(folder: string): string[] {
  try {
    const found = readdirSync(folder, { recursive: true, withFileTypes: true })
    return found
      .filter((file) => file.isFile())
      .map((file) => join(file.parentPath, file.name).slice(folder.length + 1))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}
