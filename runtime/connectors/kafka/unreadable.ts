import { MillraceError } from '../../model/errors.ts'

/** KAFKA_BATCH_CORRUPT without a place, which RecordBatchReader adds. */
export function unreadable(why: string, cause?: unknown): MillraceError {
  return new MillraceError('KAFKA_BATCH_CORRUPT', why, {
    domain: 'dependency',
    ...(cause === undefined ? {} : { cause }),
  })
}
