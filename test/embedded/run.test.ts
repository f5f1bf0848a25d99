import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { LocalJob } from '../../cli/local-job.ts'
import { builtinConnectors } from '../../runtime/builtin-connectors.ts'
import type { JobReport } from '../../runtime/control/job-report.ts'
import { subtasksOf } from '../../runtime/plan/chaining.ts'
import { planJob } from '../../runtime/front/planned-job.ts'
import { JobFolder } from '../harness/job-folder.ts'
import { descendantsOf, runningOf, type StartedMillrace, startMillrace } from '../harness/processes.ts'
import { mulberry } from '../../sim/seeded-random.ts'
import { expectedOutput } from '../harness/simulation/window-job.ts'
import { until } from '../harness/until.ts'

const STACK_TRACE = /^\s+at .*:\d+:\d+/m
const cleanups: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function jobFolder(lines: number): JobFolder {
  const folder = new JobFolder(lines)
  cleanups.push(() => {
    folder.delete()
  })
  return folder
}

/** A test that fails, or whose time is over, leaves no process. */
function killedAtEnd(started: StartedMillrace): StartedMillrace {
  cleanups.push(async () => {
    started.process.kill('SIGKILL')
    await started.ended
  })
  return started
}

function localJob(folder: JobFolder): LocalJob {
  const job = new LocalJob({
    name: 'hot-auctions',
    uid: 'local',
    token: 'token',
    store: folder.store,
    baseDir: folder.path,
    logLevel: 'silent',
  })
  cleanups.push(() => job.close())
  return job
}

const placesOf = (spec: unknown) => subtasksOf(planJob(spec, builtinConnectors).plan)

/** Hands over the spec with the workers it needs, as the operator would. */
async function handOver(job: LocalJob, revision: string, spec: unknown): Promise<void> {
  job.addWorkers(placesOf(spec))
  await job.setTarget({ revision, spec, desiredState: 'running' })
}

function reportWith(job: LocalJob, what: string, matches: (report: JobReport) => boolean): Promise<JobReport> {
  let last: JobReport | undefined
  return until(`the job is ${what}`, async () => {
    last = (await job.report()) ?? last
    if (last?.phase === 'failed') throw new Error(`the job failed: ${last.error?.code} ${last.error?.message}`)
    return last && matches(last) ? last : undefined
  }).catch((cause: unknown) => {
    throw new Error(`the job never was ${what}; last report ${JSON.stringify(last)}`, { cause })
  })
}

describe('millrace run', () => {
  test.each([
    { how: 'as processes', flags: [] },
    { how: 'in one process', flags: ['--in-process'] },
  ])('when a bounded job runs $how it ends with 0 and its output is the plain computation', async ({ flags }) => {
    const folder = jobFolder(1_000)
    folder.writeJob(folder.spec(2, { interval: '300ms' }))
    const { code, stderr } = await startMillrace('run', folder.jobFile, ...flags).ended
    expect(code, stderr).toBe(0)
    expect(folder.output()).toEqual(expectedOutput(1_000))
  })

  test('when a job in one process has finished its process ends, however far off the next checkpoint is', async () => {
    const folder = jobFolder(100)
    folder.writeJob(folder.spec(1, { interval: '1h' }))
    const { code, stderr } = await startMillrace('run', folder.jobFile, '--in-process').ended
    expect(code, stderr).toBe(0)
  })

  test('when the spec is wrong it ends with 1, naming file, line and column, without a stack trace', async () => {
    const folder = jobFolder(1)
    folder.writeJob(folder.spec(1, { interval: '300ms' }))
    const text = readFileSync(folder.jobFile, 'utf8').replace('price > 100', 'prize > 100')
    writeFileSync(folder.jobFile, text)
    const line = text.split('\n').findIndex((written) => written.includes('prize')) + 1
    const column = (text.split('\n')[line - 1] ?? '').indexOf('prize') + 1
    const { code, stdout, stderr } = await startMillrace('run', folder.jobFile).ended
    expect(code).toBe(1)
    expect(stderr).toContain(`${folder.jobFile}:${line}:${column} `)
    expect(stderr).toContain('prize')
    expect(stdout + stderr).not.toMatch(STACK_TRACE)
  })

  test('when a record is bad and onError is fail it ends with 1, naming the place of the record', async () => {
    const folder = jobFolder(20)
    const file = join(folder.path, 'in-1.jsonl')
    const lines = readFileSync(file, 'utf8').split('\n')
    lines[4] = '{"auction": "not a number", "price": 1}'
    writeFileSync(file, lines.join('\n'))
    const {
      graph: [source, ...others],
      ...spec
    } = folder.spec(1, { interval: '300ms' })
    folder.writeJob({ ...spec, graph: [{ ...source, onError: 'fail' }, ...others] })
    const { code, stdout, stderr } = await startMillrace('run', folder.jobFile).ended
    expect(code).toBe(1)
    expect(stderr).toContain('RECORD_REFUSED')
    expect(stderr).toContain('in-1.jsonl')
    expect(stderr).toContain('not a number')
    expect(stdout + stderr).not.toMatch(STACK_TRACE)
  })

  test('when it is stopped it says how to continue; another run says so too, and --resume gives exactly the rest', async () => {
    const folder = jobFolder(2_000)
    folder.writeJob(folder.spec(1, { interval: '50ms', rate: '2000/s' }))
    const first = killedAtEnd(startMillrace('run', folder.jobFile, '--in-process'))
    // The first entry is the claim. A manifest alone is no checkpoint: a run that dies before the entry has none.
    await until('the log has its first checkpoint', () =>
      existsSync(folder.store) &&
      readdirSync(folder.store, { recursive: true }).some((path) => Number(/log[/](\d+)$/.exec(String(path))?.[1]) > 1)
        ? true
        : undefined,
    )
    first.process.kill('SIGINT')
    const stopped = await first.ended
    expect(stopped.code).toBe(130)
    const [, id = ''] = /--resume (run-[0-9a-f]{12})/.exec(stopped.stderr) ?? []

    const wrong = await startMillrace('run', folder.jobFile, '--in-process', '--resume', `${id}0`).ended
    expect(wrong.code).toBe(1)
    expect(wrong.stderr).toContain(`RUN_UNKNOWN no run "${id}0"`)
    expect(wrong.stderr).toContain(`did you mean "${id}"?`)

    const elsewhere = join(folder.path, 'elsewhere.yaml')
    writeFileSync(elsewhere, readFileSync(folder.jobFile, 'utf8').replace('/out"', '/elsewhere"'))
    const other = killedAtEnd(startMillrace('run', elsewhere, '--in-process'))
    await until('the other run has begun', () => (other.stderr().includes(': run ') ? true : undefined))
    other.process.kill('SIGINT')
    expect((await other.ended).stderr).toContain(`run ${id} has not finished, and this one begins anew`)

    const resumed = await startMillrace('run', folder.jobFile, '--in-process', '--resume', id).ended
    expect(resumed.code, resumed.stderr).toBe(0)
    expect(resumed.stderr).toContain(`continues run ${id}`)
    expect(folder.output()).toEqual(expectedOutput(2_000))
  })

  test('when its process is killed with SIGKILL, all processes of the job end', async () => {
    const folder = jobFolder(2_000)
    folder.writeJob(folder.spec(2, { interval: '300ms', rate: '20/s' }))
    const millrace = killedAtEnd(startMillrace('run', folder.jobFile))
    const starter = millrace.process.pid ?? 0
    const isRuntime = ({ command }: { command: string }): boolean =>
      /runtime\/main\.ts (coordinator|worker)/.test(command)
    const children = await until('coordinator and four workers run', () => {
      const found = descendantsOf(starter).filter(isRuntime)
      return found.length === 5 ? found : undefined
    })
    process.kill(children[0]?.parent ?? 0, 'SIGKILL')
    await until('no child runs', () => (runningOf(children.map(({ pid }) => pid)).length === 0 ? true : undefined))
    expect((await millrace.ended).code).toBe(137)
  })
})

describe('a job of real processes', () => {
  test('when the coordinator dies before it claimed an attempt, the target is not forgotten', async () => {
    const folder = jobFolder(200)
    const spec = folder.spec(1, { interval: '300ms' })
    const job = localJob(folder)
    await job.start([])
    await job.setTarget({ revision: 'one', spec, desiredState: 'running' })
    job.processes.get('coordinator')?.kill('SIGKILL')
    job.addWorkers(placesOf(spec))
    await reportWith(job, 'finished', ({ phase }) => phase === 'finished')
    expect(folder.output()).toEqual(expectedOutput(200))
  })

  const seed = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 1e6))
  test(`when 20 random processes are killed with SIGKILL (MILLRACE_SEED=${seed}), nothing is lost and nothing comes twice`, async () => {
    const random = mulberry(seed)
    const folder = jobFolder(2_000)
    const job = localJob(folder)
    const slow = folder.spec(2, { interval: '100ms', rate: '200/s' })
    await job.start(placesOf(slow))
    await job.setTarget({ revision: 'slow', spec: slow, desiredState: 'running' })
    await reportWith(job, 'running', ({ phase, recordsIn }) => phase === 'running' && recordsIn > 0)
    for (let kill = 1; kill <= 20; kill++) await killOne(job, random, kill)
    await handOver(job, 'fast', folder.spec(2, { interval: '100ms' }))
    await reportWith(job, 'finished', ({ phase, targetRevision }) => phase === 'finished' && targetRevision === 'fast')
    expect(folder.output()).toEqual(expectedOutput(2_000))
  })

  test('when it is rescaled 2 → 3 → 1 while records flow, each step takes a savepoint and the output is exact', async () => {
    const folder = jobFolder(2_000)
    const job = localJob(folder)
    const slow = { interval: '1h', rate: '300/s' }
    await job.start(placesOf(folder.spec(2, slow)))
    const seen: { attempt: number; savepoint: number | undefined; workers: number }[] = []
    for (const replicas of [2, 3, 1]) {
      await handOver(job, `with ${replicas}`, folder.spec(replicas, slow))
      const { attempt, checkpoint, runningWorkers } = await reportWith(
        job,
        `running with ${replicas} and reading`,
        ({ phase, revision, recordsIn }) => phase === 'running' && revision === `with ${replicas}` && recordsIn > 100,
      )
      seen.push({
        attempt,
        savepoint: checkpoint?.kind === 'savepoint' ? checkpoint.attempt : undefined,
        workers: runningWorkers.length,
      })
    }
    await handOver(job, 'fast', folder.spec(1, { interval: '1h' }))
    const { attempt, restarts } = await reportWith(job, 'finished', ({ phase }) => phase === 'finished')
    expect(seen).toEqual([
      { attempt: 1, savepoint: undefined, workers: 4 },
      { attempt: 2, savepoint: 1, workers: 6 },
      { attempt: 3, savepoint: 2, workers: 2 },
    ])
    expect({ attempt, restarts }).toEqual({ attempt: 4, restarts: 0 })
    expect(folder.output()).toEqual(expectedOutput(2_000))
  })
})

/** Kills one process and waits until it is there again; most times also until the job has made progress since. */
async function killOne(job: LocalJob, random: () => number, kill: number): Promise<void> {
  const names = [...job.processes.keys()].sort()
  const name = random() < 0.25 ? 'coordinator' : (names[Math.floor(random() * names.length)] ?? '')
  const victim = job.processes.get(name)
  const before = await job.report()
  if (before) expect(before.phase, `kill ${kill} comes after the end`).not.toBe('finished')
  victim?.kill('SIGKILL')
  await until(`${name} is started again`, () => (job.processes.get(name) === victim ? undefined : true))
  if (random() < 0.5) return
  const attempt = before?.attempt ?? 0
  await reportWith(
    job,
    `running after kill ${kill} of ${name}`,
    ({ phase, attempt: now, checkpoint }) => phase === 'running' && now > attempt && checkpoint?.attempt === now,
  )
}
