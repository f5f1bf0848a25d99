import { describe, expect, test } from 'vitest'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import { readSourceOptions, sourceOptions } from '../../../../../runtime/connectors/druid/declaration.ts'
import { druidSource } from '../../../../../runtime/connectors/druid/source.ts'
import type { SourceReader, Split } from '../../../../../runtime/connectors/source.ts'
import { sleep } from '../../../../../runtime/ports/clock.ts'
import { isFields } from '../../../../../runtime/model/fields.ts'
import type { Row, Schema } from '../../../../../runtime/model/schema.ts'
import { expectExactRestores, readAll } from '../../../../harness/connector-conformance.ts'
import { DruidSegments, type HeldSegment } from '../../../../harness/druid-segments.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'
import { sourceContext } from '../../../../harness/source-context.ts'

const SCHEMA: Schema = {
  fields: [
    { name: '__time', type: 'timestamp', nullable: false },
    { name: 'name', type: 'string', nullable: true },
    { name: 'n', type: 'long', nullable: false },
  ],
}
const DAY_MS = 86_400_000
const START = Date.parse('2026-01-01T00:00:00Z')

function day(number: number): string {
  const iso = (ms: number): string => new Date(ms).toISOString()
  return `${iso(START + number * DAY_MS)}/${iso(START + (number + 1) * DAY_MS)}`
}

/** Rows every hour, numbered over all days. */
function segment(number: number, parts: Partial<HeldSegment> = {}): HeldSegment {
  const events = Array.from({ length: 24 }, (_, hour) => ({
    __time: START + number * DAY_MS + hour * 3_600_000,
    name: hour % 2 === 0 ? 'even, "} ] {[' : 'odd',
    n: number * 24 + hour,
  }))
  return { interval: day(number), version: 'v1', partition: 0, isPublished: true, isServed: true, events, ...parts }
}

function bed(segments: readonly HeldSegment[], options: object) {
  const druid = new DruidSegments()
  druid.segments.push(...segments)
  const ports = Object.defineProperty(jumpingPorts(), 'httpClient', { value: druid })
  const troubles: (string | null)[] = []
  const context = {
    ...sourceContext({ verb: { connector: 'druid' }, schema: SCHEMA, baseDir: '.', ports }),
    reportTrouble: (error: Error | null) => {
      troubles.push(error === null ? null : error.message)
    },
  }
  const connector = druidSource(readSourceOptions({ url: 'http://druid:8888', datasource: 'd', ...options }))
  const reader = (splits: readonly Split[]): Promise<SourceReader> => {
    const opened = connector.reader({ ...context, slot: 0, parallelism: 1 }, compileRowClass(SCHEMA))
    return opened.open(splits).then(() => opened)
  }
  const discover = async (known: readonly Split[] = []): Promise<Split[]> => {
    const enumerator = connector.enumerator(context)
    return enumerator.discover(known, 1).finally(() => enumerator.close())
  }
  return { druid, context, connector, troubles, reader, discover, clock: ports.clock }
}

/** Polls until `enough`; the numbers of the rows. */
async function numbersOf(reader: SourceReader, enough: (numbers: readonly number[]) => boolean): Promise<number[]> {
  const numbers: number[] = []
  for (let polls = 0; !enough(numbers); polls++) {
    expect(polls, `after ${numbers.length} rows`).toBeLessThan(1000)
    const batch = await reader.poll(7)
    numbers.push(...(batch?.batch.rows() ?? []).map((row: Row) => Number(row['n'])))
  }
  return numbers
}

describe('published segments', () => {
  test('are read once each, wherever the reading stops and in any number of slots', async () => {
    const { connector, context } = bed([segment(0), segment(1), segment(2, { partition: 3 })], {})
    const source = { connector, context, maxRows: 5, interruptions: 12 }
    expect(await readAll(source)).toHaveLength(72)
    await expectExactRestores(source, 1, 2)
    await expectExactRestores(source, 3, 1)
  })

  test('are cut to the time that the job asks for, and rows that the filter refuses are left out', async () => {
    const { connector, context } = bed([segment(0), segment(1)], {
      from: '2026-01-01T20:00:00Z',
      to: '2026-01-02T04:00:00Z',
      filter: { type: 'selector', dimension: 'name', value: 'odd' },
    })
    const rows = await readAll({ connector, context, maxRows: 5, interruptions: 1 })
    expect(rows.map((row) => (JSON.parse(row) as { n: number }).n).sort((a, b) => a - b)).toEqual([21, 23, 25, 27])
  })

  test('that a task still fills are left out of a bounded reading', async () => {
    const { discover } = bed([segment(0), segment(1, { isPublished: false })], {})
    expect(await discover()).toHaveLength(1)
  })

  test('that no server has are waited for and reported, since Druid answers as if they were empty', async () => {
    const { druid, discover, reader, troubles } = bed([segment(0, { isServed: false })], {})
    const opened = await reader(await discover())
    for (let polls = 0; troubles.length === 0; polls++) {
      expect(polls).toBeLessThan(1000)
      expect(await opened.poll(10)).toBeUndefined()
    }
    expect(troubles[0]).toBe(
      `no server of the Druid at http://druid:8888 has the published segment ${day(0)}, version v1, partition 0`,
    )
    for (const held of druid.segments) held.isServed = true
    expect(await numbersOf(opened, (numbers) => numbers.length === 24)).toEqual([...Array(24).keys()])
    expect(opened.isFinished()).toBe(true)
    expect(troubles.at(-1)).toBeNull()
  })

  test('that were replaced since the job listed them end it with the reason', async () => {
    const { druid, discover, reader } = bed([segment(0)], {})
    const opened = await reader(await discover())
    druid.segments.splice(0, 1, segment(0, { version: 'v2' }))
    await expect(numbersOf(opened, () => false)).rejects.toMatchObject({ code: 'DRUID_SEGMENT_GONE', domain: 'user' })
  })

  test('whose answer is too large are read in smaller pages', async () => {
    const { MillraceError } = await import('../../../../../runtime/model/errors.ts')
    const { druid, discover, reader } = bed([segment(0)], {})
    const opened = await reader(await discover())
    const tooLarge = new MillraceError('HTTP_TOO_LARGE', 'too large', { domain: 'dependency' })
    const send = druid.send.bind(druid)
    druid.send = (request) =>
      (JSON.parse(request.body ?? '{}') as { limit?: number }).limit === 24 ? Promise.reject(tooLarge) : send(request)
    expect(await numbersOf(opened, (numbers) => numbers.length === 24)).toEqual([...Array(24).keys()])
  })

  test.each([
    ['no answer', new Error('reset')],
    ['503', { status: 503, body: 'busy' }],
    ['429', { status: 429, body: '{"error":"Query capacity exceeded","errorMessage":"Too many queries"}' }],
    ['half an answer', { status: 200, body: '[{"segmentId":"s","ev' }],
  ])('are asked for again after %s, and no row is lost or doubled', async (_what, mishap) => {
    const { druid, discover, reader } = bed([segment(0), segment(1)], {})
    const opened = await reader(await discover())
    const read = await numbersOf(opened, (numbers) => numbers.length === 24)
    druid.mishaps.push(mishap, mishap)
    read.push(...(await numbersOf(opened, (numbers) => numbers.length === 24)))
    expect(read).toEqual([...Array(48).keys()])
  })
})

test('a page that lacks rows because the segment has just moved is asked for again', async () => {
  const { druid, discover, reader } = bed([segment(0)], {})
  const opened = await reader(await discover())
  const send = druid.send.bind(druid)
  let moved = 0
  druid.send = (request) =>
    request.body?.includes('"scan"') === true && moved++ === 0
      ? Promise.resolve({ status: 200, body: '[]' })
      : send(request)
  expect(await numbersOf(opened, (numbers) => numbers.length === 24)).toEqual([...Array(24).keys()])
  expect(moved).toBe(2)
})

describe('a job is refused', () => {
  test('with the words of Druid when it will not answer', async () => {
    const { druid, discover } = bed([segment(0)], {})
    druid.mishaps.push({ status: 403, body: '{"error":"druidException","errorMessage":"Unauthorized"}' })
    await expect(discover()).rejects.toMatchObject({
      code: 'DRUID_REFUSED',
      message: 'the Druid at http://druid:8888 answered 403: Unauthorized',
      hint: 'Give the job a login that may use the datasource.',
    })
  })

  test('when a column is missing, which a scan would answer as null', async () => {
    const { druid, discover } = bed([segment(0)], {})
    for (const held of druid.segments) held.events = held.events.map(({ name: _name, ...event }) => event)
    await expect(discover()).rejects.toMatchObject({
      code: 'COLUMN_MISSING',
      message: 'the datasource "d" has no column name',
      hint: 'It has: __time, n.',
    })
  })

  test('when the datasource does not exist', async () => {
    await expect(bed([], {}).discover()).rejects.toMatchObject({ code: 'DRUID_DATASOURCE_UNKNOWN', retriable: true })
  })
})

describe('continuous reading', () => {
  const continuous = { every: '10s', lag: '1h' }
  /** The clock of these tests stands in November 2023. */
  const beforeNow = (days: number): number => Math.floor((1_700_000_000_000 - START) / DAY_MS) - days

  test('reads window after window, and each segment that is published later once', async () => {
    const { druid, discover, reader, clock } = bed([segment(beforeNow(5))], { continuous: { every: '10s', lag: '1s' } })
    const opened = await reader(await discover())
    await numbersOf(opened, (numbers) => numbers.length === 24)
    expect(opened.isFinished()).toBe(false)
    const end = 1_700_000_000_000
    const late = segment(0, { interval: `${new Date(end).toISOString()}/${new Date(end + DAY_MS).toISOString()}` })
    late.events = late.events.slice(0, 3).map((event, n) => ({ ...event, __time: end + n, n }))
    druid.segments.push(late)
    await sleep(clock, 20_000)
    expect(await numbersOf(opened, (numbers) => numbers.length === 3)).toEqual([0, 1, 2])
  })

  test('waits before a segment that is not published yet, and continues with it from a checkpoint', async () => {
    const open = segment(beforeNow(3), { isPublished: false })
    const { druid, discover, reader } = bed([segment(beforeNow(5)), open, segment(beforeNow(2))], { continuous })
    const opened = await reader(await discover())
    expect(await numbersOf(opened, (numbers) => numbers.length === 24)).toHaveLength(24)
    for (let polls = 0; polls < 50; polls++) expect(await opened.poll(10)).toBeUndefined()
    const known = JSON.parse(JSON.stringify(opened.snapshot())) as Split[]
    await opened.close()
    for (const held of druid.segments) held.isPublished = true
    const restored = await reader(await discover(known))
    const numbers = await numbersOf(restored, (read) => read.length === 48)
    expect(numbers[0]).toBe(beforeNow(3) * 24)
    expect(new Set(numbers).size).toBe(48)
  })

  test('keeps one split however long it reads', async () => {
    const { discover, reader } = bed([segment(beforeNow(5)), segment(beforeNow(4))], { continuous })
    const opened = await reader(await discover())
    await numbersOf(opened, (numbers) => numbers.length === 48)
    const [split, ...others] = opened.snapshot()
    expect(others).toEqual([])
    expect(isFields(split?.position) && split.position['ranges']).toEqual([])
  })
})

describe('the result of a query', () => {
  const ROWS = [...Array(20).keys()].map((n) => ({ __time: START, name: 'x', n }))
  const LINES = `${ROWS.map((row) => JSON.stringify(row)).join('\n')}\n\n`

  function query() {
    const made = bed([], { datasource: undefined, query: 'SELECT 1' })
    made.druid.sqlResult = LINES
    return made
  }

  test('is read once, wherever the reading stops', async () => {
    const { connector, context } = query()
    const source = { connector, context, maxRows: 3, interruptions: 7 }
    expect(await readAll(source)).toHaveLength(20)
    await expectExactRestores(source, 1, 2)
  })

  test('that is another one after a restore ends the job, since nobody knows which rows were read', async () => {
    const { druid, discover, reader } = query()
    const opened = await reader(await discover())
    await numbersOf(opened, (numbers) => numbers.length >= 7)
    const known = opened.snapshot()
    druid.sqlResult = LINES.replace('"n":3', '"n":4')
    const restored = await reader(known)
    await expect(numbersOf(restored, () => false)).rejects.toMatchObject({ code: 'DRUID_RESULT_CHANGED' })
  })

  test('that ended early is asked for again', async () => {
    const { druid, discover, reader } = query()
    druid.mishaps.push({ status: 200, body: LINES.trim() })
    const opened = await reader(await discover())
    expect(await numbersOf(opened, (numbers) => numbers.length === 20)).toHaveLength(20)
  })
})

test.each([
  [{ datasource: 'd' }, 'url'],
  [{ url: 'druid:8888', datasource: 'd' }, 'url'],
  [{ url: 'http://user:secret@druid', datasource: 'd' }, 'url'],
  [{ url: 'http://d' }, 'datasource'],
  [{ url: 'http://d', datasource: 'd', query: 'q' }, 'datasource'],
  [{ url: 'http://d', query: 'q', to: '2026-01-01' }, 'to'],
  [{ url: 'http://d', datasource: 'd', from: 'monday' }, 'from'],
  [{ url: 'http://d', datasource: 'd', from: '2026-01-02', to: '2026-01-01' }, 'to'],
  [{ url: 'http://d', datasource: 'd', filter: 'a = 1' }, 'filter'],
  [{ url: 'http://d', datasource: 'd', continuous: { every: '0s', lag: '1h' } }, 'continuous.every'],
  [{ url: 'http://d', datasource: 'd', continuous: {} }, 'continuous.lag'],
])('when a source says %j, the problem is at %s', (options, path) => {
  expect(sourceOptions.check(options).map((problem) => problem.path)).toContain(path)
})
