import type { JobReport } from '../runtime/control/job-report.ts'
import { MillraceError } from '../runtime/model/errors.ts'
import { isFields, memberOf } from '../runtime/model/fields.ts'
import type { Fields } from '../runtime/model/fields.ts'

/** What a member of a report must be for a pass to read it. */
const CHECKS: Readonly<Record<string, (value: unknown) => boolean>> = {
  phase: (value) => typeof value === 'string',
  attempt: (value) => Number.isSafeInteger(value),
  expectedWorkers: areTexts,
  registeredWorkers: areTexts,
  runningWorkers: areTexts,
  checkpoint: isCheckpoint,
  checkpointFailures: isCount,
  restarts: isCount,
  recordsIn: isCount,
  recordsOut: isCount,
  badRecords: isCount,
  lateRecords: isCount,
  lastPauseMs: (value) => value === null || isCount(value),
  error: isError,
  refused: (value) => value === undefined || (isFields(value) && isError(value['error'])),
  losses: (value) => value === undefined || (Array.isArray(value) && value.every(isFields)),
}

const TIMES_AND_SIZES = ['attempt', 'id', 'completedAt', 'durationMs', 'sizeBytes']

/**
 * What a coordinator answered, as a report. A coordinator runs its user's image and may answer anything; a pass that
 * falls over its answer could not even delete the job. Throws MillraceError COORDINATOR_ANSWER_INVALID.
 */
export function checkedReport(answer: Fields): JobReport {
  for (const [name, isGood] of Object.entries(CHECKS)) {
    if (isGood(memberOf(answer, name))) continue
    throw new MillraceError('COORDINATOR_ANSWER_INVALID', `the coordinator answered no report: '${name}' is none`, {
      domain: 'user',
      retriable: true,
      hint: 'Is the image of the job one of Millrace, or built on one?',
    })
  }
  return answer as unknown as JobReport
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

/** An API server refuses a whole status for the sake of a figure that is none. */
function isCount(value: unknown): boolean {
  return value === undefined || (typeof value === 'number' && Number.isFinite(value))
}

function isCheckpoint(value: unknown): boolean {
  if (value === null) return true
  return isFields(value) && typeof value['path'] === 'string' && TIMES_AND_SIZES.every((name) => isCount(memberOf(value, name)))
}

function isError(value: unknown): boolean {
  if (value === null) return true
  return isFields(value) && typeof value['code'] === 'string' && typeof value['message'] === 'string'
}
