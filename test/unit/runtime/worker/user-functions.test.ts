import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { Connectors } from '../../../../runtime/connectors/registry.ts'
import type { Clock } from '../../../../runtime/ports/clock.ts'
import type { Logger } from '../../../../runtime/ports/logger.ts'
import type { ModuleExports } from '../../../../runtime/ports/modules.ts'
import { realClock } from '../../../../runtime/ports/real/clock.ts'
import { fileEntry } from '../../../harness/connector-entries.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'
import { quietPorts } from '../../../harness/source-context.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

const AGGREGATE = { sum: { module: 'user', function: 'total', state: { n: 'long' }, output: 'long' } }

/**
 * Numbers 0 to 9 through a function of the user, a filter's if no other verb is given, whose module exports what is
 * given.
 */
function startJob(
  exports: ModuleExports,
  more: { clock?: Clock; warnings?: string[]; verb?: object } = {},
): InProcessJob {
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    error: () => undefined,
    warn: (message, fields) => {
      more.warnings?.push(`${message} ${JSON.stringify(fields)}`)
    },
    with: () => logger,
  }
  const ports = {
    ...quietPorts(),
    logger,
    modules: { load: () => Promise.resolve(exports) },
    ...(more.clock === undefined ? {} : { clock: more.clock }),
  }
  const job = new InProcessJob(
    {
      checkpoints: { interval: '50ms' },
      modules: { user: { path: './user.ts' } },
      graph: [
        { id: 'in', source: { file: { path: 'in.jsonl', format: 'json' } }, schema: { n: 'long' }, onError: 'fail' },
        { id: 'kept', from: 'in', ...(more.verb ?? { filter: { module: 'user', function: 'keeps' } }) },
        { id: 'out', from: 'kept', sink: { file: { path: 'out' } } },
      ],
    },
    new Connectors([fileEntry]),
    ports,
  )
  cleanups.push(() => job.close())
  writeFileSync(
    join(job.folder, 'in.jsonl'),
    Array.from({ length: 10 }, (_, n) => `${JSON.stringify({ n })}\n`).join(''),
  )
  return job
}

describe('functions of the user in a job', () => {
  test('when one holds up its process for more than a second, it is named in a warning, in the report and as a metric', async () => {
    let ahead = 0
    const warnings: string[] = []
    const job = startJob(
      {
        keeps: ({ n }: { n: number }) => {
          if (n === 3) ahead += 1_500
          return true
        },
      },
      { clock: { ...realClock, now: () => realClock.now() + ahead }, warnings },
    )
    await job.start()
    const report = await job.reportWith('finished', ({ phase }) => phase === 'finished')
    expect(warnings.find((warning) => warning.startsWith('a function of the job held up its whole process'))).toContain(
      '"operator":"kept"',
    )
    expect(report.blockedMs?.['kept']).toBeGreaterThanOrEqual(1_500)
    expect(await job.metrics()).toMatch(/^millrace_operator_blocked_seconds\{operator="kept"\} 1\.5\d*$/m)
  })

  test.each([
    ['add', { aggregate: AGGREGATE }],
    ['add', { window: { count: 2 }, aggregate: AGGREGATE }],
    ['result', { window: 'global', aggregate: AGGREGATE }],
  ])('when %s of an aggregate of theirs does (%j), it is named too', async (slow, verb) => {
    let ahead = 0
    const warnings: string[] = []
    const holdUp = (name: string): void => {
      if (name === slow && ahead === 0) ahead = 1_500
    }
    const total = {
      init: () => ({ n: 0 }),
      merge: (a: { n: number }, b: { n: number }) => ({ n: a.n + b.n }),
      add: (value: { n: number }, row: { n: number }) => {
        holdUp('add')
        return { n: value.n + row.n }
      },
      result: ({ n }: { n: number }) => {
        holdUp('result')
        return n
      },
    }
    const job = startJob(
      { total },
      { clock: { ...realClock, now: () => realClock.now() + ahead }, warnings, verb: { keyBy: 'n', ...verb } },
    )
    await job.start()
    const report = await job.reportWith('finished', ({ phase }) => phase === 'finished')
    expect(report.blockedMs?.['kept']).toBeGreaterThanOrEqual(1_500)
    expect(warnings.join('\n')).toContain('"function":"total"')
    expect(await job.metrics()).toMatch(/^millrace_operator_state_entries\{operator="kept",subtask="kept-0"\} \d+$/m)
  })

  test('when one throws and the source says fail, the job fails naming operator, what was thrown and the record', async () => {
    const job = startJob({
      keeps: ({ n }: { n: number }) => {
        if (n === 3) throw new Error('no luck')
        return true
      },
    })
    await job.start()
    const { error } = await job.reportWith('failed', ({ phase }) => phase === 'failed')
    expect(error).toMatchObject({
      code: 'RECORD_REFUSED',
      message: expect.stringMatching(/operator kept: no luck; record \{"n":3\}/),
      hint: expect.stringContaining('onError: skip'),
    })
  })

  test('when it is not exported, the job fails naming it', async () => {
    const job = startJob({ keep: () => true })
    await job.start()
    const { error } = await job.reportWith('failed', ({ phase }) => phase === 'failed')
    expect(error).toMatchObject({
      code: 'FUNCTION_MISSING',
      message: expect.stringContaining('function keeps of module user is not exported; exported are keep'),
    })
  })
})
