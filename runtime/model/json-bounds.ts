import { MAX_DEPTH, MAX_ITEMS } from './decoding-limits.ts'
import { MillraceError } from './errors.ts'

const QUOTE = 34
const BACKSLASH = 92
const COMMA = 44
const OPENERS: ReadonlySet<number> = new Set([91, 123])
const CLOSERS: ReadonlySet<number> = new Set([93, 125])
/** An item takes two characters at least, itself and a comma. */
const SHORTEST_WITH_MAX_ITEMS = 2 * MAX_ITEMS

/**
 * Throws RECORD_INVALID when the JSON text is nested deeper, or has more items, than decoding-limits.ts allows. It is
 * called before the text is parsed. A text of few brackets, which most are, costs a search for them.
 */
export function checkJsonBounds(text: string): void {
  if (text.length < SHORTEST_WITH_MAX_ITEMS && hasFew(text, '[') && hasFew(text, '{')) return
  let depth = 0
  let items = 0
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (character === QUOTE) at = closingQuote(text, at)
    else if (character === COMMA) items++
    else if (CLOSERS.has(character)) depth--
    else if (OPENERS.has(character)) {
      depth++
      items++
    }
    if (depth > MAX_DEPTH) throw refused(`is nested more than ${MAX_DEPTH} deep`)
    if (items > MAX_ITEMS) throw refused(`has more than ${MAX_ITEMS} items`)
  }
}

function refused(why: string): MillraceError {
  return new MillraceError('RECORD_INVALID', `a JSON text ${why}`, { domain: 'user' })
}

function hasFew(text: string, bracket: string): boolean {
  let at = -1
  for (let found = 0; found <= MAX_DEPTH / 2; found++) {
    at = text.indexOf(bracket, at + 1)
    if (at < 0) return true
  }
  return false
}

/** The end of the text when the quote is never closed: parsing refuses that. */
function closingQuote(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (character === QUOTE) return at
    if (character === BACKSLASH) at++
  }
  return text.length
}
