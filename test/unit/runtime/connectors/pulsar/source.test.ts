import { describe, expect, test } from 'vitest'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import { loadRecordCodecs } from '../../../../../runtime/connectors/kit/record-codecs.ts'
import { pulsarConnector } from '../../../../../runtime/connectors/pulsar/connector.ts'
import { sourceOptions } from '../../../../../runtime/connectors/pulsar/declaration.ts'
import { encodeOutgoing, entryOf, MessageBatch } from '../../../../../runtime/connectors/pulsar/message-batch.ts'
import { type Mishap, VirtualPulsar } from '../../../../../runtime/connectors/pulsar/virtual/broker.ts'
import type { SourceReader, Split } from '../../../../../runtime/connectors/source.ts'
import type { Field, Schema } from '../../../../../runtime/model/schema.ts'
import { expectExactRestores, readAll } from '../../../../harness/connector-conformance.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'
import { sourceContext } from '../../../../harness/source-context.ts'

await loadRecordCodecs()

const TOPIC = 'persistent://public/default/t'
const SCHEMA: Schema = { fields: [{ name: 'n', type: 'long', nullable: false }] }
const PUBLISHED = 1_700_000_000_000
const PLAIN = { key: undefined, isKeyBase64: false, eventTime: undefined, properties: [] }

/** Batches of one to four messages, in turn over the partitions; message n is published at PUBLISHED + n. */
function fill(pulsar: VirtualPulsar, partitions: number, from: number, to: number): void {
  for (let n = from, entry = 0; n < to; entry++) {
    const batch = new MessageBatch()
    const first = n
    for (let left = 1 + (entry % 4); left > 0 && n < to; left--, n++)
      batch.append(encodeOutgoing({ ...PLAIN, value: Buffer.from(JSON.stringify({ n })) }))
    const topic = partitions === 0 ? TOPIC : `${TOPIC}-partition-${entry % partitions}`
    pulsar.store(topic, entryOf(batch.pack('none'), 'p', first, PUBLISHED + first))
  }
}

/** One entry of so many messages. */
function storeBatch(pulsar: VirtualPulsar, from: number, count: number): void {
  const batch = new MessageBatch()
  for (let n = from; n < from + count; n++)
    batch.append(encodeOutgoing({ ...PLAIN, value: Buffer.from(JSON.stringify({ n })) }))
  pulsar.store(TOPIC, entryOf(batch.pack('none'), 'p', from, PUBLISHED))
}

function bed(messages: number, partitions: number, options: object = {}, schema = SCHEMA) {
  const pulsar = new VirtualPulsar()
  pulsar.createTopic(TOPIC, partitions)
  fill(pulsar, partitions, 0, messages)
  const troubles: (string | null)[] = []
  const context = {
    ...sourceContext({ verb: { connector: 'pulsar' }, schema, baseDir: '.', ports: jumpingPorts() }),
    reportTrouble: (error: Error | null) => void troubles.push(error?.message ?? null),
  }
  const connector = pulsarConnector(pulsar.transport).source({
    serviceUrl: 'pulsar://virtual:6650',
    topic: 't',
    ...options,
  })
  const discover = (known: readonly Split[] = []): Promise<Split[]> =>
    connector.enumerator(context).discover(known, 1, 1)
  const reader = async (splits: readonly Split[]): Promise<SourceReader> => {
    const opened = connector.reader({ ...context, slot: 0, parallelism: 1 }, compileRowClass(schema))
    await opened.open(splits)
    return opened
  }
  return { pulsar, context, connector, discover, reader, troubles }
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

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n)
}

const MISHAPS: readonly Mishap[] = ['cut before', 'cut after', 'topic moves']

describe('a topic', () => {
  test.each([0, 3])(
    'with %i partitions is read once, wherever the reading stops and in any number of slots',
    async (partitions) => {
      const { connector, context } = bed(100, partitions, { bounded: true })
      const source = { connector, context, maxRows: 5, interruptions: 25 }
      expect(await readAll(source)).toHaveLength(100)
      await expectExactRestores(source, 1, 3)
      await expectExactRestores(source, 3, 1)
    },
  )

  test.each(MISHAPS)('is read once and in order when again and again %s', async (mishap) => {
    const { pulsar, discover, reader, troubles } = bed(60, 0)
    for (let index = 0; index < 30; index++) pulsar.mishaps.push(mishap)
    const opened = await reader(await discover())
    expect(await numbersOf(opened, 60)).toEqual(upTo(60))
    fill(pulsar, 0, 60, 80)
    expect(await numbersOf(opened, 20)).toEqual(upTo(80).slice(60))
    expect(troubles.at(-1) ?? null).toBeNull()
    await opened.close()
  })

  test('whose brokers are away is read when they are back, and the user is told', async () => {
    const { pulsar, discover, reader, troubles } = bed(20, 2)
    const opened = await reader(await discover())
    await numbersOf(opened, 20)
    pulsar.isDown = true
    pulsar.cut()
    while (troubles.length === 0) await opened.poll(3)
    expect(troubles[0]).toContain('virtual:6650 cannot be reached')
    pulsar.isDown = false
    fill(pulsar, 2, 20, 30)
    expect((await numbersOf(opened, 10)).sort((a, b) => a - b)).toEqual(upTo(30).slice(20))
    expect(troubles.at(-1)).toBeNull()
    await opened.close()
  })

  test('has a bad record where the text of a key or property is not UTF-8', async () => {
    const text = (name: string): Field => ({ name, type: 'string', nullable: true })
    const schema: Schema = { fields: [...SCHEMA.fields, text('key'), text('city')] }
    const metadata = { key: 'key', properties: { city: 'city' } }
    const { pulsar, context, connector, discover } = bed(0, 0, { bounded: true, metadata }, schema)
    const parts = [
      { key: Buffer.from('Müller', 'latin1').toString('base64'), isKeyBase64: true },
      { key: 'M?ller' },
      { properties: [{ name: 'city', value: 'M?nchen' }] },
      { key: 'Müller', properties: [{ name: 'city', value: 'München' }] },
    ]
    const batch = new MessageBatch()
    for (const [n, part] of parts.entries())
      batch.append(encodeOutgoing({ ...PLAIN, ...part, value: Buffer.from(JSON.stringify({ n })) }))
    const packed = batch.pack('none')
    for (let at = packed.payload.indexOf('?'); at >= 0; at = packed.payload.indexOf('?', at)) packed.payload[at] = 0xfc
    pulsar.store(TOPIC, entryOf(packed, 'p', 0, PUBLISHED))
    const bad: string[] = []
    const reader = connector.reader(
      { ...context, onBadRecord: (error) => void bad.push(error.message), slot: 0, parallelism: 1 },
      compileRowClass(schema),
    )
    await reader.open(await discover())
    expect(await numbersOf(reader, 1)).toEqual([3])
    expect(bad).toEqual([
      expect.stringContaining("field 'key' is not UTF-8: M\uFFFDller"),
      expect.stringContaining("field 'key' is not UTF-8: M\uFFFDller"),
      expect.stringContaining("field 'city' is not UTF-8: M\uFFFDnchen"),
    ])
    await reader.close()
  })

  test('keeps of what was read the last entry of each checkpoint, and nothing before', async () => {
    const { pulsar, discover, reader } = bed(35, 0)
    const opened = await reader(await discover())
    const cursor = (): unknown => pulsar.topics.get(TOPIC)?.cursors.get('millrace.job.source')
    expect(cursor()).toEqual({ ledger: -1, entry: -1 })
    await numbersOf(opened, 35)
    const splits = opened.snapshot()
    await opened.notifyCheckpointComplete?.(splits)
    await opened.poll(3)
    expect(splits).toMatchObject([{ position: { ledger: 3, entry: 4 } }])
    expect(cursor()).toEqual({ ledger: 3, entry: 3 })
    await opened.close()
  })

  test('that was read to the first entry of a ledger keeps what it kept', async () => {
    const { pulsar, discover, reader } = bed(40, 0)
    const opened = await reader(await discover())
    await numbersOf(opened, 40)
    expect(opened.snapshot()).toMatchObject([{ position: { entry: 0 } }])
    await opened.notifyCheckpointComplete?.(opened.snapshot())
    await opened.poll(3)
    expect(pulsar.topics.get(TOPIC)?.cursors.get('millrace.job.source')).toEqual({ ledger: -1, entry: -1 })
    await opened.close()
  })

  test('whose subscription was left behind by another job is kept from its start for a job that begins', async () => {
    const { pulsar, discover } = bed(10, 0)
    pulsar.topics.get(TOPIC)?.cursors.set('millrace.job.source', { ledger: 1, entry: 2 })
    await discover()
    expect(pulsar.topics.get(TOPIC)?.cursors.get('millrace.job.source')).toEqual({ ledger: -1, entry: -1 })
  })

  test('whose batches are larger than what was asked for is read to its end', async () => {
    const { pulsar, discover, reader } = bed(0, 0)
    for (let from = 0; from < 20_000; from += 2000) storeBatch(pulsar, from, 2000)
    const opened = await reader(await discover())
    const numbers: number[] = []
    for (let polls = 0; numbers.length < 20_000; polls++) {
      expect(polls, `after ${numbers.length} rows`).toBeLessThan(200)
      numbers.push(...((await opened.poll(1000))?.batch.rows() ?? []).map((row) => Number(row['n'])))
    }
    expect(numbers).toEqual(upTo(20_000))
    await opened.close()
  })

  test('whose broker says nothing any more is read when it answers again, and the user is told', async () => {
    const { pulsar, discover, reader, troubles } = bed(10, 0)
    const opened = await reader(await discover())
    await numbersOf(opened, 10)
    pulsar.isSilent = true
    while (troubles.length === 0) await opened.poll(3)
    expect(troubles[0]).toContain('cannot be reached')
    pulsar.isSilent = false
    fill(pulsar, 0, 10, 20)
    expect(await numbersOf(opened, 10)).toEqual(upTo(20).slice(10))
    await opened.close()
  })

  test('that loses entries while its broker is away ends the reading', async () => {
    const { pulsar, discover, reader } = bed(20, 0)
    const opened = await reader(await discover())
    await numbersOf(opened, 20)
    pulsar.cut()
    pulsar.topics.get(TOPIC)?.entries.splice(0)
    fill(pulsar, 0, 20, 40)
    pulsar.topics.get(TOPIC)?.entries.splice(0, 2)
    await expect(numbersOf(opened, 1)).rejects.toMatchObject({ code: 'PULSAR_POSITION_REMOVED' })
    await opened.close()
  })

  test('that ends with the last message leaves no subscription behind', async () => {
    const { pulsar, discover, reader } = bed(20, 0, { bounded: true })
    const opened = await reader(await discover())
    await numbersOf(opened, 20)
    await opened.poll(3)
    expect(opened.isFinished()).toBe(true)
    await opened.notifyCheckpointComplete?.(opened.snapshot())
    expect(pulsar.topics.get(TOPIC)?.cursors.size).toBe(0)
    await opened.close()
  })

  test('that has lost the entry to go on from ends the reading, with both entries named', async () => {
    const { pulsar, discover, reader } = bed(40, 0)
    const opened = await reader(await discover())
    await numbersOf(opened, 10)
    const splits = opened.snapshot()
    await opened.close()
    pulsar.topics.get(TOPIC)?.entries.splice(0, 8)
    const again = await reader(splits)
    await expect(numbersOf(again, 1)).rejects.toMatchObject({
      code: 'PULSAR_POSITION_REMOVED',
      message: expect.stringMatching(/no longer has entry \d+:\d+.*the next one is \d+:\d+/),
    })
    await again.close()
  })

  test('gives nothing of a split that is paused, and all of it later', async () => {
    const { discover, reader } = bed(60, 2)
    const opened = await reader(await discover())
    const early = await numbersOf(opened, 9)
    const paused = `${TOPIC}-partition-0`
    opened.pauseSplits?.(new Set([paused]))
    const [held, moving] = opened.snapshot()
    const before = JSON.stringify(held)
    const other = await numbersOf(opened, 10)
    expect(JSON.stringify(opened.snapshot()[0])).toBe(before)
    expect(opened.snapshot()[1]).not.toEqual(moving)
    opened.pauseSplits?.(new Set())
    const rest = await numbersOf(opened, 60 - early.length - other.length)
    expect([...early, ...other, ...rest].sort((a, b) => a - b)).toEqual(upTo(60))
    await opened.close()
  })

  test('is read once and in order when it is paused behind any of its messages', async () => {
    const { discover, reader } = bed(30, 0)
    const opened = await reader(await discover())
    const numbers: number[] = []
    for (let polls = 0; numbers.length < 30; polls++) {
      expect(polls).toBeLessThan(500)
      numbers.push(...((await opened.poll(1))?.batch.rows() ?? []).map((row) => Number(row['n'])))
      opened.pauseSplits?.(new Set([TOPIC]))
      expect(await opened.poll(1)).toBeUndefined()
      opened.pauseSplits?.(new Set())
    }
    expect(numbers).toEqual(upTo(30))
    await opened.close()
  })

  test('that grows has its new partitions read from their start', async () => {
    const { pulsar, discover, reader } = bed(12, 1, { startFrom: 'latest' })
    const splits = await discover()
    const opened = await reader(splits)
    pulsar.createTopic(TOPIC, 2)
    fill(pulsar, 2, 12, 30)
    const grown = await discover(opened.snapshot())
    expect(grown.map(({ id }) => id)).toEqual([`${TOPIC}-partition-0`, `${TOPIC}-partition-1`])
    opened.addSplits?.(grown)
    expect((await numbersOf(opened, 18)).sort((a, b) => a - b)).toEqual(upTo(30).slice(12))
    await opened.close()
  })

  test('is read from a time on by the times of publishing', async () => {
    const { connector, context } = bed(40, 0, { bounded: true, startFrom: PUBLISHED + 20 })
    const rows = await readAll({ connector, context, maxRows: 5, interruptions: 1 })
    const numbers = rows.map((row) => (JSON.parse(row) as { n: number }).n).sort((a, b) => a - b)
    expect(numbers[0]).toBeGreaterThanOrEqual(20)
    expect(numbers[0]).toBeLessThan(24)
    expect(numbers.at(-1)).toBe(39)
  })

  test('has nothing to read for a bounded source whose time came after all its messages', async () => {
    const { pulsar, discover, reader } = bed(40, 0, { bounded: true, startFrom: PUBLISHED + 3_600_000 })
    pulsar.now = () => PUBLISHED + 60_000
    const opened = await reader(await discover())
    for (let polls = 0; !opened.isFinished(); polls++) {
      expect(polls).toBeLessThan(100)
      expect(await opened.poll(3)).toBeUndefined()
    }
    await opened.close()
  })

  test('that is empty ends a bounded source at once', async () => {
    const { discover } = bed(0, 2, { bounded: true })
    expect((await discover()).every(({ finished }) => finished)).toBe(true)
  })

  test('that does not exist is named', async () => {
    const { discover } = bed(0, 0, { topic: 'other' })
    await expect(discover()).rejects.toMatchObject({
      code: 'PULSAR_REFUSED',
      message: expect.stringContaining('persistent://public/default/other'),
    })
  })

  test.each([
    ['a value that does not parse', { value: Buffer.from('{') }, 'refuse'],
    ['a tombstone', { value: null }, 'refuse'],
  ])('with %s has it reported with its place, and goes on', async (_what, { value }, tombstones) => {
    const { pulsar, context, discover, reader } = bed(1, 0, { tombstones })
    const batch = new MessageBatch()
    batch.append(encodeOutgoing({ ...PLAIN, value, key: 'k' }))
    pulsar.store(TOPIC, entryOf(batch.pack('none'), 'p', 1, PUBLISHED))
    fill(pulsar, 0, 1, 2)
    const opened = await reader(await discover())
    expect(await numbersOf(opened, 2)).toEqual([0, 1])
    expect(context.bad).toMatchObject([{ where: `${TOPIC} message 1:1:0` }])
    await opened.close()
  })

  test('with a position that no source wrote is refused', async () => {
    const { reader } = bed(1, 0)
    for (const position of [
      null,
      {},
      { kind: 'within', ledger: -1, entry: 0, done: 0 },
      { kind: 'behind', ledger: 1.5, entry: 0 },
    ])
      await expect(reader([{ id: TOPIC, position, finished: false }])).rejects.toMatchObject({
        code: 'PULSAR_SPLIT_INVALID',
      })
  })
})

describe('options of a source', () => {
  test.each([
    [{ topic: 't' }, 'serviceUrl'],
    [{ serviceUrl: 'http://broker:8080', topic: 't' }, 'serviceUrl'],
    [{ serviceUrl: 'pulsar://broker:99999', topic: 't' }, 'serviceUrl'],
    [{ serviceUrl: 'pulsar://user:secret@broker:6650', topic: 't' }, 'serviceUrl'],
    [{ serviceUrl: 'pulsar://broker' }, 'topic'],
    [{ serviceUrl: 'pulsar://broker', topic: 't', topics: ['u'] }, 'topic'],
    [{ serviceUrl: 'pulsar://broker', topic: 'non-persistent://a/b/c' }, 'topic'],
    [{ serviceUrl: 'pulsar://broker', topics: ['t', 'public/default/t'] }, 'topics'],
    [{ serviceUrl: 'pulsar://broker', topics: ['t', 'a/b'] }, 'topics[1]'],
    [{ serviceUrl: 'pulsar://broker', topic: 't', auth: { tokenFile: '/t' } }, 'auth'],
    [{ serviceUrl: 'pulsar://broker', topic: 't', auth: {} }, 'auth.tokenFile'],
    [{ serviceUrl: 'pulsar://broker', topic: 't', tls: { caFile: '/ca' } }, 'tls'],
    [{ serviceUrl: 'pulsar://broker', topic: 't', subscription: 'a/b' }, 'subscription'],
    [{ serviceUrl: 'pulsar://broker', topic: 't', bounded: true, startFrom: 'latest' }, 'startFrom'],
  ])('%j are wrong at %s', (options, path) => {
    expect(sourceOptions.check(options).map((problem) => problem.path)).toEqual([path])
  })

  test('take hosts without a port, several of them, and a token over TLS or loopback', () => {
    for (const serviceUrl of ['pulsar+ssl://a,b:7000,[::1]:6651', 'pulsar://localhost:6650']) {
      const options = { serviceUrl, topic: 'a/b/c', auth: { tokenFile: '/t' } }
      expect(sourceOptions.check(options)).toEqual([])
    }
    const { serviceUrl, topic } = sourceOptions.read({ serviceUrl: 'pulsar+ssl://a,b:7000', topic: 'a/b/c' })
    expect([serviceUrl.addresses, topic]).toEqual([['a:6651', 'b:7000'], 'persistent://a/b/c'])
  })
})
