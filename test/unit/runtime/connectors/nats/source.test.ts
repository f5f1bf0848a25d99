import { describe, expect, test } from 'vitest'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import { natsConnector } from '../../../../../runtime/connectors/nats/connector.ts'
import { declaration, sourceOptions } from '../../../../../runtime/connectors/nats/declaration.ts'
import { type Mishap, VirtualNats, type VirtualStream } from '../../../../../runtime/connectors/nats/virtual/system.ts'
import type { SourceReader, Split } from '../../../../../runtime/connectors/source.ts'
import type { Field, Schema } from '../../../../../runtime/model/schema.ts'
import { expectExactRestores, readAll } from '../../../../harness/connector-conformance.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'
import { sourceContext } from '../../../../harness/source-context.ts'

const SCHEMA: Schema = { fields: [{ name: 'n', type: 'long', nullable: false }] }
const STORED = 1_700_000_000_000

/** Message n is stored at STORED + n, of the subject `s.` and n modulo 3. */
function fill(stream: VirtualStream, from: number, to: number): void {
  for (let n = from; n < to; n++) stream.store(`s.${n % 3}`, JSON.stringify({ n }), { time: STORED + n })
}

function bed(messages: number, options: object = {}, schema = SCHEMA) {
  const nats = new VirtualNats()
  const stream = nats.createStream('S', 's.>')
  fill(stream, 0, messages)
  const troubles: (string | null)[] = []
  const context = {
    ...sourceContext({ verb: { connector: 'nats' }, schema, baseDir: '.', ports: jumpingPorts() }),
    reportTrouble: (error: Error | null) => void troubles.push(error?.message ?? null),
  }
  const connector = natsConnector(nats.connect).source({
    servers: 'virtual:4222',
    ...('streams' in options ? {} : { stream: 'S' }),
    ...options,
  })
  const discover = (known: readonly Split[] = []): Promise<Split[]> =>
    connector.enumerator(context).discover(known, 1, 1)
  const reader = async (splits: readonly Split[]): Promise<SourceReader> => {
    const opened = connector.reader({ ...context, slot: 0, parallelism: 1 }, compileRowClass(schema))
    await opened.open(splits)
    return opened
  }
  return { nats, stream, context, connector, discover, reader, troubles }
}

async function numbersOf(reader: SourceReader, count: number): Promise<number[]> {
  const numbers: number[] = []
  for (let polls = 0; numbers.length < count; polls++) {
    expect(polls, `after ${numbers.length} rows`).toBeLessThan(5000)
    const batch = await reader.poll(3)
    numbers.push(...(batch?.batch.rows() ?? []).map((row) => Number(row['n'])))
  }
  return numbers
}

async function toTheEnd(reader: SourceReader): Promise<number[]> {
  const numbers: number[] = []
  for (let polls = 0; !reader.isFinished(); polls++) {
    expect(polls, `after ${numbers.length} rows`).toBeLessThan(5000)
    numbers.push(...((await reader.poll(3))?.batch.rows() ?? []).map((row) => Number(row['n'])))
  }
  return numbers
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}

describe('a stream', () => {
  test('is read once, wherever the reading stops', async () => {
    const { connector, context } = bed(100, { bounded: true })
    const source = { connector, context, maxRows: 5, interruptions: 25 }
    expect(await readAll(source)).toHaveLength(100)
    await expectExactRestores(source, 1, 1)
    await expectExactRestores(source, 1, 3)
  })

  test('and two others are read once, in any number of slots', async () => {
    const { nats, connector, context } = bed(50, { bounded: true, streams: ['S', 'T', 'U'] })
    fill(nats.createStream('T', 't'), 50, 80)
    nats.createStream('U', 'u')
    const source = { connector, context, maxRows: 5, interruptions: 25 }
    expect(await readAll(source)).toHaveLength(80)
    await expectExactRestores(source, 1, 3)
    await expectExactRestores(source, 3, 1)
  })

  test('of which a bounded source wants few subjects is read once to its end, wherever the reading stops', async () => {
    const { connector, context, stream } = bed(100, { bounded: true, subjects: ['s.0', 's.2'] })
    fill(stream, 100, 101)
    for (let n = 0; n < 20; n++) stream.store('s.other', '{}')
    const source = { connector, context, maxRows: 5, interruptions: 25 }
    expect(await readAll(source)).toHaveLength(67)
    await expectExactRestores(source, 1, 1)
  })

  test('out of which messages were deleted is read once to its end, wherever the reading stops', async () => {
    const { connector, context, stream } = bed(100, { bounded: true })
    stream.remove(({ sequence }) => sequence % 4 === 1 || sequence > 97)
    const source = { connector, context, maxRows: 5, interruptions: 25 }
    expect(await readAll(source)).toHaveLength(72)
    await expectExactRestores(source, 1, 1)
  })

  test.each(['lost before', 'lost after', 'readings end'] satisfies Mishap[])(
    'is read once and in order when again and again a call has the mishap: %s',
    async (mishap) => {
      const { nats, stream, discover, reader, troubles } = bed(60)
      const opened = await reader(await discover())
      for (let n = 0; n < 20; n++) nats.mishaps.push(mishap)
      expect(await numbersOf(opened, 60)).toEqual(upTo(60))
      expect(nats.mishaps).toEqual([])
      fill(stream, 60, 80)
      expect(await numbersOf(opened, 20)).toEqual(upTo(80).slice(60))
      expect(troubles.at(-1) ?? null).toBeNull()
      await opened.close()
    },
  )

  test('whose servers are away is read when they are back, and the user is told', async () => {
    const { nats, stream, discover, reader, troubles } = bed(20)
    const opened = await reader(await discover())
    await numbersOf(opened, 20)
    nats.isDown = true
    while (troubles.length === 0) await opened.poll(3)
    expect(troubles[0]).toContain('virtual:4222 cannot be reached')
    nats.isDown = false
    fill(stream, 20, 30)
    expect(await numbersOf(opened, 10)).toEqual(upTo(30).slice(20))
    expect(troubles.at(-1)).toBeNull()
    await opened.close()
  })

  test('that has removed messages behind the position of a checkpoint ends the reading', async () => {
    const { stream, discover, reader } = bed(40)
    const opened = await reader(await discover())
    await numbersOf(opened, 7)
    const splits = opened.snapshot()
    await opened.close()
    stream.removeUpTo(8)
    const again = await reader(splits)
    await expect(numbersOf(again, 1)).rejects.toMatchObject({
      code: 'NATS_MESSAGES_REMOVED',
      message: 'the stream S no longer has sequence 8; it holds 9 to 40',
    })
    await again.close()
  })

  test('that removes messages which are to be read next ends the reading, and no later one is emitted', async () => {
    const { stream, discover, reader } = bed(10, { subjects: ['s.0', 's.1'] })
    const opened = await reader(await discover())
    await numbersOf(opened, 7)
    fill(stream, 10, 30)
    stream.removeUpTo(15)
    await expect(numbersOf(opened, 1)).rejects.toMatchObject({ code: 'NATS_MESSAGES_REMOVED' })
    expect(opened.snapshot()).toMatchObject([{ position: { next: 11 } }])
    await opened.close()
  })

  test('that removes what was read already is read on', async () => {
    const { stream, discover, reader } = bed(40)
    const opened = await reader(await discover())
    await numbersOf(opened, 40)
    stream.removeUpTo(40)
    fill(stream, 40, 50)
    expect(await numbersOf(opened, 10)).toEqual(upTo(50).slice(40))
    await opened.close()
  })

  test('that removes messages of other subjects before the one to read next is read on', async () => {
    const { stream, discover, reader } = bed(3, { subjects: ['s.0'] })
    const opened = await reader(await discover())
    await numbersOf(opened, 1)
    for (let n = 0; n < 20; n++) stream.store('s.1', '{}')
    while (!JSON.stringify(opened.snapshot()).includes('"next":24')) await opened.poll(3)
    stream.removeUpTo(20)
    const splits = opened.snapshot()
    await opened.close()
    const again = await reader(await discover(splits))
    fill(stream, 30, 31)
    expect(await numbersOf(again, 1)).toEqual([30])
    await again.close()
  })

  test('that begins behind its first sequence is read from there by a job that begins', async () => {
    const { stream, discover, reader } = bed(40, { bounded: true })
    stream.removeUpTo(10)
    const splits = await discover()
    stream.removeUpTo(12)
    expect(await toTheEnd(await reader(splits))).toEqual(upTo(40).slice(12))
  })

  test('that was made again is not taken for the one of the checkpoint', async () => {
    const { nats, discover, reader } = bed(20)
    const opened = await reader(await discover())
    await numbersOf(opened, 10)
    const splits = opened.snapshot()
    fill(nats.createStream('S', 's.>'), 0, 40)
    nats.endReadings()
    // what had arrived is emitted first
    await expect(numbersOf(opened, 40)).rejects.toMatchObject({ code: 'NATS_STREAM_REPLACED' })
    await opened.close()
    await expect(discover(splits)).rejects.toMatchObject({
      code: 'NATS_STREAM_REPLACED',
      message: expect.stringContaining('one of 2026-11-24T00:00:00Z, this one is of 2026-11-24T00:00:01Z'),
    })
  })

  test('that ends before the position of the checkpoint has lost messages', async () => {
    const { stream, discover, reader } = bed(20)
    const opened = await reader(await discover())
    await numbersOf(opened, 20)
    stream.remove(({ sequence }) => sequence > 15)
    stream.last = 15
    await expect(discover(opened.snapshot())).rejects.toMatchObject({ code: 'NATS_STREAM_SHRUNK' })
    await opened.close()
  })

  test.each(['workqueue', 'interest'])('of the retention %s is refused: it keeps nothing for a job', async (kind) => {
    const { stream, discover } = bed(1)
    stream.retention = kind
    await expect(discover()).rejects.toMatchObject({ code: 'NATS_RETENTION', message: expect.stringContaining(kind) })
  })

  test('that does not exist is reported by its name within 15 s', async () => {
    const { discover, troubles, context } = bed(1, { streams: ['missing'] })
    const before = context.ports.clock.now()
    await expect(discover()).rejects.toMatchObject({ code: 'NATS_STREAM_UNKNOWN' })
    expect(context.ports.clock.now() - before).toBeLessThan(15_000)
    expect(troubles).not.toEqual([])
  })

  test('gives nothing while it is paused, and all of it later', async () => {
    const { nats, discover, reader } = bed(30, { streams: ['S', 'T'] })
    fill(nats.createStream('T', 't'), 30, 60)
    const opened = await reader(await discover())
    const early = await numbersOf(opened, 9)
    opened.pauseSplits?.(new Set(['S']))
    const before = JSON.stringify(opened.snapshot()[0])
    const other = await numbersOf(opened, 10)
    expect(JSON.stringify(opened.snapshot()[0])).toBe(before)
    opened.pauseSplits?.(new Set())
    const rest = await numbersOf(opened, 60 - early.length - other.length)
    expect([...early, ...other, ...rest].sort((a, b) => a - b)).toEqual(upTo(60))
    await opened.close()
  })

  test('has as lag what was not emitted', async () => {
    const { discover, reader } = bed(30)
    const opened = await reader(await discover())
    await numbersOf(opened, 3)
    expect(opened.lagRecords?.()).toBe(27)
    await opened.close()
  })
})

describe('a source', () => {
  test.each([
    ['earliest', upTo(30)],
    [STORED + 12, upTo(30).slice(12)],
    [STORED + 1000, []],
  ])('that starts from %s reads what was stored then', async (startFrom, expected) => {
    const { discover, reader } = bed(30, { bounded: true, startFrom })
    expect(await toTheEnd(await reader(await discover()))).toEqual(expected)
  })

  test('that starts from the latest message reads what is stored behind the start of the job', async () => {
    const { stream, discover, reader } = bed(30, { startFrom: 'latest' })
    const splits = await discover()
    fill(stream, 30, 35)
    const opened = await reader(splits)
    expect(await numbersOf(opened, 5)).toEqual(upTo(35).slice(30))
    await opened.close()
  })

  test('fills fields with place, time and headers, and has a bad record where a header is not UTF-8', async () => {
    const field = (name: string, type: Field['type'], nullable = false): Field => ({ name, type, nullable })
    const schema: Schema = {
      fields: [
        ...SCHEMA.fields,
        field('subject', 'string'),
        field('stream', 'string'),
        field('sequence', 'long'),
        field('at', 'timestamp'),
        field('trace', 'string', true),
      ],
    }
    const metadata = {
      subject: 'subject',
      stream: 'stream',
      sequence: 'sequence',
      timestamp: 'at',
      headers: { Trace: 'trace' },
    }
    const { stream, context, connector, discover } = bed(0, { bounded: true, metadata }, schema)
    stream.store('s.a', '{"n":1}', {
      time: 5,
      headers: [
        ['Trace', 'ü'],
        ['Trace', 'second'],
      ],
    })
    stream.store('s.b', '{"n":2}', { time: 6, headers: [['trace', 'x']] })
    stream.store('s.b', '{"n":3}', { time: 7, headers: [['Trace', 'M\uFFFDnchen']] })
    stream.store('s.b', 'no JSON', { time: 8 })
    const bad: string[] = []
    const reader = connector.reader(
      {
        ...context,
        onBadRecord: (error, where) => void bad.push(`${where}: ${error.message}`),
        slot: 0,
        parallelism: 1,
      },
      compileRowClass(schema),
    )
    await reader.open(await discover())
    const rows: object[] = []
    while (!reader.isFinished()) rows.push(...((await reader.poll(9))?.batch.rows() ?? []))
    expect(rows.map((row) => JSON.stringify(row))).toEqual([
      '{"n":1,"subject":"s.a","stream":"S","sequence":1,"at":5,"trace":"ü"}',
      '{"n":2,"subject":"s.b","stream":"S","sequence":2,"at":6,"trace":null}',
    ])
    expect(bad).toEqual([
      "S message 3 (s.b): field 'trace' is not UTF-8: M\uFFFDnchen",
      expect.stringContaining('S message 4 (s.b): '),
    ])
  })
})

test.each([
  [{ stream: 's' }, 'servers'],
  [{ servers: 'nats://n:4222', stream: 's' }, 'servers'],
  [{ servers: 'n:4222' }, 'stream'],
  [{ servers: 'n:4222', stream: 's', streams: ['t'] }, 'stream'],
  [{ servers: 'n:4222', streams: ['t', 't'] }, 'streams'],
  [{ servers: 'n:4222', streams: ['a.b'] }, 'streams'],
  [{ servers: 'n:4222', stream: 'a b' }, 'stream'],
  [{ servers: 'n:4222', stream: 's', subjects: ['a..b'] }, 'subjects'],
  [{ servers: 'n:4222', stream: 's', bounded: true, startFrom: 'latest' }, 'startFrom'],
  [{ servers: 'n:4222', stream: 's', auth: { username: 'u' } }, 'auth'],
  [{ servers: 'n:4222', stream: 's', auth: { tokenFile: 't' } }, 'auth'],
])('the options %j are wrong at %s', (options, path) => {
  expect(new Set(sourceOptions.check(options).map((problem) => problem.path))).toEqual(new Set([path]))
})

test('metadata goes to fields of types that fit', () => {
  const options = { servers: 'n:4222', stream: 's', metadata: { subject: 'n', timestamp: 'x', headers: { h: 'n' } } }
  expect(declaration.source?.checkSchema?.(options, SCHEMA).map(({ path }) => path)).toEqual([
    'metadata.subject',
    'metadata.timestamp',
    'metadata.headers.h',
  ])
})
