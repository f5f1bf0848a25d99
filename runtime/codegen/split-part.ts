let lastText = ''
let lastSeparator = ''
let lastIndex = 0
let lastFrom = 0

/**
 * `text.split(separator)[index] ?? null` without the array; `separator` is not empty. Remembers where the part
 * behind the one found begins, since the next question is mostly about the same text and a later part.
 */
export function splitPart(text: string, separator: string, index: number): string | null {
  let at = 0
  let from = 0
  if (index >= lastIndex && separator === lastSeparator && text === lastText) {
    at = lastIndex
    from = lastFrom
  }
  for (; at < index; at++) {
    const end = text.indexOf(separator, from)
    if (end < 0) return null
    from = end + separator.length
  }
  const end = text.indexOf(separator, from)
  lastText = text
  lastSeparator = separator
  lastIndex = end < 0 ? index : index + 1
  lastFrom = end < 0 ? from : end + separator.length
  return end < 0 ? text.slice(from) : text.slice(from, end)
}
