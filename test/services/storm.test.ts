import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KafkaBed, startKafka } from '../harness/beds/kafka-bed.ts'
import { startDoubling, stormBedMissing } from '../harness/beds/storm-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { killRun, linesOf, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { startMillrace } from '../harness/processes.ts'

const why = stormBedMissing()
const PATIENCE_MS = 120_000
const LONG_MS = 300_000
const NUMBERS = 5000

describe.skipIf(why !== undefined)(`a real Storm${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-storm-'))
  const runs = new LocalRuns(dir)
  let kafka: KafkaBed

  beforeAll(async () => {
    kafka = await startKafka({ dir: join(dir, 'kafka') })
    const admin = new Kafka({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const topics = ['numbers', 'doubled'].map((topic) => ({ topic, numPartitions: 2 }))
    await admin.createTopics({ topics, waitForLeaders: true })
    await admin.disconnect()
  }, LONG_MS)
  afterAll(async () => {
    await kafka?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  /** Records of a topic, those of a topology that repeats itself too. */
  async function countOf(topic: string): Promise<number> {
    const admin = new Kafka({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const offsets = await admin.fetchTopicOffsets(topic)
    await admin.disconnect()
    return offsets.reduce((sum, { offset }) => sum + Number(offset), 0)
  }

  test(
    'takes numbers from Millrace and gives them back doubled: when both are killed, each is kept once',
    async () => {
      const values = Array.from({ length: NUMBERS }, (_, n) => ({ n }))
      const written = await runs.run([
        { id: 'in', source: { values }, schema: { n: 'long' } },
        { id: 'out', from: 'in', sink: { kafka: { brokers: kafka.bootstrap, topic: 'numbers' } } },
      ])
      expect(written.code, written.stderr).toBe(0)
      const topology = { dir, bootstrap: kafka.bootstrap, from: 'numbers', to: 'doubled' }
      const first = await startDoubling(topology)
      const hasDoubled = async (): Promise<boolean> => (await countOf('doubled')) > 0
      await waitFor('Storm has doubled some', PATIENCE_MS, hasDoubled, () => first.logTail())
      await first.kill()

      const out = join(dir, 'kept')
      const file = runs.fileOf([
        {
          id: 'in',
          source: { kafka: { brokers: kafka.bootstrap, topic: 'doubled' } },
          schema: { n: 'long', twice: 'long' },
        },
        { id: 'once', from: 'in', keyBy: 'n', dedupe: { keep: 'first', ttl: '1d' } },
        { id: 'out', from: 'once', sink: { file: { path: out } } },
      ])
      let job = startMillrace('run', file)
      await waitFor('rows are kept', PATIENCE_MS, async () => linesOf(out).length > 0, job.stderr)
      await killRun(job)
      const second = await startDoubling(topology)
      try {
        job = startMillrace('run', file, '--resume', runIdOf(job))
        await waitFor('all are kept', PATIENCE_MS, async () => linesOf(out).length >= NUMBERS, job.stderr)
      } finally {
        await second.kill()
      }
      // what Storm has written twice is read by now, or it is read before this one
      const client = new Kafka({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING })
      const producer = client.producer()
      await producer.connect()
      await producer.send({
        topic: 'doubled',
        messages: [
          // Storm repeats itself when it is killed before it has acknowledged, which it need not have been: this is sure to
          { partition: 0, value: JSON.stringify({ n: 0, twice: 0 }) },
          ...[0, 1].map((partition) => ({ partition, value: JSON.stringify({ n: -1 - partition, twice: 0 }) })),
        ],
      })
      await producer.disconnect()
      await waitFor('the last ones are kept', PATIENCE_MS, async () => linesOf(out).length >= NUMBERS + 2, job.stderr)
      await killRun(job)
      const rows = linesOf(out).map((line) => JSON.parse(line) as { n: number; twice: number })
      expect(rows.filter(({ n }) => n >= 0).sort((a, b) => a.n - b.n)).toEqual(
        values.map(({ n }) => ({ n, twice: 2 * n })),
      )
      expect(await countOf('doubled')).toBeGreaterThan(NUMBERS + 2)
    },
    LONG_MS,
  )
})
