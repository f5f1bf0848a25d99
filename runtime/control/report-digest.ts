import { digestOf } from './digest.ts'
import type { JobReport } from './job-report.ts'

/**
 * Sixteen hex digits of what a report says apart from its figures: equal for two reports between which only records,
 * watermarks, sizes and periodic checkpoints went on.
 */
export function reportDigest(report: JobReport): string {
  const { checkpoint, losses = [], ...rest } = report
  const { recordsIn, recordsOut, badRecords, lateRecords, blockedMs, lagRecords, watermark, ...lasting } = rest
  const { pausedSplits, stateBytes, ...said } = lasting
  const kept = checkpoint === null ? null : { attempt: checkpoint.attempt, savepoint: checkpoint.savepoint ?? null }
  const lost = losses.map(({ operator, firstReason }) => ({ operator, firstReason }))
  return digestOf({ ...said, checkpoint: kept, losses: lost })
}
