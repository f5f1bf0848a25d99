import { LocalJob } from '../../cli/local-job.ts'
import { builtinConnectors } from '../../runtime/builtin-connectors.ts'
import { planJob } from '../../runtime/front/planned-job.ts'
import { subtasksOf } from '../../runtime/plan/chaining.ts'
import type { JobFolder } from './job-folder.ts'

/** A job of real processes in a folder, which a test kills and hands other specs. Closed by the test. */
export async function startFolderJob(folder: JobFolder): Promise<{
  job: LocalJob
  handOver: (revision: string, spec: object) => Promise<void>
}> {
  const job = new LocalJob({
    name: 'bids',
    uid: 'local',
    token: 'token',
    store: folder.store,
    baseDir: folder.path,
    logLevel: 'silent',
  })
  await job.start([])
  return {
    job,
    handOver: async (revision, spec) => {
      job.addWorkers(subtasksOf(planJob(spec, builtinConnectors).plan))
      await job.setTarget({ revision, spec, desiredState: 'running' })
    },
  }
}
