import { MillraceError } from './errors.ts'
import type { Timestamp } from './time.ts'
import { localTime, momentOf, offsetOf } from './time-zone.ts'
import { isoTimestamp } from './timestamp-text.ts'

const DAY_MS = 86_400_000
const DAYS_OF_WEEK = 7

/** Date and time as a clock shows them; `month` counts from 1. */
export interface Civil {
  readonly year: number
  readonly month: number
  readonly day: number
  /** Milliseconds since midnight. */
  readonly time: number
}

/** Units of a length that is always the same. */
const FIXED_MS = { millisecond: 1, second: 1000, minute: 60_000, hour: 3_600_000 } as const
const MONTHS = { month: 1, quarter: 3, year: 12 } as const
const DAYS = { day: 1, week: DAYS_OF_WEEK } as const
export type TimeUnit = keyof typeof FIXED_MS | keyof typeof MONTHS | keyof typeof DAYS
export const TIME_UNITS: readonly string[] = [FIXED_MS, DAYS, MONTHS].flatMap((units) => Object.keys(units))

/** Days since 1970-01-01 → year, month, day: Howard Hinnant, civil_from_days. */
export function civilOf(local: Timestamp): Civil {
  const days = Math.floor(local / DAY_MS)
  const z = days + 719_468
  const era = Math.floor(z / 146_097)
  const dayOfEra = z - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shifted = Math.floor((5 * dayOfYear + 2) / 153)
  const month = shifted < 10 ? shifted + 3 : shifted - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1,
    time: local - days * DAY_MS,
  }
}

function midnight(year: number, month: number, day = 1): Timestamp {
  return isoTimestamp(year, month, 1, 0, 0, 0, 0) + (day - 1) * DAY_MS
}

/** Monday is 1, Sunday 7. */
function weekday(local: Timestamp): number {
  return positive(Math.floor(local / DAY_MS) + 3, DAYS_OF_WEEK) + 1
}

function positive(value: number, by: number): number {
  return ((value % by) + by) % by
}

/** The Thursday of a week decides to which year it belongs (ISO 8601). */
function thursday(local: Timestamp): Civil {
  return civilOf(local + (4 - weekday(local)) * DAY_MS)
}

function dayOfYear(local: Timestamp): number {
  return Math.floor((local - midnight(civilOf(local).year, 1)) / DAY_MS) + 1
}

/** Parts of a date and time, from what the clock shows. */
const PARTS = {
  year: (local) => civilOf(local).year,
  quarter: (local) => Math.ceil(civilOf(local).month / 3),
  month: (local) => civilOf(local).month,
  day: (local) => civilOf(local).day,
  dayOfWeek: weekday,
  dayOfYear,
  isoYear: (local) => thursday(local).year,
  isoWeek: (local) => {
    const { year, month, day } = thursday(local)
    return Math.ceil(dayOfYear(midnight(year, month, day)) / DAYS_OF_WEEK)
  },
  hour: (local) => Math.floor(positive(local, DAY_MS) / 3_600_000),
  minute: (local) => Math.floor(positive(local, 3_600_000) / 60_000),
  second: (local) => Math.floor(positive(local, 60_000) / 1000),
  millisecond: (local) => positive(local, 1000),
} as const satisfies Readonly<Record<string, (local: Timestamp) => number>>
export type DatePart = keyof typeof PARTS
export const DATE_PARTS: readonly string[] = Object.keys(PARTS)

export function datePart(at: Timestamp, part: DatePart, zone: string): number {
  return PARTS[part](localTime(at, zone))
}

/** The beginning of the unit that the moment is in, in the zone; weeks begin on Monday. */
export function truncateTime(at: Timestamp, unit: TimeUnit, zone: string): Timestamp {
  const local = localTime(at, zone)
  const begin = beginOf(local, unit)
  if (!(unit in FIXED_MS)) return momentOf(begin, zone)
  // an hour that comes twice begins twice
  const same = begin - (local - at)
  return offsetOf(same, zone) === local - at ? same : momentOf(begin, zone)
}

function beginOf(local: Timestamp, unit: TimeUnit): Timestamp {
  if (isIn(FIXED_MS, unit)) return local - positive(local, FIXED_MS[unit])
  const day = local - positive(local, DAY_MS)
  if (unit === 'day') return day
  if (unit === 'week') return day - (weekday(local) - 1) * DAY_MS
  const { year, month } = civilOf(local)
  const months = isIn(MONTHS, unit) ? MONTHS[unit] : unknownUnit(unit)
  return midnight(year, month - ((month - 1) % months))
}

/**
 * So many units later. Days and longer units keep the time that the clock shows; where a month has no such day, it is
 * its last.
 */
export function addTime(at: Timestamp, amount: number, unit: TimeUnit, zone: string): Timestamp {
  if (amount === 0) return at
  if (isIn(FIXED_MS, unit)) return at + amount * FIXED_MS[unit]
  return momentOf(addLocal(localTime(at, zone), amount, unit), zone)
}

function addLocal(local: Timestamp, amount: number, unit: TimeUnit): Timestamp {
  if (isIn(DAYS, unit)) return local + amount * DAYS[unit] * DAY_MS
  if (!isIn(MONTHS, unit)) return unknownUnit(unit)
  const { year, month, day, time } = civilOf(local)
  const months = year * 12 + month - 1 + amount * MONTHS[unit]
  const [toYear, toMonth] = [Math.floor(months / 12), positive(months, 12) + 1]
  const length = Math.round(
    (midnight(toYear + Math.floor(toMonth / 12), (toMonth % 12) + 1) - midnight(toYear, toMonth)) / DAY_MS,
  )
  return midnight(toYear, toMonth, Math.min(day, length)) + time
}

/** Whole units from one moment to another, negative when it is before; days and longer units by what the clock shows. */
export function timeBetween(from: Timestamp, to: Timestamp, unit: TimeUnit, zone: string): number {
  if (isIn(FIXED_MS, unit)) return whole((to - from) / FIXED_MS[unit])
  const [begin, end] = [localTime(from, zone), localTime(to, zone)]
  if (isIn(DAYS, unit)) return whole((end - begin) / (DAYS[unit] * DAY_MS))
  if (!isIn(MONTHS, unit)) return unknownUnit(unit)
  return whole(monthsBetween(begin, end) / MONTHS[unit])
}

/** Whole days are taken first, then months of them, as Temporal and java.time do. */
function monthsBetween(begin: Timestamp, end: Timestamp): number {
  const sign = end < begin ? -1 : 1
  const one = civilOf(begin)
  const isPartDay = (civilOf(end).time - one.time) * sign < 0
  const other = civilOf(isPartDay ? end - sign * DAY_MS : end)
  const months = (other.year - one.year) * 12 + other.month - one.month
  return (other.day - one.day) * sign < 0 ? months - sign : months
}

/** Towards zero, and never -0. */
function whole(value: number): number {
  return Math.trunc(value) + 0
}

function isIn<T extends object>(units: T, unit: PropertyKey): unit is keyof T {
  return Object.hasOwn(units, unit)
}

function unknownUnit(unit: string): never {
  throw new MillraceError('UNIT_UNKNOWN', `there is no unit ${unit}`)
}
