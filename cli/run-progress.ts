import type { JobReport, OperatorLoss } from '../runtime/control/job-report.ts'
import type { ErrorReport } from '../runtime/model/errors.ts'
import { printable } from '../runtime/model/printable.ts'

/** How often the same trouble is told again while it lasts. */
const REMIND_MS = 60_000

/** The lines `millrace run` shows for the reports it gets: one whenever there is something new, none for the end. */
export class RunProgress {
  #line = ''
  #trouble = ''
  #toldAt = -Infinity
  readonly #losing = new Set<string>()

  /** A line for each operator that left out records for the first time. */
  losses({ job, losses = [] }: JobReport): string[] {
    const fresh = losses.filter(({ operator }) => !this.#losing.has(operator))
    for (const { operator } of fresh) this.#losing.add(operator)
    return fresh.map((loss) => `${job}: ${lossText(loss)}`)
  }

  /**
   * The line for this report, or undefined when it says nothing new. An error that comes back attempt after attempt
   * is told once a minute.
   */
  next(report: JobReport, nowMs: number): string | undefined {
    // Why it failed is what the command ends with.
    if (report.phase === 'failed') return undefined
    const trouble =
      report.error && report.phase !== 'running'
        ? `${report.error.code} ${report.checkpoint?.attempt}-${report.checkpoint?.id}`
        : ''
    const isTold = this.#trouble !== '' && (trouble === this.#trouble || isBetween(report))
    if (isTold && nowMs - this.#toldAt < REMIND_MS) return undefined
    const line = printable(progressLine(report))
    if (line === this.#line) return undefined
    if (trouble !== '') this.#toldAt = nowMs
    this.#trouble = trouble
    this.#line = line
    return line
  }
}

/** Records that were left out, and the first reason. */
export function lossText({ operator, seen, skipped, deadLettered, firstReason }: OperatorLoss): string {
  const counts = [
    ...(skipped > 0 ? [`skipped ${skipped} of ${seen} records`] : []),
    ...(deadLettered > 0 ? [`put ${deadLettered} of ${seen} records into dead letters`] : []),
  ]
  return printable(`${operator} ${counts.join(' and ')}; the first: ${firstReason}`)
}

/** On the way into another attempt, which may well end as the last one did. */
function isBetween({ phase, error, recordsIn }: JobReport): boolean {
  return error === null && (phase !== 'running' || recordsIn === 0)
}

function progressLine({
  job,
  phase,
  attempt,
  recordsIn,
  recordsOut,
  badRecords,
  checkpoint,
  registeredWorkers,
  expectedWorkers,
  error,
}: JobReport): string {
  const parts = [`${job}: ${phase}`, `attempt ${attempt}`]
  if (phase === 'waiting') parts.push(`${registeredWorkers.length}/${expectedWorkers.length} workers`)
  if (recordsIn > 0) parts.push(`${recordsIn} in, ${recordsOut} out`)
  if (badRecords > 0) parts.push(`${badRecords} bad`)
  if (checkpoint) parts.push(`checkpoint ${checkpoint.attempt}-${checkpoint.id}`)
  if (error) parts.push(isTriedLong(error) ? `${error.code}: ${error.message}` : error.code)
  return parts.join(', ')
}

/**
 * What may pass is waited for, systems beside the job and what nobody foresaw get up to minutes. The rest is told
 * in full in a moment, where the job gives up.
 */
function isTriedLong({ retriable, domain }: ErrorReport): boolean {
  return retriable || domain === 'bug' || domain === 'dependency'
}
