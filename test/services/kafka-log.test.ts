import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { freePorts } from '../harness/beds/free-port.ts'
import { type KafkaBed, kafkaBedMissing, startKafka } from '../harness/beds/kafka-bed.ts'
import { byWebhook } from '../harness/durable-senders.ts'
import { expectAllThroughKills } from '../harness/senders-through-kills.ts'

const why = await kafkaBedMissing()
const LONG_MS = 400_000
const TOPIC = 'intake'

describe.skipIf(why !== undefined)(`a log in a topic of Kafka${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-kafka-log-'))
  let bed: KafkaBed
  let admin: Admin

  beforeAll(async () => {
    bed = await startKafka({ dir: join(dir, 'kafka') })
    admin = new Kafka({ brokers: [bed.bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 30 } }).admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: 3 }], waitForLeaders: true })
  }, LONG_MS)
  afterAll(async () => {
    await admin?.disconnect()
    await bed?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  test(
    'when workers, whole runs and the broker are killed, every record that a webhook has acknowledged comes out, and deduplicated by its id once',
    async () => {
      const [port = 0] = await freePorts(1)
      const log = { kafka: { brokers: bed.bootstrap, topic: TOPIC } }
      await expectAllThroughKills({
        folder: join(dir, 'job'),
        source: { webhook: { port, log } },
        send: byWebhook(port),
        kills: 2,
        disturb: async () => {
          await bed.kill()
          await bed.restart()
        },
        isSettled: nothingIsLeft,
      })
    },
    LONG_MS,
  )

  /** As another client sees it. */
  async function nothingIsLeft(): Promise<boolean> {
    const partitions = await admin.fetchTopicOffsets(TOPIC)
    return partitions.every(({ low, high }) => low === high) && partitions.some(({ high }) => high !== '0')
  }
})
