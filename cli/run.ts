import { randomBytes } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { builtinConnectors } from '../runtime/builtin-connectors.ts'
import { MillraceError } from '../runtime/model/errors.ts'
import type { JobTarget } from '../runtime/model/job.ts'
import { planJob } from '../runtime/front/planned-job.ts'
import { isFields } from '../runtime/model/fields.ts'
import { standardConsole } from './console.ts'
import { checkRunExists, type EarlierRuns, unfinishedRun } from './earlier-runs.ts'
import { openedStore } from './local-store.ts'
import { findingsText, readJob } from './read-job.ts'
import { lossText, RunProgress } from './run-progress.ts'
import { failureOf, localTarget, newRunId, type StartedJob, startInProcess, startProcesses } from './started-job.ts'
import type { TypeCheck } from './type-check.ts'

const POLL_MS = 250

export interface RunOptions {
  file: string
  inProcess: boolean
  output: 'text' | 'json'
  logLevel: 'info' | 'debug' | 'silent'
  /** Goes on with the state of an earlier run that had this id. */
  resume: string | undefined
  /** Starts from a savepoint or checkpoint of another job or run. */
  restore: string | undefined
  typeCheck: TypeCheck
}

/**
 * `millrace run job.yaml` or `job.ts`: the job on this machine, no Kubernetes. Exit code 0 when a bounded job has
 * finished,
 * 1 when it failed or its file is wrong. Interrupted by SIGINT it ends every process and exits with 130.
 */
export async function run(options: RunOptions): Promise<number> {
  const job = await readJob(options.file, builtinConnectors, options.typeCheck)
  standardConsole.err(findingsText(job.findings))
  if (job.findings.some((finding) => finding.severity === 'error')) return 1
  const planned = planJob(job.spec, builtinConnectors)
  const baseDir = dirname(resolve(options.file))
  const store = await openedStore(planned.graph.checkpoints.store)
  const runs = { store, job: job.name }
  if (options.resume !== undefined) await checkRunExists(runs, options.resume)
  const uid = options.resume ?? newRunId()
  const restore = restoreLocation(options, job.spec)
  const target: JobTarget = { ...localTarget(job.spec), ...(restore === undefined ? {} : { restore }) }
  const settings = {
    name: job.name,
    uid,
    token: randomBytes(16).toString('hex'),
    store,
    baseDir,
    logLevel: options.logLevel,
  }
  if (options.output === 'text') await tellRun(runs, uid, options)
  const interrupted = new Promise<number>((done) => {
    process.once('SIGINT', () => {
      if (options.output === 'text') standardConsole.err(`${job.name}: stopped; ${resumeText(uid, options)}\n`)
      done(130)
    })
  })
  const over = new AbortController()
  const starting = options.inProcess
    ? startInProcess(settings, planned, target, (line) => {
        standardConsole.out(`${line}\n`)
      })
    : startProcesses(settings, planned, target)
  try {
    return await Promise.race([starting.then((started) => watch(started, options, over.signal)), interrupted])
  } finally {
    over.abort()
    await (await starting).close()
  }
}

/** Says under which id the run keeps its state, and whether an earlier one waits to be continued. */
async function tellRun(runs: EarlierRuns, uid: string, options: RunOptions): Promise<void> {
  if (options.resume !== undefined) {
    standardConsole.err(`${runs.job}: continues run ${uid}\n`)
    return
  }
  const unfinished = options.restore === undefined ? await unfinishedRun(runs) : undefined
  if (unfinished !== undefined)
    standardConsole.err(
      `${runs.job}: run ${unfinished} has not finished, and this one begins anew beside its results; ${resumeText(unfinished, options)}\n`,
    )
  standardConsole.err(`${runs.job}: run ${uid}\n`)
}

function resumeText(uid: string, { file }: RunOptions): string {
  return `continue it with: millrace run ${file} --resume ${uid}`
}

/** `--restore`, else what the job file says. Throws USAGE where that needs a cluster or a fresh run. */
function restoreLocation({ restore, resume }: RunOptions, spec: unknown): string | undefined {
  if (restore !== undefined && resume !== undefined) {
    throw new MillraceError(
      'USAGE',
      '--resume goes on with a run of its own, --restore starts a new one from another state: give one of both',
      { domain: 'user' },
    )
  }
  const written = isFields(spec) && isFields(spec['restore']) ? spec['restore'] : {}
  if (restore === undefined && written['savepoint'] !== undefined && resume === undefined) {
    throw new MillraceError('USAGE', `spec.restore.savepoint names an object of a cluster, and this is none`, {
      domain: 'user',
      hint: 'give the folder of the savepoint: --restore PATH',
    })
  }
  const location = restore ?? (typeof written['path'] === 'string' ? written['path'] : undefined)
  return location === undefined || /^[a-z0-9+]+:/i.test(location) ? location : resolve(location)
}

/** Shows how the job gets on, until it has ended or `over` says that nobody looks any more. */
async function watch(job: StartedJob, options: RunOptions, over: AbortSignal): Promise<number> {
  const progress = new RunProgress()
  let shown = ''
  while (!over.aborted) {
    const report = await job.report()
    // Results own standard output.
    const line = report && (options.output === 'json' ? JSON.stringify(report) : progress.next(report, Date.now()))
    if (line !== undefined && line !== shown) standardConsole.err(`${line}\n`)
    shown = line ?? shown
    if (report !== undefined && report.phase !== 'finished' && options.output === 'text')
      for (const loss of progress.losses(report)) standardConsole.err(`${loss}\n`)
    if (report?.phase === 'finished') {
      if (options.output === 'text')
        for (const loss of report.losses ?? []) standardConsole.err(`${report.job}: ${lossText(loss)}\n`)
      return 0
    }
    if (report?.phase === 'failed') throw failureOf(report)
    await new Promise((done) => {
      setTimeout(done, POLL_MS)
    })
  }
  return 0
}
