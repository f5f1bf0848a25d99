import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, describe, expect, test } from 'vitest'
import { startKafka } from '../harness/beds/kafka-bed.ts'
import { runSpark, sparkBedMissing } from '../harness/beds/spark-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { hasCheckpoint, killRun, linesOf, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { startMillrace } from '../harness/processes.ts'

const why = sparkBedMissing()
const PATIENCE_MS = 60_000
const LONG_MS = 300_000
const ROWS = 1000
const BIG = 9_007_199_254_740_993n
const DAY_MS = 86_400_000

/** As `numbered` of spark_exchange.py makes them, in the words of a job. */
const SCHEMA = {
  n: 'long',
  kind: 'string',
  big: 'bigint',
  price: 'decimal(18,4)?',
  at: 'timestamp?',
  day: 'date',
  text: 'string?',
  even: 'boolean',
  third: 'double',
}

function numbered(n: number): Record<string, unknown> {
  const isKept = n % 5 !== 0
  return {
    n,
    kind: `k${n % 3}`,
    big: String(BIG + BigInt(n)),
    price: isKept ? `${(n / 100).toFixed(2)}00` : null,
    at: isKept ? new Date(1_700_000_000_000 + n).toISOString() : null,
    day: new Date((n - 2) * DAY_MS).toISOString().slice(0, 10),
    text: isKept ? `Zürich 🦆 ${n}` : null,
    even: n % 2 === 0,
    third: n / 3,
  }
}

/** As `values.py` shows what Spark reads of such a row. */
function asSparkReads(n: number): Record<string, string | null> {
  const { big, price, text, kind } = numbered(n) as Record<string, string | null>
  const third = Buffer.alloc(8)
  third.writeDoubleBE(n / 3)
  return {
    n: String(n),
    kind: kind ?? null,
    big: big ?? null,
    price: price ?? null,
    at: n % 5 === 0 ? null : String((1_700_000_000_000n + BigInt(n)) * 1000n),
    day: String(n - 2),
    text: text ?? null,
    even: String(n % 2 === 0),
    third: third.toString('hex'),
  }
}

const all = Array.from({ length: ROWS }, (_, n) => n)
const byNumber = (a: object, b: object): number => Number((a as { n: unknown }).n) - Number((b as { n: unknown }).n)

describe.skipIf(why !== undefined)(`a real Spark${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-spark-'))
  const runs = new LocalRuns(dir)
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true })
  })

  test(
    'reads Parquet files and a Delta table that Millrace wrote, with their types, every row once',
    async () => {
      const [parquet, delta] = [join(dir, 'parquet'), join(dir, 'delta')]
      writeFileSync(join(dir, 'rows.json'), all.map((n) => `${JSON.stringify(numbered(n))}\n`).join(''))
      const { code, stderr } = await runs.run([
        { id: 'in', source: { file: { path: join(dir, 'rows.json'), format: 'json' } }, schema: SCHEMA },
        { id: 'files', from: 'in', sink: { file: { path: parquet, format: 'parquet' } } },
        { id: 'table', from: 'in', sink: { delta: { path: delta, partitionBy: 'kind' } } },
      ])
      expect(code, stderr).toBe(0)
      const found = await runSpark(`read=parquet:${parquet}`, `read=delta:${delta}`)
      expect(found).toHaveLength(2)
      for (const { types, rows } of found) {
        expect(types).toEqual({
          n: 'bigint',
          kind: 'string',
          big: 'bigint',
          price: 'decimal(18,4)',
          at: 'timestamp',
          day: 'date',
          text: 'string',
          even: 'boolean',
          third: 'double',
        })
        expect(rows.toSorted(byNumber)).toEqual(all.map(asSparkReads))
      }
    },
    LONG_MS,
  )

  test(
    'writes Parquet files and a Delta table that Millrace reads, every row once',
    async () => {
      const [parquet, delta] = [join(dir, 'their-parquet'), join(dir, 'their-delta')]
      await runSpark(
        `write=parquet:${parquet}:0:${ROWS}`,
        `write=delta:${delta}:0:400`,
        `write=delta:${delta}:400:${ROWS - 400}`,
      )
      const sources = {
        parquet: { file: { paths: join(parquet, '*.parquet'), format: 'parquet' } },
        delta: { delta: { path: delta } },
      }
      for (const [name, source] of Object.entries(sources)) {
        const out = join(dir, `from-${name}`)
        const { code, stderr } = await runs.run([
          { id: 'in', source, schema: SCHEMA },
          { id: 'out', from: 'in', sink: { file: { path: out } } },
        ])
        expect(code, stderr).toBe(0)
        // a number of JavaScript does not hold the digits
        const rows = linesOf(out).map((line) => JSON.parse(line.replace(/"big":(\d+)/, '"big":"$1"')) as object)
        expect(rows.toSorted(byNumber), name).toEqual(all.map(numbered))
      }
    },
    LONG_MS,
  )

  test(
    'and Millrace hand records to each other through Kafka: a job that is killed passes each on once',
    async () => {
      const kafka = await startKafka({ dir: join(dir, 'kafka') })
      try {
        await createTopics(kafka.bootstrap, ['theirs', 'ours'])
        const records = 200_000
        await runSpark(`write-topic=${kafka.bootstrap}/theirs:${records}`)
        const file = runs.fileOf(
          [
            {
              id: 'in',
              source: { kafka: { brokers: kafka.bootstrap, topic: 'theirs', bounded: true } },
              schema: { n: 'long', kind: 'string', text: 'string?' },
            },
            { id: 'doubled', from: 'in', set: { twice: 'n * 2' } },
            { id: 'out', from: 'doubled', sink: { kafka: { brokers: kafka.bootstrap, topic: 'ours' } } },
          ],
          2,
        )
        const first = startMillrace('run', file)
        await waitFor('a checkpoint is complete', PATIENCE_MS, async () => hasCheckpoint(file), first.stderr)
        // it was killed before its end: nothing has told it to end by itself
        expect((await killRun(first)).code).toBeNull()
        const { code, stderr } = await startMillrace('run', file, '--resume', runIdOf(first)).ended
        expect(code, stderr).toBe(0)
        const [found] = await runSpark(`read-topic=${kafka.bootstrap}/ours`)
        const rows = (found?.rows ?? []).map(({ value }) => JSON.parse(String(value)) as { n: number; twice: number })
        expect(rows.toSorted(byNumber)).toEqual(
          Array.from({ length: records }, (_, n) => ({
            n,
            kind: `k${n % 3}`,
            text: n % 5 === 0 ? null : `Zürich 🦆 ${n}`,
            twice: 2 * n,
          })),
        )
      } finally {
        await kafka.stop()
      }
    },
    LONG_MS,
  )
})

async function createTopics(bootstrap: string, names: readonly string[]): Promise<void> {
  const admin = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.createTopics({ topics: names.map((topic) => ({ topic, numPartitions: 3 })), waitForLeaders: true })
  await admin.disconnect()
}
