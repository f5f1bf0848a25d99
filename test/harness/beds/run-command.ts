import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { formatDuration, say } from './progress.ts'

export interface CommandOptions {
  readonly bed: string
  /** What is being done, for the progress lines and the error: "building hyperkube". */
  readonly doing: string
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Lowers the priority, for work that would starve the tests of the same machine. */
  readonly nice?: number
}

const EVERY_MS = 15_000

/** Runs a program to its end, says every 15 s how far it is (its last line of output), and gives back its output. */
export function runCommand(command: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const started = Date.now()
  const [file, argv] =
    options.nice === undefined ? [command, args] : ['nice', ['-n', String(options.nice), command, ...args]]
  return new Promise((resolve, reject) => {
    const child = spawn(file, argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: options.env ?? process.env,
    })
    let output = ''
    let lines = 0
    const take = (chunk: Buffer): void => {
      const text = chunk.toString()
      output += text
      lines += text.split('\n').length - 1
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    const timer = setInterval(() => {
      const last = output.trimEnd().split('\n').at(-1)?.slice(0, 90) ?? ''
      say(
        options.bed,
        `${options.doing}: ${formatDuration(Date.now() - started)}, ${lines} lines of output, now: ${last}`,
      )
    }, EVERY_MS)
    const failed = (why: string): Error =>
      new Error(`${options.doing} failed: ${command} ${why}\n${output.trimEnd().split('\n').slice(-20).join('\n')}`)
    child.on('error', (error) => {
      clearInterval(timer)
      reject(failed(error.message))
    })
    child.on('close', (code, signal) => {
      clearInterval(timer)
      if (code === 0) resolve(output)
      else reject(failed(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`))
    })
  })
}

/**
 * The full path of a program on the PATH, or undefined. Looks into the sbin folders too, which not every PATH
 * names.
 */
export function findProgram(name: string): string | undefined {
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/local/sbin',
    '/usr/sbin',
    '/sbin',
    '/usr/local/go/bin',
  ]
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch (error) {
    if (error instanceof Error) return false
    throw error
  }
}
