import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileRowClass } from '../../runtime/codegen/rows/row.ts'
import { kafkaConnector } from '../../runtime/connectors/kafka/connector.ts'
import { connectKafka } from '../../runtime/connectors/kafka/real/client.ts'
import { pulsarConnector } from '../../runtime/connectors/pulsar/connector.ts'
import { connectSocket } from '../../runtime/connectors/pulsar/real/connector.ts'
import type { SinkConnector } from '../../runtime/connectors/sink.ts'
import type { SourceConnector } from '../../runtime/connectors/source.ts'
import { RowBatch } from '../../runtime/memory/batch.ts'
import type { Schema } from '../../runtime/model/schema.ts'
import { startKafka } from '../../test/harness/beds/kafka-bed.ts'
import { startPulsar } from '../../test/harness/beds/pulsar-bed.ts'
import { sinkContext } from '../../test/harness/sink-context.ts'
import { sourceContext } from '../../test/harness/source-context.ts'
import { figureOf, type Figure } from '../figure.ts'
import { measured, type Measured } from './measured.ts'

const ROWS = 500_000
const BATCH_ROWS = 1000
const SCHEMA: Schema = {
  fields: [
    { name: 'k', type: 'long', nullable: false },
    { name: 's', type: 'string', nullable: false },
    { name: 'd', type: 'double', nullable: false },
  ],
}
/** Pulsar is to reach this share of Kafka's rate. */
const LEAST_SHARE = 0.5

interface Broker {
  readonly source: SourceConnector
  readonly sink: SinkConnector
}

/**
 * Half a million JSON records of three fields into a topic of one partition and back, at least once, by connector and
 * client alone: Kafka and Pulsar in turn, each beside its server on this machine.
 */
export async function brokerFigures(rounds: number): Promise<Figure[]> {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-bench-brokers-'))
  const kafka = await startKafka({ dir: join(dir, 'kafka') })
  const pulsar = await startPulsar({ dir: join(dir, 'pulsar'), deduplication: 'off' })
  const runs = {
    kafka: { in: [] as Measured[], out: [] as Measured[] },
    pulsar: { in: [] as Measured[], out: [] as Measured[] },
  }
  try {
    for (let round = 0; round < rounds; round++) {
      const kafkaAt = { brokers: kafka.bootstrap, topic: `bench-${round}` }
      const connector = kafkaConnector(connectKafka)
      const ofKafka = {
        source: connector.source({ ...kafkaAt, bounded: true }),
        sink: connector.sink({ ...kafkaAt, delivery: 'atLeastOnce', createTopic: { partitions: 1 } }),
      }
      const pulsarAt = { serviceUrl: pulsar.serviceUrl, topic: await pulsar.createTopic(`bench-${round}`, 1) }
      const ofPulsar = {
        source: pulsarConnector(connectSocket).source({ ...pulsarAt, bounded: true }),
        sink: pulsarConnector(connectSocket).sink(pulsarAt),
      }
      for (const [name, broker] of [
        ['kafka', ofKafka],
        ['pulsar', ofPulsar],
      ] as const) {
        runs[name].out.push(await measured(ROWS, () => writeAll(broker)))
        runs[name].in.push(await measured(ROWS, () => readAll(broker)))
      }
    }
    return (['out', 'in'] as const).flatMap((way) => figuresOf(way, runs.kafka[way], runs.pulsar[way]))
  } finally {
    await kafka.stop()
    await pulsar.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

function figuresOf(way: 'in' | 'out', kafka: readonly Measured[], pulsar: readonly Measured[]): Figure[] {
  const what = way === 'out' ? 'written' : 'read'
  const rates = kafka.map(({ perSecond }) => perSecond).sort((a, b) => a - b)
  const half = LEAST_SHARE * (rates[Math.floor(rates.length / 2)] ?? 0)
  return [
    figureOf(
      `Pulsar, messages ${what}`,
      'rows/s',
      pulsar.map(({ perSecond }) => perSecond),
      { target: half, atLeast: true },
    ),
    figureOf(
      `Pulsar, messages ${what}, CPU`,
      'ns/row',
      pulsar.map(({ cpuNs }) => cpuNs),
    ),
    figureOf(
      `Kafka, records ${what}, beside Pulsar`,
      'rows/s',
      kafka.map(({ perSecond }) => perSecond),
    ),
    figureOf(
      `Kafka, records ${what}, beside Pulsar, CPU`,
      'ns/row',
      kafka.map(({ cpuNs }) => cpuNs),
    ),
  ]
}

async function writeAll({ sink }: Broker): Promise<void> {
  const writer = sink.writer(sinkContext('bench', SCHEMA))
  const Row = compileRowClass(SCHEMA)
  await writer.open([])
  for (let from = 0; from < ROWS; from += BATCH_ROWS)
    await writer.write(
      new RowBatch(Array.from({ length: BATCH_ROWS }, (_, index) => new Row(from + index, `name ${index}`, index / 7))),
    )
  await writer.prepareCommit(1)
  await writer.close()
}

async function readAll({ source }: Broker): Promise<void> {
  const context = sourceContext({ verb: { connector: 'broker' }, schema: SCHEMA, baseDir: '.' })
  const enumerator = source.enumerator(context)
  const reader = source.reader({ ...context, slot: 0, parallelism: 1 }, compileRowClass(SCHEMA))
  await reader.open(await enumerator.discover([], 1, 1))
  await enumerator.close()
  let rows = 0
  while (!reader.isFinished()) rows += (await reader.poll(4096))?.batch.count ?? 0
  await reader.close()
  if (rows !== ROWS) throw new Error(`read ${rows} rows of ${ROWS}`)
}
