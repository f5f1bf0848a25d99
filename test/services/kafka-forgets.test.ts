import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kafkaConnector } from '../../runtime/connectors/kafka/connector.ts'
import { connectKafka } from '../../runtime/connectors/kafka/real/client.ts'
import { RowBatch } from '../../runtime/memory/batch.ts'
import { builtinStores } from '../../runtime/builtin-stores.ts'
import { realPorts } from '../../runtime/ports/real/ports.ts'
import { kafkaBedMissing, startKafka, type KafkaBed } from '../harness/beds/kafka-bed.ts'
import { sinkContext } from '../harness/kafka/connector-contexts.ts'
import { silentLogger } from '../harness/silent-logger.ts'

const ports = realPorts({ stores: builtinStores, logger: silentLogger, printLine: () => undefined })
const why = await kafkaBedMissing()

/** As after seven days without the job. */
const FORGETFUL = {
  'transactional.id.expiration.ms': '2000',
  'transaction.remove.expired.transaction.cleanup.interval.ms': '500',
  'offsets.retention.minutes': '1',
  'offsets.retention.check.interval.ms': '1000',
}

describe.skipIf(why !== undefined)(`a Kafka that forgets${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-kafka-'))
  let bed: KafkaBed

  beforeAll(async () => {
    bed = await startKafka({ dir, settings: FORGETFUL })
    const admin = new Kafka({ brokers: [bed.bootstrap], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 't', numPartitions: 1 }], waitForLeaders: true })
    await admin.disconnect()
  })
  afterAll(async () => {
    await bed?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  test('the sink tells a transaction that is forgotten from one that was aborted', { timeout: 180_000 }, async () => {
    const sink = kafkaConnector(connectKafka).sink({ brokers: bed.bootstrap, topic: 't', format: 'json' })
    const writer = sink.writer(sinkContext(ports, { attempt: 1 }))
    await writer.open([])
    await writer.write(new RowBatch([{ n: 1, name: 'x' }]))
    const prepared = await writer.prepareCommit(1)
    await writer.commit?.(prepared)
    await writer.close()
    const [id] =
      prepared
        .flatMap((committable) => Object.entries(committable as object))
        .find(([name]) => name === 'transactionalId')
        ?.slice(1) ?? []
    const client = connectKafka({ brokers: [bed.bootstrap], clientId: 'watch' })
    await expect
      .poll(
        async () => [
          (await client.listTransactions()).some(({ transactionalId }) => transactionalId === id),
          await client.groupOffset(String(id), { topic: 't', partition: 0 }),
        ],
        { timeout: 150_000, interval: 1000 },
      )
      .toEqual([false, undefined])
    await client.close()
    const next = sink.writer(sinkContext(ports, { attempt: 2 }))
    await expect(next.open(prepared)).rejects.toMatchObject({ code: 'KAFKA_TRANSACTION_FORGOTTEN' })
    await next.close()
  })
})
