import { civilOf, datePart } from './calendar.ts'
import type { Timestamp } from './time.ts'
import { localTime, momentOf } from './time-zone.ts'
import { isoTimestamp } from './timestamp-text.ts'

const MONTH_NAMES = 'January February March April May June July August September October November December'.split(' ')
const DAY_NAMES = 'Monday Tuesday Wednesday Thursday Friday Saturday Sunday'.split(' ')

interface Parts {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  ms: number
  /** Hours of `h` begin again at noon. */
  half?: 'AM' | 'PM'
  offsetMs?: number
}

interface Token {
  /** What it is in a text that is formatted. */
  write(at: Timestamp, zone: string): string
  /** What it is in a text that is read, and what that says. */
  readonly pattern: string
  read(text: string, parts: Parts): void
}

/** A format as tokens, or why it is none. */
export type TimeFormat = { readonly tokens: readonly Token[]; readonly pattern: RegExp } | { readonly problem: string }

const number = (part: Parameters<typeof datePart>[1], name: keyof Parts, length: number, digits = 2): Token => ({
  write: (at, zone) => String(datePart(at, part, zone)).padStart(length, '0'),
  pattern: length === 1 ? `\\d{1,${digits}}` : `\\d{${length}}`,
  read: (text, parts) => Object.assign(parts, { [name]: Number(text) }),
})

const names = (part: 'month' | 'dayOfWeek', all: readonly string[], length?: number): Token => {
  const short = all.map((name) => name.slice(0, length))
  return {
    write: (at, zone) => short[datePart(at, part, zone) - 1] ?? '',
    pattern: short.join('|'),
    read: (text, parts) => {
      if (part === 'month') parts.month = short.indexOf(text) + 1
    },
  }
}

const halfHour = (length: number): Token => ({
  ...number('hour', 'hour', length),
  write: (at, zone) => String(datePart(at, 'hour', zone) % 12 || 12).padStart(length, '0'),
})

const fraction = (length: number): Token => ({
  write: (at, zone) =>
    String(datePart(at, 'millisecond', zone))
      .padStart(3, '0')
      .slice(0, length),
  pattern: `\\d{${length}}`,
  read: (text, parts) => {
    parts.ms = Number(text.padEnd(3, '0'))
  },
})

const offset: Token = {
  write: (at, zone) => {
    const minutes = Math.round((localTime(at, zone) - at) / 60_000)
    if (minutes === 0) return 'Z'
    const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60]
    return `${minutes < 0 ? '-' : '+'}${String(hours).padStart(2, '0')}:${String(rest).padStart(2, '0')}`
  },
  pattern: 'Z|[+-]\\d\\d:\\d\\d',
  read: (text, parts) => {
    const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(4))
    parts.offsetMs = text === 'Z' ? 0 : minutes * (text.startsWith('-') ? -60_000 : 60_000)
  },
}

/** The letters of java.time's DateTimeFormatter and of Flink's DATE_FORMAT, as far as they are taken. */
const TOKENS: Readonly<Record<string, Token>> = {
  yyyy: {
    ...number('year', 'year', 4),
    write: (at, zone) => {
      const { year } = civilOf(localTime(at, zone))
      return `${year < 0 ? '-' : ''}${String(Math.abs(year)).padStart(4, '0')}`
    },
  },
  MMMM: names('month', MONTH_NAMES),
  MMM: names('month', MONTH_NAMES, 3),
  MM: number('month', 'month', 2),
  M: number('month', 'month', 1),
  dd: number('day', 'day', 2),
  d: number('day', 'day', 1),
  EEEE: names('dayOfWeek', DAY_NAMES),
  EEE: names('dayOfWeek', DAY_NAMES, 3),
  HH: number('hour', 'hour', 2),
  H: number('hour', 'hour', 1),
  hh: halfHour(2),
  h: halfHour(1),
  a: {
    write: (at, zone) => (datePart(at, 'hour', zone) < 12 ? 'AM' : 'PM'),
    pattern: 'AM|PM',
    read: (text, parts) => {
      parts.half = text === 'AM' ? 'AM' : 'PM'
    },
  },
  mm: number('minute', 'minute', 2),
  m: number('minute', 'minute', 1),
  ss: number('second', 'second', 2),
  s: number('second', 'second', 1),
  SSS: fraction(3),
  SS: fraction(2),
  S: fraction(1),
  XXX: offset,
}

/** The letters that formats are made of, for messages. */
export const FORMAT_LETTERS = Object.keys(TOKENS).join(' ')

/** `yyyy-MM-dd'T'HH:mm:ss.SSSXXX`; letters in quotes stand for themselves, two quotes for one. */
export function readTimeFormat(format: string): TimeFormat {
  const before = FORMATS.get(format)
  if (before !== undefined) return before
  const read = parsedFormat(format)
  if (FORMATS.size >= MOST_FORMATS) FORMATS.clear()
  FORMATS.set(format, read)
  return read
}

const FORMATS = new Map<string, TimeFormat>()
const MOST_FORMATS = 1000

function parsedFormat(format: string): TimeFormat {
  const tokens: Token[] = []
  for (const [written, quoted, letters] of format.matchAll(/'((?:[^']|'')*)'|([A-Za-z])\2*|[^]/g)) {
    const token = Object.hasOwn(TOKENS, written) ? TOKENS[written] : undefined
    if (letters !== undefined && token === undefined) return { problem: `it has ${written}` }
    if (written === "'") return { problem: 'a quote is not closed' }
    tokens.push(token ?? constant(quoted === undefined ? written : quoted === '' ? "'" : quoted.replaceAll("''", "'")))
  }
  if (tokens.length === 0) return { problem: 'it is empty' }
  return { tokens, pattern: new RegExp(`^${tokens.map(({ pattern }) => `(${pattern})`).join('')}$`) }
}

function constant(text: string): Token {
  return { write: () => text, pattern: RegExp.escape(text), read: () => undefined }
}

/** The moment as text; `format` has been read before. */
export function formatTime(at: Timestamp, format: string, zone: string): string {
  const read = readTimeFormat(format)
  return 'problem' in read ? '' : read.tokens.map((token) => token.write(at, zone)).join('')
}

/** The moment of a text, NaN when it is not of the format. What it does not say is that of 1970-01-01 00:00:00. */
export function parseFormatted(text: string, format: string, zone: string): Timestamp {
  const read = readTimeFormat(format)
  const found = 'problem' in read ? null : read.pattern.exec(text)
  if (found === null || 'problem' in read) return NaN
  const parts: Parts = { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, ms: 0 }
  read.tokens.forEach((token, index) => {
    token.read(found[index + 1] ?? '', parts)
  })
  const { year, month, day, hour, minute, second, ms, half, offsetMs } = parts
  if (half !== undefined && (hour < 1 || hour > 12)) return NaN
  const hours = half === undefined ? hour : (hour % 12) + (half === 'PM' ? 12 : 0)
  const local = isoTimestamp(year, month, day, hours, minute, second, ms)
  if (Number.isNaN(local)) return NaN
  return offsetMs === undefined ? momentOf(local, zone) : local - offsetMs
}
