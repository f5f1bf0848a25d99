import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import type { Producer } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startLocalCluster } from '../../cli/local-cluster.ts'
import type { LocalCluster } from '../../cli/local-cluster.ts'
import type { StreamJobStatus } from '../../operator/api/stream-job.ts'
import { kafkaBedMissing, startKafka } from '../harness/beds/kafka-bed.ts'
import type { KafkaBed } from '../harness/beds/kafka-bed.ts'
import { committedLines } from '../harness/kafka/committed-lines.ts'
import { silentLogger } from '../harness/silent-logger.ts'
import { until } from '../harness/until.ts'

const LONG_MS = 120_000
const PARTITIONS = 8
/** A slot makes four calls at once, of 20 ms each: at most 200 records a second. */
const CALL = `export async function slow({ n }) {
  await new Promise((resolve) => { setTimeout(resolve, 20) })
  return { n }
}`
const why = await kafkaBedMissing()

describe.skipIf(why !== undefined)(
  `an autoscaled job over a real Kafka${why === undefined ? '' : ` (left out: ${why})`}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-autoscaler-'))
    let bed: KafkaBed
    let kafka: Kafka
    let producer: Producer
    let cluster: LocalCluster

    beforeAll(async () => {
      writeFileSync(join(dir, 'call.mjs'), CALL)
      bed = await startKafka({ dir: join(dir, 'kafka') })
      kafka = new Kafka({ clientId: 'independent', brokers: [bed.bootstrap], logLevel: logLevel.NOTHING })
      const admin = kafka.admin()
      await admin.connect()
      const topics = ['in', 'out'].map((topic) => ({ topic, numPartitions: PARTITIONS }))
      await admin.createTopics({ topics, waitForLeaders: true })
      await admin.disconnect()
      producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
      await producer.connect()
      cluster = await startLocalCluster({ dir: join(dir, 'cluster'), baseDir: dir, logger: silentLogger, druids: {} })
    })
    afterAll(async () => {
      await cluster?.close()
      await producer?.disconnect()
      await bed?.stop()
      rmSync(dir, { recursive: true, force: true })
    })

    /** The numbers from 0 on, so many a second, until stopped. */
    function flow(): { perSecond: number; stop(): Promise<number> } {
      const flowing = { perSecond: 0, isOver: false }
      const done = (async (): Promise<number> => {
        let written = 0
        for (let owed = 0, at = Date.now(); !flowing.isOver; ) {
          await wait(50)
          const now = Date.now()
          owed += ((now - at) * flowing.perSecond) / 1000
          at = now
          const count = Math.floor(owed)
          owed -= count
          const messages = Array.from({ length: count }, (_, index) => ({ value: `{"n":${written + index}}` }))
          if (count > 0) await producer.send({ topic: 'in', messages })
          written += count
        }
        return written
      })()
      return Object.assign(flowing, {
        stop: () => {
          flowing.isOver = true
          return done
        },
      })
    }

    const status = (): StreamJobStatus =>
      (cluster.server.local('test').get('streamjobs.millrace.dev', 'default', 'calls')?.['status'] ??
        {}) as StreamJobStatus
    const slots = (): number => status().autoscaler?.scaled[0]?.replicas ?? 1
    const settled = (what: string, holds: () => boolean): Promise<true> =>
      until(
        what,
        () => (holds() && status().phase === 'Running' && (status().operation ?? null) === null ? true : undefined),
        LONG_MS,
      ).catch((cause: unknown) => {
        const { decisions, phase, message, autoscaler } = status()
        throw new Error(`never so: ${JSON.stringify({ phase, message, autoscaler, decisions })}`, { cause })
      })

    test('has more slots soon after the load has grown, fewer when it is gone, and every record once', async () => {
      cluster.server.local('test').create('streamjobs.millrace.dev', 'default', {
        apiVersion: 'millrace.dev/v1alpha1',
        kind: 'StreamJob',
        metadata: { name: 'calls' },
        spec: {
          upgrade: { stability: '1s' },
          checkpoints: { interval: '1s' },
          autoscaler: { mode: 'Apply', maxReplicas: 4, catchUp: '1m', scaleDownAfter: '15s' },
          modules: { own: { path: './call.mjs' } },
          graph: [
            {
              id: 'in',
              source: { kafka: { brokers: bed.bootstrap, topic: 'in', format: 'json' } },
              schema: { n: 'long' },
            },
            {
              id: 'called',
              from: 'in',
              asyncMap: { module: 'own', function: 'slow', output: { n: 'long' }, order: 'unordered', capacity: 4 },
            },
            { id: 'out', from: 'called', sink: { kafka: { brokers: bed.bootstrap, topic: 'out' } } },
          ],
        },
      })
      const flowing = flow()
      flowing.perSecond = 60
      await settled('it runs, and is stable', () => status().stable !== undefined && status().observing == null)
      expect(slots()).toBe(1)
      flowing.perSecond = 500
      await settled('it has four slots', () => slots() === 4)
      flowing.perSecond = 10
      await settled('it has one slot again', () => slots() === 1)
      const written = await flowing.stop()
      const lines = await until(
        'every record has come out',
        async () => {
          const found = await committedLines(kafka, bed.bootstrap, 'out')
          return found.length >= written ? found : undefined
        },
        LONG_MS,
      )
      const numbers = lines.map((line) => Number((JSON.parse(line) as { n: number }).n)).sort((a, b) => a - b)
      expect(numbers).toEqual(Array.from({ length: written }, (_, index) => index))
      expect(status().restarts).toBe(0)
    })
  },
)
