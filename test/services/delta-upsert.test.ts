import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connector } from '../../runtime/connectors/delta/connector.ts'
import type { SinkWriter } from '../../runtime/connectors/sink.ts'
import type { JobReport } from '../../runtime/control/job-report.ts'
import { RowBatch } from '../../runtime/memory/batch.ts'
import type { Row, Schema } from '../../runtime/model/schema.ts'
import { pythonBedMissing, runPython } from '../harness/beds/python-bed.ts'
import { runSpark, sparkBedMissing } from '../harness/beds/spark-bed.ts'
import { deltaSinkContext, unnamedFiles } from '../harness/delta-table.ts'
import { schemaOf } from '../harness/formats.ts'
import { startFolderJob } from '../harness/folder-job.ts'
import { LocalRuns } from '../harness/local-runs.ts'
import { JobFolder } from '../harness/job-folder.ts'
import { until } from '../harness/until.ts'

type TextRow = Readonly<Record<string, string | null>>

const LINES = 1200
const KILLS = 6
const LONG_MS = 300_000
const SCHEMA = schemaOf({ id: 'long', name: 'string?', gone: 'boolean' })

let folder = ''
const cleanups: (() => Promise<void> | void)[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-delta-'))
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  rmSync(folder, { recursive: true })
})

async function readByDeltaRs(table: string): Promise<{ version: number; rows: TextRow[] }> {
  const [found] = (await runPython('read_delta.py', [table])) as { version: number; rows: TextRow[] }[]
  if (found === undefined) throw new Error('delta-rs said nothing')
  return found
}

async function opened(schema: Schema, options: object, jobUid = 'job-1'): Promise<SinkWriter> {
  const writer = connector
    .sink({ path: 'table', mode: 'upsert', key: 'id', ...options })
    .writer({ ...deltaSinkContext(folder, schema), jobUid, slot: 0, attempt: 1 })
  await writer.open([])
  return writer
}

async function checkpoint(writer: SinkWriter, id: number, rows: Row[]): Promise<void> {
  await writer.write(new RowBatch(rows))
  await writer.commit?.(await writer.prepareCommit(id))
}

/** Takes away the versions that a checkpoint of the log covers: readers have to use it. */
function forgetOldVersions(table: string): number {
  const log = join(table, '_delta_log')
  const names = readdirSync(log)
  const newest =
    names
      .filter((name) => /\.checkpoint\..*parquet$/.test(name))
      .sort()
      .at(-1) ?? ''
  const covered = names.filter((name) => /^\d{20}\.json$/.test(name) && name <= `${newest.slice(0, 20)}.json`)
  for (const name of covered) rmSync(join(log, name))
  return covered.length
}

const byId = (a: TextRow, b: TextRow): number => Number(a['id']) - Number(b['id'])

/** Rounds of rows over some keys, of which some are deleted; and what a map has that took the same. */
function rounds(count: number): { rows: Row[][]; expected: TextRow[] } {
  const kept = new Map<number, string>()
  const rows = Array.from({ length: count }, (_, round) =>
    Array.from({ length: 20 }, (__, n): Row => {
      const id = (round * 7 + n * 3) % 53
      const gone = (round + n) % 5 === 0
      const name = `é ${round}-${n}`
      if (gone) kept.delete(id)
      else kept.set(id, name)
      return { id, name, gone }
    }),
  )
  return { rows, expected: [...kept].map(([id, name]) => ({ id: String(id), name })).sort(byId) }
}

describe.skipIf(pythonBedMissing() !== undefined)('a Delta table whose rows Millrace replaces', () => {
  test('holds for delta-rs the last row of each key, also when it has to read the checkpoint of the log', async () => {
    const { rows, expected } = rounds(25)
    const writer = await opened(SCHEMA, { tombstone: 'gone' })
    for (const [index, some] of rows.entries()) await checkpoint(writer, index + 1, some)
    const table = join(folder, 'table')
    const whole = await readByDeltaRs(table)
    expect(whole.rows.toSorted(byId)).toEqual(expected)
    expect(whole.version).toBe(25)
    expect(forgetOldVersions(table)).toBe(21)
    expect((await readByDeltaRs(table)).rows.toSorted(byId)).toEqual(expected)
    await runPython('write_delta.py', [table, 'appendEach=1000+1', 'checkpoint', 'optimize'])
    expect((await readByDeltaRs(table)).rows).toHaveLength(expected.length + 1)
  })

  test('keeps every value of the rows that are not replaced, of types that a job does not have', async () => {
    const table = join(folder, 'table')
    await runPython('write_delta.py', [table, 'mixed=0+200', 'checkpoint', 'mixed=200+50'])
    const before = await readByDeltaRs(table)
    const writer = await opened(SCHEMA, { tombstone: 'gone' })
    await checkpoint(writer, 1, [
      { id: 3, name: 'new', gone: false },
      { id: 220, name: null, gone: true },
      { id: 900, name: 'more', gone: false },
    ])
    const after = await readByDeltaRs(table)
    const isKept = ({ id }: TextRow): boolean => !['3', '220', '900'].includes(id ?? '')
    expect(after.rows.filter(isKept).toSorted(byId)).toEqual(before.rows.filter(isKept).toSorted(byId))
    const changed = after.rows.filter((row) => !isKept(row)).toSorted(byId)
    expect(changed.map(({ id, name, big, local }) => ({ id, name, big, local }))).toEqual([
      { id: '3', name: 'new', big: null, local: null },
      { id: '900', name: 'more', big: null, local: null },
    ])
  })

  test('has each key once when two jobs replace the same keys while delta-rs appends', async () => {
    const table = join(folder, 'table')
    const schema = schemaOf({ id: 'long', name: 'string?' })
    const writers = [await opened(schema, {}, 'job-1'), await opened(schema, {}, 'job-2')]
    const appended = runPython('write_delta.py', [table, 'appendEach=1000+30'])
    const replaced = writers.map(async (writer, n) => {
      for (let round = 1; round <= 40; round++) {
        const some = Array.from({ length: 10 }, (_, id) => ({ id, name: `${n} ${round}` }))
        await checkpoint(writer, round, some)
      }
    })
    await Promise.all([appended, ...replaced])
    const { rows } = await readByDeltaRs(table)
    const ours = rows.filter(({ id }) => Number(id) < 1000)
    expect(ours.map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_, id) => id))
    expect(new Set(ours.map(({ name }) => name)).size).toBe(1)
    expect(ours[0]?.['name']).toMatch(/^[01] 40$/)
    expect(rows.filter(({ id }) => Number(id) >= 1000)).toHaveLength(30)
  })

  test('has what the state of a function has, when its changes are mirrored', async () => {
    const runs = new LocalRuns(folder)
    const table = join(folder, 'table')
    const sales = Array.from({ length: 300 }, (_, n) => ({ shop: n % 7, item: n % 3, amount: (n * 31) % 11 }))
    const left = new Map<string, number>()
    for (const { shop, item, amount } of sales) {
      if (amount === 0) left.delete(`${shop} ${item}`)
      else left.set(`${shop} ${item}`, amount)
    }
    const functions = `export function stock({ item, amount }, { state }) {
      if (amount === 0) state.stock.delete(item)
      else state.stock.set(item, { amount })
    }`
    const { code, stderr } = await runs.run(
      [
        { id: 'sales', source: { values: sales }, schema: { shop: 'long', item: 'long', amount: 'long' } },
        {
          id: 'shops',
          from: 'sales',
          keyBy: 'shop',
          process: {
            module: 'own',
            function: 'stock',
            output: { shop: 'long' },
            state: { stock: { map: { amount: 'long' }, key: { item: 'long' } } },
            stateMirror: ['stock'],
          },
        },
        { id: 'none', from: 'shops', sink: 'console' },
        {
          id: 'mirror',
          from: 'shops.stock',
          sink: { delta: { path: table, mode: 'upsert', key: ['shop', 'item'], tombstone: 'deleted' } },
        },
      ],
      { own: functions },
    )
    expect(code, stderr).toBe(0)
    const { rows } = await readByDeltaRs(table)
    const found = rows.map(({ shop, item, amount }) => [`${String(shop)} ${String(item)}`, Number(amount)] as const)
    expect(new Map(found)).toEqual(left)
    expect(found).toHaveLength(left.size)
  })

  test(`when all workers are killed ${KILLS} times before a commit is seen, and the job is rescaled, delta-rs reads the last total of each key`, async () => {
    const input = new JobFolder(LINES)
    cleanups.push(() => {
      input.delete()
    })
    const table = join(input.path, 'table')
    const { job, handOver } = await startFolderJob(input)
    cleanups.push(() => job.close())
    const known = new Set<string>()
    for (let kill = 1; kill <= KILLS; kill++) {
      if (kill % 3 === 1) await handOver(`${kill}`, totalsJob(input, 1 + (kill % 2), '150/s'))
      await until(`kill ${kill}: files wait for their commit`, () =>
        unnamedFiles(table).some((path) => !known.has(path)) ? true : undefined,
      )
      for (const [name, child] of job.processes) if (name !== 'coordinator' || kill % 4 === 0) child.kill('SIGKILL')
      for (const path of unnamedFiles(table)) known.add(path)
    }
    await handOver('fast', totalsJob(input, 2))
    await until('the job is finished', async () => finished(await job.report()))
    const { rows } = await readByDeltaRs(table)
    const number = (row: TextRow, name: string): number => Number(row[name])
    const found = rows.map((row) => [
      number(row, 'auction'),
      number(row, 'bids'),
      number(row, 'total'),
      number(row, 'top'),
    ])
    expect(found.sort(([a = 0], [b = 0]) => a - b)).toEqual(totals(input))
  })
})

function finished(report: JobReport | undefined): true | undefined {
  if (report?.phase === 'failed') throw new Error(`the job failed: ${report.error?.code} ${report.error?.message}`)
  return report?.phase === 'finished' && report.targetRevision === 'fast' ? true : undefined
}

/** Running totals by auction, of which those that are a multiple of three bids are deleted again. */
function totalsJob(input: JobFolder, replicas: number, rate?: string): object {
  const spec = input.spec(replicas, { interval: '150ms', ...(rate === undefined ? {} : { rate }) })
  const aggregate = { bids: 'count()', total: 'sum(price)', top: 'max(price)' }
  const sink = { delta: { path: join(input.path, 'table'), mode: 'upsert', key: 'auction', tombstone: 'gone' } }
  return {
    ...spec,
    graph: [
      spec.graph[0],
      { id: 'totals', from: 'bids', keyBy: 'auction', aggregate },
      { id: 'marked', from: 'totals', set: { gone: 'bids % 3 === 0' } },
      { id: 'out', from: 'marked', sink },
    ],
  }
}

/** The same by a loop over the input: auction, bids, total, top. */
function totals(input: JobFolder): number[][] {
  const found = new Map<number, number[]>()
  for (const line of input.input()) {
    const { auction, price } = JSON.parse(line) as { auction: number; price: number }
    const [, bids = 0, total = 0, top = 0] = found.get(auction) ?? []
    found.set(auction, [auction, bids + 1, total + price, Math.max(top, price)])
  }
  return [...found.values()].filter(([, bids = 0]) => bids % 3 !== 0).sort(([a = 0], [b = 0]) => a - b)
}

const why = sparkBedMissing()
describe.skipIf(why !== undefined)(`a Delta table of Spark${why === undefined ? '' : ` (left out: ${why})`}`, () => {
  const SPARK = schemaOf({
    n: 'long',
    kind: 'string',
    big: 'bigint',
    price: 'decimal(18,4)?',
    at: 'timestamp?',
    day: 'date',
    text: 'string?',
    even: 'boolean',
    third: 'double',
    gone: 'boolean',
  })
  const row = (n: number, text: string, gone = false): Row => ({
    n,
    kind: `k${n % 3}`,
    big: '5',
    price: '1.5000',
    at: 7,
    day: 1,
    text,
    even: false,
    third: 0.5,
    gone,
  })

  test(
    'with its checkpoint in parts takes upserts, and Spark reads them and every other value from a checkpoint of Millrace',
    async () => {
      const table = join(folder, 'table')
      const [before] = await runSpark(
        `write=delta:${table}:0:300`,
        `write=delta:${table}:300:300`,
        `checkpoint=${table}:3`,
        `read=delta:${table}`,
      )
      const log = readdirSync(join(table, '_delta_log'))
      expect(log.filter((name) => /checkpoint\.\d{10}\.\d{10}\.parquet$/.test(name)).length).toBeGreaterThan(1)
      expect(forgetOldVersions(table)).toBe(2)
      const fields = SPARK.fields.map((field) => ({ ...field, nullable: !['n', 'gone'].includes(field.name) }))
      const writer = await opened({ fields }, { key: 'n', tombstone: 'gone' })
      for (let id = 1; id <= 12; id++)
        await checkpoint(writer, id, [row(id * 40, `now ${id}`), row(id * 40 + 1, '', true), row(1000, `again ${id}`)])
      expect(forgetOldVersions(table)).toBe(9)
      const [after] = await runSpark(`read=delta:${table}`)
      const touched = new Set(Array.from({ length: 12 }, (_, id) => [(id + 1) * 40, (id + 1) * 40 + 1, 1000]).flat())
      const byNumber = (a: TextRow, b: TextRow): number => Number(a['n']) - Number(b['n'])
      const others = (rows: readonly TextRow[] = []): TextRow[] =>
        rows.filter(({ n }) => !touched.has(Number(n))).toSorted(byNumber)
      expect(others(after?.rows)).toEqual(others(before?.rows))
      const changed = after?.rows.filter(({ n }) => touched.has(Number(n))).toSorted(byNumber)
      expect(changed?.map(({ n, text, at, price }) => [n, text, at, price])).toEqual([
        ...Array.from({ length: 12 }, (_, id) => [String((id + 1) * 40), `now ${id + 1}`, '7000', '1.5000']),
        ['1000', 'again 12', '7000', '1.5000'],
      ])
    },
    LONG_MS,
  )
})
