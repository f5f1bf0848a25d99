import type { Timestamp } from './time.ts'

const ISO = /^(\d{4}|[+-]\d{6})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?)?$/
const DAY_MS = 86_400_000

/**
 * ISO 8601 → ms since the epoch; undefined when the text is none. A text without a zone is UTC, whatever the
 * machine's zone; digits beyond milliseconds are cut; a space may stand for the T, as RFC 3339 allows.
 */
export function parseIsoTimestamp(text: string): Timestamp | undefined {
  const match = ISO.exec(text)
  if (!match) return undefined
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = match
  const time = isoTimestamp(
    Number(year),
    Number(month),
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
    Number(fraction.slice(0, 3).padEnd(3, '0')),
  )
  return Number.isNaN(time) ? undefined : time - zoneOffsetMs(zone)
}

/**
 * What `Date.parse` means in expressions: also texts that are not ISO, and the same on machines of every zone. NaN
 * for no time.
 */
export function parseTime(text: string): number {
  return (
    parseIsoTimestamp(text) ??
    Date.parse(/(?:Z|GMT|UTC?|[+-]\d\d:?\d\d)(?: *\(.*\))?$/i.test(text) ? text : `${text} UTC`)
  )
}

function zoneOffsetMs(zone: string): number {
  if (zone === 'Z') return 0
  const sign = zone.startsWith('-') ? -1 : 1
  return sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))) * 60_000
}

/** The moment of a proleptic Gregorian UTC date and time; NaN when a part is out of its range. */
export function isoTimestamp(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
  ms: number,
): Timestamp {
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return NaN
  if (hour > 23 || minute > 59 || second > 59) return NaN
  return daysFromCivil(year, month, day) * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1000 + ms
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** Days since 1970-01-01: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}

/** The largest moment a Date can show; beyond it there is no ISO text. */
const DATE_LIMIT_MS = 8.64e15

/** The UTC day of a moment, `2001-02-03` or `+012345-02-03`; undefined beyond the years ±271 821. */
export function isoDate(time: Timestamp): string | undefined {
  if (Math.abs(time) > DATE_LIMIT_MS) return undefined
  const text = new Date(time).toISOString()
  return text.slice(0, text.indexOf('T'))
}
