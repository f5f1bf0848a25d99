import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkExpressionTree } from '../../../../runtime/expressions/check-tree.ts'
import { parseExpression } from '../../../../runtime/expressions/parse.ts'
import { expressionText } from '../../../../runtime/expressions/text.ts'
import { addTime, datePart, timeBetween, truncateTime, type TimeUnit } from '../../../../runtime/model/calendar.ts'
import { formatTime, parseFormatted } from '../../../../runtime/model/time-format.ts'
import { localTime, momentOf } from '../../../../runtime/model/time-zone.ts'
import { computed } from '../../../harness/computed.ts'
import { schemaOf } from '../../../harness/formats.ts'

const TYPES = { at: 'timestamp', day: 'date', clock: 'time', text: 'string', late: 'timestamp?', n: 'long' }
const AT = Date.UTC(2024, 1, 29, 23, 30, 15, 250)
const ROW = { at: AT, day: 19_782, clock: 45_015_000, text: '29.02.2024 23:30', late: null, n: 3 }
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'America/Sao_Paulo',
]

describe('date functions', () => {
  test.each([
    ['Date.year(at)', 'long', 2024],
    ["Date.day(at, 'Europe/Berlin')", 'long', 1],
    ['Date.dayOfWeek(at)', 'long', 4],
    ['Date.isoWeek(day)', 'long', 9],
    ['Date.hour(clock)', 'long', 12],
    ['Date.month(late)', 'long?', null],
    ["Date.truncate(at, 'month')", 'timestamp', Date.UTC(2024, 1, 1)],
    ["Date.truncate(day, 'week')", 'date', 19_779],
    ["Date.add(at, n, 'month')", 'timestamp', Date.UTC(2024, 4, 29, 23, 30, 15, 250)],
    ["Date.add(day, 1, 'year')", 'date', 20_147],
    ["Date.diff(Date.parse('2024-01-31'), at, 'month')", 'long', 0],
    ["Date.format(at, 'EEE d MMM yyyy, hh:mm a')", 'string', 'Thu 29 Feb 2024, 11:30 PM'],
    ["Date.format(at, \"yyyy-MM-dd'T'HH:mm:ss.SSSXXX\", 'Asia/Kolkata')", 'string', '2024-03-01T05:00:15.250+05:30'],
    ["Date.format(clock, 'HH:mm')", 'string', '12:30'],
    ["Date.parse(text, 'dd.MM.yyyy HH:mm')", 'timestamp', Date.UTC(2024, 1, 29, 23, 30)],
    ["Date.parse(text, 'dd.MM.yyyy HH:mm', 'Europe/Berlin')", 'timestamp', Date.UTC(2024, 1, 29, 22, 30)],
  ])('%s is %s %j', (text, type, value) => {
    expect(computed(text, TYPES, ROW)).toEqual({ type, value })
    const tree = parseExpression(text, schemaOf(TYPES))
    expect(parseExpression(expressionText(tree), schemaOf(TYPES))).toEqual(tree)
    expect(checkExpressionTree(JSON.parse(JSON.stringify(tree)))).toBeUndefined()
  })

  test.each([
    ['Date.year(text)', 'Date.parse(text)', 11],
    ["Date.truncate(at, 'days')", 'did you mean "day"?', 19],
    ["Date.year(at, 'Mars')", 'Europe/Berlin', 15],
    ["Date.format(at, 'YYYY')", 'letters are yyyy', 17],
    ['Date.format(at, text)', 'HH:mm:ss', 17],
    ["Date.year(day, 'UTC')", undefined, 16],
    ["Date.add(at, 1.5, 'day')", undefined, 14],
    ["Date.diff(at, day, 'day')", undefined, 1],
    ["Date.add(clock, 1, 'hour')", undefined, 1],
    ['Date.year()', undefined, 1],
    ['Date.yaer(at)', 'did you mean "Date.year"?', 1],
  ])('%s is refused where it stands', (text, hint, column) => {
    expect(() => parseExpression(text, schemaOf(TYPES))).toThrow(
      expect.objectContaining({
        position: { line: 1, column },
        ...(hint === undefined ? {} : { hint: expect.stringContaining(hint) as unknown }),
      }),
    )
  })

  test('a text that is not of the format makes the row a bad record', () => {
    for (const text of ['30.02.2024 00:00', '1.2.2024 00:00', '29.02.2024 24:00', '29.02.2024 23:30 '])
      expect(() => computed("Date.parse(text, 'dd.MM.yyyy HH:mm')", TYPES, { ...ROW, text })).toThrow('would be NaN')
  })
})

/** Moments of four centuries, and such around changes of clocks. */
const moment = fc.oneof(
  fc.integer({ min: Date.UTC(1900, 0), max: Date.UTC(2030, 0) }),
  fc
    .tuple(
      fc.constantFrom(
        ...[
          '2024-03-31T01:00',
          '2024-10-27T01:00',
          '2024-03-10T07:00',
          '2024-11-03T06:00',
          '2011-12-30T10:00',
          '2018-11-04T03:00',
          '2024-04-06T15:00',
          '2024-10-05T15:30',
          '2024-01-31T12:00',
          '2023-02-28T12:00',
        ].map((text) => Date.parse(`${text}Z`)),
      ),
      fc.integer({ min: -90_000_000, max: 90_000_000 }),
    )
    .map(([change, by]) => change + by),
)
const zone = fc.constantFrom(...ZONES)
const UNITS = ['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'] as const
const zoned = (at: number, name: string): Temporal.ZonedDateTime =>
  Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(name)

describe('dates and times as Temporal has them', () => {
  test('parts, in every zone', () => {
    fc.assert(
      fc.property(moment, zone, (at, name) => {
        const theirs = zoned(at, name)
        expect(
          (
            [
              'year',
              'month',
              'day',
              'hour',
              'minute',
              'second',
              'millisecond',
              'dayOfWeek',
              'dayOfYear',
              'isoWeek',
              'isoYear',
            ] as const
          ).map((part) => datePart(at, part, name)),
        ).toEqual([
          theirs.year,
          theirs.month,
          theirs.day,
          theirs.hour,
          theirs.minute,
          theirs.second,
          theirs.millisecond,
          theirs.dayOfWeek,
          theirs.dayOfYear,
          theirs.weekOfYear,
          theirs.yearOfWeek,
        ])
        expect(formatTime(at, 'yyyy-MM-dd HH:mm:ss.SSS', name)).toBe(
          theirs.toPlainDateTime().toString({ smallestUnit: 'millisecond' }).replace('T', ' '),
        )
      }),
      { numRuns: 2000 },
    )
  })

  test('the moment at which a clock shows a time, skipped and repeated times included', () => {
    fc.assert(
      fc.property(moment, zone, (at, name) => {
        const local = zoned(localTime(at, name), 'UTC').toPlainDateTime()
        expect(momentOf(localTime(at, name), name)).toBe(local.toZonedDateTime(name).epochMilliseconds)
        const shown = zoned(at, 'UTC').toPlainDateTime()
        expect(momentOf(at, name)).toBe(shown.toZonedDateTime(name).epochMilliseconds)
        expect(parseFormatted(formatTime(at, 'yyyy-MM-dd HH:mm:ss.SSS', 'UTC'), 'yyyy-MM-dd HH:mm:ss.SSS', name)).toBe(
          shown.toZonedDateTime(name).epochMilliseconds,
        )
      }),
      { numRuns: 2000 },
    )
  })

  test('durations that are added, in every zone', () => {
    fc.assert(
      fc.property(
        moment,
        zone,
        fc.constantFrom(...UNITS),
        fc.integer({ min: -100, max: 100 }),
        (at, name, unit, amount) => {
          const [theirs, times] = unit === 'quarter' ? (['months', 3] as const) : ([`${unit}s`, 1] as const)
          expect(addTime(at, amount, unit, name)).toBe(
            zoned(at, name).add({ [theirs]: amount * times }).epochMilliseconds,
          )
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('units that are truncated to, in every zone', () => {
    fc.assert(
      fc.property(
        moment,
        zone,
        fc.constantFrom('second', 'minute', 'hour', 'day', 'week', 'month', 'year'),
        (at, name, unit: TimeUnit) => {
          const theirs = zoned(at, name)
          const day = theirs.toPlainDate()
          const begin = {
            week: day.subtract({ days: theirs.dayOfWeek - 1 }),
            month: day.with({ day: 1 }),
            year: day.with({ month: 1, day: 1 }),
            day,
          }
          expect(truncateTime(at, unit, name)).toBe(
            unit in begin
              ? begin[unit as keyof typeof begin].toPlainDateTime().toZonedDateTime(name).epochMilliseconds
              : theirs.round({ smallestUnit: unit as 'hour', roundingMode: 'floor' }).epochMilliseconds,
          )
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('whole units between two moments', () => {
    fc.assert(
      fc.property(moment, moment, zone, fc.constantFrom('day', 'week', 'month', 'year'), (from, to, name, unit) => {
        const [one, other] = [from, to].map((at) => zoned(at, name).toPlainDateTime())
        const theirs = one && other ? one.until(other, { largestUnit: unit }) : undefined
        expect(timeBetween(from, to, unit, name)).toBe(theirs?.[`${unit}s`])
      }),
      { numRuns: 2000 },
    )
  })
})
