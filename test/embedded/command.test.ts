import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { JobFolder } from '../harness/job-folder.ts'
import { descendantsOf, runningOf, startMillraceIn } from '../harness/processes.ts'
import { until } from '../harness/until.ts'

/** `millrace dev` or `run` of a slow job with two workers a chain, and all the processes below it once they run. */
describe('the processes of the millrace command', () => {
  const cleanups: (() => Promise<void> | void)[] = []

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })

  async function started(verb: 'run' | 'dev') {
    const cwd = mkdtempSync(join(tmpdir(), 'millrace-command-'))
    const folder = new JobFolder(2_000)
    folder.writeJob(folder.spec(2, { interval: '300ms', rate: '20/s' }))
    const millrace = startMillraceIn(cwd, verb, folder.jobFile)
    cleanups.push(async () => {
      millrace.process.kill('SIGKILL')
      await millrace.ended
      folder.delete()
      rmSync(cwd, { recursive: true, force: true })
    })
    const below = await until('command, coordinator and four workers run', () => {
      const found = descendantsOf(millrace.process.pid ?? 0)
      return found.filter(({ command }) => command.includes('runtime/main.ts')).length === 5 ? found : undefined
    })
    return { ...millrace, pids: below.map(({ pid }) => pid) }
  }

  test.each(['run', 'dev'] as const)(
    'when the first process of millrace %s is killed with SIGKILL, all below it end',
    async (verb) => {
      const millrace = await started(verb)
      expect(millrace.pids.length).toBeGreaterThan(5)
      millrace.process.kill('SIGKILL')
      await until('no process is left', () => (runningOf(millrace.pids).length === 0 ? true : undefined))
    },
  )

  test.each([
    ['run', 130],
    ['dev', 0],
  ] as const)('when millrace %s is interrupted, it ends with %i and all it started is gone', async (verb, code) => {
    const millrace = await started(verb)
    millrace.process.kill('SIGINT')
    const ended = await millrace.ended
    expect(ended.code, ended.stderr).toBe(code)
    expect(runningOf(millrace.pids)).toEqual([])
  })
})
