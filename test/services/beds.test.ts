import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startDruid } from '../harness/beds/druid-bed.ts'
import type { DruidBed } from '../harness/beds/druid-bed.ts'
import { startKafka } from '../harness/beds/kafka-bed.ts'
import type { KafkaBed } from '../harness/beds/kafka-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'

/** The beds carry each other, without any part of Millrace: what fails here is the machine's or the bed's fault. */
describe('the real Kafka and the real Druid', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-beds-'))
  let kafka: KafkaBed
  let druid: DruidBed

  beforeAll(async () => {
    kafka = await startKafka({ dir: join(dir, 'kafka') })
    druid = await startDruid({ dir: join(dir, 'druid') })
  })

  afterAll(async () => {
    await druid?.stop()
    await kafka?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  const connect = (): Kafka => new Kafka({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING })

  test('a topic survives SIGKILL of the broker', async () => {
    const admin = connect().admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 'rows', numPartitions: 2, replicationFactor: 1 }] })
    await admin.disconnect()
    await kafka.kill()
    await kafka.restart()
    await admin.connect()
    expect(await admin.listTopics()).toContain('rows')
    await admin.disconnect()
  })

  test('rows of a topic are counted by Druid once its supervisor reads them', async () => {
    const producer = connect().producer()
    await producer.connect()
    const messages = Array.from({ length: 1000 }, (_, i) => ({
      value: JSON.stringify({ at: 1_000_000_000_000 + i, page: `p${i % 7}` }),
    }))
    await producer.send({ topic: 'rows', messages })
    await producer.disconnect()
    const response = await post(`${druid.routerUrl}/druid/indexer/v1/supervisor`, supervisor(kafka.bootstrap))
    expect(response).toEqual({ id: 'rows' })
    let seen: unknown
    const count = async (): Promise<boolean> => {
      seen = await post(`${druid.routerUrl}/druid/v2/sql`, {
        query: 'SELECT COUNT(*) AS n, COUNT(DISTINCT page) AS pages FROM "rows"',
      })
      return JSON.stringify(seen) === JSON.stringify([{ n: 1000, pages: 7 }])
    }
    await waitFor('Druid counts 1000 rows', 120_000, count, () => JSON.stringify(seen))
  })
})

async function post(url: string, body: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return response.json()
}

function supervisor(bootstrap: string): unknown {
  return {
    type: 'kafka',
    spec: {
      dataSchema: {
        dataSource: 'rows',
        timestampSpec: { column: 'at', format: 'millis' },
        dimensionsSpec: { dimensions: ['page'] },
        granularitySpec: { rollup: false, segmentGranularity: 'DAY', queryGranularity: 'NONE' },
      },
      ioConfig: {
        type: 'kafka',
        topic: 'rows',
        inputFormat: { type: 'json' },
        consumerProperties: { 'bootstrap.servers': bootstrap },
        useEarliestOffset: true,
        startDelay: 'PT1S',
        period: 'PT2S',
        taskDuration: 'PT10M', // less than a minute kills every task of Druid 33
      },
      tuningConfig: { type: 'kafka' },
    },
  }
}
