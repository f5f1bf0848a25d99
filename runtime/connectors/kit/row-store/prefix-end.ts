/**
 * The first text behind all that begin with this one, in the order of their bytes; undefined when there is none that is
 * easily said. Prefixes of a store end with `/` or a letter.
 */
export function prefixEnd(prefix: string): string | undefined {
  const last = prefix.charCodeAt(prefix.length - 1)
  // the next one of the characters of one byte
  return last < 0x7f ? prefix.slice(0, -1) + String.fromCharCode(last + 1) : undefined
}
