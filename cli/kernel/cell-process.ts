import { Worker } from 'node:worker_threads'
import { dirname } from 'node:path'
import { errorReport, MillraceError } from '../../runtime/model/errors.ts'
import { ownModule } from '../../runtime/ports/real/own-module.ts'
import { type CellJob, named, readCell, runCellJob } from './cell-job.ts'
import { cellError, type CellError, type CellMessage, type RunCell } from './cell-messages.ts'
import { type CellSettings, settingsOf } from './cell-source.ts'
import { CellViews } from './cell-views.ts'
import type { EndWithKernel } from './end-with-kernel.ts'

/** The process of one cell: takes a RunCell, runs its job and ends. SIGINT ends the job before its input does. */

/** Four times a second. */
const SHOW_MS = 250
/** A table of a megabyte is shown once a second. */
const SHOWN_PER_MS = 1000
/** Ends this process with the kernel, also while a function of the cell never returns. */
const PARENT_FD = 4

const stop = new AbortController()
process.on('SIGINT', () => stop.abort())
// only before the cell is there; then the thread looks after it
const end = (): void => process.exit(1)
process.once('disconnect', end)
process.once('message', (message) => {
  const run = message as RunCell
  const workerData: EndWithKernel = { fd: PARENT_FD, moduleFile: run.moduleFile }
  new Worker(ownModule('./end-with-kernel.ts', import.meta.url), { workerData }).unref()
  process.off('disconnect', end)
  void runCell(run).then(endWith)
})

async function runCell(run: RunCell): Promise<CellMessage> {
  try {
    const settings = settingsOf(run.cell)
    const { job, warnings, error } = await readCell(run)
    if (warnings !== '') send({ kind: 'note', text: warnings })
    if (error !== undefined) return { kind: 'failed', error }
    if (job !== undefined) await runShown(job, settings, run)
    return stop.signal.aborted ? { kind: 'failed', error: stopped() } : { kind: 'ended' }
  } catch (error) {
    return { kind: 'failed', error: errorOf(error, run) }
  }
}

/** Runs the job and shows what it prints, while it runs and at its end. */
async function runShown(job: NonNullable<CellJob['job']>, settings: CellSettings, run: RunCell): Promise<void> {
  const views = new CellViews(job.planned.graph, settings)
  const enough = new AbortController()
  let nextAtMs = 0
  const show = (state: 'running' | 'ended'): void => {
    if (state === 'running' && Date.now() < nextAtMs) return
    const changes = views.changes(state)
    for (const change of changes) send(change)
    nextAtMs = Date.now() + charactersOf(changes) / SHOWN_PER_MS
  }
  const timer = setInterval(() => show('running'), SHOW_MS)
  try {
    await runCellJob(job, {
      baseDir: dirname(run.moduleFile),
      print: (line, sink) => {
        views.add(line, sink)
        if (views.isEnough) enough.abort()
      },
      note: (text) => send({ kind: 'note', text: named(text, run) }),
      progress: (line) => {
        if (views.isEmpty) send({ kind: 'view', view: 'progress', data: { 'text/plain': line } })
      },
      stop: AbortSignal.any([stop.signal, enough.signal]),
    })
  } finally {
    clearInterval(timer)
    show('ended')
  }
}

function charactersOf(messages: readonly CellMessage[]): number {
  const views = messages.flatMap((message) => (message.kind === 'view' ? Object.values(message.data) : []))
  return views.reduce((sum, text) => sum + text.length, 0)
}

function errorOf(error: unknown, run: RunCell): CellError {
  const place = error instanceof MillraceError ? error.position : undefined
  const { code, message, hint } = errorReport(error)
  const where = place === undefined ? '' : `${run.name}:${place.line}:${place.column} `
  return cellError({
    code,
    message: where + named(message, run),
    ...(hint === undefined ? {} : { hint: named(hint, run) }),
  })
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
