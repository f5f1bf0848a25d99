import fc from 'fast-check'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { druidConnector } from '../../../../../runtime/connectors/druid/connector.ts'
import { declaration, sinkOptions } from '../../../../../runtime/connectors/druid/declaration.ts'
import { VirtualKafka } from '../../../../../runtime/connectors/kafka/virtual/cluster.ts'
import type { SinkWriter } from '../../../../../runtime/connectors/sink.ts'
import { RowBatch } from '../../../../../runtime/memory/batch.ts'
import type { Schema } from '../../../../../runtime/model/schema.ts'
import type { Committable, SinkNote } from '../../../../../runtime/model/snapshot.ts'
import { portsWithBuckets } from '../../../../harness/bucket-folder.ts'
import { DruidTasks } from '../../../../harness/druid-tasks.ts'
import { jumpingClock } from '../../../../harness/kafka/jumping-clock.ts'

const START = Date.parse('2026-01-01T00:00:00Z')
const SCHEMA: Schema = {
  fields: [
    { name: 'n', type: 'long', nullable: false },
    { name: 'at', type: 'timestamp', nullable: true },
    { name: 'price', type: 'string', nullable: true, logical: { kind: 'decimal', precision: 9, scale: 2 } },
    { name: 'tags', type: 'json', nullable: true },
  ],
}
const REPLACE = {
  url: 'http://druid:8888',
  from: '2026-01-01T00:00:00Z',
  to: '2026-01-02T00:00:00Z',
  timestamp: 'at',
  files: 'out',
}
const BUCKET = 's3://bucket/out?endpoint=http://s3'

let home = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'millrace-druid-replace-'))
})
afterEach(async () => {
  await rm(home, { recursive: true })
})

const { sink } = druidConnector((options) => new VirtualKafka().connect(options))

function writerOf(druid: DruidTasks, attempt = 1, options: object = {}, stopping = new AbortController()): SinkWriter {
  return sink({ datasource: 'd', replace: { ...REPLACE, ...options } }).writer({
    jobUid: 'job-1',
    predecessors: [],
    operatorId: 'out',
    slot: 0,
    attempt,
    schema: SCHEMA,
    ports: { ...portsWithBuckets(home), clock: jumpingClock(), httpClient: druid },
    baseDir: join(home, 'bucket'),
    stopping: stopping.signal,
    reportTrouble: () => undefined,
  })
}

function row(n: number) {
  return { n, at: START + n, price: '1.50', tags: ['a'] }
}

function batch(...numbers: number[]): RowBatch {
  return new RowBatch(numbers.map(row))
}

async function filesLeft(): Promise<string[]> {
  const folder = join(home, 'bucket/out')
  return existsSync(folder) ? (await readdir(folder)).filter((name) => !name.startsWith('.')) : []
}

/** The newest complete checkpoint, as the log has it. */
interface Saved {
  position: number
  committables: readonly Committable[]
  notes: readonly SinkNote[]
}

/** A job of a few rows in which whatever can end its attempts does so where `steps` say. */
async function runJob(files: string, steps: readonly Step[], druid: DruidTasks): Promise<void> {
  let saved: Saved = { position: 0, committables: [], notes: [] }
  let attempt = 0
  let at = 0
  for (;;) {
    const stopping = new AbortController()
    druid.onCall = undefined
    const writer = writerOf(druid, ++attempt, { files }, stopping)
    try {
      await writer.open(saved.committables, saved.notes)
      let position = saved.position
      let carried: Committable[] = []
      for (;;) {
        const step = steps[at++] ?? 'write'
        if (step === 'die') throw new Died()
        if (step === 'lost call' || step === 'lost answer') druid.mishaps.push(step)
        if (step === 'die in the load' || step === 'die while Druid goes on') {
          let calls = at % 4
          druid.onCall = () => {
            if (calls-- === 0) stopping.abort()
          }
        }
        if (step === 'task fails') druid.endings.push('FAILED')
        if (step === 'task publishes and fails') druid.endings.push('FAILED after publishing')
        if (position < ROWS) {
          await writer.write(batch(position, position + 1))
          position += 2
        }
        if (position >= ROWS) writer.endInput?.()
        if (step === 'write' && position < ROWS) continue
        carried = [...carried, ...(await writer.prepareCommit(at))]
        if (step === 'checkpoint aborts') continue
        saved = { position, committables: carried, notes: writer.notes?.() ?? [] }
        if (step === 'die before commit') throw new Died()
        await writer.commit?.(carried)
        if (step === 'die before the commit is known') throw new Died()
        if (position >= ROWS && step !== 'die behind commit') return await writer.close()
        carried = []
        // what is known to be committed is not restored
        if (step === 'forget what is committed' || step === 'die behind commit') saved.committables = []
        if (step === 'die behind commit') throw new Died()
      }
    } catch (error) {
      if (steps[at - 1] === 'die while Druid goes on') druid.runOut()
      if (!(error instanceof Died) && !String((error as { code?: string }).code).startsWith('DRUID_')) throw error
    }
  }
}

class Died extends Error {}

const ROWS = 8
const STEPS = [
  'write',
  'checkpoint',
  'checkpoint aborts',
  'forget what is committed',
  'die',
  'die before commit',
  'die behind commit',
  'die before the commit is known',
  'die in the load',
  'die while Druid goes on',
  'lost call',
  'lost answer',
  'task fails',
  'task publishes and fails',
] as const
type Step = (typeof STEPS)[number]

describe.each([
  ['a folder', 'out'],
  ['a bucket', BUCKET],
])('with files in %s', (_, files) => {
  test('whatever dies or gets lost when, the interval has every row once, and no file is left', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...STEPS), { maxLength: 40 }), async (steps) => {
        await rm(join(home, 'bucket'), { recursive: true, force: true })
        const druid = new DruidTasks(home)
        await runJob(files, steps, druid)
        expect(druid.rows.map((one) => one['n'])).toEqual(Array.from({ length: ROWS }, (_row, n) => n))
        expect(await filesLeft()).toEqual([])
      }),
      { numRuns: 200 },
    )
  })

  test('the task names every file and the interval, and fails at the first record that it cannot read', async () => {
    const druid = new DruidTasks(home)
    await runJob(files, ['checkpoint'], druid)
    const [spec] = druid.specs
    expect(spec).toMatchObject({
      type: 'index_parallel',
      spec: {
        dataSchema: {
          dataSource: 'd',
          timestampSpec: { column: 'at', format: 'millis' },
          dimensionsSpec: {
            dimensions: [
              { type: 'long', name: 'n' },
              { type: 'string', name: 'price' },
              { type: 'auto', name: 'tags' },
            ],
          },
          granularitySpec: {
            segmentGranularity: 'DAY',
            rollup: false,
            intervals: ['2026-01-01T00:00:00.000Z/2026-01-02T00:00:00.000Z'],
          },
        },
        ioConfig: { appendToExisting: false, dropExisting: true },
        tuningConfig: { maxParseExceptions: 0 },
      },
    })
    expect(druid.rows).toHaveLength(ROWS)
  })
})

async function collected(): Promise<{ notes: readonly SinkNote[] }> {
  const writer = writerOf(new DruidTasks(home))
  await writer.open([])
  await writer.write(batch(0, 1))
  await writer.commit?.(await writer.prepareCommit(1))
  const notes = writer.notes?.() ?? []
  await writer.close()
  return { notes }
}

test.each([
  ['before it', START - 1, '2025-12-31T23:59:59.999Z'],
  ['at its end', START + 86_400_000, '2026-01-02T00:00:00.000Z'],
  ['nowhere', null, 'null'],
])('a row whose time is %s is an error, since Druid would leave it out', async (_, at, shown) => {
  const writer = writerOf(new DruidTasks(home))
  await writer.open([])
  await expect(async () => writer.write(new RowBatch([{ ...row(0), at }]))).rejects.toMatchObject({
    code: 'RECORD_INVALID',
    message: expect.stringContaining(`field 'at' is ${shown}`),
  })
})

test('when a file that waited is gone, nothing is loaded', async () => {
  const { notes } = await collected()
  await rm(join(home, 'bucket/out'), { recursive: true })
  const druid = new DruidTasks(home)
  const writer = writerOf(druid, 2)
  await writer.open([], notes)
  writer.endInput?.()
  await expect(writer.commit?.(await writer.prepareCommit(2))).rejects.toMatchObject({ code: 'SINK_OUTPUT_LOST' })
  expect(druid.tasks.size).toBe(0)
})

test('when the sink is to replace something else than what it has rows for, the job says both', async () => {
  const { notes } = await collected()
  const writer = writerOf(new DruidTasks(home), 2, { to: '2026-01-03T00:00:00Z' })
  await expect(writer.open([], notes)).rejects.toMatchObject({
    code: 'SINK_CHANGED',
    message: expect.stringMatching(/2026-01-02T00:00:00.000Z.*2026-01-03T00:00:00.000Z/),
  })
})

test.each(['../../etc/passwd', '/etc/passwd', 'part-00000000-other-0-1-0.jsonl', 'part-x.jsonl', 7])(
  'a savepoint that names %s as a file of the sink is refused, and nothing is loaded or deleted',
  async (name) => {
    const { notes } = await collected()
    await writeFile(join(home, 'bucket/kept'), '')
    const [note] = notes as { names: string[] }[]
    const crafted = { ...note, names: [name] } as SinkNote
    const druid = new DruidTasks(home)
    for (const [committables, kept] of [
      [[], [crafted]],
      [[{ load: crafted }], []],
    ] as const)
      await expect(writerOf(druid, 2).open(committables, kept)).rejects.toMatchObject({ code: 'COMMITTABLE_INVALID' })
    expect(druid.tasks.size).toBe(0)
    expect(existsSync(join(home, 'bucket/kept'))).toBe(true)
  },
)

test.each([
  [{ from: '2026-01-01T12:00:00Z' }, 'replace.from'],
  [{ to: '2026-01-01T00:00:00Z' }, 'replace.to'],
  [{ granularity: 'month' }, 'replace.to'],
  [{ granularity: 'week' }, 'replace.granularity'],
  [{ files: 'hdfs://namenode:9870/x' }, 'replace.files'],
  [{ auth: { username: 'u', insecure: true } }, 'replace.auth'],
  [{ auth: { tokenFile: '/t' } }, 'replace.auth'],
  [{ url: 'druid:8888' }, 'replace.url'],
])('when replace says %j, the problem is at %s', (options, path) => {
  const problems = sinkOptions.check({ datasource: 'd', replace: { ...REPLACE, ...options } })
  expect(problems.map((problem) => problem.path)).toEqual([path])
})

test.each([
  ['takes tasks', 'overlord http://overlord:8090 takes tasks for d'],
  ['cannot be reached', 'DRUID_UNREACHABLE'],
])('a probe of a Druid that %s says so', async (state, said) => {
  const druid = new DruidTasks(home)
  if (state !== 'takes tasks') druid.mishaps.push('lost call')
  const found = await sink({ datasource: 'd', replace: REPLACE })
    .probe?.({
      operatorId: 'out',
      schema: SCHEMA,
      ports: { ...portsWithBuckets(home), clock: jumpingClock(), httpClient: druid },
      baseDir: home,
      stopping: new AbortController().signal,
      reportTrouble: () => undefined,
    })
    .catch((error: unknown) => (error as { code: string }).code)
  expect(found).toBe(said)
})

test('options of the topic have no meaning beside replace', () => {
  const problems = sinkOptions.check({ datasource: 'd', brokers: 'k:1', replace: REPLACE })
  expect(problems).toMatchObject([{ path: 'brokers' }])
})

test.each([
  ['nothing', '__time', /no such field/],
  ['a number', 'n', /a field of type long/],
])('when the time is %s, lint names the fields that could be it', (_, timestamp, message) => {
  const problems = declaration.sink?.checkSchema?.({ datasource: 'd', replace: { ...REPLACE, timestamp } }, SCHEMA)
  expect(problems).toMatchObject([
    { path: 'replace.timestamp', message: expect.stringMatching(message), hint: expect.stringContaining('at') },
  ])
})
