import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readRuntimeConfig } from '../runtime/config.ts'
import type { JobReport } from '../runtime/control/job-report.ts'
import { NODE_FLAGS } from '../runtime/node-flags.ts'
import { planJob } from '../runtime/front/planned-job.ts'
import { subtasksOf } from '../runtime/plan/chaining.ts'
import { realHttp } from '../runtime/ports/real/http.ts'
import { createLogger } from '../runtime/ports/real/logger.ts'
import { netOf } from '../runtime/ports/real/encrypted-net.ts'
import { builtinStores } from '../runtime/builtin-stores.ts'
import { realPorts } from '../runtime/ports/real/ports.ts'
import { startCoordinator, type RunningCoordinator } from '../runtime/processes.ts'
import { workerBundle } from './worker-bundle.ts'
import { benchConnectors, type Latencies, type WorkerFigures } from './bench-connectors.ts'

export type Figures = WorkerFigures & { cpuMs: number; peakRssMb: number; latencies: Latencies | null }

const TOKEN = 'bench'

/**
 * One job: the coordinator in this process, every subtask a real worker process, all pinned to one core where that
 * can be done.
 */
export class BenchJob {
  readonly #folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  readonly #worker: string
  readonly #env: Readonly<Record<string, string>>
  readonly #workers = new Map<string, { process: ChildProcess; output: string }>()
  #running: RunningCoordinator | undefined

  /** `env` goes to every worker. */
  constructor(env: Readonly<Record<string, string>> = {}) {
    this.#worker = workerBundle()
    this.#env = env
  }

  /** Starts coordinator and workers for the graph; nothing runs before `target`. */
  async start(spec: object): Promise<void> {
    const env = this.#environment()
    const config = readRuntimeConfig(env)
    const ports = realPorts({
      stores: builtinStores,
      logger: createLogger({ to: 'stderr', level: 'warn' }),
      printLine: () => undefined,
      net: netOf(config),
    })
    const anywhere = { host: '127.0.0.1', port: 0 }
    this.#running = await startCoordinator(
      config,
      { control: anywhere, http: anywhere },
      ports,
      realHttp,
      benchConnectors,
    )
    this.#addWorkers(spec)
  }

  target(spec: object): void {
    this.#addWorkers(spec)
    this.#running?.coordinator.setTarget({ revision: JSON.stringify(spec), spec, desiredState: 'running' })
  }

  report(): JobReport | undefined {
    return this.#running?.coordinator.report()
  }

  /** Resolves with the first report that holds; rejects when the job fails. */
  async until(holds: (report: JobReport) => boolean): Promise<JobReport> {
    for (;;) {
      const report = this.report()
      if (report?.phase === 'failed') throw new Error(`${report.error?.code}: ${report.error?.message}`)
      if (report && holds(report)) return report
      await new Promise((done) => {
        setTimeout(done, 20)
      })
    }
  }

  /** Resident memory of each worker now, in MB. */
  residentMb(): number[] {
    return [...this.#workers.values()].map(
      ({ process: { pid } }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024,
    )
  }

  /** Ends all processes; what each worker used. */
  async end(): Promise<Figures[]> {
    const all = await Promise.all(
      [...this.#workers.values()].map(async (worker) => {
        const gone = new Promise((done) => {
          worker.process.once('close', done)
        })
        worker.process.kill('SIGTERM')
        await gone
        return JSON.parse(worker.output) as Figures
      }),
    )
    await this.#running?.close()
    rmSync(this.#folder, { recursive: true })
    return all
  }

  #addWorkers(spec: object): void {
    for (const { id, chain, slot } of subtasksOf(planJob(spec, benchConnectors).plan)) {
      if (this.#workers.has(id)) continue
      const control = this.#running?.control
      const command = [process.execPath, ...NODE_FLAGS, this.#worker, 'worker']
      const pinned = process.platform === 'linux' ? ['taskset', '-c', '0', ...command] : command
      const child = spawn(pinned[0] ?? '', pinned.slice(1), {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: {
          ...process.env,
          ...this.#environment(),
          ...this.#env,
          MILLRACE_CHAIN: chain.id,
          MILLRACE_SLOT: String(slot),
          MILLRACE_POD_NAME: id,
          MILLRACE_COORDINATOR: `${control?.host}:${control?.port}`,
          MILLRACE_DATA_PORT: '0',
        },
      })
      const worker = { process: child, output: '' }
      child.stdout?.on('data', (bytes: Buffer) => {
        worker.output += bytes.toString()
      })
      this.#workers.set(id, worker)
    }
  }

  #environment(): Record<string, string> {
    return {
      MILLRACE_JOB: 'bench',
      MILLRACE_JOB_UID: 'bench',
      MILLRACE_TOKEN: TOKEN,
      // set by who measures what encryption costs
      MILLRACE_ENCRYPTION: process.env['MILLRACE_ENCRYPTION'] ?? 'off',
      MILLRACE_STORE: this.#folder,
      MILLRACE_BASE_DIR: this.#folder,
    }
  }
}
