import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import type { JobReport } from '../../../../runtime/control/job-report.ts'
import type { ModuleExports } from '../../../../runtime/ports/modules.ts'
import { fileEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'
import { quietPorts } from '../../../harness/source-context.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

interface Written {
  lines?: readonly string[]
  verbs?: readonly object[]
  exports?: ModuleExports
  source?: object
  spec?: object
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => JSON.stringify({ n }))
const call = (name: string): object => ({ module: 'user', function: name })

/** Lines of a file through the verbs, whose ids are v0, v1, …, into files. */
async function endOf({ lines = numbers(10), verbs = [], exports = {}, source, spec }: Written): Promise<JobReport> {
  const ports = { ...quietPorts(), modules: { load: () => Promise.resolve(exports) } }
  const inputs = ['in', ...verbs.map((_, index) => `v${index}`)]
  const job = new InProcessJob(
    {
      checkpoints: { interval: '50ms' },
      modules: { user: { path: './user.ts' } },
      ...spec,
      graph: [
        {
          id: 'in',
          source: { file: { path: 'in.jsonl', format: 'json' } },
          schema: { n: 'long' },
          ...source,
        },
        ...verbs.map((verb, index) => ({ id: `v${index}`, from: inputs[index], ...verb })),
        { id: 'out', from: inputs.at(-1), sink: { file: { path: 'out' } } },
      ],
    },
    new Connectors([fileEntry]),
    ports,
  )
  cleanups.push(() => job.close())
  folder = job.folder
  writeFileSync(join(job.folder, 'in.jsonl'), lines.map((line) => `${line}\n`).join(''))
  await job.start()
  return job.reportWith('finished or failed', ({ phase }) => phase === 'finished' || phase === 'failed')
}
let folder = ''

const refuseOdd = ({ n }: { n: number }): boolean => {
  if (n % 2 === 1) throw new Error(`odd ${n}`)
  return true
}

describe("the user's code throws", () => {
  test.each<[string, object, ModuleExports]>([
    ['filter', { filter: call('f') }, { f: refuseOdd }],
    ['map', { map: { ...call('f'), output: { n: 'long' } } }, { f: (row: { n: number }) => refuseOdd(row) && row }],
    [
      'flatMap',
      { flatMap: { ...call('f'), output: { n: 'long' } } },
      { f: (row: { n: number }) => refuseOdd(row) && [] },
    ],
    ['sideOutput', { sideOutput: { odd: call('f') } }, { f: refuseOdd }],
    ['process', { process: { ...call('f'), output: { n: 'long' } } }, { f: { onRow: refuseOdd } }],
    [
      'asyncMap',
      { asyncMap: { ...call('f'), output: { n: 'long' }, retry: { attempts: 1 } } },
      { f: (row: { n: number }) => Promise.resolve(refuseOdd(row) && row) },
    ],
    [
      'an aggregate',
      { keyBy: 'n', aggregate: { sum: { ...call('f'), state: { n: 'long' }, output: 'long' } } },
      {
        f: {
          init: () => ({ n: 0 }),
          add: (state: unknown, row: { n: number }) => refuseOdd(row) && state,
          merge: () => ({ n: 0 }),
          result: () => 0,
        },
      },
    ],
  ])('when %s does, the job fails and says for which record and why', async (_, verb, exports) => {
    const report = await endOf({ verbs: [verb], exports })
    expect(report).toMatchObject({ phase: 'failed', error: { code: 'RECORD_REFUSED', domain: 'user' } })
    expect(report.error?.message).toContain('operator v0')
    expect(report.error?.message).toContain('odd 1')
    expect(report.error?.hint).toContain('in the entry "v0"')
  })

  test('when its entry says skip, the job ends and reports how many rows were skipped and the first reason', async () => {
    const report = await endOf({
      verbs: [{ filter: call('f'), onError: 'skip' }],
      exports: { f: refuseOdd },
      spec: { maxBadShare: '60%' },
    })
    expect(report.phase).toBe('finished')
    expect(report.losses).toEqual([
      { operator: 'v0', seen: 10, skipped: 5, deadLettered: 0, firstReason: 'operator v0: odd 1' },
    ])
  })

  test('when its entry keeps dead letters, the rows are there and count as no loss', async () => {
    const report = await endOf({
      verbs: [{ filter: call('f'), onError: { deadLetter: { file: { path: 'letters' } } } }],
      exports: {
        f: () => {
          throw new Error('never')
        },
      },
    })
    expect(report.phase).toBe('finished')
    expect(report.losses).toMatchObject([{ operator: 'v0', seen: 10, skipped: 0, deadLettered: 10 }])
  })

  test('an onError of the source does not reach it: what the user wrote there speaks of records', async () => {
    const report = await endOf({
      verbs: [{ filter: call('f') }],
      exports: { f: refuseOdd },
      source: { onError: 'skip' },
    })
    expect(report).toMatchObject({ phase: 'failed', error: { code: 'RECORD_REFUSED' } })
  })
})

describe('records are left out', () => {
  test('when some do not parse, the job ends and reports how many and the first reason with its place', async () => {
    const report = await endOf({ lines: [...numbers(20), '{"n":"x"}', 'nonsense'] })
    expect(report.phase).toBe('finished')
    expect(report.losses).toMatchObject([{ operator: 'in', seen: 22, skipped: 2 }])
    expect(report.losses?.[0]?.firstReason).toContain('in.jsonl at ')
    expect(report.losses?.[0]?.firstReason).toContain("field 'n' (long) must be an integer")
  })

  test('when none parses, the job fails', async () => {
    const report = await endOf({ lines: ['a', 'b', 'c'] })
    expect(report).toMatchObject({ phase: 'failed', error: { code: 'TOO_MANY_BAD_RECORDS' } })
    expect(report.error?.message).toContain('operator in skipped 3 of 3 records')
  })

  test('when more than 5 % of a thousand do not parse, the job fails', async () => {
    const lines = numbers(1000).map((line, index) => (index % 19 === 0 ? 'bad' : line))
    expect(await endOf({ lines })).toMatchObject({ phase: 'failed', error: { code: 'TOO_MANY_BAD_RECORDS' } })
  })

  test('when the spec allows that share, the job ends', async () => {
    const lines = numbers(1000).map((line, index) => (index % 19 === 0 ? 'bad' : line))
    expect(await endOf({ lines, spec: { maxBadShare: '6%' } })).toMatchObject({ phase: 'finished' })
  })

  test('when an expression throws for every row that a filter before it lets through, the job fails', async () => {
    const report = await endOf({
      lines: numbers(1000),
      verbs: [{ filter: 'n > 990' }, { set: { half: 'n / 0' } }],
    })
    expect(report).toMatchObject({ phase: 'failed', error: { code: 'TOO_MANY_BAD_RECORDS' } })
    expect(report.error?.message).toContain('operator v1 skipped 9 of 9 records')
  })

  test('a filter that drops every row loses nothing', async () => {
    const report = await endOf({ verbs: [{ filter: 'n > 990' }, { set: { half: 'n / 0' } }] })
    expect(report).toMatchObject({ phase: 'finished', losses: [] })
  })
})

test('a job that failed for its losses is tried once and writes nothing', async () => {
  const report = await endOf({ lines: ['a'] })
  expect(report.attempt).toBe(1)
  expect(existsSync(join(folder, 'out'))).toBe(false)
})
