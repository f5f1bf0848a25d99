import { RowBatch } from '../../runtime/memory/batch.ts'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kafkaConnector } from '../../runtime/connectors/kafka/connector.ts'
import type { SinkWriter } from '../../runtime/connectors/sink.ts'
import type { SourceReader, Split } from '../../runtime/connectors/source.ts'
import { compileRowClass } from '../../runtime/codegen/rows/row.ts'
import type { Row } from '../../runtime/model/schema.ts'
import type { Logger } from '../../runtime/ports/logger.ts'
import { loadFlights } from '../../cli/load-flights.ts'
import { LATEST } from '../../runtime/connectors/kafka/client.ts'
import type { Isolation } from '../../runtime/connectors/kafka/client.ts'
import { connectKafka } from '../../runtime/connectors/kafka/real/client.ts'
import { builtinStores } from '../../runtime/builtin-stores.ts'
import { realPorts } from '../../runtime/ports/real/ports.ts'
import { kafkaBedMissing, startKafka } from '../harness/beds/kafka-bed.ts'
import type { KafkaBed } from '../harness/beds/kafka-bed.ts'
import { startMillrace } from '../harness/processes.ts'
import { EVENT_SCHEMA, sinkContext, sourceContext } from '../harness/kafka/connector-contexts.ts'

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silent,
}
const ports = realPorts({ stores: builtinStores, logger: silent, printLine: () => undefined })
const connector = kafkaConnector(connectKafka)
const why = await kafkaBedMissing()

describe.skipIf(why !== undefined)(
  `Kafka connector on a real Kafka${why === undefined ? '' : ` (left out: ${why})`}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-kafka-'))
    let bed: KafkaBed
    let kafka: Kafka
    let topics = 0

    beforeAll(async () => {
      bed = await startKafka({ dir })
      kafka = new Kafka({ clientId: 'independent', brokers: [bed.bootstrap], logLevel: logLevel.NOTHING })
    })
    afterAll(async () => {
      await bed?.stop()
      rmSync(dir, { recursive: true, force: true })
    })

    async function newTopic(partitions: number): Promise<string> {
      const topic = `t${++topics}`
      const admin = kafka.admin()
      await admin.connect()
      await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true })
      await admin.disconnect()
      return topic
    }

    /** What a kafkajs consumer with read_committed sees, up to a last record that is written for it. */
    async function readBack(topic: string, partitions: number): Promise<number[]> {
      const producer = kafka.producer()
      await producer.connect()
      for (let partition = 0; partition < partitions; partition++)
        await producer.send({ topic, messages: [{ partition, value: '{"n":-1}' }] })
      await producer.disconnect()
      const consumer = kafka.consumer({ groupId: `read-${topic}-${++topics}`, readUncommitted: false })
      await consumer.connect()
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      const numbers: number[] = []
      let ends = 0
      await new Promise<void>((resolve, reject) => {
        consumer.on(consumer.events.CRASH, ({ payload }) => {
          reject(payload.error)
        })
        void consumer
          .run({
            eachMessage: ({ message }) => {
              const { n } = JSON.parse(String(message.value)) as { n: number }
              if (n === -1) ends++
              else numbers.push(n)
              if (ends === partitions) resolve()
              return Promise.resolve()
            },
          })
          .catch(reject)
      })
      await consumer.disconnect()
      return numbers.sort((a, b) => a - b)
    }

    async function readLetters(
      topic: string,
      count: number,
    ): Promise<{ partition: number; key: string; value: string; reason: string }[]> {
      const consumer = kafka.consumer({ groupId: `letters-${topic}` })
      await consumer.connect()
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      const found: { partition: number; key: string; value: string; reason: string }[] = []
      await new Promise<void>((resolve, reject) => {
        consumer.on(consumer.events.CRASH, ({ payload }) => {
          reject(payload.error)
        })
        void consumer
          .run({
            eachMessage: ({ partition, message }) => {
              found.push({
                partition,
                key: String(message.key),
                value: message.value?.toString('hex') ?? '',
                reason: String(message.headers?.['millrace.reason']),
              })
              if (found.length === count) resolve()
              return Promise.resolve()
            },
          })
          .catch(reject)
      })
      await consumer.disconnect()
      return found
    }

    /** EndTxn is answered before the markers are in the logs: waits until no transaction holds back the readers. */
    async function settled(topic: string): Promise<void> {
      const client = connectKafka({ brokers: [bed.bootstrap], clientId: 'settled' })
      const {
        topics: [described],
      } = await client.metadata([topic])
      const asked = (described?.partitions ?? []).map(({ partition }) => ({ topic, partition, timestamp: LATEST }))
      const ends = async (isolation: Isolation): Promise<number[]> =>
        (await client.listOffsets(described?.partitions[0]?.leader ?? -1, isolation, asked)).map(({ offset }) => offset)
      await expect
        .poll(
          async () => JSON.stringify(await ends('read_committed')) === JSON.stringify(await ends('read_uncommitted')),
          { timeout: 20_000 },
        )
        .toBe(true)
      await client.close()
    }

    async function openSink(
      topic: string,
      which: { slot?: number; attempt?: number },
      recovered: Parameters<SinkWriter['open']>[0] = [],
      more: Record<string, unknown> = {},
    ): Promise<SinkWriter> {
      const sink = connector.sink({ brokers: bed.bootstrap, topic, transactionTimeout: '1m', ...more })
      const writer = sink.writer(sinkContext(ports, which))
      await writer.open(recovered)
      return writer
    }

    async function readAll(topic: string, splits?: readonly Split[]): Promise<{ numbers: number[]; splits: Split[] }> {
      await settled(topic)
      const source = connector.source({ brokers: bed.bootstrap, topic, bounded: true })
      const context = sourceContext(ports)
      const enumerator = source.enumerator(context)
      const found = await enumerator.discover(splits ?? [], 1)
      await enumerator.close()
      const reader = source.reader(context, compileRowClass(EVENT_SCHEMA))
      await reader.open(found)
      const numbers = await drain(reader)
      const after = reader.snapshot()
      await reader.close()
      return { numbers, splits: after }
    }

    async function drain(reader: SourceReader, until: (numbers: number[]) => boolean = () => false): Promise<number[]> {
      const numbers: number[] = []
      while (!reader.isFinished() && !until(numbers)) {
        const batch = await reader.poll(100)
        for (const row of batch?.batch.rows() ?? []) numbers.push(Number(row['n']))
      }
      return numbers
    }

    const rows = (from: number, to: number): Row[] =>
      Array.from({ length: to - from }, (_, i) => ({ n: from + i, name: `name ${from + i}` }))
    const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)
    const write = (writer: SinkWriter, from: number, to: number): Promise<void> =>
      writer.write(new RowBatch(rows(from, to)))

    test('when a process dies between prepare and commit, another commits what the manifest holds, once', async () => {
      const topic = await newTopic(2)
      const first = await openSink(topic, { attempt: 1 })
      await write(first, 0, 1000)
      const one = await first.prepareCommit(1)
      await first.commit?.(one)
      await write(first, 1000, 2000)
      const two = await first.prepareCommit(2)
      await write(first, 2000, 3000)
      // It dies here: checkpoint 2 is complete, its commit never came, and rows of checkpoint 3 are written.
      const second = await openSink(topic, { attempt: 2 }, two)
      await write(second, 2000, 2500)
      const three = await second.prepareCommit(3)
      await second.commit?.(three)
      await second.commit?.(three)
      const third = await openSink(topic, { attempt: 3 }, two)
      await third.commit?.(three)
      expect(await readBack(topic, 2)).toEqual(range(0, 2500))
      await Promise.all([first.close(), second.close(), third.close()])
    })

    test('when a newer attempt completed a checkpoint, an older attempt can not write or commit any more', async () => {
      const topic = await newTopic(1)
      const zombie = await openSink(topic, { attempt: 1, slot: 3 })
      await write(zombie, 0, 10)
      const lost = await zombie.prepareCommit(1)
      const next = await openSink(topic, { attempt: 2, slot: 0 })
      await write(next, 100, 110)
      await next.commit?.(await next.prepareCommit(3))
      await expect(zombie.commit?.(lost)).rejects.toMatchObject({ code: 'KAFKA_TRANSACTION_LOST' })
      expect(await readBack(topic, 1)).toEqual(range(100, 110))
      await Promise.all([zombie.close(), next.close()])
    })

    test('when aborted transactions overlap, the source delivers nothing of them', async () => {
      // Read with our source: kafkajs delivers the first record of such a transaction (it trusts the order of the
      // list).
      const topic = await newTopic(1)
      const zombie = await openSink(topic, { attempt: 1 })
      await write(zombie, 0, 10)
      await zombie.prepareCommit(1)
      await write(zombie, 10, 20)
      await zombie.prepareCommit(2)
      const next = await openSink(topic, { attempt: 2 })
      await write(next, 100, 110)
      await next.commit?.(await next.prepareCommit(3))
      expect((await readAll(topic)).numbers).toEqual(range(100, 110))
      await Promise.all([zombie.close(), next.close()])
    })

    test('when the broker aborted a prepared transaction after its timeout, opening fails aloud', async () => {
      const topic = await newTopic(1)
      const writer = await openSink(topic, { attempt: 1 }, [], { transactionTimeout: '1s' })
      await write(writer, 0, 10)
      const prepared = await writer.prepareCommit(1)
      const admin = connectKafka({ brokers: [bed.bootstrap], clientId: 'watch' })
      await expect
        .poll(
          async () =>
            (await admin.listTransactions()).filter(
              ({ transactionalId, state }) => transactionalId.includes('-1-') && state === 'Ongoing',
            ).length,
          { timeout: 60_000 },
        )
        .toBe(0)
      await admin.close()
      const open = openSink(topic, { attempt: 2 }, prepared)
      await expect(open).rejects.toMatchObject({ code: 'KAFKA_TRANSACTION_LOST' })
      await writer.close()
    })

    test('when transactions were aborted, the source does not deliver them and ends behind them', async () => {
      const topic = await newTopic(1)
      const producer = kafka.producer({ transactionalId: `abort-${topic}`, maxInFlightRequests: 1, idempotent: true })
      await producer.connect()
      for (let i = 0; i < 6; i++) {
        const transaction = await producer.transaction()
        await transaction.send({ topic, messages: [{ value: JSON.stringify({ n: i, name: 'x'.repeat(1000) }) }] })
        await (i % 2 === 0 ? transaction.abort() : transaction.commit())
      }
      await producer.disconnect()
      expect((await readAll(topic)).numbers).toEqual([1, 3, 5])
    })

    test('when a reader stops in the middle of a batch, the next one goes on with the very next record', async () => {
      const topic = await newTopic(1)
      const writer = await openSink(topic, { attempt: 1 })
      await write(writer, 0, 1000)
      await writer.commit?.(await writer.prepareCommit(1))
      await writer.close()
      await settled(topic)
      const source = connector.source({ brokers: bed.bootstrap, topic, bounded: true })
      const context = sourceContext(ports)
      const enumerator = source.enumerator(context)
      const reader = source.reader(context, compileRowClass(EVENT_SCHEMA))
      await reader.open(await enumerator.discover([], 1))
      const numbers = await drain(reader, (got) => got.length >= 300)
      const splits = reader.snapshot()
      expect(reader.lagRecords?.()).toBe(1001 - 300)
      await reader.close()
      await enumerator.close()
      const rest = await readAll(topic, splits)
      expect([...numbers, ...rest.numbers]).toEqual(range(0, 1000))
      expect(rest.splits[0]?.finished).toBe(true)
    })

    test('when a topic is compressed by any writer, the source reads it', async () => {
      for (const compression of ['none', 'gzip', 'zstd']) {
        const topic = await newTopic(1)
        const writer = await openSink(topic, { attempt: 1 }, [], { compression, delivery: 'atLeastOnce', key: 'name' })
        await write(writer, 0, 500)
        expect(await writer.prepareCommit(1)).toEqual([])
        await writer.close()
        expect((await readAll(topic)).numbers).toEqual(range(0, 500))
      }
    })

    test('when the broker is killed and comes back, source and sink go on without loss or repetition', async () => {
      const topic = await newTopic(1)
      const writer = await openSink(topic, { attempt: 1 })
      const source = connector.source({ brokers: bed.bootstrap, topic })
      const context = sourceContext(ports)
      const enumerator = source.enumerator(context)
      const reader = source.reader(context, compileRowClass(EVENT_SCHEMA))
      await reader.open(await enumerator.discover([], 1))
      await write(writer, 0, 500)
      await writer.commit?.(await writer.prepareCommit(1))
      const before = await drain(reader, (got) => got.length >= 500)
      await write(writer, 500, 700)
      const prepared = await writer.prepareCommit(2)
      await bed.kill()
      const committing = writer.commit?.(prepared)
      await bed.restart()
      await committing
      await write(writer, 700, 900)
      await writer.commit?.(await writer.prepareCommit(3))
      const after = await drain(reader, (got) => got.length >= 400)
      expect([...before, ...after]).toEqual(range(0, 900))
      await Promise.all([writer.close(), reader.close(), enumerator.close()])
    })

    test('when the topic is missing, both sides name it and the broker; createTopic makes it', async () => {
      const source = connector.source({ brokers: bed.bootstrap, topic: 'nowhere' })
      const context = sourceContext(ports)
      const enumerator = source.enumerator(context)
      await expect(enumerator.discover([], 1)).rejects.toMatchObject({
        code: 'KAFKA_TOPIC_UNKNOWN',
        message: expect.stringContaining(bed.bootstrap) as unknown,
      })
      expect(context.reported.trouble[0]).toMatchObject({ code: 'KAFKA_TOPIC_UNKNOWN' })
      await enumerator.close()
      const writer = await openSink('made', { attempt: 1 }, [], { createTopic: { partitions: 3 } })
      await write(writer, 0, 10)
      await writer.commit?.(await writer.prepareCommit(1))
      await writer.close()
      expect((await readAll('made')).splits.length).toBe(3)
    })

    test('when an offset is gone, the source fails naming partition, offset and what there is', async () => {
      const topic = await newTopic(1)
      const source = connector.source({ brokers: bed.bootstrap, topic })
      const context = sourceContext(ports)
      const reader = source.reader(context, compileRowClass(EVENT_SCHEMA))
      await reader.open([{ id: `${topic}/0`, position: { next: 99 }, finished: false }])
      await expect(drain(reader)).rejects.toMatchObject({
        code: 'KAFKA_OFFSET_OUT_OF_RANGE',
        message: expect.stringContaining(`${topic}/0`) as unknown,
      })
      await reader.close()
    })

    test('when nobody listens, the enumerator says so within its patience', async () => {
      const source = connector.source({ brokers: '127.0.0.1:1', topic: 'any' })
      const context = sourceContext(ports)
      const enumerator = source.enumerator(context)
      await expect(enumerator.discover([], 1)).rejects.toMatchObject({
        code: 'KAFKA_UNREACHABLE',
        message: expect.stringContaining('127.0.0.1:1') as unknown,
      })
      expect(context.reported.trouble[0]).toMatchObject({ code: 'KAFKA_UNREACHABLE' })
      await enumerator.close()
    })

    test('when flights are loaded, the topic holds as many as were told', async () => {
      const topic = `flights${++topics}`
      expect(
        await loadFlights({ brokers: bed.bootstrap, topic, partitions: 2, limit: 20_000, onProgress: () => undefined }),
      ).toBe(20_000)
      const client = connectKafka({ brokers: [bed.bootstrap], clientId: 'count' })
      const {
        topics: [described],
      } = await client.metadata([topic])
      const ends = await client.listOffsets(
        described?.partitions[0]?.leader ?? -1,
        'read_committed',
        [0, 1].map((partition) => ({ topic, partition, timestamp: LATEST })),
      )
      expect(ends.reduce((sum, { offset }) => sum + offset, 0)).toBe(20_000)
      await client.close()
    })

    test('when records are bad, dead letters keep them with their place and what was wrong, whatever their bytes are', async () => {
      const topic = await newTopic(2)
      const letters = await connector.deadLetters({ brokers: bed.bootstrap, topic }).open({
        slot: 3,
        ports,
        baseDir: '.',
        stopping: new AbortController().signal,
        reportTrouble: () => undefined,
      })
      const broken = Buffer.from([0xff, 0x00, 0xfe])
      letters.add({ where: 'in/0 offset 7', reason: 'no JSON', record: broken })
      for (let n = 0; n < 30_000; n++) {
        letters.add({ where: `in/0 offset ${8 + n}`, reason: 'ä', record: `{"n":${n},"filler":"${'x'.repeat(300)}"}` })
        if (n % 1000 === 0) await letters.push()
      }
      await letters.flush()
      await letters.close()
      const found = await readLetters(topic, 30_001)
      expect(found.slice(0, 2)).toEqual([
        { partition: 1, key: 'in/0 offset 7', value: broken.toString('hex'), reason: 'no JSON' },
        {
          partition: 1,
          key: 'in/0 offset 8',
          value: Buffer.from(`{"n":0,"filler":"${'x'.repeat(300)}"}`).toString('hex'),
          reason: 'ä',
        },
      ])
      expect(found.map(({ key }) => key)).toEqual(range(7, 30_008).map((offset) => `in/0 offset ${offset}`))
    })

    test('when a topic for dead letters is missing, it is told at the start', async () => {
      const stop = new AbortController()
      const opening = connector.deadLetters({ brokers: bed.bootstrap, topic: 'no-letters' }).open({
        slot: 0,
        ports,
        baseDir: '.',
        stopping: stop.signal,
        // Its patience is 30 s; the first word about it comes after 3 s.
        reportTrouble: (error) => {
          if (error !== null) stop.abort(error)
        },
      })
      await expect(opening).rejects.toMatchObject({ code: 'KAFKA_CLOSED' })
      expect(stop.signal.reason).toMatchObject({
        code: 'KAFKA_TOPIC_UNKNOWN',
        message: expect.stringContaining('no-letters') as unknown,
      })
    })

    test('millrace doctor finds topics, and says of one that is not there whether the job would make it', async () => {
      const topic = await newTopic(3)
      const at = (name: string): object => ({ brokers: [bed.bootstrap], topic: name, format: 'json' })
      const sink = (id: string, kafka: object): object => ({ id, from: 'in', sink: { kafka } })
      const graph = [
        { id: 'in', source: { kafka: at(topic) }, schema: { n: 'long' } },
        sink('there', at(topic)),
        sink('missing', at('nowhere')),
        sink('made', { ...at('new'), createTopic: { partitions: 2 } }),
      ]
      const file = join(dir, 'doctor.yaml')
      writeFileSync(
        file,
        JSON.stringify({
          apiVersion: 'millrace.dev/v1alpha1',
          kind: 'StreamJob',
          metadata: { name: 'd' },
          spec: { graph },
        }),
      )
      const { code, stdout } = await startMillrace('doctor', file).ended
      expect(stdout.split('\n')).toEqual([
        '✓ in: source kafka: 3 splits',
        `✓ there: sink kafka: topic ${topic} of 3 partitions`,
        expect.stringContaining('✗ missing: sink kafka: KAFKA_TOPIC_UNKNOWN') as string,
        expect.stringContaining('createTopic') as string,
        '✓ made: sink kafka: there is no topic new; the job creates it',
        '',
      ])
      expect(code).toBe(1)
      const admin = kafka.admin()
      await admin.connect()
      expect(await admin.listTopics()).not.toContain('new')
      await admin.disconnect()
    })
  },
)
