import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import type { Producer } from 'kafkajs'
import { expect } from 'vitest'
import { parseAllDocuments } from 'yaml'
import type { JsonObject } from '../../embedded/objects.ts'
import type { LastOperation, StreamJobStatus } from '../../operator/api/stream-job.ts'
import { FLIGHTS_FILE, readFlights } from './flights-oracle.ts'
import type { Flight } from './flights-oracle.ts'
import { until } from './until.ts'

/**
 * `examples/flights-to-druid.yaml` on whatever cluster: flights flow while the job is scaled, and Druid's rows are
 * compared.
 */

export const ROOT = join(import.meta.dirname, '../..')
export const PARTITIONS = 4
const TOPIC = 'flights'
const HOUR_MS = 3_600_000
const LONG_MS = 180_000
const QUERY_LIMIT = 1_000_000

/** As Druid's SQL gives it: [windowStart, origin, flights, late, delayMinutes, worst]. */
export type Row = [number, string, number, number, number, number]

/** How a test reaches the job of the example on its cluster. */
export interface JobAccess {
  status(): Promise<StreamJobStatus>
  scale(replicas: number): Promise<void>
  /** From one look at the status to the next. */
  readonly pollMs: number
}

export interface Rescale {
  replicas: number
  attempt: number | undefined
  restarts: number | undefined
  operation: LastOperation | undefined
}

/** The example's DruidDatasource and StreamJob, with another broker. */
export function exampleResources(
  brokers: string,
): [JsonObject & { spec: JsonObject }, JsonObject & { spec: JsonObject }] {
  const text = readFileSync(join(ROOT, 'examples/flights-to-druid.yaml'), 'utf8').replaceAll('kafka:9092', brokers)
  const [datasource, job] = parseAllDocuments(text).map(
    (document) => document.toJS() as JsonObject & { spec: JsonObject },
  )
  if (!datasource || !job) throw new Error('the example has two documents')
  return [datasource, job]
}

/** Writes flights from the file's `prefilled`-th on into the topic, with a client of its own, and remembers which. */
export class FlightsFeed {
  readonly #flights: readonly Flight[]
  readonly #producer: Producer
  readonly written: Flight[]

  private constructor(flights: readonly Flight[], producer: Producer, prefilled: number) {
    this.#flights = flights
    this.#producer = producer
    this.written = flights.slice(0, prefilled)
  }

  /** The topic holds the first `prefilled` flights already; at most `limit` will be written in all. */
  static async connect(bootstrap: string, prefilled: number, limit: number): Promise<FlightsFeed> {
    const producer = new Kafka({ clientId: 'independent', brokers: [bootstrap], logLevel: logLevel.NOTHING }).producer()
    await producer.connect()
    return new FlightsFeed(await readFlights(0, limit, join(ROOT, FLIGHTS_FILE)), producer, prefilled)
  }

  /** Writes on, from where the topic ends, until the work is done; fails when it ran dry before. */
  async flowWhile(work: () => Promise<void>): Promise<void> {
    const working = { isDone: false }
    const before = this.written.length
    const feed = async (): Promise<void> => {
      while (!working.isDone && this.written.length < this.#flights.length)
        await this.#send(this.#flights.slice(this.written.length, this.written.length + 8))
    }
    await Promise.all([
      work().finally(() => {
        working.isDone = true
      }),
      feed(),
    ])
    expect(this.written.length, 'flights were left to write until the last step was done').toBeLessThan(
      this.#flights.length,
    )
    expect(this.written.length).toBeGreaterThan(before)
  }

  /** A flight a year later in each partition: Kafka has no end, so a window closes only when time goes on. */
  async closeAllWindows(): Promise<void> {
    const date = (this.written.at(-1)?.date ?? 0) + 365 * 24 * HOUR_MS
    await this.#send(
      Array.from({ length: PARTITIONS }, () => ({ date, delay: 0, distance: 0, origin: 'END', destination: 'END2' })),
    )
  }

  /** Each acknowledged before the next is written, so that records arrive all the time and not at once. */
  async #send(flights: readonly Flight[]): Promise<void> {
    await this.#producer.send({
      topic: TOPIC,
      acks: -1,
      messages: flights.map((flight, n) => ({ partition: n % PARTITIONS, value: asJson(flight) })),
    })
    this.written.push(...flights)
  }

  async close(): Promise<void> {
    await this.#producer.disconnect()
  }
}

export async function untilJob(
  job: JobAccess,
  what: string,
  holds: (status: StreamJobStatus) => boolean,
): Promise<StreamJobStatus> {
  let last: StreamJobStatus = {}
  return until(
    `the job ${what}`,
    async () => {
      last = await job.status()
      return holds(last) ? last : undefined
    },
    LONG_MS,
    job.pollMs,
  ).catch((cause: unknown) => {
    throw new Error(`the job never ${what}: ${JSON.stringify(last)}`, { cause })
  })
}

/** Runs with that many, and has completed a checkpoint since. */
export const runsWith = (job: JobAccess, replicas: number): Promise<StreamJobStatus> =>
  untilJob(
    job,
    `runs with ${replicas}`,
    (status) =>
      status.phase === 'Running' &&
      !status.operation &&
      status.replicas === replicas &&
      status.checkpoint?.attempt === status.attempt,
  )

/**
 * Waits until the job runs with 2, then scales it to 3 and 1 while flights flow; every step must succeed without a
 * restart.
 */
export async function rescaleWhileFlowing(
  feed: FlightsFeed,
  job: JobAccess,
  afterStep: () => void = () => undefined,
): Promise<Rescale[]> {
  await runsWith(job, 2)
  const steps: Rescale[] = []
  await feed.flowWhile(async () => {
    for (const replicas of [3, 1]) {
      await job.scale(replicas)
      await runsWith(job, replicas)
      const { attempt, lastOperation, restarts } = await untilJob(
        job,
        'tells how long it paused',
        (status) => typeof status.lastOperation?.pauseMs === 'number',
      )
      steps.push({ replicas, attempt, restarts, operation: lastOperation })
      afterStep()
    }
  })
  expect(
    steps.map(({ replicas, attempt, restarts, operation }) => ({
      replicas,
      attempt,
      restarts,
      type: operation?.type,
      result: operation?.result,
    })),
  ).toEqual([
    { replicas: 3, attempt: 2, restarts: 0, type: 'Rescale', result: 'Succeeded' },
    { replicas: 1, attempt: 3, restarts: 0, type: 'Rescale', result: 'Succeeded' },
  ])
  return steps
}

/** Closes all windows, waits for Druid and for what would come twice, and compares every row. Gives the rows. */
export async function expectEveryWindowOnce(
  feed: FlightsFeed,
  job: JobAccess,
  routerUrl: string,
): Promise<readonly Row[]> {
  const wanted = windowsOf(feed.written)
  await feed.closeAllWindows()
  let seen: Row[] = []
  await until(
    'Druid has as many rows as there are windows',
    async () => {
      seen = await druidRows(routerUrl)
      return seen.length >= wanted.length ? true : undefined
    },
    LONG_MS,
    500,
  ).catch((cause: unknown) => {
    throw new Error(`${seen.length} of ${wanted.length} rows are in Druid`, { cause })
  })
  const before = (await job.status()).checkpoint?.id ?? 0
  await untilJob(job, 'has completed more checkpoints', (status) => (status.checkpoint?.id ?? 0) >= before + 3)
  const rows = sorted(await druidRows(routerUrl))
  expect(rows).toEqual(wanted)
  return rows
}

export async function druidRows(routerUrl: string): Promise<Row[]> {
  const query = `SELECT TIMESTAMP_TO_MILLIS(__time), origin, flights, late, delayMinutes, worst FROM "flight-delays" LIMIT ${QUERY_LIMIT}`
  const response = await fetch(`${routerUrl}/druid/v2/sql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, resultFormat: 'array' }),
  })
  if (response.ok) return (await response.json()) as Row[]
  const answer = await response.text()
  if (answer.includes("Object 'flight-delays' not found")) return [] // before the first rows
  throw new Error(`Druid answered ${response.status}: ${answer}`)
}

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
