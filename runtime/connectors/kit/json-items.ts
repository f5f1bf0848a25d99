import { MAX_DEPTH } from '../../model/decoding-limits.ts'
import { MillraceError } from '../../model/errors.ts'

const QUOTE = 34
const COMMA = 44
const COLON = 58
const OPEN_ARRAY = 91
const BACKSLASH = 92
const OPEN_OBJECT = 123
const BLANKS: ReadonlySet<number> = new Set([9, 10, 13, 32])
/** Ends of numbers, true, false and null. */
const ENDS: ReadonlySet<number> = new Set([...BLANKS, COMMA, 93, 125])

/** Where values are in a JSON text: bytes[starts[i]..ends[i]). */
export interface ItemBounds {
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}

/**
 * Finds the items of the arrays at a path without parsing them, so that the scanner of a schema reads numbers from their
 * digits. A step is the name of a member; `*` is any item of an array. `bytes` is JSON that was parsed before; of anything
 * else the items are nonsense, or ANSWER_CUT is thrown. Throws ANSWER_NESTED.
 */
export function jsonItems(bytes: Buffer, path: readonly string[]): ItemBounds {
  const found = { starts: [] as number[], ends: [] as number[] }
  const end = walk({ bytes, found, path }, skipBlanks(bytes, 0), 0, 0)
  if (end > bytes.length) throw cut()
  return found
}

interface Search {
  readonly bytes: Buffer
  readonly found: { readonly starts: number[]; readonly ends: number[] }
  readonly path: readonly string[]
}

/** A value off the path. */
const ELSEWHERE = -1

/** Returns where the value at `at` ends. `step` is how many steps of the path led to it. */
function walk(search: Search, at: number, step: number, depth: number): number {
  const { bytes } = search
  if (depth > MAX_DEPTH)
    throw new MillraceError('ANSWER_NESTED', `a JSON text is nested more than ${MAX_DEPTH} deep`, {
      domain: 'dependency',
    })
  switch (bytes[at]) {
    case undefined:
      throw cut()
    case QUOTE:
      return endOfText(bytes, at)
    case OPEN_ARRAY:
      return walkArray(search, at, step, depth)
    case OPEN_OBJECT:
      return walkObject(search, at, step, depth)
    default: {
      let end = at
      while (end < bytes.length && !ENDS.has(bytes[end] ?? COMMA)) end++
      if (end === at) throw cut()
      return end
    }
  }
}

function walkArray(search: Search, open: number, step: number, depth: number): number {
  const { bytes, found, path } = search
  const areItems = step === path.length
  const inner = step !== ELSEWHERE && path[step] === '*' ? step + 1 : ELSEWHERE
  let at = skipBlanks(bytes, open + 1)
  while (at < bytes.length && bytes[at] !== 93) {
    const end = walk(search, at, inner, depth + 1)
    if (areItems) {
      found.starts.push(at)
      found.ends.push(end)
    }
    at = skipBlanks(bytes, end)
    if (bytes[at] === COMMA) at = skipBlanks(bytes, at + 1)
  }
  if (at >= bytes.length) throw cut()
  return at + 1
}

function walkObject(search: Search, open: number, step: number, depth: number): number {
  const { bytes, path } = search
  let at = skipBlanks(bytes, open + 1)
  while (at < bytes.length && bytes[at] !== 125) {
    const nameEnd = endOfText(bytes, at)
    const isWanted = step >= 0 && step < path.length && nameOf(bytes, at, nameEnd) === path[step]
    at = skipBlanks(bytes, nameEnd)
    if (bytes[at] === COLON) at = skipBlanks(bytes, at + 1)
    at = skipBlanks(bytes, walk(search, at, isWanted ? step + 1 : ELSEWHERE, depth + 1))
    if (bytes[at] === COMMA) at = skipBlanks(bytes, at + 1)
  }
  if (at >= bytes.length) throw cut()
  return at + 1
}

function nameOf(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end)
  return text.includes('\\') ? String(JSON.parse(text)) : text.slice(1, -1)
}

function endOfText(bytes: Buffer, open: number): number {
  for (let at = open + 1; at < bytes.length; at++) {
    if (bytes[at] === BACKSLASH) at++
    else if (bytes[at] === QUOTE) return at + 1
  }
  throw cut()
}

function skipBlanks(bytes: Buffer, from: number): number {
  let at = from
  while (BLANKS.has(bytes[at] ?? 0)) at++
  return at
}

function cut(): MillraceError {
  return new MillraceError('ANSWER_CUT', 'a JSON text ends too early', { domain: 'dependency', retriable: true })
}
