import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'

export interface TiedProcess {
  readonly pid: number
  /** Settles when the process has ended, with its exit code or signal. */
  readonly exited: Promise<string>
  hasExited(): boolean
  /** SIGTERM, then SIGKILL to its whole group when it has not ended after `graceMs`. Returns when it has ended. */
  stop(graceMs: number): Promise<void>
  /** SIGKILL to its whole group. */
  kill(): Promise<void>
  /** The last lines of its log, for error messages. */
  logTail(): string
}

export interface TiedOptions {
  readonly log: string
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

/**
 * Starts a program in a process group of its own that never outlives this process: a watching shell holds a pipe from
 * here and kills the group when the pipe closes, which the kernel does even when this process is killed with SIGKILL.
 */
export async function spawnTied(command: string, args: readonly string[], options: TiedOptions): Promise<TiedProcess> {
  const log = openSync(options.log, 'w')
  const child = spawn(command, args, {
    stdio: ['ignore', log, log],
    detached: true,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
  })
  closeSync(log)
  await spawned(child)
  const pid = child.pid
  if (pid === undefined) throw new Error(`${command} has no pid though it was started`)
  const watcher = watch(`kill -s KILL -- -${pid} 2>/dev/null`)
  let ended = false
  const exited = new Promise<string>((resolve) =>
    child.once('exit', (code, signal) => {
      ended = true
      watcher.dismiss()
      resolve(signal ?? `exit code ${code}`)
    }),
  )
  const signal = (name: NodeJS.Signals): void => {
    if (!ended) signalGroup(pid, name)
  }
  return {
    pid,
    exited,
    hasExited: () => ended,
    async kill() {
      signal('SIGKILL')
      await exited
    },
    async stop(graceMs) {
      signal('SIGTERM')
      const timer = setTimeout(() => signal('SIGKILL'), graceMs)
      await exited
      clearTimeout(timer)
    },
    logTail: () => readFileSync(options.log, 'utf8').trimEnd().split('\n').slice(-15).join('\n'),
  }
}

/** Runs a shell command when this process ends without having called `dismiss`, however it ends. */
export function watch(command: string): { dismiss(): void } {
  const shell = spawn('/bin/sh', ['-c', `read _; ${command}`], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  shell.unref()
  // a pipe of a child keeps the event loop alive unless told otherwise
  if (shell.stdin !== null && 'unref' in shell.stdin && typeof shell.stdin.unref === 'function') shell.stdin.unref()
  return { dismiss: () => void shell.kill('SIGKILL') }
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name)
  } catch (error) {
    // it ended in this instant and its exit event is still to come
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
}
