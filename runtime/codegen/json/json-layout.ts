/**
 * How one producer writes its records: the keys in their order, and the exact bytes around values (`,"price": `).
 * Learned from a record, and then expected of the next ones.
 */
export interface JsonLayout {
  members: readonly { key: string; lead: Uint8Array }[]
  /** Bytes from the end of the last value to the end of the record. */
  tail: Uint8Array
}

const MAX_MEMBERS = 256
const MAX_LEAD_BYTES = 160

/**
 * The layout of bytes[start, end), which JSON.parse has accepted as an object; undefined where the fast path is
 * no use: escapes or non-ASCII in a key, a key twice, nested values, no keys, very many or very long ones.
 */
export function learnLayout(bytes: Uint8Array, start: number, end: number): JsonLayout | undefined {
  const members: { key: string; lead: Uint8Array }[] = []
  const keys = new Set<string>()
  let at = start
  for (;;) {
    const open = nextQuote(bytes, at, end)
    const close = open < 0 ? -1 : nextQuote(bytes, open + 1, end)
    if (close < 0) break
    const key = plainText(bytes, open + 1, close)
    const value = afterColon(bytes, close + 1, end)
    const valueEnd = endOfScalar(bytes, value, end)
    if (
      key === undefined ||
      keys.has(key) ||
      valueEnd < 0 ||
      value - at > MAX_LEAD_BYTES ||
      members.length === MAX_MEMBERS
    )
      return undefined
    keys.add(key)
    members.push({ key, lead: bytes.slice(at, value) })
    at = valueEnd
  }
  return members.length === 0 ? undefined : { members, tail: bytes.slice(at, end) }
}

function nextQuote(bytes: Uint8Array, at: number, end: number): number {
  const found = bytes.subarray(at, end).indexOf(34)
  return found < 0 ? -1 : at + found
}

function plainText(bytes: Uint8Array, from: number, to: number): string | undefined {
  let text = ''
  for (let i = from; i < to; i++) {
    const c = bytes[i] ?? 0
    if (c === 92 || c > 127) return undefined
    text += String.fromCharCode(c)
  }
  return text
}

const isSpace = (c: number | undefined): boolean => c === 32 || c === 9 || c === 10 || c === 13

function afterColon(bytes: Uint8Array, at: number, end: number): number {
  let i = at
  while (i < end && (isSpace(bytes[i]) || bytes[i] === 58)) i++
  return i
}

/** The end of the string, number or literal that starts at `at`; -1 for objects and arrays. */
function endOfScalar(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] === 123 || bytes[at] === 91) return -1
  let i = at + 1
  if (bytes[at] === 34) {
    for (; i < end && bytes[i] !== 34; i++) if (bytes[i] === 92) i++
    return i + 1
  }
  while (i < end && bytes[i] !== 44 && bytes[i] !== 125 && !isSpace(bytes[i])) i++
  return i
}
