import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mergeInto } from '../../runtime/connectors/databricks/sql.ts'
import { StatementFailed } from '../../runtime/connectors/databricks/warehouse.ts'
import { RowBatch } from '../../runtime/memory/batch.ts'
import { namedField, type Row, type Schema } from '../../runtime/model/schema.ts'
import { parseValueType } from '../../runtime/model/value-type.ts'
import { sparkBedMissing } from '../harness/beds/spark-bed.ts'
import { waitFor } from '../harness/beds/wait-for.ts'
import { FakeDatabricks } from '../harness/databricks/fake-databricks.ts'
import { FeedReading, SOURCE } from '../harness/databricks/feed-reading.ts'
import { OPTIONS, writerOf } from '../harness/databricks/sink-courses.ts'
import { SparkEngine } from '../harness/databricks/spark-engine.ts'

const why = sparkBedMissing()
const LONG_MS = 300_000
const TYPES = {
  k: 'long',
  s: 'string',
  v: 'double?',
  at: 'timestamp?',
  day: 'date?',
  price: 'decimal(9,2)?',
  big: 'bigint?',
  raw: 'bytes?',
  json: 'json?',
  ok: 'boolean?',
}
const COLUMNS = {
  k: 'bigint',
  s: 'string',
  v: 'double',
  at: 'timestamp',
  day: 'date',
  price: 'decimal(9,2)',
  big: 'bigint',
  raw: 'binary',
  json: 'string',
  ok: 'boolean',
}
const SCHEMA = schemaOf(TYPES)

function schemaOf(types: Readonly<Record<string, string>>): Schema {
  return {
    fields: Object.entries(types).map(([name, text]) => {
      const type = parseValueType(text)
      if (type === undefined) throw new Error(`no type: ${text}`)
      return namedField(name, type)
    }),
  }
}

function rowOf(k: number, v: number): Row {
  const isKept = v % 3 !== 0
  return {
    k,
    s: `Zürich 🦆 ${k}`,
    v: v / 3,
    at: isKept ? 1_700_000_000_000 + v : null,
    day: isKept ? v - 2 : null,
    price: isKept ? `${v}.50` : null,
    big: String(9_007_199_254_740_993n + BigInt(v)),
    raw: isKept ? '\u0000\u00ff' : null,
    json: isKept ? { v: [v, 'ü'] } : null,
    ok: v % 2 === 0,
  }
}

/**
 * The statements that Databricks is sent, run by Spark 4.0.0 with Delta 4.0.0; COPY INTO, which only Databricks has, is
 * done by hand. All calls go to the fake.
 */
describe.skipIf(why !== undefined)(`a real Spark${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  let spark: SparkEngine
  beforeAll(async () => {
    spark = await SparkEngine.start()
  }, LONG_MS)
  afterAll(() => spark.stop())

  /** A table that Spark makes, and the fake in front of it. */
  async function tableOf(name: string, properties = 'delta.enableChangeDataFeed = true'): Promise<FakeDatabricks> {
    const columns = Object.entries(COLUMNS)
    await spark.run(
      `CREATE TABLE spark_catalog.default.${name} (${columns.map(([column, type]) => `${column} ${type}`).join(', ')}) USING delta TBLPROPERTIES (${properties})`,
    )
    const fake = new FakeDatabricks()
    fake.engine = spark
    fake.addTable(
      `spark_catalog.default.${name}`,
      columns.map(([column, type]) => ({
        name: column,
        type,
        nullable: TYPES[column as keyof typeof TYPES].endsWith('?'),
      })),
    )
    return fake
  }

  /** Writes checkpoints of rows, each of which is committed twice. */
  async function write(fake: FakeDatabricks, options: object, checkpoints: readonly (readonly Row[])[]): Promise<void> {
    const fields = [...SCHEMA.fields, ...schemaOf({ gone: 'boolean' }).fields]
    const schema = 'key' in options ? { fields } : SCHEMA
    const writer = writerOf(fake, { options: { ...OPTIONS, ...options }, schema })
    await writer.open([])
    for (const [at, rows] of checkpoints.entries()) {
      await writer.write(new RowBatch([...rows]))
      const committables = await writer.prepareCommit(at + 1)
      await writer.commit?.(committables)
      await writer.commit?.(committables)
    }
    await writer.close()
  }

  /** Every row of a table by the source, which ends. */
  async function read(fake: FakeDatabricks, table: string): Promise<Row[]> {
    const reading = new FeedReading(fake, SCHEMA, { ...SOURCE, table })
    await reading.restart()
    return (await reading.rest()).toSorted((a, b) => Number(a['k']) - Number(b['k']))
  }

  test(
    'merges the last row of each key, with values of every type, and reads them back as they were',
    async () => {
      const table = 'spark_catalog.default.merged'
      const fake = await tableOf('merged')
      const rows = (n: number): Row[] =>
        Array.from({ length: 40 }, (_, at) => ({ ...rowOf(at % 10, n * 40 + at), gone: (n + at) % 4 === 0 }))
      const all = [rows(0), rows(1), rows(2)]
      await write(fake, { table, mode: 'upsert', key: ['k', 's'], tombstone: 'gone' }, all)
      const wanted = new Map<unknown, Row>()
      for (const { gone, ...row } of all.flat())
        if (gone === true) wanted.delete(row['k'])
        else wanted.set(row['k'], row)
      expect(wanted.size).toBeGreaterThan(3)
      expect(await read(fake, table)).toEqual([...wanted.values()].toSorted((a, b) => Number(a['k']) - Number(b['k'])))
      const { rows: counted } = await spark.run(`SELECT count(*), max(at), max(price) FROM ${table}`)
      expect(counted[0]?.[0]).toBe(String(wanted.size))
    },
    LONG_MS,
  )

  test(
    'gives changes in an order that does not depend on how often, and from where, they are asked for',
    async () => {
      const table = 'spark_catalog.default.changed'
      const fake = await tableOf('changed')
      await write(fake, { table }, [[1, 1, 2, 3, 4, 5, 6, 7].map((n) => rowOf(n, n))])
      await spark.run(`UPDATE ${table} SET v = 0.5 WHERE k < 3`)
      await spark.run(`DELETE FROM ${table} WHERE k = 7`)
      const fields = [...SCHEMA.fields, ...schemaOf({ what: 'string', version: 'long', time: 'timestamp?' }).fields]
      const options = {
        ...SOURCE,
        table,
        continuous: { every: '1s' },
        startingVersion: 1,
        metadata: { changeType: 'what', version: 'version', timestamp: 'time' },
      }
      const whole: Row[] = []
      for (let stop = 0; stop <= 15; stop += 5) {
        const reading = new FeedReading(fake, { fields }, options)
        await reading.restart()
        const rows: Row[] = []
        while (rows.length < stop) rows.push(...(await reading.poll(1)))
        reading.checkpoint()
        await reading.restart()
        while (rows.length < 15) rows.push(...(await reading.poll(100)))
        if (stop === 0) whole.push(...rows)
        expect(rows).toEqual(whole)
      }
      const counted = whole.map(({ version, what }) => `${version} ${what}`)
      expect(counted.toSorted()).toEqual([
        ...Array.from({ length: 8 }, () => '1 insert'),
        ...Array.from({ length: 3 }, () => '2 update_postimage'),
        ...Array.from({ length: 3 }, () => '2 update_preimage'),
        '3 delete',
      ])
      expect(whole.every(({ time }) => typeof time === 'number' && time > 1_700_000_000_000)).toBe(true)
    },
    LONG_MS,
  )

  test(
    'fails a MERGE that has begun when a property of the table is set, and one that does not find its gate',
    async () => {
      const table = 'spark_catalog.default.fenced'
      const fake = await tableOf('fenced')
      const options = { ...OPTIONS, table, mode: 'upsert', key: ['k'] }
      const writer = writerOf(fake, { options, schema: SCHEMA })
      await writer.open([])
      await writer.write(new RowBatch([rowOf(1, 1)]))
      const kept = await writer.prepareCommit(1)
      await writerOf(fake, { options, schema: SCHEMA, attempt: 2 }).open(kept)
      const merge = [...fake.statements.values()].find(({ text }) => text.startsWith('MERGE'))?.text ?? ''
      await expect(spark.run(merge)).rejects.toThrow('PATH_NOT_FOUND')
      await writer.write(new RowBatch([rowOf(2, 2)]))
      const [staged] = (await writer.prepareCommit(2)) as { folder: string; files: string[]; columns: string[] }[]
      const gate = [...fake.files.keys()].find((path) => path.includes('gate-2')) ?? ''
      const fresh = mergeInto(
        {
          table,
          folder: `${OPTIONS.volume}/${staged?.folder}`,
          files: staged?.files ?? [],
          columns: staged?.columns ?? [],
        },
        ['k'],
        gate,
      )
      const begins = "NOT coalesce(reflect('java.lang.System', 'setProperty', 'millrace.begun', 'yes'), '') = 'never'"
      const lasts = "reflect('java.lang.Thread', 'sleep', 8000L) IS NOT NULL"
      const underWay = spark
        .run(fresh.replace('g.`open`', `g.\`open\` AND ${begins} AND ${lasts}`))
        .catch((error: unknown) => error)
      await waitFor('the MERGE reads its gate', LONG_MS, async () => {
        const { rows } = await spark.run("SELECT reflect('java.lang.System', 'getProperty', 'millrace.begun')")
        return rows[0]?.[0] === 'yes'
      })
      await spark.run(`ALTER TABLE ${table} SET TBLPROPERTIES ('millrace.job-1.out' = 'gate-3')`)
      const failed = await underWay
      expect(String(failed)).toContain('DELTA_METADATA_CHANGED')
      const error = new StatementFailed('https://dbc', 'FAILED', { error_code: 'BAD_REQUEST', message: String(failed) })
      expect(error).toMatchObject({ code: 'DATABRICKS_STATEMENT_DELAYED', retriable: true })
      expect(await spark.run(`SELECT k FROM ${table}`)).toMatchObject({ rows: [['1']] })
      await spark.run(fresh)
      expect(await spark.run(`SELECT k FROM ${table} ORDER BY k`)).toMatchObject({ rows: [['1'], ['2']] })
    },
    LONG_MS,
  )

  test(
    'names versions without a change feed, and versions that are not there',
    async () => {
      const table = 'spark_catalog.default.plain'
      const fake = await tableOf('plain', 'delta.enableChangeDataFeed = false')
      await write(fake, { table }, [[rowOf(1, 1)]])
      const feed = new FeedReading(fake, SCHEMA, { ...SOURCE, table, continuous: { every: '1s' }, startingVersion: 1 })
      await feed.restart()
      await expect(feed.rest()).rejects.toMatchObject({ code: 'DATABRICKS_FEED_MISSING' })
      const old = new FeedReading(fake, SCHEMA, { ...SOURCE, table, version: 99 })
      await old.restart()
      await expect(old.rest()).rejects.toMatchObject({ code: 'DATABRICKS_HISTORY_GONE' })
    },
    LONG_MS,
  )
})
