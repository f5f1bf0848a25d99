import type { JobPhase } from '../control/job-report.ts'
import { MillraceError } from '../model/errors.ts'

/** The legal steps of a job's life. A coordinator that starts is `waiting` whatever was before. */
const NEXT: Readonly<Record<JobPhase, readonly JobPhase[]>> = {
  waiting: ['deploying', 'suspended', 'finished', 'failed'],
  deploying: ['running', 'recovering', 'waiting', 'suspended', 'failed'],
  running: ['switching', 'recovering', 'finished', 'failed'],
  switching: ['deploying', 'suspended', 'running', 'recovering', 'failed'],
  recovering: ['deploying', 'waiting', 'suspended', 'failed'],
  suspended: ['waiting', 'deploying'],
  finished: ['waiting', 'deploying', 'suspended'],
  failed: ['waiting', 'deploying', 'suspended'],
}

/** Throws PHASE_ILLEGAL for a step that the table lacks; staying is legal. */
export function nextPhase(from: JobPhase, to: JobPhase): JobPhase {
  if (from !== to && !NEXT[from].includes(to)) {
    throw new MillraceError('PHASE_ILLEGAL', `a job cannot go from ${from} to ${to}`)
  }
  return to
}

/** No attempt runs, and none will until the target changes. */
export function isOver(phase: JobPhase): boolean {
  return phase === 'suspended' || phase === 'finished' || phase === 'failed'
}
