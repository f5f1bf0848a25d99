import { beforeEach, describe, expect, test } from 'vitest'
import { loadRecordCodecs } from '../../../../../runtime/connectors/kit/record-codecs.ts'
import { readSourceOptions } from '../../../../../runtime/connectors/kafka/declaration.ts'
import { kafkaSource } from '../../../../../runtime/connectors/kafka/source.ts'
import { RecordBatchWriter } from '../../../../../runtime/connectors/kafka/record-batch-writer.ts'
import type { SourceReader, Split } from '../../../../../runtime/connectors/source.ts'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import { VirtualKafka } from '../../../../../runtime/connectors/kafka/virtual/cluster.ts'
import type { Ports } from '../../../../../runtime/ports/ports.ts'
import { EVENT_SCHEMA, plainScanner, sourceContext } from '../../../../harness/kafka/connector-contexts.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'
import { until } from '../../../../harness/until.ts'

await loadRecordCodecs()

let kafka: VirtualKafka
let ports: Ports

beforeEach(() => {
  kafka = new VirtualKafka()
  kafka.createTopic('t', 1)
  ports = jumpingPorts()
})

let producers = 0n
/** One batch of values into t/0, in a transaction of its own when an outcome is given. */
function put(values: readonly string[], outcome?: 'commit' | 'abort' | 'open', partition = 0, topic = 't'): void {
  const id = outcome === undefined ? null : `tx-${++producers}`
  const { producerId, epoch } = kafka.initProducerId(id)
  if (id !== null) kafka.addPartitions({ transactionalId: id, producerId, epoch }, [{ topic, partition }])
  const writer = new RecordBatchWriter(64)
  for (const value of values) writer.append(null, Buffer.from(value), 1_700_000_000_000)
  const batch = writer.finish({ producerId, epoch, sequence: 0, transactional: id !== null }, 'none')
  const leader = kafka.metadata([topic]).topics[0]?.partitions[partition]?.leader ?? 1
  expect(kafka.produce(leader, id, [{ topic, partition, batch }])[0]?.errorCode).toBe(0)
  if (id !== null && outcome !== undefined && outcome !== 'open')
    kafka.endTransaction({ transactionalId: id, producerId, epoch }, outcome)
}
const events = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `{"n":${from + i},"name":"x"}`)
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

async function start(more: Record<string, unknown> = {}, known: readonly Split[] = []) {
  const options = readSourceOptions({ brokers: 'k:9092', topic: 't', ...more })
  const source = kafkaSource((client) => kafka.connect(client), options, plainScanner)
  const context = sourceContext(ports)
  const reader = source.reader(context, compileRowClass(EVENT_SCHEMA))
  const splits = await source.enumerator(context).discover(known, 1)
  await reader.open(splits)
  return { reader, context, splits }
}

async function take(reader: SourceReader, count: number, atOnce = 100): Promise<number[]> {
  const numbers: number[] = []
  while (numbers.length < count && !reader.isFinished())
    for (const row of (await reader.poll(Math.min(atOnce, count - numbers.length)))?.batch.rows() ?? [])
      numbers.push(Number(row['n']))
  return numbers
}

describe('topics by a pattern', () => {
  const options = { topic: undefined, topicPattern: 'orders-\\d+' }

  beforeEach(() => {
    for (const topic of ['orders-1', 'orders-2', 'orders-x', 'my-orders-3', '__orders-4']) kafka.createTopic(topic, 1)
  })

  test('are those whose whole name matches, but for those of Kafka itself', async () => {
    const { splits } = await start(options)
    expect(splits.map(({ id }) => id)).toEqual(['orders-1/0', 'orders-2/0'])
  })

  test('are found while the job runs, and read from their beginning', async () => {
    put(events(0, 3), undefined, 0, 'orders-1')
    const { reader, context, splits } = await start({ ...options, startFrom: 'latest' })
    kafka.createTopic('orders-33', 1)
    put(events(5, 8), undefined, 0, 'orders-33')
    const source = kafkaSource(
      (client) => kafka.connect(client),
      readSourceOptions({ brokers: 'k:9092', ...options, startFrom: 'latest' }),
      plainScanner,
    )
    const all = await source.enumerator(context).discover(splits, 1)
    reader.addSplits?.(all.filter(({ id }) => !splits.some((split) => split.id === id)))
    // the fetch that is under way ends with this one
    put(events(9, 10), undefined, 0, 'orders-2')
    expect((await take(reader, 4)).sort((a, b) => a - b)).toEqual([5, 6, 7, 9])
  })

  test('that match nothing are waited for', async () => {
    await expect(start({ ...options, topicPattern: 'orders' })).rejects.toMatchObject({
      code: 'KAFKA_TOPIC_UNKNOWN',
      message: 'the Kafka at k:9092 has no topic whose name matches "orders"',
    })
  })
})

describe('the Kafka source', () => {
  test('after any number of records, a snapshot resumes with exactly the rest', async () => {
    put(events(0, 5))
    put(events(5, 7), 'commit')
    put(events(90, 95), 'abort')
    put(events(7, 12))
    for (let stop = 0; stop <= 12; stop++) {
      const first = await start({ bounded: true })
      const head = await take(first.reader, stop, 3)
      const snapshot = first.reader.snapshot()
      await first.reader.close()
      const second = await start({ bounded: true }, snapshot)
      expect([...head, ...(await take(second.reader, 100))]).toEqual(range(0, 12))
      expect(second.reader.isFinished()).toBe(true)
      await second.reader.close()
    }
  })

  test('a paused partition gives nothing until it is resumed, then exactly what it has left, and the other goes on', async () => {
    kafka.createTopic('two', 2)
    for (let at = 0; at < 12; at += 4) {
      put(events(at, at + 4), 'commit', 0, 'two')
      put(events(100 + at, 104 + at), 'commit', 1, 'two')
    }
    for (let stop = 1; stop <= 12; stop++) {
      const { reader } = await start({ topic: 'two', bounded: true })
      const head = await take(reader, stop, 3)
      reader.pauseSplits?.(new Set(['two/0']))
      const other: number[] = []
      for (let polls = 0; polls < 12; polls++)
        other.push(...((await reader.poll(3))?.batch.rows() ?? []).map((row) => Number(row['n'])))
      expect(other.every((n) => n >= 100)).toBe(true)
      expect([...head, ...other].filter((n) => n >= 100)).toEqual(range(100, 112))
      expect(reader.isFinished()).toBe(head.filter((n) => n < 100).length === 12)
      reader.pauseSplits?.(new Set())
      // a fetch of the other one is under way: a broker answers it after a while, this one when something is written
      put(events(0, 1))
      expect([...head, ...(await take(reader, 100))].filter((n) => n < 100)).toEqual(range(0, 12))
      await reader.close()
    }
  })

  test('when a transaction is open, neither it nor what follows is read; uncommitted reading sees it', async () => {
    put(events(0, 2))
    put(events(2, 4), 'open')
    put(events(4, 6))
    expect(await take((await start({ bounded: true })).reader, 100)).toEqual(range(0, 2))
    expect(await take((await start({ bounded: true, isolation: 'read_uncommitted' })).reader, 100)).toEqual(range(0, 6))
  })

  test('when an aborted transaction ends after a later one, none of both is read', async () => {
    const a = kafka.initProducerId('a')
    const b = kafka.initProducerId('b')
    const keys = [
      { transactionalId: 'a', ...a },
      { transactionalId: 'b', ...b },
    ]
    for (const key of keys) kafka.addPartitions(key, [{ topic: 't', partition: 0 }])
    const batch = (owner: { producerId: bigint; epoch: number }, sequence: number): Buffer => {
      const writer = new RecordBatchWriter(16)
      writer.append(null, Buffer.from('{"n":66}'), 1)
      return writer.finish({ ...owner, sequence, transactional: true }, 'none')
    }
    kafka.produce(1, 'a', [{ topic: 't', partition: 0, batch: batch(a, 0) }])
    kafka.produce(1, 'b', [{ topic: 't', partition: 0, batch: batch(b, 0) }])
    if (keys[1]) kafka.endTransaction(keys[1], 'abort')
    kafka.produce(1, 'a', [{ topic: 't', partition: 0, batch: batch(a, 1) }])
    if (keys[0]) kafka.endTransaction(keys[0], 'abort')
    put(events(1, 2))
    expect(await take((await start({ bounded: true })).reader, 100)).toEqual([1])
  })

  test('when a record is bad, it is reported with its place and the next one is read', async () => {
    put([events(0, 1)[0] ?? '', 'no json', events(1, 2)[0] ?? ''])
    const { reader, context } = await start({ bounded: true })
    expect(await take(reader, 100)).toEqual([0, 1])
    expect(context.reported.bad).toEqual([{ where: 't/0 offset 1', raw: 'no json' }])
  })

  test('when the leader moves, reading goes on there', async () => {
    put(events(0, 3))
    const { reader } = await start()
    expect(await take(reader, 3)).toEqual(range(0, 3))
    kafka.moveLeader('t', 0, 2)
    put(events(3, 6))
    expect(await take(reader, 3)).toEqual(range(3, 6))
    await reader.close()
  })

  test('when Kafka is away for a while, trouble is reported and taken back, and nothing is lost', async () => {
    put(events(0, 3))
    const { reader, context } = await start()
    expect(await take(reader, 3)).toEqual(range(0, 3))
    kafka.fault = () => 'before'
    put(events(3, 6))
    while (context.reported.trouble.length === 0) expect(await reader.poll(10)).toBeUndefined()
    kafka.fault = () => undefined
    expect(await take(reader, 3)).toEqual(range(3, 6))
    expect(context.reported.trouble[0]).toMatchObject({ code: 'KAFKA_UNREACHABLE' })
    expect(context.reported.trouble.at(-1)).toBeNull()
    await reader.close()
  })

  test('when offsets were deleted before they were read, it fails naming partition and offsets', async () => {
    put(events(0, 10))
    kafka.deleteBelow('t', 0, 5)
    const { reader } = await start({}, [{ id: 't/0', position: { next: 2 }, finished: false }])
    await expect(take(reader, 1)).rejects.toMatchObject({
      code: 'KAFKA_OFFSET_OUT_OF_RANGE',
      message: expect.stringMatching(/t\/0 .*offset 2.*5 to 10/) as unknown,
    })
    await reader.close()
  })

  test('when nothing comes, poll returns in time for a barrier', async () => {
    const { reader } = await start()
    const before = ports.clock.now()
    expect(await reader.poll(10)).toBeUndefined()
    expect(ports.clock.now() - before).toBeLessThanOrEqual(100)
    await reader.close()
  })

  test('when it starts at the latest offset, what came before is not read, also after a restore without records', async () => {
    put(events(0, 5))
    const { reader } = await start({ startFrom: 'latest' })
    const snapshot = reader.snapshot()
    await reader.close()
    put(events(5, 8))
    const again = await start({ startFrom: 'latest' }, snapshot)
    expect(await take(again.reader, 3)).toEqual(range(5, 8))
    await again.reader.close()
  })

  test('when a partition was added while the job was down, it is read from its beginning', async () => {
    kafka.growTopic('t', 1)
    put(events(0, 2), undefined, 1)
    const { splits } = await start({ startFrom: 'latest' }, [{ id: 't/0', position: { next: 0 }, finished: false }])
    expect(splits).toMatchObject([
      { id: 't/0', position: { next: 0 }, finished: false },
      { id: 't/1', position: { next: 0 }, finished: false },
    ])
  })

  test('when the topic is deleted and made again, its records are never taken for those of the old one', async () => {
    put(events(0, 5))
    const first = await start()
    expect(await take(first.reader, 3)).toEqual(range(0, 3))
    const snapshot = first.reader.snapshot()
    await first.reader.close()
    const running = await start({}, snapshot)
    expect(await take(running.reader, 2)).toEqual(range(3, 5))
    kafka.deleteTopic('t')
    while (running.context.reported.trouble.length === 0) expect(await running.reader.poll(10)).toBeUndefined()
    expect(running.context.reported.trouble[0]).toMatchObject({ code: 'KAFKA_TOPIC_UNKNOWN' })
    kafka.createTopic('t', 1)
    put(events(100, 120))
    await expect(take(running.reader, 1)).rejects.toMatchObject({
      code: 'KAFKA_TOPIC_REPLACED',
      message: expect.stringContaining('"t"') as unknown,
    })
    await expect(start({}, snapshot)).rejects.toMatchObject({ code: 'KAFKA_TOPIC_REPLACED' })
    await running.reader.close()
  })

  test('when records come while those that were fetched are not read on, the lag grows', async () => {
    put(events(0, 6))
    const { reader } = await start()
    expect(await take(reader, 2, 2)).toEqual([0, 1])
    const lag = (records: number) =>
      until(`the lag is ${records}`, () => (reader.lagRecords?.() === records ? records : undefined), 5_000)
    put(events(6, 16))
    await lag(14)
    // one answer is being read and one waits: nothing more is fetched
    put(events(16, 20))
    await lag(18)
    expect(await take(reader, 18)).toEqual(range(2, 20))
    expect(reader.lagRecords?.()).toBe(0)
    await reader.close()
  })

  test('when records wait, the lag says how many', async () => {
    put(events(0, 10))
    const { reader } = await start()
    expect(await take(reader, 4)).toEqual(range(0, 4))
    expect(reader.lagRecords?.()).toBe(6)
    await reader.close()
  })

  test('while there is nothing to read, polls report that they only wait', async () => {
    put(events(0, 2))
    const { reader, context } = await start()
    expect(await take(reader, 2)).toEqual([0, 1])
    const waits: Promise<void>[] = []
    context.idle = (until) => {
      waits.push(until)
      return until
    }
    expect(await reader.poll(10)).toBeUndefined()
    expect(waits).toHaveLength(1)
    put(events(2, 4))
    expect(await take(reader, 2)).toEqual([2, 3])
    await reader.close()
  })

  test('when the topic is missing, discover names topic and brokers', async () => {
    await expect(start({ topic: 'nowhere' })).rejects.toMatchObject({
      code: 'KAFKA_TOPIC_UNKNOWN',
      message: expect.stringMatching(/k:9092.*nowhere/) as unknown,
    })
  })
})
