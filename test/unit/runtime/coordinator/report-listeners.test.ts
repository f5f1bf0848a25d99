import { expect, test } from 'vitest'
import type { JobReport } from '../../../../runtime/control/job-report.ts'
import { reportDigest } from '../../../../runtime/control/report-digest.ts'
import { ReportListeners } from '../../../../runtime/coordinator/report-listeners.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { runningReport } from '../../../harness/running-report.ts'

class Job {
  readonly clock = new ManualClock()
  report = runningReport()
  readonly listeners = new ReportListeners(this.clock, () => this.report)
  readonly heard: (JobReport | undefined)[] = []

  listen(waitMs: number, digest = reportDigest(this.report)): void {
    void this.listeners.unlike(digest, waitMs).then((report) => {
      this.heard.push(report)
    })
  }
}

test('when a report says something else, who listens gets it', async () => {
  const job = new Job()
  job.listen(20_000)
  await job.clock.advance(1_000)
  expect(job.heard).toEqual([])
  job.report = runningReport({ phase: 'recovering' })
  await job.clock.advance(1_000)
  expect(job.heard).toEqual([job.report])
})

test('when a report says something else already, who listens gets it at once', async () => {
  const job = new Job()
  job.listen(20_000, 'of before')
  await job.clock.advance(0)
  expect(job.heard).toEqual([job.report])
})

test('when nothing happens, who listens is told so in time', async () => {
  const job = new Job()
  job.listen(20_000)
  await job.clock.advance(19_999)
  expect(job.heard).toEqual([])
  await job.clock.advance(1)
  expect(job.heard).toEqual([undefined])
})

test('when somebody would wait for ever, a minute counts', async () => {
  const job = new Job()
  job.listen(Infinity)
  await job.clock.advance(60_000)
  expect(job.heard).toEqual([undefined])
})

test('when eight listen, one more is answered at once', async () => {
  const job = new Job()
  for (let index = 0; index < 9; index += 1) job.listen(20_000)
  await job.clock.advance(0)
  expect(job.heard).toEqual([job.report])
})

test('when the coordinator ends, nobody waits on', async () => {
  const job = new Job()
  job.listen(20_000)
  job.listeners.close()
  await job.clock.advance(250)
  expect({ heard: job.heard, pending: job.clock.pending }).toEqual({ heard: [undefined], pending: 0 })
})
