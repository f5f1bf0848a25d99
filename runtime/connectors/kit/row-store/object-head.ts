import { MillraceError } from '../../../model/errors.ts'
import { isFields } from '../../../model/fields.ts'

/** The row that makes an object visible. */
export interface ObjectHead {
  /** Tells this write from every other one of the same path. */
  readonly generation: string
  /** How many rows of this generation hold the bytes; 0: they follow the head. */
  readonly parts: number
  readonly sizeBytes: number
  readonly inline: Uint8Array
}

/** A line of JSON, and behind it the bytes of a short object. */
export function encodeHead({ generation, parts, sizeBytes, inline }: ObjectHead): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify({ generation, parts, sizeBytes })}\n`), inline])
}

/** `partBytes` is the length of all parts but the last one. Throws STORE_OBJECT_UNREADABLE. */
export function decodeHead(cell: Uint8Array, path: string, partBytes: number): ObjectHead {
  const end = cell.indexOf(0x0a)
  const fields = end < 0 ? undefined : parsed(Buffer.from(cell.buffer, cell.byteOffset, end))
  const { generation, parts, sizeBytes } = isFields(fields) ? fields : {}
  const inline = cell.subarray(end + 1)
  const isSound =
    typeof generation === 'string' &&
    generation !== '' &&
    isCount(parts) &&
    isCount(sizeBytes) &&
    (parts === 0 ? inline.length === sizeBytes : parts === Math.ceil(sizeBytes / partBytes))
  if (isSound) return { generation, parts, sizeBytes, inline }
  throw new MillraceError(
    'STORE_OBJECT_UNREADABLE',
    `the row of ${path} in the table of the store is none of Millrace`,
    {
      domain: 'dependency',
      hint: 'Something else writes to the table: give the store one of its own.',
    },
  )
}

function parsed(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString())
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
