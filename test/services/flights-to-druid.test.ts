import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadFlights } from '../../cli/load-flights.ts'
import { startLocalCluster } from '../../cli/local-cluster.ts'
import type { LocalCluster } from '../../cli/local-cluster.ts'
import type { JsonObject } from '../../embedded/objects.ts'
import type { StreamJobStatus } from '../../operator/api/stream-job.ts'
import { druidBedMissing, startDruid } from '../harness/beds/druid-bed.ts'
import type { DruidBed } from '../harness/beds/druid-bed.ts'
import { startKafka } from '../harness/beds/kafka-bed.ts'
import type { KafkaBed } from '../harness/beds/kafka-bed.ts'
import {
  exampleResources,
  expectEveryWindowOnce,
  FlightsFeed,
  PARTITIONS,
  rescaleWhileFlowing,
  ROOT,
} from '../harness/flights-to-druid.ts'
import type { JobAccess } from '../harness/flights-to-druid.ts'
import { silentLogger } from '../harness/silent-logger.ts'

const PREFILLED = 50_000
const FLIGHTS = 600_000
const NAME = 'flights-to-druid'
const why = await druidBedMissing()

describe.skipIf(why !== undefined)(
  `flights from a real Kafka into a real Druid${why === undefined ? '' : ` (left out: ${why})`}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-flights-'))
    let kafkaBed: KafkaBed
    let druidBed: DruidBed
    let cluster: LocalCluster
    let feed: FlightsFeed

    beforeAll(async () => {
      kafkaBed = await startKafka({ dir: join(dir, 'kafka') })
      druidBed = await startDruid({ dir: join(dir, 'druid') })
      const admin = new Kafka({
        clientId: 'independent',
        brokers: [kafkaBed.bootstrap],
        logLevel: logLevel.NOTHING,
      }).admin()
      await admin.connect()
      await admin.createTopics({ topics: [{ topic: 'flight-delays', numPartitions: 2 }], waitForLeaders: true })
      await admin.disconnect()
      cluster = await startLocalCluster({
        dir: join(dir, 'cluster'),
        baseDir: ROOT,
        logger: silentLogger,
        druids: { default: { routerUrl: druidBed.routerUrl } },
      })
    })

    afterAll(async () => {
      await cluster?.close()
      await feed?.close()
      await druidBed?.stop()
      await kafkaBed?.stop()
      rmSync(dir, { recursive: true, force: true })
    })

    /**
     * The resources of the example, with the addresses of the beds, and shorter intervals where waiting tests
     * nothing.
     */
    function applyExample(): void {
      const [datasource, job] = exampleResources(kafkaBed.bootstrap)
      const quick = { ingestion: { startDelay: '1s', period: '2s' }, syncInterval: '1s' }
      const api = cluster.server.local('test')
      api.create('druiddatasources.millrace.dev', 'default', { ...datasource, spec: { ...datasource.spec, ...quick } })
      api.create('streamjobs.millrace.dev', 'default', {
        ...job,
        spec: { ...job.spec, checkpoints: { interval: '2s' } },
      })
    }

    const job: JobAccess = {
      pollMs: 20,
      status: () =>
        Promise.resolve(
          (cluster.server.local('test').get('streamjobs.millrace.dev', 'default', NAME)?.['status'] ??
            {}) as StreamJobStatus,
        ),
      scale: (replicas) => {
        cluster.server.local('test').update('streamjobs.millrace.dev', 'default', NAME, 'main', (resource) => ({
          ...resource,
          spec: { ...(resource['spec'] as JsonObject), replicas },
        }))
        return Promise.resolve()
      },
    }

    test('when the job is scaled 2 → 3 → 1 while records flow, Druid has every window once and right', async () => {
      const prefilled = await loadFlights({
        brokers: kafkaBed.bootstrap,
        topic: 'flights',
        partitions: PARTITIONS,
        limit: PREFILLED,
        onProgress: () => undefined,
      })
      expect(prefilled).toBe(PREFILLED)
      feed = await FlightsFeed.connect(kafkaBed.bootstrap, PREFILLED, FLIGHTS)
      applyExample()
      await rescaleWhileFlowing(feed, job)
      await expectEveryWindowOnce(feed, job, druidBed.routerUrl)
    }, 600_000)
  },
)
