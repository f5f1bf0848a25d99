import { MillraceError } from '../../model/errors.ts'
import { bigintText, decimalText } from '../../model/decimal-text.ts'
import { daysOf } from '../../model/logical-values.ts'
import type { Field, Row } from '../../model/schema.ts'
import { parseIsoTimestamp } from '../../model/timestamp-text.ts'
import { valueTypeText } from '../../model/value-type.ts'
import { NULL_PARTITION, partitionText } from '../kit/partition-fields.ts'

const MAX_FOLDER_CHARACTERS = 64

/** The value of a row in `partitionValues`. Throws RECORD_INVALID for an empty text, which Delta takes for null. */
export function deltaPartitionText(field: Field, row: Row): string | null {
  const text = partitionText(field, row)
  if (text === undefined) throw unwritable(field, String(row[field.name]), 'is no date of the years 0 to 9999')
  if (text === '') throw unwritable(field, text, 'is empty, which Delta takes for null')
  return text
}

/** `day=2026-11-23/`: the folder says nothing to readers, so what a URL or file system could mistake is left out. */
export function partitionFolder(name: string, value: string | null): string {
  const shown = value === null ? NULL_PARTITION : value.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, MAX_FOLDER_CHARACTERS)
  return `${name.replace(/[^A-Za-z0-9_]/g, '_')}=${shown}/`
}

/** The inverse of partitionText. Throws RECORD_INVALID when the text is no value of the field. */
export function partitionValue(field: Field, text: string | null): unknown {
  if (text === null) {
    if (field.nullable) return null
    throw unreadable(field, 'null')
  }
  const value = parsed(field, text)
  if (value === undefined) throw unreadable(field, JSON.stringify(text))
  return value
}

function parsed({ type, logical }: Field, text: string): unknown {
  switch (logical?.kind) {
    case 'date':
      return daysOf(text)
    case 'bigint':
      return bigintText(text)
    case 'decimal':
      return decimalText(text, logical.precision, logical.scale)
    case 'bytes':
      return Buffer.from(text, 'utf8').toString('latin1')
    default:
      return parsedPlain(type, text)
  }
}

function parsedPlain(type: Field['type'], text: string): unknown {
  switch (type) {
    case 'long': {
      const value = /^-?\d+$/.test(text) ? Number(text) : NaN
      return Number.isSafeInteger(value) ? value : undefined
    }
    case 'double': {
      const value = text.trim() === '' ? NaN : Number(text)
      return Number.isFinite(value) ? value : undefined
    }
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : undefined
    case 'timestamp':
      // `2026-11-23 10:00:00.123456` is in UTC where no zone is written
      return parseIsoTimestamp(/Z$|[+-]\d\d:?\d\d$/.test(text) ? text : `${text.replace(' ', 'T')}Z`)
    case 'string':
    case 'json':
      return text
  }
}

function unwritable(field: Field, value: string, why: string): MillraceError {
  return new MillraceError(
    'RECORD_INVALID',
    `field '${field.name}' (${valueTypeText(field)}) cannot be a partition of a Delta table: ${JSON.stringify(value)} ${why}`,
    { domain: 'user', hint: 'map such values to others, or filter the rows before the sink' },
  )
}

function unreadable(field: Field, found: string): MillraceError {
  return new MillraceError(
    'RECORD_INVALID',
    `field '${field.name}' must be a ${valueTypeText(field)}, found ${found}`,
    {
      domain: 'user',
    },
  )
}
