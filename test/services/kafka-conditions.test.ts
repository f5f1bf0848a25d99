import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startLocalCluster, type LocalCluster } from '../../cli/local-cluster.ts'
import { ClusterJob, conditionOf } from '../harness/cluster-job.ts'
import { kafkaBedMissing, startKafka } from '../harness/beds/kafka-bed.ts'
import type { KafkaBed } from '../harness/beds/kafka-bed.ts'
import { silentLogger } from '../harness/silent-logger.ts'
import { until } from '../harness/until.ts'

const why = await kafkaBedMissing()

describe.skipIf(why !== undefined)(
  `What a StreamJob says of a real Kafka${why === undefined ? '' : ` (left out: ${why})`}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-kafka-conditions-'))
    const cleanups: (() => Promise<void>)[] = []
    let bed: KafkaBed
    let cluster: LocalCluster
    let kafka: Kafka

    beforeAll(async () => {
      bed = await startKafka({ dir: join(dir, 'kafka') })
      kafka = new Kafka({ clientId: 'independent', brokers: [bed.bootstrap], logLevel: logLevel.NOTHING })
      cluster = await startLocalCluster({
        dir,
        baseDir: dir,
        logger: silentLogger,
        backoff: { initialMs: 50, maxMs: 200, resetAfterMs: 60_000 },
      })
    })
    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    })
    afterAll(async () => {
      await cluster?.close()
      await bed?.stop()
      rmSync(dir, { recursive: true, force: true })
    })

    async function admin<T>(act: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> {
      const client = kafka.admin()
      await client.connect()
      try {
        return await act(client)
      } finally {
        await client.disconnect()
      }
    }

    const createTopic = (topic: string): Promise<unknown> =>
      admin((client) => client.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true }))

    async function create(name: string, source: object, sink: object): Promise<ClusterJob> {
      const job = await ClusterJob.create(cluster, name, {
        deletion: { savepoint: 'Skip' },
        checkpoints: { interval: '200ms' },
        graph: [
          { id: 'in', ...source },
          { id: 'out', from: 'in', sink },
        ],
      })
      cleanups.push(async () => {
        await job.delete()
        await until(`${name} is gone`, async () => ((await job.read()) === undefined ? true : undefined))
        await job.close()
      })
      return job
    }

    const from = (topic: string): object => ({
      source: { kafka: { brokers: bed.bootstrap, topic, format: 'json' } },
      schema: { n: 'long' },
    })

    async function expectTold(job: ClusterJob, reason: string, names: readonly string[]): Promise<void> {
      const seen = await job.whenSeen(
        `told ${reason}`,
        (one) => conditionOf(one, 'Healthy')?.reason === reason || conditionOf(one, 'Ready')?.reason === reason,
        15_000,
      )
      const message =
        conditionOf(seen, 'Ready')?.reason === reason
          ? conditionOf(seen, 'Ready')?.message
          : conditionOf(seen, 'Healthy')?.message
      for (const name of names) expect(message).toContain(name)
      await until('an event tells it', async () =>
        (await job.events()).some((event) => names.every((name) => event.includes(name))) ? true : undefined,
      )
    }

    test('when the topic of its source is missing, condition and Event name broker and topic, and it runs once the topic is there', async () => {
      const job = await create('no-topic', from('not-there'), { console: {} })
      await expectTold(job, 'KafkaTopicUnknown', [bed.bootstrap, 'not-there'])
      await createTopic('not-there')
      await job.whenReady('Running')
    })

    test('when the topic of its sink is missing, condition and Event name broker and topic, and it runs once the topic is there', async () => {
      await createTopic('source-of-it')
      const job = await create('no-sink-topic', from('source-of-it'), {
        kafka: { brokers: bed.bootstrap, topic: 'no-sink' },
      })
      await expectTold(job, 'KafkaTopicUnknown', [bed.bootstrap, 'no-sink'])
      await createTopic('no-sink')
      await job.whenReady('Running')
    })
  },
)
