import type { OperatorRecords } from '../control/messages.ts'
import { isFields } from '../model/fields.ts'

const MAX_OPERATORS = 100
const MAX_TEXT = 1000

/** The operators of a heartbeat whose counts make sense. Called for what a worker sent; the rest is left out. */
export function checkedRecords(sent: unknown): readonly OperatorRecords[] {
  if (!Array.isArray(sent)) return []
  const values: readonly unknown[] = sent
  return values.slice(0, MAX_OPERATORS).filter(isOperatorRecords)
}

function isOperatorRecords(value: unknown): value is OperatorRecords {
  if (!isFields(value)) return false
  const { operator, seen, skipped, deadLettered, firstReason }: Partial<Record<keyof OperatorRecords, unknown>> = value
  return (
    isText(operator) &&
    isCount(seen) &&
    isCount(skipped) &&
    isCount(deadLettered) &&
    (firstReason === undefined || isText(firstReason))
  )
}

const isText = (value: unknown): boolean => typeof value === 'string' && value.length <= MAX_TEXT
const isCount = (value: unknown): boolean => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
