import type { JobReport } from '../../runtime/control/job-report.ts'

/** The report of a job that runs in its first attempt and is well, but for `changes`. */
export function runningReport(changes: Partial<JobReport> = {}): JobReport {
  return {
    job: 'job',
    phase: 'running',
    attempt: 1,
    revision: 'b',
    targetRevision: 'b',
    expectedWorkers: ['bids-0'],
    registeredWorkers: ['bids-0'],
    runningWorkers: ['bids-0'],
    checkpoint: null,
    checkpointFailures: 0,
    restarts: 0,
    lastPauseMs: null,
    recordsIn: 0,
    recordsOut: 0,
    badRecords: 0,
    lateRecords: 0,
    error: null,
    ...changes,
  }
}

export const CHECKPOINT: NonNullable<JobReport['checkpoint']> = {
  attempt: 1,
  id: 7,
  kind: 'checkpoint',
  path: 'checkpoints/1-7/manifest.json',
  completedAt: 0,
  durationMs: 5,
  sizeBytes: 10,
}
