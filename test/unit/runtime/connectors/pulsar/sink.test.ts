import fc from 'fast-check'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pulsarConnector } from '../../../../../runtime/connectors/pulsar/connector.ts'
import { declaration, sinkOptions } from '../../../../../runtime/connectors/pulsar/declaration.ts'
import { EntryMessages } from '../../../../../runtime/connectors/pulsar/entry-messages.ts'
import { partitionOfKey } from '../../../../../runtime/connectors/pulsar/routing.ts'
import { type Mishap, VirtualPulsar } from '../../../../../runtime/connectors/pulsar/virtual/broker.ts'
import type { SinkContext, SinkWriter } from '../../../../../runtime/connectors/sink.ts'
import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import type { Row, Schema } from '../../../../../runtime/model/schema.ts'
import type { Committable } from '../../../../../runtime/model/snapshot.ts'
import type { Objects } from '../../../../../runtime/ports/objects.ts'
import { portsWithBuckets } from '../../../../harness/bucket-folder.ts'
import { expectExactlyOnceSink } from '../../../../harness/connector-conformance.ts'
import { jumpingClock } from '../../../../harness/kafka/jumping-clock.ts'

const TOPIC = 'persistent://public/default/t'
const SCHEMA: Schema = {
  fields: [
    { name: 'n', type: 'long', nullable: false },
    { name: 'k', type: 'string', nullable: true },
  ],
}
const BUCKET = 's3://bucket/waiting?endpoint=http://s3'
const EFFECTIVELY_ONCE = { delivery: 'effectivelyOnce', files: 'waiting' }

let home = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'millrace-pulsar-sink-'))
})
afterEach(async () => {
  await rm(home, { recursive: true })
})

function topicOf(partitions: number): VirtualPulsar {
  const pulsar = new VirtualPulsar()
  pulsar.createTopic(TOPIC, partitions)
  return pulsar
}

function contextOf(schema = SCHEMA): Omit<SinkContext, 'slot' | 'attempt'> {
  return {
    jobUid: 'job-1',
    predecessors: [],
    operatorId: 'out',
    schema,
    ports: { ...portsWithBuckets(home), clock: jumpingClock() },
    baseDir: join(home, 'bucket'),
    stopping: new AbortController().signal,
    reportTrouble: () => undefined,
  }
}

function sinkTo(pulsar: VirtualPulsar, options: object) {
  return pulsarConnector(pulsar.transport).sink({ serviceUrl: 'pulsar://virtual', topic: 't', ...options })
}

async function writerTo(
  pulsar: VirtualPulsar,
  options: object,
  { slot = 0, attempt = 1, schema = SCHEMA, recovered = [] as readonly Committable[] } = {},
): Promise<SinkWriter> {
  const writer = sinkTo(pulsar, options).writer({ ...contextOf(schema), slot, attempt })
  await writer.open(recovered)
  return writer
}

interface Stored {
  readonly topic: string
  readonly value: string | null
  readonly key: string | Uint8Array | undefined
  readonly isKeyBase64: boolean
  readonly eventTime: number | undefined
  readonly properties: readonly object[]
}

/** Every message, in the order of its partition. */
function storedIn(pulsar: VirtualPulsar): Stored[] {
  const messages = new EntryMessages('heads too')
  return [...pulsar.topics].flatMap(([topic, { entries }]) =>
    entries.flatMap((entry) => {
      messages.decode(entry)
      return messages.heads.map(({ key, isKeyBase64, eventTime, properties }, index) => {
        const [start = 0, end = 0] = [messages.valueStarts[index], messages.valueEnds[index]]
        const value = end < start ? null : messages.bytes.toString('utf8', start, end)
        return { topic, value, key, isKeyBase64, eventTime, properties }
      })
    }),
  )
}

function numbersIn(pulsar: VirtualPulsar): number[] {
  return storedIn(pulsar).map(({ value }) => (JSON.parse(value ?? 'null') as { n: number }).n)
}

function rowsOf(...numbers: number[]): RowBatch {
  return new RowBatch(numbers.map((n): Row => ({ n, k: null })))
}

async function filesLeft(): Promise<string[]> {
  const all = await readdir(home, { recursive: true, withFileTypes: true })
  return all.filter((file) => file.isFile()).map(({ name }) => name)
}

describe('effectively once', () => {
  test.each([0, 3])(
    'into %i partitions, what a complete checkpoint holds is there once, all else never',
    async (partitions) => {
      const pulsar = topicOf(partitions)
      const keys = ['a', 'b', 'c', null]
      await expectExactlyOnceSink({
        connector: sinkTo(pulsar, { ...EFFECTIVELY_ONCE, key: 'k' }),
        context: contextOf(),
        row: (n) => ({ n, k: keys[n % keys.length] ?? null }),
        visible: () => Promise.resolve(storedIn(pulsar).map(({ value }) => value ?? '')),
        show: (row) => JSON.stringify(row),
      })
    },
  )

  test.each([
    ['a folder', 'waiting'],
    ['a bucket', BUCKET],
  ])(
    'with files in %s, whatever dies or gets lost when, every row is there once, and no file is left',
    async (_, files) => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.constantFrom(...STEPS), { maxLength: 40 }), async (steps) => {
          for (const name of await readdir(home)) await rm(join(home, name), { recursive: true })
          const pulsar = topicOf(2)
          await runJob(pulsar, { ...EFFECTIVELY_ONCE, files }, steps)
          expect(numbersIn(pulsar).sort((a, b) => a - b)).toEqual(Array.from({ length: ROWS }, (_row, n) => n))
          expect(await filesLeft()).toEqual([])
        }),
        { numRuns: 200 },
      )
    },
  )

  test('a file that an older attempt sends and deletes while it is being read is taken for sent', async () => {
    const pulsar = topicOf(0)
    const older = await writerTo(pulsar, EFFECTIVELY_ONCE)
    await older.write(rowsOf(1))
    const recovered = await older.prepareCommit(1)
    const { ports, ...context } = contextOf()
    const openObjects = (url: string): Objects => {
      const objects = ports.openObjects(url)
      const read: Objects['read'] = async (...args) => {
        await older.commit?.(recovered)
        return objects.read(...args)
      }
      return new Proxy(objects, { get: (of, name: keyof Objects) => (name === 'read' ? read : of[name].bind(of)) })
    }
    const writer = sinkTo(pulsar, EFFECTIVELY_ONCE).writer({
      ...context,
      ports: { ...ports, openObjects },
      slot: 0,
      attempt: 2,
    })
    await writer.open(recovered)
    await writer.close()
    await older.close()
    expect(numbersIn(pulsar)).toEqual([1])
  })

  test('a broker that does not deduplicate is refused after its first batch', async () => {
    const pulsar = topicOf(0)
    pulsar.deduplicates = false
    const writer = await writerTo(pulsar, EFFECTIVELY_ONCE)
    await writer.write(rowsOf(1, 2))
    const committables = await writer.prepareCommit(1)
    await expect(writer.commit?.(committables)).rejects.toMatchObject({
      code: 'PULSAR_NO_DEDUPLICATION',
      domain: 'user',
      hint: expect.stringContaining('set-deduplication'),
    })
    await writer.close()
  })

  test('rows that wait for another topic are not sent to this one', async () => {
    const pulsar = topicOf(0)
    const writer = await writerTo(pulsar, EFFECTIVELY_ONCE)
    await writer.write(rowsOf(1))
    const recovered = await writer.prepareCommit(1)
    await writer.close()
    const [, staged] = recovered as [Committable, Record<string, unknown>]
    const moved = [{ ...staged, topic: 'persistent://public/default/other' }]
    await expect(writerTo(pulsar, EFFECTIVELY_ONCE, { recovered: moved })).rejects.toMatchObject({
      code: 'SINK_CHANGED',
    })
    const broken = [{ ...staged, files: 'x' }]
    await expect(writerTo(pulsar, EFFECTIVELY_ONCE, { recovered: broken })).rejects.toMatchObject({
      code: 'SINK_NOTE_INVALID',
    })
    expect(numbersIn(pulsar)).toEqual([])
  })

  test.each([
    ['a file of another operator', { files: ['job-1/other/1-0-0'] }],
    ['a file above its folder', { files: ['../out/1-0-0'] }],
    ['a file that is none of a sink', { files: ['job-1/out/in.jsonl'] }],
    ['the name of another producer', { producer: 'millrace-job-1-other-0-1-0123456789abcdef' }],
    ['the name of a producer that is not of Millrace', { producer: 'billing' }],
  ])('a savepoint that names %s is refused, and nothing is sent or deleted', async (_what, changed) => {
    const pulsar = topicOf(0)
    const writer = await writerTo(pulsar, EFFECTIVELY_ONCE)
    await writer.write(rowsOf(1))
    const recovered = await writer.prepareCommit(1)
    await writer.close()
    const before = await readdir(home, { recursive: true })
    const [, staged] = recovered as [Committable, Record<string, unknown>]
    await expect(writerTo(pulsar, EFFECTIVELY_ONCE, { recovered: [{ ...staged, ...changed }] })).rejects.toMatchObject({
      code: 'COMMITTABLE_INVALID',
    })
    expect(numbersIn(pulsar)).toEqual([])
    expect(await readdir(home, { recursive: true })).toEqual(before)
  })

  test('the files of a checkpoint stay until the broker has stored all that is in them', async () => {
    const pulsar = topicOf(0)
    const writer = await writerTo(pulsar, EFFECTIVELY_ONCE)
    await writer.write(rowsOf(1))
    await writer.commit?.(await writer.prepareCommit(1))
    await writer.write(rowsOf(2))
    const waiting = await writer.prepareCommit(2)
    pulsar.isDown = true
    pulsar.cut()
    await expect(writer.commit?.(waiting)).rejects.toMatchObject({ code: 'PULSAR_UNREACHABLE' })
    await writer.close()
    expect(await filesLeft()).toEqual(['1-0-1'])
    pulsar.isDown = false
    const next = await writerTo(pulsar, EFFECTIVELY_ONCE, { attempt: 2, recovered: waiting })
    expect(numbersIn(pulsar)).toEqual([1, 2])
    expect(await filesLeft()).toEqual([])
    await next.close()
  })

  test('rows that older attempts left are deleted with the first checkpoint', async () => {
    const pulsar = topicOf(0)
    const died = await writerTo(pulsar, EFFECTIVELY_ONCE, { attempt: 1 })
    await died.write(rowsOf(1))
    await died.prepareCommit(1)
    expect(await filesLeft()).toEqual(['1-0-0'])
    const writer = await writerTo(pulsar, EFFECTIVELY_ONCE, { attempt: 2 })
    const other = await writerTo(pulsar, EFFECTIVELY_ONCE, { attempt: 2, slot: 1 })
    await other.write(rowsOf(2))
    const waiting = await other.prepareCommit(2)
    await writer.commit?.(await writer.prepareCommit(2))
    expect(await filesLeft()).toEqual(['2-1-0'])
    await other.commit?.(waiting)
    expect(numbersIn(pulsar)).toEqual([2])
    expect(await filesLeft()).toEqual([])
    await writer.close()
    await other.close()
  })
})

describe('at least once', () => {
  test.each(['cut before', 'cut after', 'topic moves'] as const)(
    'rows are stored in order when again and again %s, each once where the broker deduplicates',
    async (mishap: Mishap) => {
      const pulsar = topicOf(0)
      const writer = await writerTo(pulsar, {})
      for (let n = 0; n < 30; n++) {
        pulsar.mishaps.push(mishap)
        await writer.write(rowsOf(n))
      }
      await writer.prepareCommit(1)
      expect(numbersIn(pulsar)).toEqual(Array.from({ length: 30 }, (_, n) => n))
      await writer.close()
    },
  )

  test('a barrier waits for every receipt, and fails when none comes', async () => {
    const pulsar = topicOf(0)
    const writer = await writerTo(pulsar, {})
    await writer.write(rowsOf(1))
    pulsar.isDown = true
    pulsar.cut()
    await writer.write(rowsOf(2))
    await expect(writer.prepareCommit(1)).rejects.toMatchObject({ code: 'PULSAR_UNREACHABLE', retriable: true })
    await writer.close()
  })

  test('a message that is longer than the broker allows is named', async () => {
    const pulsar = topicOf(0)
    pulsar.maxMessageBytes = 1000
    const writer = await writerTo(pulsar, { properties: { p: 'k' } })
    await expect(writer.write(new RowBatch([{ n: 1, k: 'x'.repeat(1001) }]))).rejects.toMatchObject({
      code: 'VALUE_INVALID',
      message: expect.stringContaining('the broker allows 1000'),
    })
    await writer.close()
  })

  test('rows without a key fill batches, one partition after the other', async () => {
    const pulsar = topicOf(3)
    const writer = await writerTo(pulsar, {})
    await writer.write(rowsOf(...Array.from({ length: 5000 }, (_, n) => n)))
    await writer.prepareCommit(1)
    const counts = [...pulsar.topics.values()].map(({ entries }) => entries.length)
    expect(counts).toEqual([2, 2, 1])
    expect(numbersIn(pulsar).sort((a, b) => a - b)).toEqual(Array.from({ length: 5000 }, (_, n) => n))
    await writer.close()
  })
})

describe('a message', () => {
  const schema: Schema = {
    fields: [
      { name: 'n', type: 'long', nullable: false },
      { name: 'k', type: 'string', nullable: true },
      { name: 'raw', type: 'string', nullable: true, logical: { kind: 'bytes' } },
      { name: 'at', type: 'timestamp', nullable: true },
      { name: 'gone', type: 'boolean', nullable: true },
    ],
  }
  const fields = { properties: { raw: 'raw' }, eventTime: 'at', tombstone: 'gone' }

  async function written(row: Row, options: object): Promise<Stored | undefined> {
    const pulsar = topicOf(0)
    const writer = await writerTo(pulsar, options, { schema })
    await writer.write(new RowBatch([row]))
    await writer.prepareCommit(1)
    await writer.close()
    return storedIn(pulsar)[0]
  }

  test('has key, properties and event time beside its value', async () => {
    const row = { n: 1, k: 'ü', raw: '\u0000\u00ff', at: 1_700_000_000_000, gone: false }
    expect(await written(row, { ...fields, key: 'k' })).toMatchObject({
      value: '{"n":1,"k":"ü"}',
      key: 'ü',
      isKeyBase64: false,
      eventTime: 1_700_000_000_000,
      properties: [{ key: 'raw', value: 'AP8=' }],
    })
    expect(await written(row, { ...fields, properties: {}, key: 'raw' })).toMatchObject({
      key: 'AP8=',
      isKeyBase64: true,
    })
  })

  test('without what is null has none of it; with a tombstone it has no value', async () => {
    const nothing = { n: 1, k: null, raw: null, at: null, gone: null }
    const plain = await written(nothing, { ...fields, key: 'k' })
    expect([plain?.key, plain?.eventTime, plain?.properties]).toEqual([undefined, undefined, []])
    expect(await written({ ...nothing, k: 'k', gone: true }, { ...fields, key: 'k' })).toMatchObject({
      value: null,
      key: 'k',
    })
    await expect(written({ ...nothing, gone: true }, { ...fields, key: 'k' })).rejects.toMatchObject({
      code: 'VALUE_INVALID',
    })
    await expect(written({ ...nothing, at: 0 }, { ...fields, key: 'k' })).rejects.toThrow('no event time up to 1970')
  })
})

test.each([
  // String.hashCode of Java gives 99162322 and -2147483648
  ['hello', 'javaStringHash', 322],
  ['polygenelubricants', 'javaStringHash', 0],
  // MurmurHash3_x86_32 with seed 0 gives 0x248bfa47 and 0x149bbb7f
  ['hello', 'murmur3', 351],
  ['hello, world', 'murmur3', 399],
  ['', 'murmur3', 0],
] as const)('the key %j goes with %s to partition %i of 1000', (key, hashing, partition) => {
  expect(partitionOfKey(key, 1000, hashing)).toBe(partition)
})

describe('options of a sink', () => {
  test.each([
    [{ serviceUrl: 'pulsar://broker' }, 'topic'],
    [{ serviceUrl: 'pulsar://broker', topic: 't', delivery: 'exactlyOnce' }, 'delivery'],
    [{ serviceUrl: 'pulsar://broker', topic: 't', delivery: 'effectivelyOnce' }, 'files'],
    [{ serviceUrl: 'pulsar://broker', topic: 't', files: 'waiting' }, 'files'],
    [{ serviceUrl: 'pulsar+ssl://broker', topic: 't', tls: false }, 'tls'],
  ])('%j are wrong at %s', (options, path) => {
    expect(sinkOptions.check(options).map((problem) => problem.path)).toEqual([path])
  })

  test('name fields of the schema, of types that fit', () => {
    const options = {
      serviceUrl: 'pulsar://b',
      topic: 't',
      key: 'x',
      properties: { p: 'n' },
      eventTime: 'k',
      tombstone: 'k',
    }
    expect(declaration.sink?.checkSchema?.(options, SCHEMA).map(({ path }) => path)).toEqual([
      'properties.p',
      'eventTime',
      'tombstone',
    ])
  })
})

/** The newest complete checkpoint, as the log has it. */
interface Saved {
  position: number
  committables: readonly Committable[]
}

class Died extends Error {}

const ROWS = 9
const STEPS = [
  'write',
  'checkpoint',
  'die',
  'die before commit',
  'die in the commit',
  'die behind commit',
  'cut before and die behind commit',
  'cut before',
  'cut after',
  'topic moves',
] as const
type Step = (typeof STEPS)[number]

/** A job of a few rows in which whatever can end its attempts does so where `steps` say. */
async function runJob(pulsar: VirtualPulsar, options: object, steps: readonly Step[]): Promise<void> {
  let saved: Saved = { position: 0, committables: [] }
  let at = 0
  for (let attempt = 1; ; attempt++) {
    const writer = await writerTo(pulsar, options, { attempt, recovered: saved.committables })
    try {
      let position = saved.position
      for (;;) {
        const step = steps[at++] ?? 'checkpoint'
        if (step === 'die') throw new Died()
        if (step === 'cut before' || step === 'cut after' || step === 'topic moves') pulsar.mishaps.push(step)
        if (step === 'cut before and die behind commit') pulsar.mishaps.push('cut before')
        if (position < ROWS) await writer.write(rowsOf(position++))
        if (step === 'write' && position < ROWS) continue
        saved = { position, committables: jsonOf(await writer.prepareCommit(at)) }
        if (step === 'die before commit') throw new Died()
        if (step === 'die in the commit') {
          const dying = writer.commit?.(saved.committables)
          dying?.catch(() => undefined)
          for (let turns = at % 9; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
          await writer.close()
          throw new Died()
        }
        await writer.commit?.(saved.committables)
        if (step.endsWith('die behind commit')) throw new Died()
        if (position >= ROWS && at >= steps.length) return await writer.close()
        saved = { ...saved, committables: [] }
      }
    } catch (error) {
      if (!(error instanceof Died)) throw error
      // nothing of a process that is gone goes on
      await writer.close()
      pulsar.cut()
    }
  }
}

function jsonOf(committables: readonly Committable[]): Committable[] {
  return JSON.parse(JSON.stringify(committables)) as Committable[]
}
