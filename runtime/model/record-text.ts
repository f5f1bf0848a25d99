import { clipped } from './clipped.ts'
import { MillraceError } from './errors.ts'
import { utf8Text } from './utf8-text.ts'

/** The text of a record, or of a part of it that `what` names. Throws RECORD_INVALID when its bytes are not UTF-8. */
export function recordText(bytes: Buffer, start: number, end: number, what = 'a record'): string {
  const text = utf8Text(bytes, start, end)
  if (text !== undefined) return text
  throw new MillraceError(
    'RECORD_INVALID',
    `${what} is not UTF-8: ${clipped(bytes.toString('utf8', start, end))}; its producer may write Latin-1`,
    { domain: 'user' },
  )
}

/** Where the text in bytes[start, end) begins: programs on Windows write U+FEFF before it. */
export function behindByteOrderMark(bytes: Uint8Array, start: number, end: number): number {
  const isThere = end - start >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf
  return isThere ? start + 3 : start
}
