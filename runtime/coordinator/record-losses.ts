import type { OperatorLoss } from '../control/job-report.ts'
import type { OperatorRecords, SubtaskMetrics } from '../control/messages.ts'
import { MillraceError } from '../model/errors.ts'

/** The share of its records that an operator may skip before the job counts as failed, where the spec names none. */
export const DEFAULT_MAX_BAD_SHARE = 0.05
/** A share of fewer records says little: they fail a job only when all of them were skipped. */
const COUNTED_FROM = 1000

/** What each operator has refused in an attempt, summed over its subtasks; only operators that refused something. */
export function lossesOf(metrics: readonly SubtaskMetrics[]): OperatorLoss[] {
  const byOperator = Map.groupBy(
    metrics.flatMap((metric) => metric.operators ?? []),
    ({ operator }) => operator,
  )
  return [...byOperator].flatMap(([operator, records]) => {
    const firstReason = records.find((one) => one.firstReason !== undefined)?.firstReason
    return firstReason === undefined ? [] : [{ operator, ...summed(records), firstReason }]
  })
}

function summed(records: readonly OperatorRecords[]): Pick<OperatorLoss, 'seen' | 'skipped' | 'deadLettered'> {
  const sum = (pick: 'seen' | 'skipped' | 'deadLettered'): number =>
    records.reduce((total, record) => total + record[pick], 0)
  return { seen: sum('seen'), skipped: sum('skipped'), deadLettered: sum('deadLettered') }
}

/**
 * TOO_MANY_BAD_RECORDS where an operator has skipped every record, or a larger share than allowed; undefined otherwise.
 * Dead letters are kept, so that they do not count.
 */
export function excessiveLoss(
  losses: readonly OperatorLoss[],
  maxShare: number = DEFAULT_MAX_BAD_SHARE,
): MillraceError | undefined {
  const worst = losses.find(({ seen, skipped }) => isExcessive(skipped, seen, maxShare))
  return (
    worst &&
    new MillraceError(
      'TOO_MANY_BAD_RECORDS',
      `operator ${worst.operator} skipped ${worst.skipped} of ${worst.seen} records, ${percent(maxShare)} are allowed; the first: ${worst.firstReason}`,
      {
        domain: 'user',
        hint: `mend the records or the job; spec.maxBadShare allows a larger share, and onError: { deadLetter: … } in the entry "${worst.operator}" keeps what is left out`,
      },
    )
  )
}

function isExcessive(skipped: number, seen: number, maxShare: number): boolean {
  if (skipped === 0 || maxShare >= 1) return false
  return skipped >= seen || (seen >= COUNTED_FROM && skipped / seen > maxShare)
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(4))}%`
}
