/** Milliseconds since the epoch, in event time. */
export type Timestamp = number

/** Before every record: the watermark of a channel that has said nothing yet. */
export const MIN_TIMESTAMP: Timestamp = Number.MIN_SAFE_INTEGER
/** The end of time: the watermark of a bounded input that has ended. */
export const MAX_TIMESTAMP: Timestamp = Number.MAX_SAFE_INTEGER

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `500ms 10s 1m 2h 7d` → milliseconds; undefined when the text is not a duration. */
export function parseDurationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  if (!match) return undefined
  const ms = Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? NaN)
  return Number.isSafeInteger(ms) ? ms : undefined
}
