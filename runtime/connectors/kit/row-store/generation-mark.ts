import { MillraceError } from '../../../model/errors.ts'
import { isFields } from '../../../model/fields.ts'

export const MOST_PARTS = 1_000_000
/** Many centuries in microseconds. */
const MOST_DIGITS = 18

/**
 * A row for a generation, beside its parts, in a database where parts are not found by their path: how many parts were to
 * be written, and with which time, so that they can be deleted whatever the clocks say.
 */
export interface GenerationMark {
  readonly parts: number
  /** In the unit of the database. */
  readonly writeTime: bigint
}

export function encodeMark({ parts, writeTime }: GenerationMark): Buffer {
  return Buffer.from(JSON.stringify({ parts, writeTime: String(writeTime) }))
}

/** Throws STORE_OBJECT_UNREADABLE. */
export function decodeMark(cell: Uint8Array, path: string): GenerationMark {
  const fields = parsed(cell)
  const { parts, writeTime } = isFields(fields) ? fields : {}
  const isSound =
    typeof parts === 'number' &&
    Number.isSafeInteger(parts) &&
    parts > 0 &&
    parts <= MOST_PARTS &&
    typeof writeTime === 'string' &&
    writeTime.length <= MOST_DIGITS &&
    /^\d+$/.test(writeTime)
  if (isSound) return { parts, writeTime: BigInt(writeTime) }
  throw new MillraceError(
    'STORE_OBJECT_UNREADABLE',
    `the mark of a generation of ${path} in the table of the store is none of Millrace`,
    { domain: 'dependency', hint: 'Something else writes to the table: give the store one of its own.' },
  )
}

function parsed(cell: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(cell).toString())
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
