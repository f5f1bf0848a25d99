import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NodeModules } from '../../runtime/ports/real/modules.ts'
import type { Comparison } from '../../sim/comparison.ts'
import { runSeed, type SeedVerdict, straightRun } from '../../sim/user-job-run.ts'
import { prepareUserJob } from '../../sim/user-job.ts'
import { simulate } from '../../sim/simulated-job.ts'
import { JobFolder } from '../harness/job-folder.ts'
import { inputFiles, windowJob } from '../harness/simulation/window-job.ts'

const LINES = 80
const WHOLE: Comparison = { kind: 'whole' }
let folder: JobFolder

beforeEach(() => {
  folder = new JobFolder(LINES)
})
afterEach(() => {
  folder.delete()
})

const prepared = (spec: object, limit = Infinity) =>
  prepareUserJob({ spec, baseDir: folder.path, limit, modules: new NodeModules() })

async function verdicts(spec: object, seeds: number): Promise<SeedVerdict[]> {
  const job = await prepared(spec)
  const straight = await straightRun(job, WHOLE)
  const found: SeedVerdict[] = []
  for (let seed = 1; seed <= seeds; seed++) found.push(await runSeed(job, straight, seed))
  return found
}

const windows = (): object => folder.spec(2, { interval: '10s' })
const graphOf = (...entries: object[]): object => ({ replicas: 1, graph: entries })
const BIDS = { id: 'bids', source: { nexmark: { events: 200, type: 'bid' } } }

describe('a job of a user in simulation', () => {
  test('when faults come that its runtime stands, every seed gives the output of the run without', async () => {
    const found = await verdicts(windows(), 4)
    expect(found.map(({ wrong }) => wrong)).toEqual(found.map(() => undefined))
    expect(found.flatMap(({ faults }) => faults).length).toBeGreaterThan(4)
  })

  test('when a seed is run again, it runs the same, event by event', async () => {
    const job = await prepared(windows())
    const straight = await straightRun(job, WHOLE)
    const [first, second] = [await runSeed(job, straight, 3), await runSeed(job, straight, 3)]
    expect(second.log).toEqual(first.log)
  })

  test('when only the first rows are taken, its sources end behind them', async () => {
    expect((await prepared(windows(), 10)).rows).toBe(30)
    expect((await prepared(graphOf(BIDS, { id: 'out', from: 'bids', sink: 'console' }), 7)).rows).toBe(7)
  })

  test('when it reads from Kafka, asks a service and writes to Kafka, it is refused with all of them', async () => {
    const spec = graphOf(
      {
        id: 'topic',
        source: { kafka: { topic: 'bids', brokers: 'kafka:9092', format: 'json' } },
        schema: { price: 'long' },
      },
      { id: 'rated', from: 'topic', asyncMap: { http: { url: 'http://rates/{price}' }, output: { rate: 'double' } } },
      { id: 'out', from: 'rated', sink: { kafka: { topic: 'rated', brokers: 'kafka:9092', format: 'json' } } },
    )
    await expect(prepared(spec)).rejects.toMatchObject({
      code: 'SIM_OUTSIDE',
      message: expect.stringMatching(/source topic reads from kafka; rated calls a service; sink out writes to kafka/),
    })
  })

  test('when it looks rows up at a service, it is refused, since no answer would come', async () => {
    const spec = graphOf(
      BIDS,
      {
        id: 'rated',
        from: 'bids',
        join: { lookup: { http: { url: 'http://rates/{auction}' }, output: { rate: 'double' } } },
      },
      { id: 'out', from: 'rated', sink: 'console' },
    )
    await expect(prepared(spec)).rejects.toMatchObject({
      code: 'SIM_OUTSIDE',
      message: expect.stringContaining('rated calls a service'),
    })
  })

  test('when its output hangs on the order of rows, it is compared only by what is said to be the same', async () => {
    const job = await prepared(
      graphOf(
        BIDS,
        { id: 'newest', from: 'bids', keyBy: 'auction', aggregate: { n: 'count()' }, emit: 'everyRow' },
        { id: 'out', from: 'newest', sink: 'console' },
      ),
    )
    await expect(straightRun(job, WHOLE)).rejects.toMatchObject({
      code: 'SIM_ORDER',
      message: expect.stringContaining('newest'),
    })
    const straight = await straightRun(job, { kind: 'last', key: ['auction'], order: 'n' })
    expect((await runSeed(job, straight, 1)).wrong).toBeUndefined()
  })

  test('when rules are a stream of their own, their order against events counts as that of rows', async () => {
    const persons = { id: 'persons', source: { nexmark: { events: 200, type: 'person' } } }
    const alarms = {
      id: 'alarms',
      from: ['bids', 'persons'],
      broadcast: { key: 'id', where: 'bids.bidder === persons.id', select: { bidder: 'bids.bidder' } },
    }
    await expect(
      straightRun(
        await prepared(graphOf(BIDS, persons, alarms, { id: 'out', from: 'alarms', sink: 'console' })),
        WHOLE,
      ),
    ).rejects.toMatchObject({ code: 'SIM_ORDER' })
  })

  test('when it puts out nothing, that is said instead of calling every seed right', async () => {
    const job = await prepared(
      graphOf(BIDS, { id: 'none', from: 'bids', filter: 'price < 0' }, { id: 'out', from: 'none', sink: 'console' }),
    )
    await expect(straightRun(job, WHOLE)).rejects.toMatchObject({ code: 'SIM_EMPTY' })
  })

  test('when it fails without any fault, that is said instead of anything about seeds', async () => {
    appendFileSync(join(folder.path, 'in-1.jsonl'), 'no json\n')
    const {
      graph: [source, ...others],
      ...spec
    } = folder.spec(1, { interval: '1s' })
    const job = await prepared({ ...spec, graph: [{ ...source, onError: 'fail' }, ...others] })
    await expect(straightRun(job, WHOLE)).rejects.toMatchObject({
      code: 'SIM_FAILED',
      message: expect.stringContaining('RECORD_REFUSED'),
    })
  })
})

describe('a simulated job whose store refuses', () => {
  test('when the last checkpoint can never be written, the job fails with why instead of running for ever', async () => {
    const spec = windowJob(1, { folder: '/data', interval: '1h' })
    const { report, virtualMs } = await simulate(
      {
        seed: 1,
        spec,
        files: inputFiles(),
        faults: [],
        storeFaultRate: 0,
        storeRefuses: (path) => path.includes('manifest'),
      },
      3_600_000,
    )
    expect(report).toMatchObject({ phase: 'failed', attempt: 10, error: { code: 'STORE_UNAVAILABLE' } })
    expect(virtualMs).toBeLessThan(120_000)
  })
})
