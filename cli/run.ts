import { createHash, randomBytes } from 'node:crypto'
import { accessSync, constants } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { builtinConnectors } from '../runtime/builtin-connectors.ts'
import { readRuntimeConfig } from '../runtime/config.ts'
import type { JobReport } from '../runtime/control/job-report.ts'
import { MillraceError } from '../runtime/model/errors.ts'
import type { JobTarget } from '../runtime/model/job.ts'
import { subtasksOf } from '../runtime/plan/chaining.ts'
import { planJob, type PlannedJob } from '../runtime/front/planned-job.ts'
import { isFields } from '../runtime/model/fields.ts'
import { makeFolder } from '../runtime/ports/real/durable-file.ts'
import { realHttp } from '../runtime/ports/real/http.ts'
import { createLogger } from '../runtime/ports/real/logger.ts'
import { realPorts } from '../runtime/ports/real/ports.ts'
import { schemeOf } from '../runtime/ports/store.ts'
import { createWorker, startCoordinator } from '../runtime/processes.ts'
import { standardConsole } from './console.ts'
import { checkRunExists, type EarlierRuns, unfinishedRun } from './earlier-runs.ts'
import { LocalJob } from './local-job.ts'
import { findingsText, readJob } from './read-job.ts'
import { lossText, RunProgress } from './run-progress.ts'
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
  const uid = options.resume ?? `run-${randomBytes(6).toString('hex')}`
  const restore = restoreLocation(options, job.spec)
  const target: JobTarget = {
    ...(restore === undefined ? {} : { restore }),
    revision: createHash('sha256').update(JSON.stringify(job.spec)).digest('hex').slice(0, 12),
    spec: job.spec,
    desiredState: 'running',
  }
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
    ? startInProcess(settings, planned, target)
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

/**
 * The store's folder, made when it is missing; the URL of a store that is no folder. Throws STORE_UNAVAILABLE when it cannot be written: nothing is
 * started then.
 */
async function openedStore(written: string | undefined): Promise<string> {
  if (written !== undefined && schemeOf(written) !== 'file') return written
  const folder =
    written !== undefined && /^file:/i.test(written)
      ? fileURLToPath(written)
      : resolve(written ?? '.millrace/checkpoints')
  try {
    await makeFolder(folder)
    accessSync(folder, constants.W_OK)
  } catch (cause) {
    throw new MillraceError('STORE_UNAVAILABLE', `checkpoint store ${folder} cannot be written`, {
      domain: 'dependency',
      cause,
      hint: 'name another folder in spec.checkpoints.store, or free this one',
    })
  }
  return folder
}

interface StartedJob {
  report(): Promise<JobReport | undefined>
  close(): Promise<void>
}

type JobSettings = ConstructorParameters<typeof LocalJob>[0]

async function startProcesses(settings: JobSettings, planned: PlannedJob, target: JobTarget): Promise<StartedJob> {
  const job = new LocalJob(settings)
  await job.start(subtasksOf(planned.plan))
  await job.setTarget(target)
  return job
}

async function startInProcess(settings: JobSettings, planned: PlannedJob, target: JobTarget): Promise<StartedJob> {
  const config = readRuntimeConfig({
    MILLRACE_JOB: settings.name,
    MILLRACE_JOB_UID: settings.uid,
    MILLRACE_TOKEN: settings.token,
    MILLRACE_NAMESPACE: 'local',
    MILLRACE_STORE: settings.store,
    MILLRACE_BASE_DIR: settings.baseDir,
  })
  const logger = createLogger({ to: 'stderr', level: settings.logLevel === 'silent' ? 'error' : settings.logLevel })
  const ports = realPorts({
    logger,
    printLine: (line) => {
      standardConsole.out(`${line}\n`)
    },
  })
  const anywhere = { host: '127.0.0.1', port: 0 }
  const running = await startCoordinator(
    config,
    { control: anywhere, http: anywhere },
    ports,
    realHttp,
    builtinConnectors,
  )
  const workers = subtasksOf(planned.plan).map(({ id, chain, slot }) =>
    createWorker(
      config,
      { name: id, chain: chain.id, slot, coordinator: running.control, data: anywhere },
      ports,
      builtinConnectors,
    ),
  )
  for (const worker of workers)
    void worker.run().catch((error: unknown) => {
      logger.error('worker ended', { reason: error })
    })
  running.coordinator.setTarget(target)
  return {
    report: () => Promise.resolve(running.coordinator.report()),
    close: async () => {
      await Promise.all(workers.map((worker) => worker.close()))
      await running.close()
    },
  }
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
    if (report?.phase === 'failed')
      throw new MillraceError(report.error?.code ?? 'JOB_FAILED', report.error?.message ?? 'the job failed', {
        domain: report.error?.domain ?? 'bug',
        ...(report.error?.hint === undefined ? {} : { hint: report.error.hint }),
      })
    await new Promise((done) => {
      setTimeout(done, POLL_MS)
    })
  }
  return 0
}
