import { Worker } from 'node:worker_threads'
import { dirname } from 'node:path'
import { errorReport, MillraceError } from '../../runtime/model/errors.ts'
import { ownModule } from '../../runtime/ports/real/own-module.ts'
import { readCell, runCellJob } from './cell-job.ts'
import { cellError, type CellError, type CellMessage, type RunCell } from './cell-messages.ts'
import { settingsOf } from './cell-source.ts'
import { CellViews } from './cell-views.ts'

/** The process of one cell: takes a RunCell, runs its job and ends. SIGINT ends the job before its input does. */

/** Four times a second. */
const SHOW_MS = 250
/** Ends this process with the kernel, also while a function of the cell never returns. */
const PARENT_FD = 4

new Worker(ownModule('./end-with-kernel.ts', import.meta.url), { workerData: PARENT_FD }).unref()
const stop = new AbortController()
process.on('SIGINT', () => stop.abort())
process.once('message', (message) => {
  void runCell(message as RunCell).then(endWith)
})

async function runCell(run: RunCell): Promise<CellMessage> {
  try {
    const settings = settingsOf(run.cell)
    const { job, warnings, error } = await readCell(run)
    if (warnings !== '') send({ kind: 'note', text: warnings })
    if (error !== undefined || job === undefined) return { kind: 'failed', error: error ?? stopped() }
    const views = new CellViews(job.planned.graph, settings)
    const enough = new AbortController()
    const show = (state: 'running' | 'ended'): void => {
      for (const change of views.changes(state)) send(change)
    }
    const timer = setInterval(() => show('running'), SHOW_MS)
    try {
      await runCellJob(job, {
        baseDir: dirname(run.moduleFile),
        print: (line, sink) => {
          views.add(line, sink)
          if (views.isEnough) enough.abort()
        },
        note: (text) => send({ kind: 'note', text }),
        stop: AbortSignal.any([stop.signal, enough.signal]),
      })
    } finally {
      clearInterval(timer)
      show('ended')
    }
    return stop.signal.aborted ? { kind: 'failed', error: stopped() } : { kind: 'ended' }
  } catch (error) {
    return { kind: 'failed', error: errorOf(error, run) }
  }
}

function errorOf(error: unknown, { name }: RunCell): CellError {
  const place = error instanceof MillraceError ? error.position : undefined
  const report = errorReport(error)
  return cellError(
    place === undefined ? report : { ...report, message: `${name}:${place.line}:${place.column} ${report.message}` },
  )
}

function stopped(): CellError {
  return cellError({ code: 'STOPPED', message: 'the job was stopped' })
}

function send(message: CellMessage): void {
  // a kernel that is gone takes nothing; the thread that watches it ends this process
  process.send?.(message, undefined, undefined, () => undefined)
}

/** Ends the process when the last message is on its way: a job may leave connections behind. */
function endWith(message: CellMessage): void {
  process.send?.(message, undefined, undefined, () => process.exit(0))
}
