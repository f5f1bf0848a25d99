import type { Timestamp } from './time.ts'

const DAY_MS = 86_400_000

/** Whether it names a time zone, `Europe/Berlin` or `UTC`. */
export function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== ''
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

/** What a clock in the zone shows at the moment, as the moment at which a clock in UTC shows that. */
export function localTime(at: Timestamp, zone: string): Timestamp {
  return zone === 'UTC' ? at : at + offsetOf(at, zone)
}

/**
 * The moment at which a clock in the zone shows the time. Of two, the first; a time that is skipped is taken by the
 * offset before it, as the RFC 5545 and Temporal's `compatible` say.
 */
export function momentOf(local: Timestamp, zone: string): Timestamp {
  if (zone === 'UTC') return local
  const before = local - offsetOf(local - DAY_MS, zone)
  const after = local - offsetOf(local + DAY_MS, zone)
  const found = [before, after].filter((at) => at + offsetOf(at, zone) === local)
  return found.length === 0 ? before : Math.min(...found)
}

/** Milliseconds that a clock in the zone is ahead of UTC. */
export function offsetOf(at: Timestamp, zone: string): number {
  if (zone === 'UTC') return 0
  let offsets = ZONES.get(zone)
  if (offsets === undefined) ZONES.set(zone, (offsets = new ZoneOffsets(zone)))
  return offsets.at(at)
}

const ZONES = new Map<string, ZoneOffsets>()

/** A day whose ends have the same offset has it all day: no zone has ever changed twice in one. */
class ZoneOffsets {
  readonly #format: Intl.DateTimeFormat
  /** By the day in UTC; undefined where it changes in that day. */
  readonly #days = new Map<number, number | undefined>()

  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' })
  }

  at(time: Timestamp): number {
    const day = Math.floor(time / DAY_MS)
    let known = this.#days.get(day)
    if (known === undefined && !this.#days.has(day)) {
      const [first, last] = [this.#read(day * DAY_MS), this.#read(day * DAY_MS + DAY_MS - 1)]
      known = first === last ? first : undefined
      if (this.#days.size >= MOST_DAYS) this.#days.clear()
      this.#days.set(day, known)
    }
    return known ?? this.#read(time)
  }

  #read(time: Timestamp): number {
    const name = this.#format.formatToParts(time).find(({ type }) => type === 'timeZoneName')?.value ?? ''
    const [, sign, hours, minutes, seconds = '0'] = /^GMT([+\u2212-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(name) ?? []
    if (sign === undefined) return 0
    const ms = Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1000
    return sign === '+' ? ms : -ms
  }
}

const MOST_DAYS = 10_000
