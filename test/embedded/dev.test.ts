import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { JobFolder } from '../harness/job-folder.ts'
import { descendantsOf, runningOf, startMillraceIn } from '../harness/processes.ts'
import { expectedOutput } from '../harness/simulation/window-job.ts'
import { until } from '../harness/until.ts'

const EVENTS = 2_000

describe('millrace dev in one folder, time and again', () => {
  let cwd = ''
  let folder: JobFolder
  const cleanups: (() => Promise<void>)[] = []

  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), 'millrace-dev-'))
    folder = new JobFolder(EVENTS)
  })

  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup()
    folder.delete()
    rmSync(cwd, { recursive: true, force: true })
  })

  function dev(...args: string[]) {
    const millrace = startMillraceIn(cwd, 'dev', folder.jobFile, ...args)
    cleanups.push(async () => {
      millrace.process.kill('SIGKILL')
      await millrace.ended
    })
    return millrace
  }

  function hasRows(): true | undefined {
    return existsSync(join(folder.path, 'out')) && folder.output().length > 0 ? true : undefined
  }

  test('after Ctrl-C the next one continues the job, and its rows come once', async () => {
    folder.writeJob(folder.spec(2, { interval: '300ms', rate: '200/s' }))
    const first = dev()
    await until('rows are committed', hasRows)
    first.process.kill('SIGINT')
    expect((await first.ended).code).toBe(0)
    expect(folder.output().length).toBeLessThan(expectedOutput(EVENTS).length)

    const second = dev()
    await until('the job has finished', () => (second.stdout().includes('Finished') ? true : undefined))
    second.process.kill('SIGINT')
    const { stdout } = await second.ended
    expect(stdout).toContain('Kept from before: hot-auctions (was Running: it continues)')
    expect(folder.output()).toEqual(expectedOutput(EVENTS))
  })

  test('with --fresh the job begins anew, and it is said that its folder has results of another', async () => {
    folder.writeJob(folder.spec(1, { interval: '300ms', rate: '200/s' }))
    const first = dev()
    await until('rows are committed', hasRows)
    first.process.kill('SIGINT')
    await first.ended

    const second = dev('--fresh')
    await until('the job runs', () => (second.stdout().includes('Running') ? true : undefined))
    second.process.kill('SIGINT')
    const { stdout } = await second.ended
    expect(stdout).not.toContain('Kept from before')
    expect(stdout).toMatch(/out has \d+ files of other runs; this one writes beside them/)
  })

  test('a second one at the same time is refused, and the file of a process that was killed is no hindrance', async () => {
    folder.writeJob(folder.spec(1, { interval: '300ms', rate: '20/s' }))
    const first = dev()
    await until('it is up', () => (first.stdout().includes('Millrace is up') ? true : undefined))
    const second = await dev().ended
    expect(second.code).toBe(1)
    expect(second.stderr).toMatch(/DEV_RUNS_ALREADY process \d+ serves .*[.]millrace already/)
    const all = descendantsOf(first.process.pid ?? 0).map(({ pid }) => pid)
    first.process.kill('SIGKILL')
    await until('its processes are gone', () => (runningOf(all).length === 0 ? true : undefined))
    const third = dev()
    await until('it is up', () => (third.stdout().includes('Millrace is up') ? true : undefined))
  })

  test('objects that cannot be read are an error that says what to do', async () => {
    folder.writeJob(folder.spec(1, { interval: '300ms', rate: '20/s' }))
    const first = dev()
    await until('it is up', () => (first.stdout().includes('Millrace is up') ? true : undefined))
    first.process.kill('SIGINT')
    await first.ended
    writeFileSync(join(cwd, '.millrace/objects.json'), '{')
    const second = await dev().ended
    expect(second.code).toBe(1)
    expect(second.stderr).toMatch(/KEPT_OBJECTS_UNREADABLE .*objects\.json cannot be read as JSON/)
    expect(second.stderr).toContain('--fresh')
  })
})
