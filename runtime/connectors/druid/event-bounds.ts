import { MillraceError } from '../../model/errors.ts'

const QUOTE = 34
const BACKSLASH = 92
const OPENERS: ReadonlySet<number> = new Set([91, 123])
const CLOSERS: ReadonlySet<number> = new Set([93, 125])
/** `[ { "events": [ { … } ] } ]`: an event is opened at this depth. */
const EVENT_DEPTH = 3
const EVENTS = Buffer.from('"events"')

/** Where the events are in the answer of a scan query (`resultFormat: list`): bytes[starts[i]..ends[i]). */
export interface EventBounds {
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}

/**
 * Finds the events without parsing them, so that the scanner of the job's schema reads numbers from their digits.
 * `bytes` is JSON, which was checked before.
 */
export function eventBounds(bytes: Buffer): EventBounds {
  const starts: number[] = []
  const ends: number[] = []
  let depth = 0
  /** Whether the array that is open at the depth of the events is theirs, and not one of columns or signatures. */
  let inEvents = false
  let lastName: Buffer = Buffer.alloc(0)
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte === QUOTE) {
      const end = closingQuote(bytes, at)
      if (depth === EVENT_DEPTH - 1) lastName = bytes.subarray(at, end + 1)
      at = end
    } else if (OPENERS.has(byte)) {
      if (depth === EVENT_DEPTH - 1) inEvents = lastName.equals(EVENTS)
      else if (depth === EVENT_DEPTH && inEvents) starts.push(at)
      depth++
    } else if (CLOSERS.has(byte)) {
      depth--
      if (depth === EVENT_DEPTH && inEvents) ends.push(at + 1)
    }
  }
  if (depth !== 0 || starts.length !== ends.length)
    throw new MillraceError('DRUID_ANSWER', 'Druid answered a scan with JSON that ends too early', {
      domain: 'dependency',
      retriable: true,
    })
  return { starts, ends }
}

function closingQuote(bytes: Buffer, open: number): number {
  for (let at = open + 1; at < bytes.length; at++) {
    if (bytes[at] === BACKSLASH) at++
    else if (bytes[at] === QUOTE) return at
  }
  return bytes.length
}
