import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { SavepointContents } from '../../cli/inspect-savepoint.ts'
import { startLocalCluster, type LocalCluster } from '../../cli/local-cluster.ts'
import type { JsonObject } from '../../embedded/objects.ts'
import { API_VERSION } from '../../operator/api/stream-job.ts'
import type { StreamSavepoint } from '../../operator/api/stream-savepoint.ts'
import { ClusterJob, conditionOf } from '../harness/cluster-job.ts'
import { JobFolder } from '../harness/job-folder.ts'
import { startMillrace } from '../harness/processes.ts'
import { silentLogger } from '../harness/silent-logger.ts'
import { expectedOutput, windowJob } from '../harness/simulation/window-job.ts'
import { until } from '../harness/until.ts'

const SAVEPOINTS = 'streamsavepoints.millrace.dev'
const LINES = 1_000

function hasOutput(folder: JobFolder): boolean {
  return existsSync(join(folder.path, 'out')) && folder.output().length > 0
}

describe('savepoints on the embedded cluster', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-savepoint-'))
  const cleanups: (() => Promise<void> | void)[] = []
  let cluster: LocalCluster

  beforeAll(async () => {
    cluster = await startLocalCluster({
      dir,
      baseDir: dir,
      logger: silentLogger,
      backoff: { initialMs: 50, maxMs: 200, resetAfterMs: 60_000 },
    })
  })
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  afterAll(async () => {
    await cluster.close()
    rmSync(dir, { recursive: true, force: true })
  })

  function inputOf(lines = LINES): JobFolder {
    const folder = new JobFolder(lines)
    cleanups.push(() => {
      folder.delete()
    })
    return folder
  }

  async function create(name: string, spec: object): Promise<ClusterJob> {
    const job = await ClusterJob.create(cluster, name, { deletion: { savepoint: 'Skip' }, ...spec })
    cleanups.push(async () => {
      await end(job)
      await job.close()
    })
    return job
  }

  async function end(job: ClusterJob): Promise<void> {
    if ((await job.read()) !== undefined) await job.delete()
    await until(`${job.name} is gone`, async () =>
      (await job.read()) === undefined && (await job.pods()).length === 0 ? true : undefined,
    )
  }

  const savepointNamed = (name: string): StreamSavepoint | undefined =>
    cluster.server.local('test').get(SAVEPOINTS, 'default', name) as StreamSavepoint | undefined

  async function savepointOf(
    job: string,
    name: string,
    spec: JsonObject = {},
  ): Promise<StreamSavepoint & { status: { location: string } }> {
    cluster.server.local('test').create(SAVEPOINTS, 'default', {
      apiVersion: API_VERSION,
      kind: 'StreamSavepoint',
      metadata: { name },
      spec: { job, ...spec },
    })
    return until(`${name} is completed`, () => {
      const savepoint = savepointNamed(name)
      if (savepoint?.status?.phase === 'Failed') throw new Error(`${name} failed: ${JSON.stringify(savepoint.status)}`)
      return savepoint?.status?.phase === 'Completed' && savepoint.status.location !== undefined
        ? (savepoint as StreamSavepoint & { status: { location: string } })
        : undefined
    })
  }

  const folderOf = (location: string): string => (location.startsWith('file:') ? fileURLToPath(location) : location)

  test('when one is applied, the running job keeps its state at the location told, and the files go with the object when it says so', async () => {
    const job = await create('kept', windowJob(2, { folder: inputOf().path, interval: '100ms', rate: '100/s' }))
    await job.whenReported('keeping state', ({ checkpoint }) => (checkpoint?.sizeBytes ?? 0) > 0)
    const { status, metadata } = await savepointOf('kept', 'kept-1', { deletionPolicy: 'Delete' })
    expect(status).toMatchObject({ attempt: 1, location: expect.stringContaining('/default/kept/') as string })
    expect(status.conditions?.map(({ type, status: holds, reason }) => `${type}=${holds}/${reason}`)).toEqual([
      'Completed=True/Completed',
      'Ready=True/Completed',
    ])
    expect(metadata.finalizers).toEqual(['millrace.dev/release'])
    const { attempt, checkpoint } = await job.whenReported(
      'running on',
      ({ phase, checkpoint: newest }) => phase === 'running' && newest?.kind === 'checkpoint',
    )
    expect({ attempt, isLater: (checkpoint?.completedAt ?? 0) > 0 }).toEqual({ attempt: 1, isLater: true })
    expect(existsSync(join(folderOf(status.location), 'manifest.json'))).toBe(true)
    cluster.server.local('test').remove(SAVEPOINTS, 'default', 'kept-1')
    await until('the object is gone', () => (savepointNamed('kept-1') === undefined ? true : undefined))
    expect(existsSync(join(folderOf(status.location), 'manifest.json'))).toBe(false)
  })

  test('when a new job starts from the savepoint of a suspended one, it takes over where that stopped: nothing is lost, nothing comes twice', async () => {
    const folder = inputOf()
    // One slot for each file: windows close while it reads.
    const old = await create('old', windowJob(3, { folder: folder.path, interval: '100ms', rate: '200/s' }))
    await until('output is committed', () => (hasOutput(folder) ? true : undefined))
    await old.edit({ desiredState: 'Suspended' })
    await old.whenSeen('Suspended', ({ status }) => status?.phase === 'Suspended')
    const { status } = await savepointOf('old', 'takeover')
    const before = folder.output().length
    const fresh = await create('fresh', {
      ...windowJob(2, { folder: folder.path, interval: '100ms' }),
      restore: { savepoint: 'takeover' },
    })
    await fresh.whenReady('Finished')
    expect(before).toBeLessThan(expectedOutput(LINES).length)
    expect(folder.output()).toEqual(expectedOutput(LINES))
    expect(await fresh.events()).toContain(`RestoreStarted: The job starts from ${status.location}.`)
    expect(await fresh.report()).toMatchObject({ attempt: 1, restore: status.location })
  })

  test('when the old job is gone, a job still starts from where its savepoint lies, and a later crash restores its own state', async () => {
    const folder = inputOf()
    const old = await create('gone', windowJob(1, { folder: folder.path, interval: '100ms', rate: '200/s' }))
    await old.whenReported('under way', ({ recordsIn, checkpoint }) => recordsIn > 100 && checkpoint !== null)
    await old.edit({ desiredState: 'Suspended' })
    await old.whenSeen('Suspended', ({ status }) => status?.phase === 'Suspended')
    const { status } = await savepointOf('gone', 'outlives')
    await end(old)
    const heir = await create('heir', {
      ...windowJob(2, { folder: folder.path, interval: '100ms', rate: '300/s' }),
      restore: { path: status.location },
    })
    const { checkpoint } = await heir.whenReported('running', ({ phase }) => phase === 'running')
    expect(checkpoint?.attempt).toBe(0)
    rmSync(folderOf(status.location), { recursive: true })
    const [victim] = await heir.pods('millrace.dev/chain=hot')
    const pid = cluster.node.pidOf('default', victim?.metadata.name ?? '')
    if (pid === undefined) throw new Error('no worker runs')
    process.kill(pid, 'SIGKILL')
    await heir.whenReported('running again', ({ phase, attempt }) => phase === 'running' && attempt > 1)
    await heir.edit({ graph: windowJob(2, { folder: folder.path, interval: '100ms' }).graph })
    await heir.whenReady('Finished')
    expect(folder.output()).toEqual(expectedOutput(LINES))
  })

  test('when graph and state do not fit, the job is refused with every reason, before anything of it starts', async () => {
    const folder = inputOf()
    const job = await create('original', windowJob(1, { folder: folder.path, interval: '100ms', rate: '100/s' }))
    await job.whenReported('keeping state', ({ checkpoint }) => (checkpoint?.sizeBytes ?? 0) > 0)
    await savepointOf('original', 'misfit')
    const { graph, ...rest } = windowJob(1, { folder: folder.path, interval: '100ms' })
    const changed = graph.map((entry) => (entry.id === 'hot' ? { ...entry, aggregate: { bids: 'count()' } } : entry))
    const other = await create('misfits', {
      ...rest,
      graph: changed,
      maxParallelism: 64,
      restore: { savepoint: 'misfit' },
    })
    const seen = await other.whenSeen('refused', (one) => conditionOf(one, 'Ready')?.reason === 'RestoreIncompatible')
    expect(conditionOf(seen, 'Ready')?.message).toContain('maxParallelism 128 → 64')
    expect(conditionOf(seen, 'Ready')?.message).toContain('"hot": aggregate changed')
    expect(conditionOf(seen, 'Stalled')?.status).toBe('True')
    expect(seen.status?.attempt).toBe(0)
    expect(await other.report()).toMatchObject({ attempt: 0, phase: 'failed', runningWorkers: [], checkpoint: null })
    await other.edit({ graph })
    expect(
      conditionOf(
        await other.whenSeen(
          'still refused',
          (one) =>
            conditionOf(one, 'Ready')?.message.includes('aggregate') === false &&
            conditionOf(one, 'Ready')?.reason === 'RestoreIncompatible',
        ),
        'Ready',
      )?.message,
    ).toContain('maxParallelism')
    await other.edit({ maxParallelism: 128 })
    await other.whenReported('running', ({ attempt }) => attempt > 0)
  })

  test('when the savepoint that it names is not there, it waits and says so; once started, a restore is refused', async () => {
    const folder = inputOf()
    const job = await create('waits', {
      ...windowJob(1, { folder: folder.path, interval: '100ms', rate: '20/s' }),
      restore: { savepoint: 'not-yet' },
    })
    const seen = await job.whenSeen('waiting', (one) => conditionOf(one, 'Ready')?.reason === 'SavepointMissing')
    expect(conditionOf(seen, 'Ready')?.message).toContain('not-yet')
    expect(await job.pods()).toEqual([])
    await job.edit({ restore: null })
    await job.whenReady('Running')
    await job.edit({ restore: { path: '/anywhere' } })
    const refused = await job.whenSeen('refused', (one) => conditionOf(one, 'Ready')?.reason === 'SpecInvalid')
    expect(refused.status?.message).toContain('RESTORE_TOO_LATE')
    expect(refused.status?.phase).toBe('Running')
  })
})

describe('savepoints of millrace run', () => {
  const folders: JobFolder[] = []
  afterEach(() => {
    for (const folder of folders.splice(0)) folder.delete()
  })

  test('when a run is interrupted, another one restores its newest checkpoint with --restore, and inspect says what is in it', async () => {
    const folder = new JobFolder(LINES)
    folders.push(folder)
    folder.writeJob(folder.spec(3, { interval: '100ms', rate: '200/s' }))
    const first = startMillrace('run', folder.jobFile)
    await until('output is committed', () => (hasOutput(folder) ? true : undefined)).catch((error: unknown) => {
      first.process.kill('SIGKILL')
      throw error
    })
    first.process.kill('SIGINT')
    await first.ended
    const [location = ''] = folder.runs()
    const inspected = await startMillrace('savepoint', 'inspect', location, '-o', 'json').ended
    expect(inspected.code, inspected.stderr).toBe(0)
    const contents = JSON.parse(inspected.stdout) as SavepointContents
    expect(contents).toMatchObject({ job: 'hot-auctions', attempt: 1, maxParallelism: 128, problems: [] })
    expect(contents.operators.map(({ id, verb }) => [id, verb])).toEqual([
      ['bids', 'source'],
      ['hot', 'window'],
      ...(contents.operators.length > 2 ? [['out', 'sink']] : []),
    ])
    expect(contents.operators[0]?.positions.length).toBeGreaterThanOrEqual(3)
    expect((await startMillrace('savepoint', 'inspect', location).ended).stdout).toMatch(
      /^hot \(window\), 3 subtasks\n {2}fields {4}auction: long, windowStart: timestamp/m,
    )

    folder.writeJob(folder.spec(2, { interval: '100ms' }))
    const second = await startMillrace('run', folder.jobFile, '--restore', location).ended
    expect(second.code, second.stderr).toBe(0)
    expect(folder.output()).toEqual(expectedOutput(LINES))
  })

  test('when nothing lies at the path, run and inspect end with 1 and name it', async () => {
    const folder = new JobFolder(1)
    folders.push(folder)
    folder.writeJob(folder.spec(1, { interval: '100ms' }))
    const nowhere = join(folder.path, 'nowhere')
    for (const args of [
      ['run', folder.jobFile, '--restore', nowhere],
      ['savepoint', 'inspect', nowhere],
    ]) {
      const { code, stderr } = await startMillrace(...args).ended
      expect(code, stderr).toBe(1)
      expect(stderr).toMatch(new RegExp(`RESTORE_MISSING:? there is no savepoint at ${nowhere}`))
    }
  })
})
