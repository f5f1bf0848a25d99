import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { JobFolder } from '../harness/job-folder.ts'
import { killRun, runIdOf } from '../harness/local-runs.ts'
import { startMillrace, type StartedMillrace } from '../harness/processes.ts'
import { expectedOutput } from '../harness/simulation/window-job.ts'
import { until } from '../harness/until.ts'

const LINES = 2_000
const KEY = 'the key of a platform team, which is long'
const STRANGERS_KEY = 'the key of somebody else, which is as long'

/** Its processes have these keys, as those of a pod have them from a Secret. */
function runWith(keys: string, ...args: string[]): StartedMillrace {
  vi.stubEnv('MILLRACE_SIGNING_KEYS', keys)
  const run = startMillrace('run', ...args)
  vi.unstubAllEnvs()
  onTestFinished(async () => {
    await killRun(run)
  })
  return run
}

/** The paths of files of coordinators that have a seal. */
function sealedFiles({ store }: JobFolder): string[] {
  if (!existsSync(store)) return []
  return readdirSync(store, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\/(log\/\d+|manifest\.json|committed)$/.test(path))
    .map((path) => join(store, path))
}

/** A signature is the fifth word of a seal's line. */
function isSigned(path: string): boolean {
  const [line = ''] = readFileSync(path, 'utf8').split('\n', 1)
  return line.split(' ').length === 5
}

test('a job whose checkpoints are signed goes on with its key after it was killed, and with no other', async () => {
  const folder = new JobFolder(LINES)
  onTestFinished(() => {
    folder.delete()
  })
  folder.writeJob(folder.spec(2, { interval: '50ms', rate: '1000/s' }))
  const first = runWith(KEY, folder.jobFile)
  await until('a checkpoint is committed', () =>
    sealedFiles(folder).some((path) => path.endsWith('/committed')) ? true : undefined,
  )
  await killRun(first)
  expect(sealedFiles(folder).filter((path) => !isSigned(path))).toEqual([])

  const stranger = runWith(STRANGERS_KEY, folder.jobFile, '--resume', runIdOf(first))
  await until('it is refused', () => (stranger.stderr().includes('SIGNATURE_WRONG') ? true : undefined))
  await killRun(stranger)

  const resumed = await runWith(`${STRANGERS_KEY}\n${KEY}`, folder.jobFile, '--resume', runIdOf(first)).ended
  expect(resumed.code, resumed.stderr).toBe(0)
  expect(folder.output()).toEqual(expectedOutput(LINES))
})
