/** How rows of one key come together; `Bounded` ones put out windowStart and windowEnd. */
export interface Window<Bounds extends 'bounds' | 'none' = 'bounds' | 'none'> {
  readonly bounds: Bounds
  readonly written: unknown
}

/** Durations are written 500ms, 10s, 1m, 2h, 7d. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`
/** By the event time of rows, or by the time at which they come. */
export interface WindowTime {
  time?: 'event' | 'processing'
}

/** Windows of one length, one behind the other. */
export function tumble(size: Duration, options: WindowTime = {}): Window<'bounds'> {
  return { bounds: 'bounds', written: { tumble: size, ...options } }
}
/** Windows of one length that begin every so often and overlap. */
export function hop(every: Duration, size: Duration, options: WindowTime = {}): Window<'bounds'> {
  return { bounds: 'bounds', written: { hop: every, size, ...options } }
}
/** A window ends when nothing came for the gap. */
export function session(gap: Duration, options: WindowTime = {}): Window<'bounds'> {
  return { bounds: 'bounds', written: { session: gap, ...options } }
}
/** After every so many rows of a key, the last `rows` of them. */
export function rows(count: number, every?: number): Window<'none'> {
  return { bounds: 'none', written: { count, ...(every === undefined ? {} : { every }) } }
}
/** One window for all rows; it ends with its input. */
export function global(): Window<'none'> {
  return { bounds: 'none', written: 'global' }
}
