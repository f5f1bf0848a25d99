import { type ChildProcess, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { ownModule } from '../../runtime/ports/real/own-module.ts'
import { NODE_FLAGS } from '../../runtime/node-flags.ts'
import { isFields } from '../../runtime/model/fields.ts'
import { printable } from '../../runtime/model/printable.ts'
import { cellError, type CellError, type CellMessage, type MimeBundle } from './cell-messages.ts'

const CELL_PROCESS = fileURLToPath(ownModule('./cell-process.ts', import.meta.url))
/** A job that was asked to stop has so long for it. */
const GRACE_MS = 5_000
/** Texts that functions of a cell print are shown up to here, for each stream. */
const MOST_PRINTED = 256 << 10

/** Takes what a running cell shows. */
export interface CellOutput {
  stream(name: 'stdout' | 'stderr', text: string): void
  view(view: string, data: MimeBundle): void
}

/** A cell that runs. */
export interface RunningCell {
  /** Resolves when its process has ended, with why it failed. */
  readonly ended: Promise<CellError | undefined>
  /** Ends the job before its input does; a process that does not follow is killed. */
  interrupt(): void
  /** SIGKILL. */
  kill(): void
}

/** Runs a cell in a process of its own, in the folder of the kernel, which is that of the notebook. */
export function startCell(cell: string, name: string, output: CellOutput): RunningCell {
  const moduleFile = join(process.cwd(), `.millrace-cell-${process.pid}.ts`)
  const child = spawn(process.execPath, [...NODE_FLAGS, CELL_PROCESS], {
    // The pipe on descriptor 4 ends with the kernel, and the process with it.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'],
  })
  let last: CellError | 'ended' | undefined
  const take = (message: CellMessage): void => {
    if (message.kind === 'note') output.stream('stderr', message.text)
    else if (message.kind === 'view') output.view(message.view, message.data)
    else if (message.kind === 'failed') last = message.error
    else last = 'ended'
  }
  child.on('message', (message) => {
    // functions of a cell may send messages of their own
    if (isCellMessage(message)) take(message)
  })
  forward(child, 'stdout', output)
  forward(child, 'stderr', output)
  let isInterrupted = false
  let kill: NodeJS.Timeout | undefined
  const ended = new Promise<CellError | undefined>((resolve) => {
    const end = (error: CellError | undefined): void => {
      clearTimeout(kill)
      rmSync(moduleFile, { force: true })
      resolve(error)
    }
    child.once('error', (error) => {
      if (child.pid === undefined) end(cellError({ code: 'CELL_NOT_STARTED', message: error.message }))
    })
    child.once('close', (code, signal) => {
      if (last !== undefined) end(last === 'ended' ? undefined : last)
      else if (isInterrupted) end(stoppedBy(signal))
      else end(endedEarly(code, signal))
    })
  })
  if (child.pid !== undefined) child.send({ cell, name, moduleFile }, () => undefined)
  return {
    ended,
    interrupt: () => {
      isInterrupted = true
      child.kill('SIGINT')
      kill ??= setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
    },
    kill: () => child.kill('SIGKILL'),
  }
}

/** The end of a process that was asked to stop and has not said how it ended. */
function stoppedBy(signal: NodeJS.Signals | null): CellError {
  const message =
    signal === 'SIGKILL' ? `the job did not stop within ${GRACE_MS / 1000} s and was killed` : 'the job was stopped'
  return cellError({ code: 'STOPPED', message })
}

function endedEarly(code: number | null, signal: NodeJS.Signals | null): CellError {
  const how = signal === null ? `exit code ${code}` : signal
  const hint =
    signal === 'SIGKILL' || signal === 'SIGABRT' ? 'the machine or the process may have run out of memory' : undefined
  const message = `the process of the cell ended by ${how} before the job did`
  return cellError({ code: 'CELL_PROCESS_ENDED', message, ...(hint === undefined ? {} : { hint }) })
}

const KINDS: ReadonlySet<unknown> = new Set(['note', 'view', 'failed', 'ended'] satisfies CellMessage['kind'][])

function isCellMessage(message: unknown): message is CellMessage {
  return isFields(message) && KINDS.has(message['kind'])
}

function forward(child: ChildProcess, name: 'stdout' | 'stderr', output: CellOutput): void {
  let left = MOST_PRINTED
  child[name]?.setEncoding('utf8').on('data', (text: string) => {
    if (left <= 0) return
    output.stream(name, printable(text.slice(0, left)))
    left -= text.length
    if (left <= 0) output.stream('stderr', `more than ${MOST_PRINTED} characters of ${name} are not shown\n`)
  })
}
