import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import type { Producer } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { startApiServer } from '../../embedded/api-server.ts'
import type { EmbeddedApiServer } from '../../embedded/api-server.ts'
import { UNCONTESTED } from '../../operator/controller/leadership.ts'
import { wrapped } from '../../operator/controller/wrapped.ts'
import { configuredDruids } from '../../operator/druid/configured-druids.ts'
import type {
  DruidDatasource,
  DruidDatasourceSpec,
  DruidDatasourceStatus,
} from '../../operator/druid/druid-datasource.ts'
import { druidDatasources } from '../../operator/druid/druid-datasource.ts'
import { HttpDruidClient } from '../../operator/druid/http-druid-client.ts'
import { druidReconciler } from '../../operator/druid/reconcile.ts'
import type { DruidClient } from '../../operator/druid/druid-client.ts'
import { conditionOf } from '../../operator/druid/status.ts'
import { isNotFound } from '../../operator/kube/errors.ts'
import type { Kube } from '../../operator/kube/kube.ts'
import { realClock } from '../../runtime/ports/real/clock.ts'
import { RealHttpClient } from '../../runtime/ports/real/http-client.ts'
import { druidBedMissing, startDruid } from '../harness/beds/druid-bed.ts'
import type { DruidBed } from '../harness/beds/druid-bed.ts'
import { startKafka } from '../harness/beds/kafka-bed.ts'
import type { KafkaBed } from '../harness/beds/kafka-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { localClusterKube } from '../harness/local-cluster-kube.ts'
import { aroundOperator, OperatorBed } from '../harness/operator-bed.ts'

const why = await druidBedMissing()
const ref = { namespace: 'default', name: 'delays' }
const AIRPORTS = ['ATL', 'ORD', 'DFW', 'LAX', 'DEN', 'PHX', 'MSP']
const LONG_MS = 150_000
/**
 * Rows that a task has not published yet are shown after a moment. Now and then, after quick changes of a
 * supervisor, Druid does not show a whole segment of them though the lag is zero; the number of such a segment had
 * been given back before by a task that ended without publishing, which may be why (tasks are threads of one
 * process here). What is published is shown.
 */
const SHOWN_MS = 45_000

interface Delays {
  windowStart: string
  origin: string
  flights: number
  delay: number
}

describe.skipIf(why !== undefined)(
  `DruidDatasource on a real Druid${why === undefined ? '' : ` (left out: ${why})`}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-druid-'))
    let kafkaBed: KafkaBed
    let druidBed: DruidBed
    let server: EmbeddedApiServer
    let kube: Kube
    let kafka: Kafka
    let druid: HttpDruidClient
    let reconcile: ReturnType<typeof druidReconciler>
    const events: string[] = []
    const produced: Delays[] = []

    beforeAll(async () => {
      kafkaBed = await startKafka({ dir: join(dir, 'kafka') })
      druidBed = await startDruid({ dir: join(dir, 'druid') })
      const crd: unknown = parse(readFileSync(join(import.meta.dirname, '../../crds/druiddatasources.yaml'), 'utf8'))
      server = await startApiServer({ dir: join(dir, 'api'), crds: [crd as never] })
      kube = localClusterKube(server.local('operator'))
      kafka = new Kafka({ clientId: 'independent', brokers: [kafkaBed.bootstrap], logLevel: logLevel.NOTHING })
      druid = new HttpDruidClient({ routerUrl: druidBed.routerUrl })
      restartOperator()
      const admin = kafka.admin()
      await admin.connect()
      await admin.createTopics({ topics: [{ topic: 'delays', numPartitions: 2 }], waitForLeaders: true })
      await admin.disconnect()
    })

    afterAll(async () => {
      await server?.close()
      await druidBed?.stop()
      await kafkaBed?.stop()
      rmSync(dir, { recursive: true, force: true })
    })

    function restartOperator(druids = configuredDruids({ default: { routerUrl: druidBed.routerUrl } })): void {
      reconcile = druidReconciler({
        kube,
        clock: realClock,
        druids,
        leadership: UNCONTESTED,
        events: {
          recordOnce: (_, note) => {
            events.push(note.reason)
            return Promise.resolve('written')
          },
          record: (_, note) => {
            events.push(note.reason)
            return Promise.resolve()
          },
        },
      })
    }

    async function create(changes: Partial<DruidDatasourceSpec> = {}, metadata = ref): Promise<void> {
      await kube.create(druidDatasources, {
        apiVersion: 'millrace.dev/v1alpha1',
        kind: 'DruidDatasource',
        metadata,
        spec: {
          kafka: { brokers: kafkaBed.bootstrap, topic: 'delays' },
          timestamp: { column: 'windowStart' },
          dimensions: [{ name: 'origin' }, { name: 'flights', type: 'long' }, { name: 'delay', type: 'double' }],
          ingestion: { startDelay: '1s', period: '2s' },
          tuning: { offsetFetchPeriod: 'PT5S' },
          syncInterval: '1s',
          ...changes,
        },
      })
    }

    async function datasource(): Promise<DruidDatasource | undefined> {
      try {
        return await kube.get(druidDatasources, ref)
      } catch (error) {
        if (isNotFound(error)) return undefined
        throw error
      }
    }

    /** Reconciles, as the controller would, until the condition holds. */
    async function reconciledUntil(
      what: string,
      holds: (status: DruidDatasourceStatus, gone: boolean) => boolean | Promise<boolean>,
    ): Promise<void> {
      let last: DruidDatasource | undefined
      await waitFor(
        what,
        LONG_MS,
        async () => {
          await reconcile(ref)
          last = await datasource()
          return holds(last?.status ?? {}, last === undefined)
        },
        () => JSON.stringify(last?.status, null, 1),
      )
    }

    function ready(status: DruidDatasourceStatus): string {
      const condition = conditionOf(status, 'Ready')
      return `${condition?.status}/${condition?.reason}`
    }

    /** In transactions, every third of which is aborted: its rows must never be seen. */
    async function produce(transactions: number): Promise<void> {
      const producer = kafka.producer({ transactionalId: 'test', idempotent: true, maxInFlightRequests: 1 })
      await producer.connect()
      for (let n = 0; n < transactions; n += 1) await produceOne(producer, n % 3 === 2 ? 'abort' : 'commit')
      await producer.disconnect()
    }

    async function produceOne(producer: Producer, end: 'commit' | 'abort'): Promise<void> {
      const rows = Array.from(
        { length: 500 },
        (_, i): Delays => ({
          windowStart: new Date(Date.UTC(2001, 0, 1) + (produced.length + i) * 60_000).toISOString(),
          origin: AIRPORTS[i % AIRPORTS.length] ?? '',
          flights: 1 + (i % 13),
          delay: (i % 101) - 20.5,
        }),
      )
      const transaction = await producer.transaction()
      await transaction.send({
        topic: 'delays',
        messages: rows.map((row) => ({ key: row.origin, value: JSON.stringify(row) })),
      })
      await transaction[end]()
      if (end === 'commit') produced.push(...rows)
    }

    function expectedSums(): object[] {
      return AIRPORTS.toSorted().map((origin) => {
        const rows = produced.filter((row) => row.origin === origin)
        return {
          origin,
          n: rows.length,
          flights: rows.reduce((sum, row) => sum + row.flights, 0),
          delay: rows.reduce((sum, row) => sum + row.delay, 0),
        }
      })
    }

    async function everythingIsVisible(): Promise<void> {
      const wanted = JSON.stringify(expectedSums())
      let seen = ''
      let state: object = {}
      const shownAt = Date.now() + SHOWN_MS
      let handedOff = false
      await waitFor(
        'Druid shows exactly the committed rows',
        LONG_MS,
        async () => {
          await reconcile(ref)
          seen = await druid
            .query(
              'SELECT origin, COUNT(*) AS n, SUM(flights) AS flights, SUM(delay) AS delay FROM "delays" GROUP BY 1 ORDER BY 1',
            )
            .then(JSON.stringify, String)
          state = {
            supervisor: await druid.status('delays'),
            running: await druid.tasks('delays', 'running', 10),
            complete: await druid.tasks('delays', 'complete', 5),
          }
          if (seen !== wanted && !handedOff && Date.now() > shownAt) {
            await druid.handOff('delays', [0, 1])
            handedOff = true
          }
          return seen === wanted
        },
        () => `${seen}\nwanted ${wanted}\n${JSON.stringify(state, null, 1)}`,
      )
    }

    async function visibleRows(): Promise<number> {
      const [row] = await druid.query('SELECT COUNT(*) AS n FROM "delays"')
      return Number(row?.['n'])
    }

    async function runningTasks(): Promise<string[]> {
      return (await druid.tasks('delays', 'running', 10)).map((task) => task.id)
    }

    async function edit(spec: object): Promise<void> {
      await kube.patch(druidDatasources, ref, { spec })
    }

    test('a created resource becomes a supervisor whose rows are those of the committed transactions', async () => {
      await create()
      await produce(9)
      await reconciledUntil(
        'the supervisor runs',
        (status) => ready(status) === 'True/Running' && status.detailedState === 'RUNNING',
      )
      await everythingIsVisible()
      await reconciledUntil(
        'lag is told',
        (status) => status.lag !== undefined && conditionOf(status, 'Healthy')?.status === 'True',
      )
      expect(events).toEqual(['Created'])
      const ages = (await druid.tasks('delays', 'running', 10)).map(({ ageMs }) => ageMs)
      // the Date of an answer has no milliseconds
      expect(
        ages.map((ageMs) => (ageMs !== undefined && ageMs > -1_000 && ageMs < 3_600_000 ? 'recent' : ageMs)),
      ).toEqual(ages.map(() => 'recent'))
      expect(ages).not.toEqual([])
    })

    test('a lookup join asks it with bound parameters, and an answer without a row means no match', async () => {
      const graph = aroundOperator(
        { at: 'timestamp', place: 'string' },
        {
          join: {
            type: 'left',
            lookup: {
              druid: {
                url: druidBed.routerUrl,
                query:
                  'SELECT __time AS seen, origin AS found, flights, delay FROM "delays" WHERE __time = ? AND origin = ?',
                parameters: ['at', 'place'],
              },
              output: { seen: 'timestamp', found: 'string', flights: 'long', delay: 'double' },
            },
          },
        },
      )
      const bed = new OperatorBed(graph, 'op', { clock: realClock, http: new RealHttpClient() })
      const known = produced.slice(0, 20)
      const text = "' OR 1 = 1 --"
      await bed.process([
        ...known.map(({ windowStart, origin }) => ({ at: Date.parse(windowStart), place: origin })),
        { at: Date.parse(known[0]?.windowStart ?? ''), place: text },
      ])
      await bed.stage.drain?.()
      expect(bed.errors).toEqual([])
      expect(bed.out.rows).toEqual([
        ...known.map(({ windowStart, origin, flights, delay }) => ({
          at: Date.parse(windowStart),
          place: origin,
          seen: Date.parse(windowStart),
          found: origin,
          flights,
          delay,
        })),
        {
          at: Date.parse(known[0]?.windowStart ?? ''),
          place: text,
          seen: null,
          found: null,
          flights: null,
          delay: null,
        },
      ])
    })

    test('applying it twice, also by an operator that remembers nothing, leaves its tasks alone', async () => {
      const before = await runningTasks()
      expect(before.length).toBeGreaterThan(0)
      await kube.patchStatus(druidDatasources, ref, { status: { applied: null } })
      restartOperator()
      await reconciledUntil('it was applied again', (status) => status.applied !== undefined)
      const live = await druid.supervisor('delays')
      if (live) await druid.applySupervisor(live)
      expect(await runningTasks()).toEqual(before)
    })

    test('a suspended resource reads nothing, and after resuming nothing is missing or there twice', async () => {
      await edit({ suspended: true })
      await reconciledUntil(
        'it is suspended',
        (status) => status.state === 'SUSPENDED' && status.activeTasks === 0 && status.publishingTasks === 0,
      )
      await produce(3)
      await edit({ suspended: false })
      await reconciledUntil('it runs again', (status) => ready(status) === 'True/Running' && status.activeTasks === 1)
      await everythingIsVisible()
    })

    test('what others change is changed back, and the rows stay exact', async () => {
      await druid.suspend('delays')
      await reconciledUntil(
        'it runs again',
        (status) => status.suspended === false && events.includes('DriftCorrected'),
      )
      const live = structuredClone(await druid.supervisor('delays')) as { spec: { ioConfig: { taskCount: number } } }
      live.spec.ioConfig.taskCount = 2
      await druid.applySupervisor(live as never)
      await produce(3)
      await reconciledUntil('it has one task again', async () =>
        JSON.stringify(await druid.supervisor('delays')).includes('"taskCount":1'),
      )
      await everythingIsVisible()
    })

    test('a specification that Druid refuses is told in its words while the old one goes on', async () => {
      // of the tasks that the last test's changes made some may still be publishing
      await reconciledUntil('one task is left', async () => (await runningTasks()).length === 1)
      const tasks = await runningTasks()
      const metrics = [{ type: 'longestSum', name: 'x', fieldName: 'flights' }]
      await edit({ metrics })
      await reconciledUntil('its sample was refused', (status) => ready(status) === 'False/SampleRefused')
      expect(conditionOf((await datasource())?.status, 'Ready')?.message).toMatch(/not sent .*longestSum/)
      await edit({ validation: { sample: false } })
      await reconciledUntil('it was refused', (status) => ready(status) === 'False/Rejected')
      expect(conditionOf((await datasource())?.status, 'Ready')?.message).toMatch(/longestSum/)
      expect(await runningTasks()).toEqual(tasks)
      await edit({ metrics: null, validation: null })
      await reconciledUntil('it is as before', (status) => ready(status) === 'True/Running')
    })

    test('a supervisor that an update made vanish comes back and goes on where it was', async () => {
      const live = structuredClone(await druid.supervisor('delays')) as { spec: { ioConfig: { taskCount: number } } }
      live.spec.ioConfig.taskCount = -1
      await expect(druid.applySupervisor(live as never)).rejects.toMatchObject({ code: 'DRUID_FAILED' })
      expect(await druid.supervisor('delays')).toBeUndefined()
      await produce(3)
      await reconciledUntil(
        'it is back',
        (status) => ready(status) === 'True/Running' && events.includes('LostAndRestored'),
      )
      await everythingIsVisible()
    })

    test('retention and compaction are set, restored when others change them, and removed', async () => {
      const retention = [
        { type: 'loadByPeriod', period: 'P20000D', tieredReplicants: { _default_tier: 1 } },
        { type: 'dropForever' },
      ]
      await edit({ retention, compaction: { config: { skipOffsetFromLatest: 'P1D' } } })
      await reconciledUntil('both are set', (status) => conditionOf(status, 'Configured')?.reason === 'AsWritten')
      expect((await datasource())?.status?.settings?.map(({ name, unkept }) => [name, unkept])).toEqual([
        ['retention', undefined],
        ['compaction', undefined],
      ])
      const configured = [await druid.rules('delays'), await druid.compaction('delays')]
      expect(configured).toMatchObject([
        retention,
        { dataSource: 'delays', skipOffsetFromLatest: 'P1D', taskContext: { useConcurrentLocks: true } },
      ])
      const told = events.length
      restartOperator()
      await reconcile(ref)
      expect(events.slice(told)).toEqual([])
      await druid.setRules('delays', [{ type: 'loadForever' }])
      await druid.removeCompaction('delays')
      await reconciledUntil('both are back', async () => {
        const now = [await druid.rules('delays'), await druid.compaction('delays')]
        return JSON.stringify(now) === JSON.stringify(configured)
      })
      await edit({ retention: [], compaction: { enabled: false, config: null } })
      await reconciledUntil(
        'both are gone',
        async () => (await druid.rules('delays')).length === 0 && (await druid.compaction('delays')) === undefined,
      )
      await edit({ retention: null, compaction: null })
      await druid.removeCompaction('delays')
      await everythingIsVisible()
    })

    test('lookups are known to queries, changed, put back when others change them, and removed', async () => {
      const sql = `SELECT LOOKUP('DE', 'countries') AS c, LOOKUP('FR', 'countries') AS d`
      const named = (): Promise<unknown> =>
        druid.query(sql).then(
          ([row]) => row,
          (error: unknown) => {
            // nodes load it some seconds after it was made
            if (String(error).includes('Lookup [countries] not found')) return undefined
            throw error
          },
        )
      const shows = (what: string, wanted: object): Promise<void> =>
        reconciledUntil(what, async () => JSON.stringify(await named()) === JSON.stringify(wanted))
      await edit({ lookups: [{ name: 'countries', map: { DE: 'Germany' } }] })
      await shows('it is known', { c: 'Germany', d: null })
      await edit({ lookups: [{ name: 'countries', map: { DE: 'Deutschland', FR: 'France' } }] })
      await shows('it is changed', { c: 'Deutschland', d: 'France' })
      const told = events.length
      await druid.setLookup('__default', 'countries', { version: 'zz', factory: { type: 'map', map: {} } })
      await reconciledUntil('it is put back', () => events.slice(told).includes('DriftCorrected'))
      await shows('it is known again', { c: 'Deutschland', d: 'France' })
      await edit({ lookups: null })
      await reconciledUntil('it is gone', async () => (await druid.lookup('__default', 'countries')) === undefined)
    })

    test('what Druid gives back is a rawSpec that is sent once and goes on where the typed one was', async () => {
      const typed = (await datasource())?.spec
      const live = await druid.supervisor('delays')
      const { kafka, timestamp, dimensions, ingestion, tuning } = typed ?? {}
      const rawSpec = { type: live?.['type'], spec: live?.['spec'], context: { useConcurrentLocks: true } }
      await edit({ rawSpec, kafka: null, timestamp: null, dimensions: null, ingestion: null, tuning: null })
      const generation = (await datasource())?.metadata.generation
      await reconciledUntil(
        'it runs',
        (status) => status.observedGeneration === generation && ready(status) === 'True/Running',
      )
      expect((await datasource())?.status?.applied?.unkept).toEqual([])
      await produce(3)
      await everythingIsVisible()
      const told = events.length
      restartOperator()
      await reconcile(ref)
      expect(events.slice(told)).toEqual([])
      await edit({ rawSpec: null, kafka, timestamp, dimensions, ingestion, tuning })
      await reconciledUntil(
        'it is typed again',
        (status) => ready(status) === 'True/Running' && status.activeTasks === 1,
      )
    })

    test('another topic is refused by the API server', async () => {
      await expect(edit({ kafka: { topic: 'other' } })).rejects.toThrow(/topic cannot change/)
    })

    test('a deleted resource leaves its supervisor suspended, and an equal one takes it up exactly where it was', async () => {
      await kube.delete(druidDatasources, ref)
      await reconciledUntil('it is gone', (_, gone) => gone)
      expect((await druid.status('delays'))?.suspended).toBe(true)
      await produce(3)
      await create({ deletionPolicy: 'Terminate' })
      await reconciledUntil('it runs again', (status) => ready(status) === 'True/Running' && status.activeTasks === 1)
      await everythingIsVisible()
    })

    test('under Terminate the supervisor and its tasks are gone before the resource is, and the data stays', async () => {
      await kube.delete(druidDatasources, ref)
      await reconciledUntil('it is gone', (_, gone) => gone)
      expect(await druid.supervisor('delays')).toBeUndefined()
      expect(await runningTasks()).toEqual([])
      // What a task could not publish before it was ended is not in Druid now; the next resource reads it again.
      await create({ deletionPolicy: 'Terminate' })
      await everythingIsVisible()
    })

    test('when a task ends without publishing while its resource is deleted, the next resource reads its rows again, once', async () => {
      await produce(3)
      await reconciledUntil('it runs', (status) => ready(status) === 'True/Running' && status.activeTasks === 1)
      await everythingIsVisible()
      const [task = ''] = await runningTasks()
      const shutdown = await fetch(`${druidBed.routerUrl}/druid/indexer/v1/task/${task}/shutdown`, { method: 'POST' })
      expect(shutdown.status).toBe(200)
      await kube.delete(druidDatasources, ref)
      await reconciledUntil('it is gone', (_, gone) => gone)
      await waitFor('no task runs', LONG_MS, async () => (await runningTasks()).length === 0)
      await waitFor(
        'the rows that nobody published are gone',
        LONG_MS,
        async () => (await visibleRows()) < produced.length,
      )
      await create()
      await everythingIsVisible()
    })

    test('several resources are looked at with one call, which shows what others change', async () => {
      const names = ['s0', 's1', 's2', 's3']
      for (const name of names) await create({ suspended: true }, { ...ref, name })
      const known = configuredDruids({ default: { routerUrl: druidBed.routerUrl } }).find('default')
      if (known === undefined) throw new Error('no Druid')
      const calls: PropertyKey[] = []
      const counted = wrapped<DruidClient>(known.client(), (call, carryOut) => {
        calls.push(call)
        return carryOut()
      })
      restartOperator({ find: () => ({ ...known, client: () => counted }) })
      const eachUntil = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
        await waitFor(what, LONG_MS, async () => {
          for (const name of names) await reconcile({ ...ref, name })
          return holds()
        })
      }
      const isSuspended = async (name: string): Promise<boolean> => {
        const { status } = await kube.get(druidDatasources, { ...ref, name })
        return status !== undefined && ready(status) === 'True/Suspended'
      }
      await eachUntil('all are suspended', async () => (await Promise.all(names.map(isSuspended))).every(Boolean))
      calls.length = 0
      await eachUntil('all were looked at with one call', () => calls.filter((call) => call === 'overview').length >= 8)
      const closely = calls.filter((call) => call === 'status').length
      // eight cycles of four resources: 32 looks
      expect(closely).toBeLessThanOrEqual(16)
      await druid.resume('s2')
      await eachUntil('it is suspended again', async () => (await druid.supervisor('s2'))?.['suspended'] === true)
    })
  },
)
