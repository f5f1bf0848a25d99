import { isUtf8 } from 'node:buffer'

/**
 * The text of bytes[start, end); undefined when they are not UTF-8. Decoding puts U+FFFD wherever bytes are none, so
 * only a text that has one is checked.
 */
export function utf8Text(bytes: Buffer, start: number, end: number): string | undefined {
  const text = bytes.toString('utf8', start, end)
  return text.includes('\uFFFD') && !isUtf8(bytes.subarray(start, end)) ? undefined : text
}
