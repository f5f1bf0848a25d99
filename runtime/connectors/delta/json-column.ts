import { MillraceError } from '../../model/errors.ts'
import type { Field } from '../../model/schema.ts'
import { valueReader } from '../../model/logical-values.ts'
import { valueTypeText } from '../../model/value-type.ts'

/** The JSON in a column of texts as a row carries it; null stays null. Throws RECORD_INVALID. */
export function parseJson(field: Field, text: unknown): unknown {
  if (text === null || text === undefined) return null
  let value: unknown
  try {
    value = JSON.parse(String(text))
  } catch (cause) {
    throw invalid(field, text, cause)
  }
  const read = value === null ? null : valueReader(field)(value)
  if (read === undefined) throw invalid(field, text)
  return read
}

function invalid(field: Field, text: unknown, cause?: unknown): MillraceError {
  return new MillraceError(
    'RECORD_INVALID',
    `field '${field.name}' must be a ${valueTypeText(field)}, found the text ${JSON.stringify(String(text).slice(0, 100))}`,
    { domain: 'user', ...(cause === undefined ? {} : { cause }) },
  )
}
