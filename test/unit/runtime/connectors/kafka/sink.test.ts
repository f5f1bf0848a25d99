import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import { beforeEach, describe, expect, test } from 'vitest'
import { loadRecordCodecs } from '../../../../../runtime/connectors/kit/record-codecs.ts'
import { readSinkOptions, readSourceOptions } from '../../../../../runtime/connectors/kafka/declaration.ts'
import { kafkaSink } from '../../../../../runtime/connectors/kafka/sink.ts'
import { kafkaSource } from '../../../../../runtime/connectors/kafka/source.ts'
import type { Committable, SinkConnector, SinkWriter } from '../../../../../runtime/connectors/sink.ts'
import { compileRowClass } from '../../../../../runtime/codegen/rows/row.ts'
import { VirtualKafka } from '../../../../../runtime/connectors/kafka/virtual/cluster.ts'
import { sleep } from '../../../../../runtime/ports/clock.ts'
import type { Ports } from '../../../../../runtime/ports/ports.ts'
import {
  EVENT_SCHEMA,
  plainWriter,
  plainScanner,
  sinkContext,
  sourceContext,
} from '../../../../harness/kafka/connector-contexts.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'

await loadRecordCodecs()

let kafka: VirtualKafka
let ports: Ports

beforeEach(() => {
  kafka = new VirtualKafka()
  kafka.createTopic('t', 2)
  ports = jumpingPorts()
})

function sinkOf(more: Record<string, unknown> = {}): SinkConnector {
  const options = readSinkOptions({ brokers: 'k:9092', topic: 't', ...more })
  return kafkaSink((client) => kafka.connect(client), options, plainWriter)
}

async function open(
  which: Parameters<typeof sinkContext>[1],
  recovered: readonly Committable[] = [],
  more: Record<string, unknown> = {},
): Promise<SinkWriter> {
  const writer = sinkOf(more).writer(sinkContext(ports, which))
  await writer.open(recovered)
  return writer
}

const write = (writer: SinkWriter, from: number, to: number): Promise<void> =>
  writer.write(new RowBatch(Array.from({ length: to - from }, (_, i) => ({ n: from + i, name: 'x' }))))
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

async function committed(): Promise<number[]> {
  const options = readSourceOptions({ brokers: 'k:9092', topic: 't', bounded: true })
  const source = kafkaSource((client) => kafka.connect(client), options, plainScanner)
  const context = sourceContext(ports)
  const enumerator = source.enumerator(context)
  const reader = source.reader(context, compileRowClass(EVENT_SCHEMA))
  await reader.open(await enumerator.discover([], 1))
  const numbers: number[] = []
  while (!reader.isFinished())
    for (const row of (await reader.poll(100))?.batch.rows() ?? []) numbers.push(Number(row['n']))
  await reader.close()
  return numbers.sort((a, b) => a - b)
}

describe('the Kafka sink', () => {
  test('until a checkpoint is complete, nothing of it is visible', async () => {
    const writer = await open({})
    await write(writer, 0, 5)
    const prepared = await writer.prepareCommit(1)
    expect(await committed()).toEqual([])
    await writer.commit?.(prepared)
    expect(await committed()).toEqual(range(0, 5))
  })

  test('when nothing was written, there is nothing to commit but the fence', async () => {
    const writer = await open({})
    const first = await writer.prepareCommit(1)
    await writer.commit?.(first)
    expect(await writer.prepareCommit(2)).toEqual([])
    expect(kafka.listTransactions()).toEqual([])
  })

  test('when a later transaction is open already, the earlier one is committed alone', async () => {
    const writer = await open({})
    await write(writer, 0, 5)
    const one = await writer.prepareCommit(1)
    await write(writer, 5, 9)
    await writer.commit?.(one)
    expect(await committed()).toEqual(range(0, 5))
    await writer.commit?.(await writer.prepareCommit(2))
    expect(await committed()).toEqual(range(0, 9))
  })

  test('when one checkpoint is restored again and again, it is committed once and never taken for lost', async () => {
    const first = await open({ attempt: 1 })
    await write(first, 0, 5)
    const one = await first.prepareCommit(1)
    await first.commit?.(one)
    for (let i = 0; i < 4; i++) {
      await write(first, 100 + i, 101 + i)
      await first.commit?.(await first.prepareCommit(2 + i))
    }
    for (const attempt of [2, 3, 4]) await open({ attempt, slot: attempt }, one)
    expect(await committed()).toEqual([...range(0, 5), ...range(100, 104)])
  })

  test('when the broker aborted what a checkpoint counts on, it fails aloud and does not go on', async () => {
    const first = await open({ attempt: 1 })
    await write(first, 0, 5)
    const prepared = await first.prepareCommit(1)
    for (const id of kafka.transactionIds('Ongoing')) kafka.expire(id)
    await expect(open({ attempt: 2 }, prepared)).rejects.toMatchObject({ code: 'KAFKA_TRANSACTION_LOST' })
    await expect(open({ attempt: 3 }, prepared)).rejects.toMatchObject({ code: 'KAFKA_TRANSACTION_LOST' })
  })

  test('when the broker has forgotten the transaction and its marker, it says that it cannot know, not that records are lost', async () => {
    const first = await open({ attempt: 1 })
    await write(first, 0, 5)
    const prepared = await first.prepareCommit(1)
    await first.commit?.(prepared)
    kafka.forget()
    await expect(open({ attempt: 2 }, prepared)).rejects.toMatchObject({ code: 'KAFKA_TRANSACTION_FORGOTTEN' })
  })

  test('when slots have gone, the first checkpoint of the new attempt aborts what they left open, and nothing of others', async () => {
    const old = await Promise.all([0, 1, 2].map((slot) => open({ attempt: 1, slot })))
    const prepared: Committable[] = []
    for (const [slot, writer] of old.entries()) {
      await write(writer, slot * 10, slot * 10 + 5)
      prepared.push(...(await writer.prepareCommit(1)))
      await write(writer, 100, 105)
    }
    // Rescaled from 3 to 2: the committables are dealt at will, and slot 0 is ready before slot 1 has opened.
    const zero = await open(
      { attempt: 2, slot: 0 },
      prepared.filter((_, i) => i % 2 === 0),
    )
    const one = await open(
      { attempt: 2, slot: 1 },
      prepared.filter((_, i) => i % 2 === 1),
    )
    for (const writer of [zero, one]) await writer.commit?.(await writer.prepareCommit(2))
    expect(kafka.transactionIds('Ongoing')).toEqual([])
    expect(await committed()).toEqual([...range(0, 5), ...range(10, 15), ...range(20, 25)])
  })

  test('when it continues a job that is gone, the first checkpoint aborts all that one left open, and nothing of a job that may live', async () => {
    for (const [jobUid, from] of [
      ['gone', 0],
      ['alive', 10],
    ] as const) {
      const writer = await open({ jobUid, attempt: 7 })
      await write(writer, from, from + 5)
      await writer.prepareCommit(1)
    }
    const next = await open({ jobUid: 'next', predecessors: ['gone'] })
    expect(kafka.transactionIds('Ongoing')).toHaveLength(2)
    await next.commit?.(await next.prepareCommit(1))
    expect(kafka.transactionIds('Ongoing')).toEqual([expect.stringContaining('millrace-alive-')])
  })

  test('when a zombie goes on writing after it was fenced, it is told and its rows stay invisible', async () => {
    const zombie = await open({ attempt: 1 })
    await write(zombie, 0, 5)
    await zombie.prepareCommit(1)
    await write(zombie, 5, 9)
    const next = await open({ attempt: 2 })
    await next.commit?.(await next.prepareCommit(2))
    await write(zombie, 9, 12)
    await expect(zombie.prepareCommit(2)).rejects.toMatchObject({ code: 'KAFKA_PRODUCER_FENCED' })
    expect(await committed()).toEqual([])
  })

  test('when a zombie begins a transaction only after the first fence, it is aborted within minutes of checkpoints', async () => {
    const [zombie, next] = [await open({ attempt: 1 }), await open({ attempt: 2 })]
    await next.commit?.(await next.prepareCommit(1))
    await write(zombie, 0, 5)
    // Makes it send what it has; nobody takes what it prepared.
    await zombie.prepareCommit(1)
    expect(kafka.transactionIds('Ongoing')).toHaveLength(1)
    for (let checkpoint = 2; checkpoint < 10; checkpoint++) {
      await sleep(ports.clock, 30_000)
      await next.commit?.(await next.prepareCommit(checkpoint))
    }
    expect(kafka.transactionIds('Ongoing')).toEqual([])
  })

  test.each(['before', 'after'] as const)(
    'when every call fails once %s it took effect, each row arrives once',
    async (fault) => {
      const failed = new Set<string>()
      const calls = new Map<string, number>()
      kafka.fault = (call) => {
        const n = (calls.get(call) ?? 0) + 1
        calls.set(call, n)
        const id = `${call} ${Math.ceil(n / 2)}`
        if (failed.has(id)) return undefined
        failed.add(id)
        return fault
      }
      const writer = await open({})
      for (let checkpoint = 1; checkpoint <= 5; checkpoint++) {
        await write(writer, checkpoint * 100, checkpoint * 100 + 50)
        const prepared = await writer.prepareCommit(checkpoint)
        await writer.commit?.(prepared)
        await writer.commit?.(prepared)
      }
      kafka.fault = () => undefined
      expect(await committed()).toEqual([1, 2, 3, 4, 5].flatMap((n) => range(n * 100, n * 100 + 50)))
    },
  )

  test('when a batch is full at the very moment at which all before it have been acknowledged, it is sent too', async () => {
    for (let turns = 0; turns < 60; turns++) {
      const writer = await open({}, [], { delivery: 'atLeastOnce' })
      await write(writer, turns * 2, turns * 2 + 1)
      for (let turn = 0; turn < turns; turn++) await Promise.resolve()
      await write(writer, turns * 2 + 1, turns * 2 + 2)
      await writer.prepareCommit(1)
    }
    expect(await committed()).toEqual(range(0, 120))
  })

  test('when a leader moves, the same batch goes to the new one', async () => {
    const writer = await open({}, [], { delivery: 'atLeastOnce', key: 'name' })
    await write(writer, 0, 5)
    await writer.prepareCommit(1)
    kafka.moveLeader('t', 0, 2)
    kafka.moveLeader('t', 1, 2)
    await write(writer, 5, 9)
    expect(await writer.prepareCommit(2)).toEqual([])
    expect(await committed()).toEqual(range(0, 9))
  })

  test('when Kafka stays away, trouble is reported within 15 s, then the writer gives up for the job to restart', async () => {
    const context = sinkContext(ports)
    const writer = sinkOf().writer(context)
    await writer.open([])
    await write(writer, 0, 5)
    kafka.fault = () => 'before'
    const begun = ports.clock.now()
    let reportedAfter = Infinity
    context.reportTrouble = () => {
      reportedAfter = Math.min(reportedAfter, ports.clock.now() - begun)
    }
    await expect(writer.prepareCommit(1)).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE', retriable: true })
    expect(reportedAfter).toBeLessThan(15_000)
  })

  test('when the topic is missing, open says so, and createTopic makes it', async () => {
    await expect(open({}, [], { topic: 'new' })).rejects.toMatchObject({ code: 'KAFKA_TOPIC_UNKNOWN' })
    await open({}, [], { topic: 'new', createTopic: { partitions: 3 } })
    expect(kafka.metadata(['new']).topics[0]?.partitions.length).toBe(3)
  })

  test('when a committable is not one of ours, it is refused', async () => {
    await expect(open({}, [{ path: 'part-0' }])).rejects.toMatchObject({ code: 'KAFKA_COMMITTABLE_INVALID' })
  })

  test.each(['billing-7', 'millrace-job-other-0-1-0', 'millrace-job-out-0-1', 'millrace-job-out-0-1-0-x'])(
    'when a committable names the transaction %s, which is none of the sink, it is refused and that one stays open',
    async (transactionalId) => {
      const first = await open({ attempt: 1 })
      await write(first, 0, 5)
      const [prepared] = (await first.prepareCommit(1)).filter((one) => JSON.stringify(one).includes('transactionalId'))
      const { producerId, epoch } = kafka.initProducerId(transactionalId)
      const crafted = { ...(prepared as object), transactionalId, producerId: String(producerId), epoch }
      await expect(open({ attempt: 2 }, [crafted])).rejects.toMatchObject({ code: 'KAFKA_COMMITTABLE_INVALID' })
    },
  )
})
