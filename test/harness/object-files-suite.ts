import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { waitFor } from './beds/wait-for.ts'
import { descendantsOf, startMillrace, type StartedMillrace } from './processes.ts'

const PATIENCE_MS = 60_000
const LONG_MS = 300_000
const FILES = 8
const ROWS_PER_FILE = 5000
const ROWS = FILES * ROWS_PER_FILE

/** A server with files, and a way to them that is not ours. */
export interface FilesServer {
  /** The URL of a folder for input, output or checkpoints, with the name of a job or file behind it. */
  url(area: 'input' | 'output' | 'state', name: string): string
  /** Makes an input that appears whole. */
  putInput(path: string, text: string): Promise<void>
  /** Paths of all files below the folder of an output, and of what is unfinished there. */
  outputPaths(name: string): Promise<{ whole: string[]; unfinished: string[] }>
  readOutput(path: string): Promise<Buffer>
  /** Kills what keeps the files with SIGKILL, and starts it again. */
  killAndRestart(): Promise<void>
}

/** Jobs of real processes whose source, sink and checkpoints are files of one server. Rows are counted in its files. */
export function objectFilesSuite(name: string, server: () => FilesServer): void {
  describe(name, () => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-object-files-'))
    afterAll(() => rmSync(dir, { recursive: true }))

    test(
      'a job whose processes are killed with SIGKILL and resumed, and a server killed and restarted, lose and repeat no row',
      async () => {
        for (let file = 0; file < FILES; file++) await putRows('ended', file)
        const output = new Output(server(), 'ended')
        const job = jobFile('ended', '')
        const first = startMillrace('run', job)
        await output.hasFiles(1, first)
        const run = await killed(first)
        const second = startMillrace('run', job, '--resume', run)
        await output.hasFiles((await output.paths()).length + 1, second)
        // versitygw that is killed while it completes an upload loses the object: the sink then fails, and says so
        await output.isQuiet(second)
        await server().killAndRestart()
        await output.hasFiles((await output.paths()).length + 1, second)
        const workers = descendantsOf(second.process.pid ?? 0).filter(({ command }) => command.includes('worker'))
        expect(workers.length).toBeGreaterThan(0)
        for (const { pid } of workers) process.kill(pid, 'SIGKILL')
        const ended = await second.ended
        expect(ended.code, ended.stderr).toBe(0)
        expect(await output.numbers()).toEqual(Array.from({ length: ROWS }, (_, n) => n))
        expect((await server().outputPaths('ended')).unfinished).toEqual([])
      },
      LONG_MS,
    )

    test(
      'with lookAgain files that appear while the job runs are read once, through a kill of all its processes',
      async () => {
        await putRows('endless', 0)
        const output = new Output(server(), 'endless')
        const job = jobFile('endless', ', lookAgain: 500ms')
        const first = startMillrace('run', job)
        await output.hasRows(ROWS_PER_FILE, first)
        // its name sorts before that of the first
        await putRows('endless', 1, 'a-new')
        await output.hasRows(2 * ROWS_PER_FILE, first)
        const run = await killed(first)
        await putRows('endless', 2)
        const second = startMillrace('run', job, '--resume', run)
        await output.hasRows(3 * ROWS_PER_FILE, second)
        await putRows('endless', 3)
        await output.hasRows(4 * ROWS_PER_FILE, second)
        second.process.kill('SIGINT')
        await second.ended
        expect(await output.numbers()).toEqual(Array.from({ length: 4 * ROWS_PER_FILE }, (_, n) => n))
      },
      LONG_MS,
    )

    test(
      'a folder without files is reported with its URL within 15 s',
      async () => {
        const job = jobFile('empty', '')
        const started = startMillrace('run', job)
        const says = (): Promise<boolean> => Promise.resolve(started.stderr().includes('no object matches'))
        await waitFor('the report', 15_000, says, started.stderr)
        expect(started.stderr()).toContain('empty/*.json')
        started.process.kill('SIGINT')
        await started.ended
      },
      LONG_MS,
    )

    function putRows(job: string, file: number, called = `part-${file}`): Promise<void> {
      const first = file * ROWS_PER_FILE
      const lines = Array.from({ length: ROWS_PER_FILE }, (_, n) =>
        JSON.stringify({ number: first + n, day: `2026-11-${10 + ((first + n) % 3)}` }),
      )
      return server().putInput(`${job}/${called}.json`, `${lines.join('\n')}\n`)
    }

    function jobFile(job: string, more: string): string {
      const file = join(dir, `${job}.yaml`)
      writeFileSync(
        file,
        `apiVersion: millrace.dev/v1alpha1
kind: StreamJob
metadata: { name: ${job} }
spec:
  replicas: 2
  checkpoints: { store: '${server().url('state', job)}', interval: 1s }
  graph:
    - id: numbers
      source: { file: { path: '${server().url('input', `${job}/*.json`)}', format: json, rate: 2500/s${more} } }
      schema: { number: long, day: string }
    - id: out
      from: numbers
      sink: { file: { path: '${server().url('output', job)}', format: json, compression: gzip, partitionBy: day } }
`,
      )
      return file
    }
  })
}

/** The id of the run that is over. */
async function killed(job: StartedMillrace): Promise<string> {
  for (const { pid } of descendantsOf(job.process.pid ?? 0)) process.kill(pid, 'SIGKILL')
  job.process.kill('SIGKILL')
  return /run (run-[0-9a-f]+)/.exec((await job.ended).stderr)?.[1] ?? ''
}

/** The part files of a sink. A file that is there never changes. */
class Output {
  readonly #server: FilesServer
  readonly #name: string
  readonly #read = new Map<string, readonly number[]>()

  constructor(server: FilesServer, name: string) {
    this.#server = server
    this.#name = name
  }

  async paths(): Promise<string[]> {
    return (await this.#server.outputPaths(this.#name)).whole
  }

  async numbers(): Promise<number[]> {
    for (const path of await this.paths())
      if (!this.#read.has(path)) this.#read.set(path, numbersIn(path, await this.#server.readOutput(path)))
    return [...this.#read.values()].flat().toSorted((a, b) => a - b)
  }

  hasFiles(count: number, job: StartedMillrace): Promise<void> {
    return waitFor(`${count} files`, PATIENCE_MS, async () => (await this.paths()).length >= count, job.stderr)
  }

  /** No upload is under way. */
  isQuiet(job: StartedMillrace): Promise<void> {
    const isQuiet = async (): Promise<boolean> => (await this.#server.outputPaths(this.#name)).unfinished.length === 0
    return waitFor('no upload', PATIENCE_MS, isQuiet, job.stderr)
  }

  hasRows(count: number, job: StartedMillrace): Promise<void> {
    return waitFor(`${count} rows`, PATIENCE_MS, async () => (await this.numbers()).length >= count, job.stderr)
  }
}

function numbersIn(path: string, bytes: Buffer): number[] {
  const lines = gunzipSync(bytes).toString().trimEnd().split('\n')
  return lines.map((line) => {
    const { number, day } = JSON.parse(line) as { number: number; day: string }
    expect(path).toMatch(new RegExp(`(?:^|/)day=${day}/part-.*\\.gz$`))
    return number
  })
}
