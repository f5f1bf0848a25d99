import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { fileSink, fileSource } from '../../../../runtime/connectors/file/connector.ts'
import type { Coordinator } from '../../../../runtime/coordinator/coordinator.ts'
import { httpApi } from '../../../../runtime/coordinator/http-api.ts'
import type { Clock } from '../../../../runtime/ports/clock.ts'
import type { Logger } from '../../../../runtime/ports/logger.ts'
import type { ModuleExports } from '../../../../runtime/ports/modules.ts'
import { realClock } from '../../../../runtime/ports/real/clock.ts'
import { InProcessJob } from '../../../harness/in-process-job.ts'
import { quietPorts } from '../../../harness/source-context.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => { for (const cleanup of cleanups.splice(0)) await cleanup() })

/** Numbers 0 to 9 through a filter of the user, whose module exports what is given. */
function startJob(exports: ModuleExports, more: { clock?: Clock; warnings?: string[] } = {}): InProcessJob {
  const logger: Logger = { debug: () => undefined, info: () => undefined, error: () => undefined, warn: (message, fields) => { more.warnings?.push(`${message} ${JSON.stringify(fields)}`) }, with: () => logger }
  const ports = { ...quietPorts(), logger, modules: { load: () => Promise.resolve(exports) }, ...(more.clock === undefined ? {} : { clock: more.clock }) }
  const job = new InProcessJob({
    checkpoints: { interval: '50ms' }, modules: { user: { path: './user.ts' } },
    graph: [
      { id: 'in', source: { file: { path: 'in.jsonl', format: 'json' } }, schema: { n: 'long' }, onError: 'fail' },
      { id: 'kept', from: 'in', filter: { module: 'user', function: 'keeps' } },
      { id: 'out', from: 'kept', sink: { file: { path: 'out' } } },
    ],
  }, { sources: { file: fileSource }, sinks: { file: fileSink } }, ports)
  cleanups.push(() => job.close())
  writeFileSync(join(job.folder, 'in.jsonl'), Array.from({ length: 10 }, (_, n) => `${JSON.stringify({ n })}\n`).join(''))
  return job
}

describe('functions of the user in a job', () => {
  test('when one holds up its process for more than a second, it is named in a warning, in the report and as a metric', async () => {
    let ahead = 0
    const warnings: string[] = []
    const job = startJob({ keeps: ({ n }: { n: number }) => { if (n === 3) ahead += 1_500; return true } }, { clock: { ...realClock, now: () => realClock.now() + ahead }, warnings })
    await job.start()
    const report = await job.reportWith('finished', ({ phase }) => phase === 'finished')
    expect(warnings.find((warning) => warning.startsWith('a function of the job held up its whole process'))).toContain('"operator":"kept"')
    expect(report.blockedMs?.['kept']).toBeGreaterThanOrEqual(1_500)
    const { body } = await httpApi({ report: () => report } as unknown as Coordinator, 'token')({ method: 'GET', path: '/metrics', token: undefined, body: '' })
    expect(body).toMatch(/^millrace_operator_blocked_seconds\{operator="kept"\} 1\.5\d*$/m)
  })

  test('when one throws and the source says fail, the job fails naming operator, what was thrown and the record', async () => {
    const job = startJob({ keeps: ({ n }: { n: number }) => { if (n === 3) throw new Error('no luck'); return true } })
    await job.start()
    const { error } = await job.reportWith('failed', ({ phase }) => phase === 'failed')
    expect(error).toMatchObject({ code: 'RECORD_REFUSED', message: expect.stringMatching(/operator kept: no luck; record \{"n":3\}/), hint: expect.stringContaining('onError: skip') })
  })

  test('when it is not exported, the job fails naming it', async () => {
    const job = startJob({ keep: () => true })
    await job.start()
    const { error } = await job.reportWith('failed', ({ phase }) => phase === 'failed')
    expect(error).toMatchObject({ code: 'FUNCTION_MISSING', message: expect.stringContaining('function keeps of module user is not exported; exported are keep') })
  })
})
