import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import type { Producer } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { loadFlights } from '../../cli/load-flights.ts'
import { startLocalCluster } from '../../cli/local-cluster.ts'
import type { LocalCluster } from '../../cli/local-cluster.ts'
import type { JsonObject } from '../../embedded/objects.ts'
import type { StreamJobStatus } from '../../operator/api/stream-job.ts'
import { druidBedMissing, startDruid } from '../harness/beds/druid-bed.ts'
import type { DruidBed } from '../harness/beds/druid-bed.ts'
import { startKafka } from '../harness/beds/kafka-bed.ts'
import type { KafkaBed } from '../harness/beds/kafka-bed.ts'
import { FLIGHTS_FILE, readFlights } from '../harness/flights-oracle.ts'
import type { Flight } from '../harness/flights-oracle.ts'
import { silentLogger } from '../harness/silent-logger.ts'
import { until } from '../harness/until.ts'

const ROOT = join(import.meta.dirname, '../..')
const PARTITIONS = 4
const PREFILLED = 50_000
const FLIGHTS = 600_000
const HOUR_MS = 3_600_000
const LONG_MS = 180_000
const QUERY_LIMIT = 1_000_000
const why = await druidBedMissing()

/** As Druid's SQL gives it: [windowStart, origin, flights, late, delayMinutes, worst]. */
type Row = [number, string, number, number, number, number]

describe.skipIf(why !== undefined)(`flights from a real Kafka into a real Druid${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-flights-'))
  let kafkaBed: KafkaBed
  let druidBed: DruidBed
  let cluster: LocalCluster
  let producer: Producer
  const written: Flight[] = []

  beforeAll(async () => {
    kafkaBed = await startKafka({ dir: join(dir, 'kafka') })
    druidBed = await startDruid({ dir: join(dir, 'druid') })
    const kafka = new Kafka({ clientId: 'independent', brokers: [kafkaBed.bootstrap], logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 'flight-delays', numPartitions: 2 }], waitForLeaders: true })
    await admin.disconnect()
    producer = kafka.producer()
    await producer.connect()
    cluster = await startLocalCluster({
      dir: join(dir, 'cluster'), baseDir: ROOT, logger: silentLogger, druids: { default: { routerUrl: druidBed.routerUrl } },
    })
  })

  afterAll(async () => {
    await cluster?.close()
    await producer?.disconnect()
    await druidBed?.stop()
    await kafkaBed?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  /** The resources of the example, with the addresses of the beds, and shorter intervals where waiting tests nothing. */
  function applyExample(): void {
    const text = readFileSync(join(ROOT, 'examples/flights-to-druid.yaml'), 'utf8').replaceAll('kafka:9092', kafkaBed.bootstrap)
    const [datasource, job] = parseAllDocuments(text).map((document) => document.toJS() as JsonObject & { spec: JsonObject })
    if (!datasource || !job) throw new Error('the example has two documents')
    const quick = { ingestion: { startDelay: '1s', period: '2s' }, syncInterval: '1s' }
    const api = cluster.server.local('test')
    api.create('druiddatasources.millrace.dev', 'default', { ...datasource, spec: { ...datasource.spec, ...quick } })
    api.create('streamjobs.millrace.dev', 'default', { ...job, spec: { ...job.spec, checkpoints: { interval: '2s' } } })
  }

  function jobStatus(): StreamJobStatus {
    return (cluster.server.local('test').get('streamjobs.millrace.dev', 'default', 'flights-to-druid')?.['status'] ?? {}) as StreamJobStatus
  }

  async function untilJob(what: string, holds: (status: StreamJobStatus) => boolean): Promise<StreamJobStatus> {
    return until(`the job ${what}`, () => holds(jobStatus()) ? jobStatus() : undefined, LONG_MS)
      .catch((cause: unknown) => { throw new Error(`the job never ${what}: ${JSON.stringify(jobStatus())}`, { cause }) })
  }

  const runsWith = (replicas: number): Promise<StreamJobStatus> => untilJob(`runs with ${replicas}`, (status) =>
    status.phase === 'Running' && !status.operation && status.replicas === replicas && status.checkpoint?.attempt === status.attempt)

  function scale(replicas: number): void {
    cluster.server.local('test').update('streamjobs.millrace.dev', 'default', 'flights-to-druid', 'main', (job) =>
      ({ ...job, spec: { ...job['spec'] as JsonObject, replicas } }))
  }

  /** Writes on, from where the topic ends, until the work is done. */
  async function flowingWhile(flights: readonly Flight[], work: () => Promise<void>): Promise<void> {
    const working = { isDone: false }
    const feed = async (): Promise<void> => {
      while (!working.isDone && written.length < flights.length) await send(flights.slice(written.length, written.length + 8))
    }
    await Promise.all([work().finally(() => { working.isDone = true }), feed()])
  }

  /** Each acknowledged before the next is written, so that records arrive all the time and not at once. */
  async function send(flights: readonly Flight[]): Promise<void> {
    await producer.send({ topic: 'flights', acks: -1, messages: flights.map((flight, n) => ({ partition: n % PARTITIONS, value: asJson(flight) })) })
    written.push(...flights)
  }

  async function druidRows(): Promise<Row[]> {
    const query = `SELECT TIMESTAMP_TO_MILLIS(__time), origin, flights, late, delayMinutes, worst FROM "flight-delays" LIMIT ${QUERY_LIMIT}`
    const response = await fetch(`${druidBed.routerUrl}/druid/v2/sql`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query, resultFormat: 'array' }),
    })
    if (response.ok) return await response.json() as Row[]
    const answer = await response.text()
    if (answer.includes("Object 'flight-delays' not found")) return [] // before the first rows
    throw new Error(`Druid answered ${response.status}: ${answer}`)
  }

  test('when the job is scaled 2 → 3 → 1 while records flow, Druid has every window once and right', async () => {
    const flights = await readFlights(0, FLIGHTS, join(ROOT, FLIGHTS_FILE))
    const prefilled = await loadFlights({ brokers: kafkaBed.bootstrap, topic: 'flights', partitions: PARTITIONS, limit: PREFILLED, onProgress: () => undefined })
    expect(prefilled).toBe(PREFILLED)
    written.push(...flights.slice(0, PREFILLED))
    applyExample()
    await runsWith(2)
    const operations: unknown[] = []
    await flowingWhile(flights, async () => {
      for (const replicas of [3, 1]) {
        scale(replicas)
        const { attempt, lastOperation, restarts } = await runsWith(replicas)
        operations.push({ replicas, attempt, type: lastOperation?.type, result: lastOperation?.result, restarts })
      }
    })
    expect(operations).toEqual([
      { replicas: 3, attempt: 2, type: 'Rescale', result: 'Succeeded', restarts: 0 },
      { replicas: 1, attempt: 3, type: 'Rescale', result: 'Succeeded', restarts: 0 },
    ])
    expect(written.length, 'flights were left to write until the last step was done').toBeLessThan(flights.length)
    expect(written.length).toBeGreaterThan(PREFILLED)
    await closeAllWindows()
    const wanted = windowsOf(written.filter((flight) => flight.origin !== 'END'))
    let seen: Row[] = []
    await until('Druid has as many rows as there are windows', async () => {
      seen = await druidRows()
      return seen.length >= wanted.length ? true : undefined
    }, LONG_MS).catch((cause: unknown) => { throw new Error(`${seen.length} of ${wanted.length} rows are in Druid`, { cause }) })
    await untilLaterCheckpoints(3)
    expect(sorted(await druidRows())).toEqual(wanted)
  }, 3 * LONG_MS)

  /** A flight a year later in each partition: Kafka has no end, so a window closes only when time goes on. */
  async function closeAllWindows(): Promise<void> {
    const date = (written.at(-1)?.date ?? 0) + 365 * 24 * HOUR_MS
    await send(Array.from({ length: PARTITIONS }, () => ({ date, delay: 0, distance: 0, origin: 'END', destination: 'END2' })))
  }

  /** What would come twice gets the time to come. */
  async function untilLaterCheckpoints(count: number): Promise<void> {
    const before = jobStatus().checkpoint?.id ?? 0
    await untilJob('has completed more checkpoints', (status) => (status.checkpoint?.id ?? 0) >= before + count)
  }
})

function asJson(flight: Flight): string {
  return JSON.stringify({ ...flight, date: new Date(flight.date).toISOString() })
}

/** The job of the example once more, plainly. */
function windowsOf(flights: readonly Flight[]): Row[] {
  const rows = new Map<string, Row>()
  for (const { date, delay, origin, destination } of flights) {
    if (origin === destination) continue
    const start = Math.floor(date / HOUR_MS) * HOUR_MS
    const row = rows.get(`${start} ${origin}`) ?? [start, origin, 0, 0, 0, 0]
    row[2] += 1
    if (delay >= 15) row[3] += 1
    row[4] += Math.max(delay, 0)
    row[5] = Math.max(row[5], delay)
    rows.set(`${start} ${origin}`, row)
  }
  return sorted([...rows.values()])
}

function sorted(rows: readonly Row[]): Row[] {
  return rows.toSorted((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : a[1] > b[1] ? 1 : 0))
}
