import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { LocalJob } from '../../cli/local-job.ts'
import type { JobReport } from '../../runtime/control/job-report.ts'
import { pythonBedMissing, runPython } from '../harness/beds/python-bed.ts'
import { unnamedFiles } from '../harness/delta-table.ts'
import { startFolderJob } from '../harness/folder-job.ts'
import { JobFolder } from '../harness/job-folder.ts'
import { until } from '../harness/until.ts'

const LINES = 1500
const KILLS = 8

const cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function jobOver(folder: JobFolder, replicas: number, rate?: string): object {
  const spec = folder.spec(replicas, { interval: '100ms', ...(rate === undefined ? {} : { rate }) })
  const sink = { delta: { path: join(folder.path, 'table'), partitionBy: 'channel' } }
  return { ...spec, graph: [spec.graph[0], { id: 'out', from: 'bids', sink }] }
}

function reportWith(job: LocalJob, what: string, matches: (report: JobReport) => boolean): Promise<JobReport> {
  return until(`the job is ${what}`, async () => {
    const report = await job.report()
    if (report?.phase === 'failed') throw new Error(`the job failed: ${report.error?.code} ${report.error?.message}`)
    return report !== undefined && matches(report) ? report : undefined
  })
}

describe.skipIf(pythonBedMissing() !== undefined)('a job that writes a Delta table', () => {
  test(`when all its workers are killed ${KILLS} times between barrier and commit, and it is rescaled, delta-rs reads each row once`, async () => {
    const folder = new JobFolder(LINES)
    cleanups.push(() => {
      folder.delete()
    })
    const table = join(folder.path, 'table')
    const { job, handOver } = await startFolderJob(folder)
    cleanups.push(() => job.close())
    const known = new Set<string>()
    for (let kill = 1; kill <= KILLS; kill++) {
      if (kill % 3 === 1) await handOver(`${kill}`, jobOver(folder, 1 + (kill % 2) + (kill % 3), '150/s'))
      await until(`kill ${kill}: files wait for their commit`, () =>
        unnamedFiles(table).some((path) => !known.has(path)) ? true : undefined,
      )
      for (const [name, child] of job.processes) if (name !== 'coordinator' || kill % 4 === 0) child.kill('SIGKILL')
      for (const path of unnamedFiles(table)) known.add(path)
    }
    await handOver('fast', jobOver(folder, 2))
    await reportWith(job, 'finished', ({ phase, targetRevision }) => phase === 'finished' && targetRevision === 'fast')
    const [found] = (await runPython('read_delta.py', [table])) as { rows: Record<string, string | null>[] }[]
    const rows = found?.rows.map(({ auction, price, at, channel }) =>
      JSON.stringify({ auction: Number(auction), price: Number(price), at: Number(at) / 1000, channel }),
    )
    expect(rows?.sort()).toEqual(folder.input().sort())
    expect(known.size).toBeGreaterThanOrEqual(KILLS)
  })
})
