import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fetchJars } from '../beds/maven.ts'
import { fetchPython } from '../beds/python-bed.ts'
import { SPARK_POM, sparkEnvironment } from '../beds/spark-bed.ts'
import { ROOT } from '../source-files.ts'
import type { StatementAnswer, StatementEngine } from './fake-warehouse.ts'

type Answer = StatementAnswer | { readonly error: string }

const ENDED: Answer = { error: 'Spark has ended' }

/** Runs the statements of the fake in a real Spark with Delta, over a folder that has the volumes. */
export class SparkEngine implements StatementEngine {
  readonly folder: string
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #hasEnded = false
  #nextId = 1

  static async start(): Promise<SparkEngine> {
    const python = await fetchPython('spark')
    const jars = await fetchJars('spark', SPARK_POM, '40 MB, about 10 s')
    const engine = new SparkEngine(python, jars)
    await engine.#answerTo(0)
    return engine
  }

  private constructor(python: string, jars: string) {
    this.folder = mkdtempSync(join(tmpdir(), 'millrace-databricks-spark-'))
    this.#process = spawn(
      python,
      [join(ROOT, 'test/harness/beds/python/databricks_engine.py'), join(this.folder, 'warehouse')],
      {
        cwd: this.folder,
        env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONUTF8: '1', ...sparkEnvironment(jars) },
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    )
    this.#process.once('exit', () => {
      this.#hasEnded = true
      for (const answer of this.#waiting.values()) answer(ENDED)
    })
    createInterface(this.#process.stdout).on('line', (line) => {
      const { id, ...answer } = JSON.parse(line) as Answer & { id: number }
      this.#waiting.get(id)?.(answer)
      this.#waiting.delete(id)
    })
  }

  async run(text: string): Promise<StatementAnswer> {
    const id = this.#nextId++
    const answer = this.#answerTo(id)
    const local = text.replaceAll('/Volumes/', `${this.folder}/Volumes/`)
    this.#process.stdin.write(`${JSON.stringify({ id, text: local })}\n`)
    const found = await answer
    if ('error' in found) throw new Error(found.error)
    return found
  }

  put(path: string, bytes: Uint8Array): void {
    mkdirSync(dirname(`${this.folder}${path}`), { recursive: true })
    writeFileSync(`${this.folder}${path}`, bytes)
  }

  delete(path: string): void {
    rmSync(`${this.folder}${path}`, { force: true })
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => {
      this.#process.once('exit', resolve)
    })
    this.#process.kill('SIGKILL')
    await ended
    rmSync(this.folder, { recursive: true, force: true })
  }

  #answerTo(id: number): Promise<Answer> {
    if (this.#hasEnded) return Promise.resolve(ENDED)
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
    })
  }
}
