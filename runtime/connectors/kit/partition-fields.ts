import type { OptionProblem } from '../../graph/connector-declaration.ts'
import { fieldOf, type Field, type Row, type Schema } from '../../model/schema.ts'
import { isoDate } from '../../model/timestamp-text.ts'
import { valueTypeText } from '../../model/value-type.ts'

const DAY_MS = 86_400_000
/** How Hive, and all that read its folders, name the one of rows without a value. */
export const NULL_PARTITION = '__HIVE_DEFAULT_PARTITION__'

/** The mistakes of an option that names fields whose values become folders. */
export function partitionProblems(names: readonly string[], schema: Schema): OptionProblem[] {
  const problems: OptionProblem[] = names.flatMap((name) => {
    const field = fieldOf(schema, name)
    if (field === undefined) return [{ path: 'partitionBy', message: `there is no field ${JSON.stringify(name)}` }]
    if (isPartitionable(field)) return []
    return [
      {
        path: 'partitionBy',
        message: `the field ${name} is a ${valueTypeText(field)}`,
        hint: 'partition by a string, long, bigint, boolean, decimal or date',
      },
    ]
  })
  if (new Set(names).size < names.length) problems.push({ path: 'partitionBy', message: 'names a field twice' })
  return problems
}

/**
 * Types whose values all writers of Delta tables write in one way ("Partition Value Serialization", PROTOCOL.md); folders
 * of files follow the same rule.
 */
export function isPartitionable({ type, logical }: Field): boolean {
  if (logical !== undefined) return ['date', 'decimal', 'bigint'].includes(logical.kind)
  return type === 'string' || type === 'long' || type === 'boolean'
}

/** The value of a row as a text; null without one, undefined for a date beyond the years 0 to 9999. */
export function partitionText(field: Field, row: Row): string | null | undefined {
  const value = row[field.name]
  if (value === null || value === undefined) return null
  if (field.logical?.kind !== 'date') return String(value)
  const date = isoDate(Number(value) * DAY_MS)
  return date?.length === 10 ? date : undefined
}
