import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  startLocalCluster,
  startLocalOperator,
  type LocalCluster,
  type LocalClusterOptions,
} from '../../cli/local-cluster.ts'
import type { RunningOperator } from '../../operator/operator.ts'
import { JOB_PORTS } from '../../operator/resources/job-pod.ts'
import { ClusterJob, conditionOf } from '../harness/cluster-job.ts'
import { JobFolder } from '../harness/job-folder.ts'
import { runningOf } from '../harness/processes.ts'
import { silentLogger } from '../harness/silent-logger.ts'
import { mulberry } from '../../sim/seeded-random.ts'
import { expectedOutput, windowJob } from '../harness/simulation/window-job.ts'
import { until } from '../harness/until.ts'

const KILLS = 20

interface Probe {
  httpGet: { path: string; port: number }
}

describe('a StreamJob on the embedded cluster, where another program has the usual port', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-cluster-'))
  const options: LocalClusterOptions = {
    dir,
    baseDir: dir,
    logger: silentLogger,
    backoff: { initialMs: 50, maxMs: 200, resetAfterMs: 60_000 },
  }
  const cleanups: (() => Promise<void> | void)[] = []
  let cluster: LocalCluster
  /** The one that runs now: tests end it and start another. */
  let operator: RunningOperator

  /** As Flink or a schema registry would: at all addresses, those of pods included. */
  const foreign = createServer()

  beforeAll(async () => {
    // Where another program has it already, that one serves the purpose.
    foreign.once('error', () => undefined).listen(JOB_PORTS.http, '0.0.0.0')
    cluster = await startLocalCluster(options)
    operator = cluster.operator
  })
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  afterAll(async () => {
    await operator.stop()
    await cluster.close()
    foreign.close()
    rmSync(dir, { recursive: true, force: true })
  })

  function inputOf(lines: number): JobFolder {
    const folder = new JobFolder(lines)
    cleanups.push(() => {
      folder.delete()
    })
    return folder
  }

  /** Goes with the test: what is left of a job would take the next one's processor. */
  async function create(name: string, spec: object): Promise<ClusterJob> {
    const job = await ClusterJob.create(cluster, name, { deletion: { savepoint: 'Skip' }, ...spec })
    cleanups.push(async () => {
      if ((await job.read()) !== undefined) await job.delete()
      await until(`${name} is gone`, async () =>
        (await job.read()) === undefined && (await job.pods()).length === 0 ? true : undefined,
      )
      await job.close()
    })
    return job
  }

  test('when it is created it becomes Ready with pods of its own, finishes, and its output is the plain computation', async () => {
    const folder = inputOf(2_000)
    const job = await create('plain', windowJob(2, { folder: folder.path, interval: '300ms', rate: '1000/s' }))
    const {
      metadata: { uid },
      status,
    } = await job.whenReady('Running')
    const pods = await job.pods()
    expect(pods.map(({ metadata }) => metadata.name)).toEqual(
      ['plain-bids-0', 'plain-bids-1', 'plain-coordinator', 'plain-hot-0', 'plain-hot-1'].map(
        (name) => `${name}-${status?.template ?? ''}`,
      ),
    )
    expect(
      pods.map(({ metadata }) =>
        metadata.ownerReferences?.map((owner) => ({ uid: owner.uid, controller: owner.controller })),
      ),
    ).toEqual(pods.map(() => [{ uid, controller: true }]))
    expect(status).toMatchObject({ attempt: 1, replicas: 2, restarts: 0 })
    const finished = await job.whenReady('Finished')
    expect(finished.status).toMatchObject({
      attempt: 1,
      restarts: 0,
      lastOperation: { type: 'Deploy', result: 'Succeeded' },
    })
    expect(folder.output()).toEqual(expectedOutput(2_000))
  })

  test('when it is scaled 2 → 3 → 1 while records flow, the output is exact, events say so and surplus pods go', async () => {
    const folder = inputOf(2_000)
    const slow = { folder: folder.path, interval: '1h', rate: '150/s' }
    const job = await create('scaled', windowJob(2, slow))
    for (const [step, replicas] of [2, 3, 1].entries()) {
      if (step > 0) await job.scale(replicas)
      const { status } = await job.whenSeen(
        `running with ${replicas}`,
        (seen) =>
          conditionOf(seen, 'Ready')?.status === 'True' &&
          seen.status?.phase === 'Running' &&
          seen.status.replicas === replicas,
      )
      const counted = await job.pods(status?.selector)
      expect(counted.map(({ metadata }) => metadata.name)).toEqual(
        Array.from({ length: replicas }, (_, slot) => `scaled-bids-${slot}-${status?.template ?? ''}`),
      )
      await until(`coordinator and ${2 * replicas} workers are all that is left`, async () =>
        (await job.pods()).length === 1 + 2 * replicas ? true : undefined,
      )
      const { attempt } = await job.whenReported(
        `reading as attempt ${step + 1}`,
        ({ phase, recordsIn }) => phase === 'running' && recordsIn > 50,
      )
      expect(attempt).toBe(step + 1)
    }
    await until('events tell of both scalings', async () => {
      const events = await job.events() // each is written after the status that it tells of
      return [
        'SpecChanged: rescale: replicas 2 → 3',
        'SpecChanged: rescale: replicas 3 → 1',
        'RescaleCompleted: Attempt 2 runs',
        'RescaleCompleted: Attempt 3 runs',
      ].every((told) => events.some((event) => event.startsWith(told)))
        ? true
        : undefined
    })
    await job.edit(windowJob(1, { folder: folder.path, interval: '1h' }))
    expect((await job.whenReady('Finished')).status).toMatchObject({ restarts: 0 })
    expect(folder.output()).toEqual(expectedOutput(2_000))
  })

  test('when its pods are to be others, they start beside those that run, take over, and the output is exact', async () => {
    const folder = inputOf(2_000)
    const slow = { folder: folder.path, interval: '1h', rate: '150/s' }
    const job = await create('upgraded', windowJob(2, slow))
    await job.whenReady('Running')
    await job.whenReported('reading', ({ phase, recordsIn }) => phase === 'running' && recordsIn > 50)
    const before = (await job.pods()).map(({ metadata }) => metadata.uid)
    await job.edit({ restartNonce: 'once' })
    const beside = await until('all are there', async () => {
      const pods = await job.pods()
      return pods.length === 10 ? pods : undefined
    })
    const isWhole = beside.filter(
      ({ metadata }) => before.includes(metadata.uid) && metadata.deletionTimestamp === undefined,
    )
    expect(isWhole).toHaveLength(5)
    const { status } = await job.whenReady('Running')
    expect(status).toMatchObject({ restarts: 0, lastOperation: { type: 'Upgrade', result: 'Succeeded' } })
    await until('the old ones are gone', async () => ((await job.pods()).length === 5 ? true : undefined))
    expect((await job.report())?.attempt).toBe(2)
    await job.edit(windowJob(2, { folder: folder.path, interval: '1h' }))
    expect((await job.whenReady('Finished')).status).toMatchObject({ restarts: 0 })
    expect(folder.output()).toEqual(expectedOutput(2_000))
  })

  test('when the API server would not take its new pods, it says why and the job runs on until that is mended', async () => {
    const folder = inputOf(2_000)
    const job = await create('refused', windowJob(1, { folder: folder.path, interval: '300ms', rate: '300/s' }))
    await job.whenReady('Running')
    const before = (await job.pods()).map(({ metadata }) => metadata.uid)
    const asksFor = (container: object, metadata = {}): object => ({
      podTemplate: { metadata, spec: { containers: [{ name: 'millrace', ...container }] } },
    })
    for (const [template, words] of [
      [asksFor({}, { labels: { team: 'a b' } }), 'a b'],
      [asksFor({ resources: { requests: { cpu: 'lots' } } }), 'quantities must match'],
      [asksFor({ volumeMounts: [{ name: 'nowhere', mountPath: '/x' }] }), 'Not found: "nowhere"'],
    ] as const) {
      await job.edit({ podTemplate: null })
      await job.edit(template)
      const refused = await job.whenSeen(
        `told of ${words}`,
        (seen) =>
          conditionOf(seen, 'Stalled')?.reason === 'PodRefused' && seen.status?.message?.includes(words) === true,
      )
      expect(refused.status?.message).toMatch(/The job runs on with its previous pods\.$/)
    }
    expect((await job.pods()).map(({ metadata }) => metadata.uid)).toEqual(before)
    expect(await job.report()).toMatchObject({ phase: 'running', attempt: 1 })
    await job.edit({ podTemplate: null })
    await job.whenReady('Running')
    await job.edit(windowJob(1, { folder: folder.path, interval: '300ms' }))
    expect((await job.whenReady('Finished')).status).toMatchObject({ attempt: 2, restarts: 0 })
    expect(folder.output()).toEqual(expectedOutput(2_000))
  })

  test('a process that is stopped does not answer its liveness probe, though the kernel opens connections for it', async () => {
    const folder = inputOf(100)
    const job = await create('stopped', windowJob(1, { folder: folder.path, interval: '1h', rate: '10/s' }))
    await job.whenReady('Running')
    for (const pod of await job.pods()) {
      const { livenessProbe } = (pod.spec as { containers: { livenessProbe?: Probe }[] }).containers[0] ?? {}
      const { path, port } = livenessProbe?.httpGet ?? { path: '', port: 0 }
      const answered = (ms: number): Promise<number> =>
        fetch(`http://${pod.status?.podIP ?? ''}:${port}${path}`, { signal: AbortSignal.timeout(ms) }).then(
          ({ status }) => status,
          () => 0,
        )
      expect(await answered(10_000), pod.metadata.name).toBe(200)
      const pid = cluster.node.pidOf('default', pod.metadata.name) ?? 0
      process.kill(pid, 'SIGSTOP')
      expect(await answered(300), pod.metadata.name).toBe(0)
      process.kill(pid, 'SIGCONT')
      expect(await answered(10_000), pod.metadata.name).toBe(200)
    }
  })

  test('when an edit is invalid, Ready is False naming reason and field, and the last good spec runs on to its exact end', async () => {
    const folder = inputOf(2_000)
    const spec = windowJob(1, { folder: folder.path, interval: '300ms', rate: '1000/s' })
    const job = await create('edited', spec)
    await job.whenReady('Running')
    const before = (await job.pods()).map(({ metadata }) => metadata.uid)
    await job.edit({
      graph: spec.graph.map((entry) => (entry.id === 'dear' ? { ...entry, filter: 'prize > 100' } : entry)),
    })
    const refused = await job.whenSeen('refused', (seen) => conditionOf(seen, 'Ready')?.status === 'False')
    expect(conditionOf(refused, 'Ready')).toMatchObject({
      reason: 'SpecInvalid',
      message: expect.stringMatching(/^spec\.graph\[1\]\.filter.*prize[^]*The last valid spec stays in force\.$/),
    })
    expect(conditionOf(refused, 'Stalled')).toMatchObject({ status: 'True', reason: 'SpecInvalid' })
    const finished = await job.whenSeen('Finished', (seen) => seen.status?.phase === 'Finished')
    expect(conditionOf(finished, 'Ready')).toMatchObject({ status: 'False', reason: 'SpecInvalid' })
    expect(finished.status).toMatchObject({ attempt: 1, restarts: 0 })
    expect((await job.pods()).map(({ metadata }) => metadata.uid)).toEqual(before)
    expect(folder.output()).toEqual(expectedOutput(2_000))
  })

  const seed = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 1e6))
  test(`when ${KILLS} processes of pods are killed and the operator is restarted (MILLRACE_SEED=${seed}), the output is exact`, async () => {
    const random = mulberry(seed)
    const folder = inputOf(2_000)
    const job = await create('killed', windowJob(2, { folder: folder.path, interval: '100ms', rate: '100/s' }))
    await job.whenReady('Running')
    let known = 0
    for (let kill = 1; kill <= KILLS; kill++) {
      known = await killOne(job, random, { kill, known })
      if (kill % 5 === 0) {
        await operator.stop()
        operator = await startLocalOperator(cluster.server, options)
      }
    }
    expect((await job.report())?.phase).not.toBe('finished')
    await job.edit(windowJob(2, { folder: folder.path, interval: '100ms' }))
    await job.whenReady('Finished')
    expect(folder.output()).toEqual(expectedOutput(2_000))
  })

  /**
   * Kills one pod's process and waits for its successor; half of the times also until an attempt after the newest one
   * known has completed a checkpoint. A coordinator that is just starting says nothing, so what is known is handed on.
   * Resolves with the newest attempt known now.
   */
  async function killOne(
    job: ClusterJob,
    random: () => number,
    { kill, known }: { kill: number; known: number },
  ): Promise<number> {
    const names = (await job.pods()).map(({ metadata }) => metadata.name)
    const coordinator = names.find((one) => one.startsWith('killed-coordinator-'))
    const name = (random() < 0.25 ? coordinator : names[Math.floor(random() * names.length)]) ?? ''
    const before = Math.max(known, (await job.report())?.attempt ?? 0)
    const victim = await until(`${name} runs`, () => cluster.node.pidOf('default', name))
    process.kill(victim, 'SIGKILL')
    await until(`${name} is started again`, () =>
      [undefined, victim].includes(cluster.node.pidOf('default', name)) ? undefined : true,
    )
    if (random() < 0.5) return before
    const { attempt } = await job.whenReported(
      `running after kill ${kill} of ${name}, beyond attempt ${before}`,
      (report) =>
        report.phase === 'running' && report.attempt > before && report.checkpoint?.attempt === report.attempt,
    )
    return attempt
  }

  test('when it is deleted while it runs, it leaves a savepoint, its processes end and its finalizer lets go within the deadline', async () => {
    const folder = inputOf(2_000)
    const job = await create('deleted', {
      ...windowJob(1, { folder: folder.path, interval: '1h', rate: '100/s' }),
      deletion: { deadline: '60s', savepoint: 'Take' },
    })
    await job.whenReady('Running')
    const names = (await job.pods()).map(({ metadata }) => metadata.name)
    const pids = names.map((name) => cluster.node.pidOf('default', name) ?? 0)
    expect(runningOf(pids)).toHaveLength(3)
    await job.delete()
    await until('the object is gone', async () => ((await job.read()) === undefined ? true : undefined))
    expect(await job.pods()).toEqual([])
    expect(runningOf(pids)).toEqual([])
    const reasons = (await job.events()).map((event) => event.split(':')[0])
    expect(reasons).not.toContain('DeletedWithLeftovers')
    expect(reasons).not.toContain('StoppedWithoutSavepoint')
    const [, location = ''] =
      /FinalSavepoint: The last savepoint is at (\S+):/.exec((await job.events()).join('\n')) ?? []
    const next = await create('next', {
      ...windowJob(1, { folder: folder.path, interval: '1h' }),
      restore: { path: location },
    })
    await next.whenReady('Finished')
    expect(folder.output()).toEqual(expectedOutput(2_000))
    const stored = readdirSync(join(dir, 'checkpoints', 'default', 'deleted'), {
      recursive: true,
      withFileTypes: true,
    }).filter((entry) => entry.isFile())
    expect(
      stored.filter(({ parentPath, name }) =>
        readFileSync(join(parentPath, name), 'utf8').includes('"kind":"savepoint"'),
      ),
    ).not.toEqual([])
  })

  test('when it is deleted with --cascade=orphan, its processes run on, and an Event says how to stop them', async () => {
    const folder = inputOf(2_000)
    const job = await create('orphaned', windowJob(1, { folder: folder.path, interval: '1h', rate: '100/s' }))
    await job.whenReady('Running')
    const names = (await job.pods()).map(({ metadata }) => metadata.name)
    const pids = names.map((name) => cluster.node.pidOf('default', name) ?? 0)
    await job.delete({ propagationPolicy: 'Orphan' })
    await until('the object is gone', async () => ((await job.read()) === undefined ? true : undefined))
    expect(runningOf(pids)).toHaveLength(3)
    expect(await job.events()).toContainEqual(
      expect.stringMatching(/^Orphaned: .*kubectl delete pods,.* -l millrace.dev\/job=orphaned$/),
    )
    await job.deletePods()
    await until('its processes have ended', () => (runningOf(pids).length === 0 ? true : undefined))
  })
})
