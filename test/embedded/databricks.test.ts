import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../harness/beds/wait-for.ts'
import { CLIENT, FakeDatabricks, WAREHOUSE } from '../harness/databricks/fake-databricks.ts'
import { serve, type FakeServer } from '../harness/databricks/fake-server.ts'
import { hasCheckpoint, killRun, linesOf, LocalRuns, runIdOf } from '../harness/local-runs.ts'
import { startMillrace } from '../harness/processes.ts'

const PATIENCE_MS = 120_000
const LONG_MS = 300_000
const ROWS = 6000
const KEYS = 500

const fake = new FakeDatabricks()
let server: FakeServer
let dir = ''
let runs: LocalRuns
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-databricks-'))
  runs = new LocalRuns(dir)
  server = await serve(fake)
  fake.pageSize = 100
  fake.chunkRows = 50
  writeFileSync(join(dir, 'secret'), CLIENT.secret)
})
afterAll(async () => {
  await server.close()
  rmSync(dir, { recursive: true })
})

function connection(table: string) {
  return {
    url: server.url,
    auth: { clientId: CLIENT.id, clientSecretFile: join(dir, 'secret') },
    warehouse: WAREHOUSE,
    table,
  }
}

const SCHEMA = { k: 'long', n: 'long' }
const NUMBERS = Array.from({ length: ROWS }, (_, n) => n)

function tableOf(name: string) {
  return fake.addTable(
    name,
    Object.keys(SCHEMA).map((column) => ({ name: column, type: 'bigint', nullable: false })),
  )
}

/** Numbers in the rate of a stream. */
function numbers(): object[] {
  const file = join(dir, `numbers-${crypto.randomUUID()}.jsonl`)
  writeFileSync(file, NUMBERS.map((n) => `${JSON.stringify({ k: n % KEYS, n })}\n`).join(''))
  return [{ id: 'in', source: { file: { path: file, format: 'json', rate: '1500/s' } }, schema: SCHEMA }]
}

/** Runs a job to its end, and kills all of it each time that the fake has heard so many calls to run statements. */
async function runKilled(file: string, statements: readonly number[]): Promise<void> {
  let run = startMillrace('run', file)
  let id = ''
  for (const wanted of statements) {
    const seen = fake.calls.filter(isStatement).length
    // the call is answered, and carried out, when nobody hears it any more
    const killed = new Promise<void>((resolve) => {
      fake.onCall = async (call) => {
        if (!isStatement(call) || fake.calls.filter(isStatement).length - seen < wanted) return
        fake.onCall = undefined
        await killRun(run)
        resolve()
      }
    })
    await Promise.race([killed, run.ended])
    id = runIdOf(run) || id
    run = startMillrace('run', file, '--resume', id)
  }
  const { code, stderr } = await run.ended
  expect(code, stderr).toBe(0)
}

function isStatement(call: string): boolean {
  return call.startsWith('POST /api/2.0/sql/statements')
}

test(
  'when all processes of a job are killed while statements run, an append has every row once',
  async () => {
    const table = tableOf('main.sales.appended')
    const sink = { ...connection('main.sales.appended'), volume: '/Volumes/main/sales/stage/a' }
    await runKilled(runs.fileOf([...numbers(), { id: 'out', from: 'in', sink: { databricks: sink } }], 2), [2, 3, 2])
    expect(table.newest.rows.map(({ n }) => Number(n)).toSorted((a, b) => a - b)).toEqual(NUMBERS)
  },
  LONG_MS,
)

test(
  'when all processes of a job are killed while statements run, an upsert has the last row of each key',
  async () => {
    const table = tableOf('main.sales.upserted')
    const sink = {
      ...connection('main.sales.upserted'),
      volume: '/Volumes/main/sales/stage/u',
      mode: 'upsert',
      key: 'k',
    }
    await runKilled(runs.fileOf([...numbers(), { id: 'out', from: 'in', sink: { databricks: sink } }]), [2, 3, 2])
    expect(table.newest.rows.map(({ n }) => Number(n)).toSorted((a, b) => a - b)).toEqual(NUMBERS.slice(-KEYS))
  },
  LONG_MS,
)

test(
  'when all processes of a job are killed while it reads a snapshot and its changes, each row comes once',
  async () => {
    const table = tableOf('main.sales.read')
    table.change(NUMBERS.map((n) => ({ type: 'insert', row: { k: n % KEYS, n } })))
    const out = join(dir, 'read')
    const file = runs.fileOf([
      {
        id: 'in',
        source: { databricks: { ...connection('main.sales.read'), continuous: { every: '1s' } } },
        schema: SCHEMA,
      },
      { id: 'out', from: 'in', sink: { file: { path: out, format: 'json' } } },
    ])
    // chunks come slowly, so that the snapshot takes longer than some checkpoints
    fake.onCall = (call) => (call.includes('/storage/') ? setTimeout(20) : undefined)
    let run = startMillrace('run', file)
    await waitFor('a checkpoint is complete', PATIENCE_MS, async () => hasCheckpoint(file), run.stderr)
    const id = runIdOf(run)
    await killRun(run)
    expect(linesOf(out).length).toBeLessThan(ROWS)
    // results are not kept for ever
    fake.statements.clear()
    run = startMillrace('run', file, '--resume', id)
    await waitFor('the snapshot is read', PATIENCE_MS, async () => linesOf(out).length >= ROWS, run.stderr)
    table.change([{ type: 'insert', row: { k: 1, n: ROWS } }])
    await waitFor('the change is read', PATIENCE_MS, async () => linesOf(out).length > ROWS, run.stderr)
    await killRun(run)
    const read = linesOf(out).map((line) => (JSON.parse(line) as { n: number }).n)
    expect(read.toSorted((a, b) => a - b)).toEqual([...NUMBERS, ROWS])
  },
  LONG_MS,
)

test(
  'millrace doctor finds table and warehouse, and says what is wrong with them',
  async () => {
    tableOf('main.sales.sound')
    const graph = (table: string): object[] => [
      { id: 'in', source: { values: [{ k: 1, n: 1 }] }, schema: SCHEMA },
      {
        id: 'out',
        from: 'in',
        sink: { databricks: { ...connection(table), volume: '/Volumes/main/sales/stage/d' } },
      },
    ]
    const sound = await startMillrace('doctor', runs.fileOf(graph('main.sales.sound'))).ended
    expect(sound.stdout, sound.stderr).toContain('main.sales.sound takes the rows; warehouse shared is STOPPED')
    const missing = await startMillrace('doctor', runs.fileOf(graph('main.sales.none'))).ended
    expect(missing.code).not.toBe(0)
    expect(missing.stdout + missing.stderr).toContain('CREATE TABLE `main`.`sales`.`none`')
  },
  LONG_MS,
)
