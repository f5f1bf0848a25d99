import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './source-files.ts'

export interface StartedMillrace {
  process: ChildProcess
  ended: Promise<Ended>
  /** What it has written there so far. */
  stdout(): string
  stderr(): string
}

export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

/** `node cli/bin.js ...args` as its own process: itself, and how it ends. */
export function startMillrace(...args: string[]): StartedMillrace {
  return startMillraceIn(process.cwd(), ...args)
}

/** The same in another folder: `dev` keeps what it has in the current one. */
export function startMillraceIn(cwd: string, ...args: string[]): StartedMillrace {
  const child = spawn(process.execPath, [join(ROOT, 'cli', 'bin.js'), ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      resolve({ code, stdout, stderr })
    })
  })
  return { process: child, ended, stdout: () => stdout, stderr: () => stderr }
}

interface ProcessLine {
  pid: number
  parent: number
  command: string
}

/**
 * Processes that run; those that ended and wait for their parent to ask are left out. Read from /proc, which needs
 * no other program.
 */
function processes(): ProcessLine[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        // `pid (name) state parent …`; a name may hold anything, so it is cut off at its last bracket.
        const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ')
        if (state === 'Z' || state === 'X') return []
        return [
          {
            pid: Number(pid),
            parent: Number(parent),
            command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim(),
          },
        ]
      } catch (error) {
        if (isGone(error)) return [] // it ended between the listing and the reading
        throw error
      }
    })
}

function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')
}

/** All that `pid` has started, and they in turn. */
export function descendantsOf(pid: number): ProcessLine[] {
  const all = processes()
  const below = (parent: number): ProcessLine[] =>
    all.filter((line) => line.parent === parent).flatMap((line) => [line, ...below(line.pid)])
  return below(pid)
}

/** Which of these still run. */
export function runningOf(pids: readonly number[]): number[] {
  const wanted = new Set(pids)
  return processes()
    .map(({ pid }) => pid)
    .filter((pid) => wanted.has(pid))
}
