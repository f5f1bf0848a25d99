import type { RowErrorHandler } from '../codegen/contracts.ts'
import { MillraceError } from '../model/errors.ts'
import type { Row } from '../model/schema.ts'

/** Reports the rows of rows[0..count) whose field is null, closes the gaps, and returns how many are left. */
export function refuseUnordered(
  rows: Row[],
  count: number,
  field: string,
  operatorId: string,
  onError: RowErrorHandler,
): number {
  let left = 0
  for (let i = 0; i < count; i++) {
    const row = rows[i] as Row
    if (row[field] === null)
      onError(
        new MillraceError('RECORD_INVALID', `'${field}' is null, rows are ordered by it`, { domain: 'user' }),
        row,
        operatorId,
      )
    else rows[left++] = row
  }
  return left
}
