import { clipped } from '../model/clipped.ts'
import { MillraceError } from '../model/errors.ts'
import type { Field } from '../model/schema.ts'
import { valueTypeText } from '../model/value-type.ts'

/** Throws RECORD_INVALID: the field cannot take what was found. */
export function refuseValue(field: Field, found: unknown): never {
  const shown =
    typeof found === 'bigint' || typeof found === 'number'
      ? String(found)
      : found === undefined
        ? 'nothing'
        : JSON.stringify(found)
  const wanted =
    found === null || found === undefined
      ? 'may not be null'
      : `must be a ${valueTypeText({ ...field, nullable: false })}`
  throw new MillraceError(
    'RECORD_INVALID',
    `field '${field.name}' (${valueTypeText(field)}) ${wanted}, found ${clipped(shown)}`,
    { domain: 'user' },
  )
}

/** Throws what reading the field threw, with the field named where the record is at fault. */
export function refuseField(field: Field, error: unknown): never {
  if (!(error instanceof MillraceError) || error.code !== 'RECORD_INVALID' || error.message.startsWith("field '"))
    throw error
  throw new MillraceError('RECORD_INVALID', `field '${field.name}' (${valueTypeText(field)}): ${error.message}`, {
    domain: 'user',
    cause: error.cause,
  })
}

/** Throws RECORD_INVALID: the bytes are no record of the format. */
export function refuseRecord(why: string, cause?: unknown): never {
  throw new MillraceError('RECORD_INVALID', why, { domain: 'user', ...(cause === undefined ? {} : { cause }) })
}

/** Throws VALUE_INVALID: the format cannot say the value of a row. */
export function refuseToWrite(field: Field, value: unknown, why: string): never {
  throw new MillraceError(
    'VALUE_INVALID',
    `field '${field.name}' (${valueTypeText(field)}) is ${clipped(String(value))}, which ${why}`,
    { domain: 'user' },
  )
}
