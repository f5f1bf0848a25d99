import { createHash, randomBytes } from 'node:crypto'
import { builtinConnectors } from '../runtime/builtin-connectors.ts'
import { readRuntimeConfig } from '../runtime/config.ts'
import type { JobReport } from '../runtime/control/job-report.ts'
import type { PlannedJob } from '../runtime/front/planned-job.ts'
import { MillraceError } from '../runtime/model/errors.ts'
import type { JobTarget } from '../runtime/model/job.ts'
import { subtasksOf } from '../runtime/plan/chaining.ts'
import { realHttp } from '../runtime/ports/real/http.ts'
import { createLogger } from '../runtime/ports/real/logger.ts'
import { builtinStores } from '../runtime/builtin-stores.ts'
import { realPorts } from '../runtime/ports/real/ports.ts'
import { createWorker, startCoordinator } from '../runtime/processes.ts'
import { LocalJob } from './local-job.ts'

/** A job that runs on this machine. */
export interface StartedJob {
  /** How it gets on; undefined while the coordinator does not answer. */
  report(): Promise<JobReport | undefined>
  /** Ends the job. What it has stored stays. */
  close(): Promise<void>
}

export type JobSettings = ConstructorParameters<typeof LocalJob>[0]

/** One process for the coordinator and one for each worker, which end with this one. */
export async function startProcesses(
  settings: JobSettings,
  planned: PlannedJob,
  target: JobTarget,
): Promise<StartedJob> {
  const job = new LocalJob(settings)
  await job.start(subtasksOf(planned.plan))
  await job.setTarget(target)
  return job
}

/** Coordinator and workers in this process; `print` takes what sinks print, each line with the id of the sink. */
export async function startInProcess(
  settings: JobSettings,
  planned: PlannedJob,
  target: JobTarget,
  print: (line: string, sink: string) => void,
): Promise<StartedJob> {
  const config = readRuntimeConfig({
    MILLRACE_JOB: settings.name,
    MILLRACE_JOB_UID: settings.uid,
    MILLRACE_TOKEN: settings.token,
    MILLRACE_NAMESPACE: 'local',
    MILLRACE_STORE: settings.store,
    MILLRACE_BASE_DIR: settings.baseDir,
  })
  const logger = createLogger({ to: 'stderr', level: settings.logLevel === 'silent' ? 'error' : settings.logLevel })
  const ports = realPorts({ stores: builtinStores, logger, printLine: print })
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

/** The id of a run that begins anew. */
export function newRunId(): string {
  return `run-${randomBytes(6).toString('hex')}`
}

/** The target that runs a spec here. */
export function localTarget(spec: unknown): JobTarget {
  const revision = createHash('sha256').update(JSON.stringify(spec)).digest('hex').slice(0, 12)
  return { revision, spec, desiredState: 'running' }
}

/** Why a job has failed, from its last report. */
export function failureOf({ error }: JobReport): MillraceError {
  return new MillraceError(error?.code ?? 'JOB_FAILED', error?.message ?? 'the job failed', {
    domain: error?.domain ?? 'bug',
    ...(error?.hint === undefined ? {} : { hint: error.hint }),
  })
}
