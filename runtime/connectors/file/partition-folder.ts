import { MillraceError } from '../../model/errors.ts'
import type { Field, Row } from '../../model/schema.ts'
import { NULL_PARTITION, partitionText } from '../kit/partition-fields.ts'

/** File systems take names of 255 bytes. */
const LONGEST_NAME_BYTES = 250

/**
 * `day=2026-11-23/`, or as many folders as there are fields. Names are escaped as Hive does it, so that no value leads
 * out of the folder: characters of ASCII but letters, digits, `_`, `-` and `.` become `%2F`. Without a value and for an
 * empty text it is the folder that Hive has for null. Throws RECORD_INVALID for a value that no folder can be named for.
 */
export function partitionFolder(fields: readonly Field[], row: Row): string {
  return fields.map((field) => `${stepOf(field, row)}/`).join('')
}

/** Whether a step of a path is what `partitionFolder` makes. */
export function isPartitionFolder(step: string): boolean {
  return /^[^/\\=.\0][^/\\=\0]*=[^/\\=\0]+$/.test(step)
}

function stepOf(field: Field, row: Row): string {
  const text = partitionText(field, row)
  if (text === undefined) throw unwritable(field, row, 'is no date of the years 0 to 9999')
  const value = text === null || text === '' ? NULL_PARTITION : escaped(text)
  const step = `${escaped(field.name)}=${value}`
  if (Buffer.byteLength(step) > LONGEST_NAME_BYTES)
    throw unwritable(field, row, `makes a name of more than ${LONGEST_NAME_BYTES} bytes`)
  return step
}

function escaped(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(
      /[\0-,/:-@[-^`{-\x7f]|^\./g,
      (one) => `%${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    )
}

function unwritable(field: Field, row: Row, why: string): MillraceError {
  return new MillraceError(
    'RECORD_INVALID',
    `field '${field.name}' cannot be a folder: ${JSON.stringify(row[field.name])?.slice(0, 100)} ${why}`,
    { domain: 'user', hint: 'map such values to others, or filter the rows before the sink' },
  )
}
