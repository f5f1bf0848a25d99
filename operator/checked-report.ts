import type { JobReport, SavepointReport } from '../runtime/control/job-report.ts'
import { MillraceError } from '../runtime/model/errors.ts'
import { isFields, memberOf } from '../runtime/model/fields.ts'
import type { Fields } from '../runtime/model/fields.ts'

/** Each member that a pass reads, and whether a value is one of it. */
const CHECKS: Readonly<Record<string, (value: unknown) => boolean>> = {
  phase: (value) => typeof value === 'string',
  attempt: (value) => Number.isSafeInteger(value),
  expectedWorkers: areTexts,
  registeredWorkers: areTexts,
  runningWorkers: areTexts,
  checkpoint: (value) => value === null || isCheckpoint(value),
  checkpointFailures: isCount,
  restarts: isCount,
  recordsIn: isCount,
  recordsOut: isCount,
  badRecords: isCount,
  lateRecords: isCount,
  lastPauseMs: (value) => value === null || isCount(value),
  error: isError,
  refused: (value) => value === undefined || (isFields(value) && isError(value['error'])),
  autoscaler: (value) => value === undefined || isAutoscaler(value),
  losses: (value) => value === undefined || (Array.isArray(value) && value.every(isFields)),
}

/**
 * The answer of a coordinator as a report. A coordinator runs its user's image and may answer anything; a pass that
 * falls over its answer could not even delete the job. Throws MillraceError COORDINATOR_ANSWER_INVALID.
 */
export function checkedReport(answer: Fields): JobReport {
  for (const [name, isGood] of Object.entries(CHECKS)) {
    if (isGood(memberOf(answer, name))) continue
    throw invalidAnswer(`the coordinator answered no report: '${name}' is none`)
  }
  return answer as unknown as JobReport
}

/** As `checkedReport`, for an answer about a savepoint. */
export function checkedSavepoint(answer: Fields): SavepointReport {
  const { id, phase, checkpoint, error } = answer
  const isGood =
    typeof id === 'string' &&
    (phase === 'inProgress' ||
      (phase === 'completed' && isCheckpoint(checkpoint)) ||
      (phase === 'failed' && error !== null && isError(error)))
  if (!isGood) throw invalidAnswer(`the coordinator answered nothing about a savepoint`)
  return answer as unknown as SavepointReport
}

/** For an answer that no version of the coordinator gives. */
export function invalidAnswer(message: string): MillraceError {
  return new MillraceError('COORDINATOR_ANSWER_INVALID', message, {
    domain: 'user',
    retriable: true,
    hint: 'Is the image of the job one of Millrace, or built on one?',
  })
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

/** An API server refuses a whole status for the sake of a figure that is none. */
function isCount(value: unknown): boolean {
  return value === undefined || (typeof value === 'number' && Number.isFinite(value))
}

/** As the runtime names it. Another one could lead out of the folder of the job, to the state of somebody else. */
const MANIFEST = /^checkpoints\/\d{1,16}-\d{1,16}\/manifest\.json$/
/** The end of the year 9999: later ones are not written as others are. */
const LATEST = 253_402_300_799_999

function isCheckpoint(value: unknown): boolean {
  if (!isFields(value)) return false
  const { attempt, id, path, completedAt, durationMs, sizeBytes, savepoint } = value
  return (
    typeof path === 'string' &&
    MANIFEST.test(path) &&
    [attempt, id, sizeBytes].every((count) => Number.isSafeInteger(count)) &&
    [completedAt, durationMs].every((ms) => typeof ms === 'number' && Math.abs(ms) <= LATEST) &&
    (savepoint === undefined || typeof savepoint === 'string')
  )
}

function isAutoscaler(value: unknown): boolean {
  if (!isFields(value)) return false
  const { policy, proposals, limits } = value
  const isSlots = (slots: unknown): boolean => typeof slots === 'number' && Number.isSafeInteger(slots) && slots >= 1
  const areOf = (list: unknown, isGood: (item: Fields) => boolean): boolean =>
    Array.isArray(list) && list.every((item) => isFields(item) && areTexts(item['operators']) && isGood(item))
  return (
    (policy === null || typeof policy === 'string') &&
    areOf(proposals, ({ from, to, because }) => isSlots(from) && isSlots(to) && typeof because === 'string') &&
    areOf(limits, ({ reason, message }) => typeof reason === 'string' && typeof message === 'string')
  )
}

function isError(value: unknown): boolean {
  if (value === null) return true
  return isFields(value) && typeof value['code'] === 'string' && typeof value['message'] === 'string'
}
