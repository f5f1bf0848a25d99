import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import type { JsonObject } from '../objects.ts'
import { timestamp } from '../object-writer.ts'
import type { ContainerLog } from './container-log.ts'
import { LineSplitter } from './container-log.ts'
import { MissingReference } from './pod-environment.ts'
import type { ContainerSpec, RestartPolicy } from './pod-model.ts'
import { ProbeLoop } from './probes.ts'

export interface LaunchCommand {
  command: string
  args: readonly string[]
  env: Readonly<Record<string, string>>
  cwd: string
  /** Where the process may leave why it ends. */
  terminationLog: string
}

export type ContainerState =
  | { kind: 'waiting'; reason: string; message: string }
  | { kind: 'running'; startedAt: Date }
  | {
      kind: 'terminated'
      exitCode: number
      signal: number | undefined
      reason: string
      message: string
      startedAt: Date
      finishedAt: Date
    }

export interface ContainerEnvironment {
  podIp: string
  restartPolicy: RestartPolicy
  backoff: RestartBackoff
  /**
   * Resolves command, environment and paths anew for each start. Throws MissingReference when something is not
   * there yet.
   */
  prepare(container: ContainerSpec): Promise<LaunchCommand>
  openLog(container: ContainerSpec, restartCount: number): ContainerLog
  /** After every change of state, readiness or restart count. */
  onChange(): void
  onEvent(type: 'Normal' | 'Warning', reason: string, message: string): void
}

/** First restart at once, then after `initialMs`, doubling up to `maxMs`; a run of `resetAfterMs` starts over. */
export interface RestartBackoff {
  initialMs: number
  maxMs: number
  resetAfterMs: number
}

/** Runs one container as a process group: starts, probes, restarts by policy, stops. */
export class ContainerRunner {
  readonly spec: ContainerSpec
  readonly #environment: ContainerEnvironment
  state: ContainerState = { kind: 'waiting', reason: 'ContainerCreating', message: '' }
  lastTermination: Extract<ContainerState, { kind: 'terminated' }> | undefined
  restartCount = 0
  isReady = false
  isStarted = false
  log: ContainerLog | undefined
  previousLog: ContainerLog | undefined
  #child: ChildProcess | undefined
  #probes: ProbeLoop[] = []
  #isStopping = false
  #crashes = 0
  #wake: (() => void) | undefined
  #finished: Promise<void> | undefined

  constructor(spec: ContainerSpec, environment: ContainerEnvironment) {
    this.spec = spec
    this.#environment = environment
  }

  /** The process id while it runs. */
  get pid(): number | undefined {
    return this.state.kind === 'running' ? this.#child?.pid : undefined
  }

  /** Runs until the policy wants no further start, or until stopped. Never rejects. */
  run(): Promise<void> {
    this.#finished ??= this.#loop()
    return this.#finished
  }

  /** SIGTERM, and after the grace period SIGKILL to the whole group; resolves when the process is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true
    this.#wake?.()
    this.#stopProbes()
    const timer = this.#terminate(graceMs)
    await this.#finished
    clearTimeout(timer)
    this.log?.close()
  }

  /** For when this process itself ends at once. */
  killNow(): void {
    this.#signalGroup('SIGKILL')
  }

  async #loop(): Promise<void> {
    while (!this.#isStopping) {
      const startedAt = new Date()
      const outcome = await this.#runOnce(startedAt)
      if (outcome === 'retry') {
        await this.#pause(1000)
        continue
      }
      if (this.#isStopping || !this.#wantsRestart(outcome)) return
      await this.#backOff(outcome.finishedAt.getTime() - startedAt.getTime())
      this.restartCount++
    }
  }

  #wantsRestart(outcome: Extract<ContainerState, { kind: 'terminated' }>): boolean {
    const { restartPolicy } = this.#environment
    return restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && outcome.exitCode !== 0)
  }

  async #backOff(ranMs: number): Promise<void> {
    const { initialMs, maxMs, resetAfterMs } = this.#environment.backoff
    this.#crashes = ranMs >= resetAfterMs ? 1 : this.#crashes + 1
    const delayMs = this.#crashes === 1 ? 0 : Math.min(initialMs * 2 ** (this.#crashes - 2), maxMs)
    if (delayMs === 0) return
    const message = `back-off ${Math.ceil(delayMs / 1000)}s restarting failed container=${this.spec.name}`
    this.#environment.onEvent('Warning', 'BackOff', `Back-off restarting failed container ${this.spec.name}`)
    this.#change({ kind: 'waiting', reason: 'CrashLoopBackOff', message })
    await this.#pause(delayMs)
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#isStopping) {
        resolve()
        return
      }
      const timer = setTimeout(resolve, delayMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #runOnce(startedAt: Date): Promise<Extract<ContainerState, { kind: 'terminated' }> | 'retry'> {
    let command: LaunchCommand
    try {
      command = await this.#environment.prepare(this.spec)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (error instanceof MissingReference) {
        this.#change({ kind: 'waiting', reason: 'CreateContainerConfigError', message })
        this.#environment.onEvent('Warning', 'Failed', `Error: ${message}`)
        return 'retry'
      }
      return this.#terminated({ exitCode: 128, signal: undefined, reason: 'StartError', message, startedAt })
    }
    if (this.#isStopping)
      return this.#terminated({
        exitCode: 137,
        signal: undefined,
        reason: 'Error',
        message: 'stopped before it started',
        startedAt,
      })
    this.previousLog = this.log ?? this.previousLog
    this.log = this.#environment.openLog(this.spec, this.restartCount)
    return this.#runProcess(command, startedAt, this.log)
  }

  #runProcess(
    command: LaunchCommand,
    startedAt: Date,
    log: ContainerLog,
  ): Promise<Extract<ContainerState, { kind: 'terminated' }>> {
    // A group of its own: a Ctrl-C at the terminal reaches only us, and we stop pods in order. Descriptor 3 is a pipe
    // that nobody writes to; it ends when this process ends, however that happens, and the child then exits by itself.
    const child = spawn(command.command, command.args, {
      cwd: command.cwd,
      env: { ...command.env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    this.#child = child
    const splitters = [child.stdout, child.stderr].map((stream) => {
      const splitter = new LineSplitter((line) => log.append(line))
      stream?.on('data', (bytes: Buffer) => splitter.push(bytes))
      return splitter
    })
    return new Promise((resolve) => {
      const finish = (end: { exitCode: number; signal: number | undefined; reason: string; message: string }): void => {
        for (const splitter of splitters) splitter.end()
        this.#stopProbes()
        log.close()
        this.#child = undefined
        resolve(this.#terminated({ ...end, startedAt }))
      }
      child.once('error', (error) =>
        finish({ exitCode: 128, signal: undefined, reason: 'StartError', message: error.message }),
      )
      child.once('spawn', () => this.#onSpawned(startedAt))
      // What the process left running behind it would not outlive a container either, and holds its pipes open.
      child.once('exit', () => this.#signalGroup('SIGKILL'))
      child.once('close', (code, signal) => {
        const number = signal === null ? undefined : constants.signals[signal]
        const exitCode = code ?? 128 + (number ?? 0)
        finish({
          exitCode,
          signal: number,
          reason: exitCode === 0 ? 'Completed' : 'Error',
          message: readFileSync(command.terminationLog, 'utf8'),
        })
      })
    })
  }

  #onSpawned(startedAt: Date): void {
    this.isStarted = this.spec.startupProbe === undefined
    this.isReady = this.isStarted && this.spec.readinessProbe === undefined
    this.#change({ kind: 'running', startedAt })
    this.#environment.onEvent('Normal', 'Started', `Started container ${this.spec.name}`)
    if (this.spec.startupProbe === undefined) this.#startProbes()
    else {
      this.#probes.push(
        new ProbeLoop(this.spec.startupProbe, this.#environment.podIp, ({ isSuccess, message }) => {
          if (!isSuccess) this.#failLiveness('Startup', message)
          else if (!this.isStarted) {
            this.#stopProbes()
            this.isStarted = true
            this.isReady = this.spec.readinessProbe === undefined
            this.#startProbes()
            this.#environment.onChange()
          }
        }),
      )
    }
  }

  #startProbes(): void {
    const { readinessProbe, livenessProbe } = this.spec
    if (readinessProbe !== undefined) {
      this.#probes.push(
        new ProbeLoop(readinessProbe, this.#environment.podIp, ({ isSuccess, message }) => {
          if (!isSuccess && this.isReady)
            this.#environment.onEvent('Warning', 'Unhealthy', `Readiness probe failed: ${message}`)
          if (this.isReady === isSuccess) return
          this.isReady = isSuccess
          this.#environment.onChange()
        }),
      )
    }
    if (livenessProbe !== undefined) {
      this.#probes.push(
        new ProbeLoop(livenessProbe, this.#environment.podIp, ({ isSuccess, message }) => {
          if (!isSuccess) this.#failLiveness('Liveness', message)
        }),
      )
    }
  }

  #failLiveness(kind: string, message: string): void {
    this.#environment.onEvent('Warning', 'Unhealthy', `${kind} probe failed: ${message}`)
    this.#environment.onEvent(
      'Normal',
      'Killing',
      `Container ${this.spec.name} failed ${kind.toLowerCase()} probe, will be restarted`,
    )
    this.#stopProbes()
    const child = this.#child
    const timer = this.#terminate(10_000)
    child?.once('exit', () => clearTimeout(timer))
  }

  #stopProbes(): void {
    for (const probe of this.#probes) probe.stop()
    this.#probes = []
  }

  #terminate(graceMs: number): NodeJS.Timeout | undefined {
    if (graceMs <= 0) {
      this.#signalGroup('SIGKILL')
      return undefined
    }
    this.#child?.kill('SIGTERM')
    return setTimeout(() => this.#signalGroup('SIGKILL'), graceMs)
  }

  #signalGroup(signal: NodeJS.Signals): void {
    const pid = this.#child?.pid
    if (pid === undefined) return
    try {
      process.kill(-pid, signal)
    } catch (error) {
      // The group is already gone: that is what was wanted.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  #terminated(end: {
    exitCode: number
    signal: number | undefined
    reason: string
    message: string
    startedAt: Date
  }): Extract<ContainerState, { kind: 'terminated' }> {
    const state = { kind: 'terminated' as const, ...end, finishedAt: new Date() }
    this.isReady = false
    this.isStarted = false
    this.lastTermination = state
    this.#change(state)
    return state
  }

  #change(state: ContainerState): void {
    this.state = state
    this.#environment.onChange()
  }
}

/** A state as the API shows it. */
export function stateObject(state: ContainerState): JsonObject {
  switch (state.kind) {
    case 'waiting':
      return { waiting: { reason: state.reason, ...(state.message === '' ? {} : { message: state.message }) } }
    case 'running':
      return { running: { startedAt: timestamp(state.startedAt) } }
    case 'terminated':
      return {
        terminated: {
          exitCode: state.exitCode,
          reason: state.reason,
          ...(state.message === '' ? {} : { message: state.message }),
          ...(state.signal === undefined ? {} : { signal: state.signal }),
          startedAt: timestamp(state.startedAt),
          finishedAt: timestamp(state.finishedAt),
        },
      }
  }
}
