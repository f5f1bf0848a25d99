import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kafkaBedMissing, startKafka } from '../test/harness/beds/kafka-bed.ts'
import { BenchJob } from './bench-job.ts'
import { figureOf, type Figure } from './figure.ts'
import { flinkKafkaNs, type FlinkSeconds } from './flink.ts'
import { bids, job } from './queries.ts'

/** Bids in the two topics; the difference is what is counted. 8 % of Nexmark's events are no bids. */
const EVENTS = { short: 500_000, long: 2_500_000 }
const BID = {
  auction: 'long',
  bidder: 'long',
  price: 'long',
  channel: 'string',
  url: 'string',
  dateTime: 'timestamp',
  extra: 'string',
}

const PIPELINES: Readonly<Record<string, { flinkNs: number; limits: string; verbs: object[]; last: string }>> = {
  'kafka q1': {
    flinkNs: 2880,
    last: 'euros',
    verbs: [{ id: 'euros', from: 'bids', set: { price: '0.908 * price' } }],
    limits:
      'profile: 15 % scanning, 8 % copying what is passed, 7 % socket writes, 7 % checksums, 6 % garbage collection, 4 % printing decimals',
  },
  'kafka q2': {
    flinkNs: 1155,
    last: 'two',
    limits: 'profile: 30 % scanning, 8 % checksums, 5 % garbage collection, 4 % finding records in batches',
    verbs: [
      { id: 'some', from: 'bids', filter: 'auction % 123 === 0' },
      { id: 'two', from: 'some', map: { auction: 'auction', price: 'price' } },
    ],
  },
}

/**
 * Kafka JSON → map or filter → Kafka JSON, exactly once, 4 partitions; CPU of the one worker per record, the broker
 * not counted. With `flink`, Flink does the same in turn.
 */
export async function kafka(rounds: number, flink?: FlinkSeconds): Promise<Figure[]> {
  const missing = kafkaBedMissing()
  if (missing !== undefined) {
    process.stdout.write(`kafka: left out: ${missing}\n`)
    return []
  }
  const dir = mkdtempSync(join(tmpdir(), 'millrace-bench-kafka-'))
  const broker = await startKafka({ dir })
  try {
    const brokers = broker.bootstrap
    const counts = { short: await fill(brokers, 'short', EVENTS.short), long: await fill(brokers, 'long', EVENTS.long) }
    const figures: Figure[] = []
    for (const [name, { flinkNs, limits, verbs, last }] of Object.entries(PIPELINES)) {
      const costs: number[] = []
      const flinkCosts: number[] = []
      for (let round = 0; round < rounds; round++) {
        const run = (topic: string): Promise<number> =>
          cpuOf(
            job(
              { id: 'bids', source: { kafka: { brokers, topic, format: 'json', bounded: true } }, schema: BID },
              ...verbs,
              {
                id: 'out',
                from: last,
                sink: {
                  kafka: {
                    brokers,
                    topic: `${name.replace(' ', '-')}-${topic}-${round}`,
                    format: 'json',
                    timestampFormat: 'epochMillis',
                    delivery: 'exactlyOnce',
                    createTopic: { partitions: 4 },
                  },
                },
              },
            ),
          )
        costs.push((((await run('long')) - (await run('short'))) * 1e6) / (counts.long - counts.short))
        if (flink !== undefined)
          flinkCosts.push(flinkKafkaNs(name.replace(' ', '-'), brokers, counts.long - counts.short))
      }
      const bar = flink === undefined ? flinkNs : Math.min(...flinkCosts)
      figures.push(
        figureOf(name, 'ns/record', costs, {
          events: counts.long - counts.short,
          target: bar / 2.5,
          flink: bar,
          limits,
          ...(flink === undefined ? {} : { flinkRun: { rows: 'not compared' } }),
        }),
      )
    }
    return figures
  } finally {
    await broker.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Returns how many bids the topic has got. */
async function fill(brokers: string, topic: string, events: number): Promise<number> {
  const bench = new BenchJob()
  const spec = job(bids(events), {
    id: 'out',
    from: 'bids',
    sink: {
      kafka: {
        brokers,
        topic,
        format: 'json',
        timestampFormat: 'epochMillis',
        delivery: 'atLeastOnce',
        createTopic: { partitions: 4 },
      },
    },
  })
  await bench.start(spec)
  bench.target(spec)
  const { recordsOut } = await bench.until((report) => report.phase === 'finished')
  await bench.end()
  return recordsOut
}

async function cpuOf(spec: object): Promise<number> {
  const bench = new BenchJob()
  await bench.start(spec)
  bench.target(spec)
  await bench.until((report) => report.phase === 'finished')
  return (await bench.end()).reduce((total, { cpuMs }) => total + cpuMs, 0)
}
