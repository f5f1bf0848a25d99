import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { standardConsole } from './console.ts'
import { freePort } from './free-port.ts'
import type { JobReport } from '../runtime/control/job-report.ts'
import { describeWithCauses, MillraceError, type ErrorReport } from '../runtime/model/errors.ts'
import type { JobTarget } from '../runtime/model/job.ts'
import { ownModule } from '../runtime/ports/real/own-module.ts'
import { NODE_FLAGS } from '../runtime/node-flags.ts'
import type { SubtaskPlace } from '../runtime/plan/chaining.ts'

const RUNTIME_MAIN = fileURLToPath(ownModule('../runtime/main.ts', import.meta.url))
const RESPAWN_MS = 200

export interface LocalJobOptions {
  name: string
  uid: string
  token: string
  store: string
  baseDir: string
  logLevel: 'info' | 'debug' | 'silent'
}

/**
 * A job on this machine without Kubernetes: one coordinator process and one worker process per subtask, the same
 * programs as in pods. A process that dies is started again; all end with this one, however it ends.
 */
export class LocalJob {
  readonly #options: LocalJobOptions
  readonly #children = new Map<string, ChildProcess>()
  #controlPort = 0
  #httpPort = 0
  #ending = false
  /**
   * The newest target a coordinator took, and the hand-over under way: one at a time, so that none overtakes a
   * newer.
   */
  #target: JobTarget | undefined
  #handOver: Promise<void> = Promise.resolve()

  constructor(options: LocalJobOptions) {
    this.#options = options
  }

  /** Where the coordinator answers. */
  get httpPort(): number {
    return this.#httpPort
  }

  /** The processes by name: `coordinator`, and each subtask's id. */
  get processes(): ReadonlyMap<string, ChildProcess> {
    return this.#children
  }

  async start(subtasks: readonly SubtaskPlace[]): Promise<void> {
    this.#controlPort = await freePort('127.0.0.1')
    this.#httpPort = await freePort('127.0.0.1')
    this.#spawn('coordinator', ['coordinator'], {})
    this.addWorkers(subtasks)
  }

  /** Starts the workers that are missing; those of a smaller plan stay idle until the job ends. */
  addWorkers(subtasks: readonly SubtaskPlace[]): void {
    for (const { id, chain, slot } of subtasks) {
      if (!this.#children.has(id))
        this.#spawn(id, ['worker'], { MILLRACE_CHAIN: chain.id, MILLRACE_SLOT: String(slot), MILLRACE_POD_NAME: id })
    }
  }

  #spawn(name: string, args: string[], env: Record<string, string>): void {
    const options = this.#options
    const logs = options.logLevel === 'silent' ? 'ignore' : 'inherit'
    const child = spawn(process.execPath, [...NODE_FLAGS, RUNTIME_MAIN, ...args], {
      // The pipe on descriptor 3 ends with this process, and the child with it.
      stdio: ['ignore', 'inherit', logs, 'pipe'],
      env: {
        ...process.env,
        MILLRACE_JOB: options.name,
        MILLRACE_JOB_UID: options.uid,
        MILLRACE_NAMESPACE: 'local',
        MILLRACE_TOKEN: options.token,
        MILLRACE_STORE: options.store,
        MILLRACE_BASE_DIR: options.baseDir,
        MILLRACE_COORDINATOR: `127.0.0.1:${this.#controlPort}`,
        MILLRACE_CONTROL_PORT: String(this.#controlPort),
        MILLRACE_HTTP_PORT: String(this.#httpPort),
        MILLRACE_DATA_PORT: '0',
        MILLRACE_PARENT_FD: '3',
        MILLRACE_LOG_LEVEL: options.logLevel,
        ...env,
      },
    })
    this.#children.set(name, child)
    child.once('exit', () => {
      if (this.#ending) return
      setTimeout(() => {
        if (this.#ending) return
        this.#spawn(name, args, env)
        if (name === 'coordinator') this.#remindOfTarget()
      }, RESPAWN_MS)
    })
  }

  /** A coordinator that died before it claimed an attempt for its target has the target from nowhere else. */
  #remindOfTarget(): void {
    const remind = async (): Promise<void> => {
      if (this.#target) await this.#put(this.#target)
    }
    this.#handOver = this.#handOver.then(remind).catch((error: unknown) => {
      standardConsole.err(
        `job ${this.#options.name}: the new coordinator refused its target: ${describeWithCauses(error)}\n`,
      )
    })
  }

  /** The coordinator's report, or undefined while it does not answer. */
  async report(): Promise<JobReport | undefined> {
    const response = await this.#request('GET', '/v1/job').catch(() => undefined)
    return response?.ok ? ((await response.json()) as JobReport) : undefined
  }

  /** Hands over a target, waiting for the coordinator to answer. Throws what it refuses the target with. */
  setTarget(target: JobTarget): Promise<void> {
    const given = this.#handOver.then(async () => {
      await this.#put(target)
      this.#target = target
    })
    // Who asked hears of a refusal; the next hand-over goes on all the same.
    this.#handOver = given.catch(() => undefined)
    return given
  }

  async #put(target: JobTarget): Promise<void> {
    while (!this.#ending) {
      const response = await this.#request('PUT', '/v1/target', target).catch(() => undefined)
      if (response?.ok) return
      if (response) {
        const { error } = (await response.json()) as { error: ErrorReport }
        throw new MillraceError(error.code, error.message, { domain: error.domain })
      }
      await new Promise((resolve) => {
        setTimeout(resolve, 50)
      })
    }
  }

  #request(method: string, path: string, body?: object): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#httpPort}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#options.token}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(5_000),
    })
  }

  /** Ends every process and resolves when they have gone. */
  async close(): Promise<void> {
    this.#ending = true
    await Promise.all(
      [...this.#children.values()].map(
        (child) =>
          new Promise<void>((resolve) => {
            if (child.exitCode !== null || child.signalCode !== null) {
              resolve()
              return
            }
            const kill = setTimeout(() => child.kill('SIGKILL'), 3_000)
            child.once('exit', () => {
              clearTimeout(kill)
              resolve()
            })
            child.kill('SIGTERM')
          }),
      ),
    )
  }
}
