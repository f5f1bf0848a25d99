import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startLocalCluster, type LocalCluster } from '../../cli/local-cluster.ts'
import { API_VERSION } from '../../operator/api/stream-job.ts'
import { streamSavepoints, type StreamSavepoint } from '../../operator/api/stream-savepoint.ts'
import { kubeConnection } from '../../operator/real/kube-config.ts'
import { KubeHttpClient } from '../../operator/real/kube-http-client.ts'
import { controllerRevisions, revisionName } from '../../operator/resources/controller-revision.ts'
import { ClusterJob, conditionOf } from '../harness/cluster-job.ts'
import { JobFolder } from '../harness/job-folder.ts'
import { silentLogger } from '../harness/silent-logger.ts'
import { expectedOutput, windowJob } from '../harness/simulation/window-job.ts'
import { until } from '../harness/until.ts'

const LINES = 1_000
const NAMESPACE = 'default'

describe('the life of a job on the embedded cluster', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-revisions-'))
  const cleanups: (() => Promise<void> | void)[] = []
  let cluster: LocalCluster
  let kube: KubeHttpClient

  beforeAll(async () => {
    cluster = await startLocalCluster({
      dir,
      baseDir: dir,
      logger: silentLogger,
      backoff: { initialMs: 50, maxMs: 200, resetAfterMs: 60_000 },
    })
    kube = new KubeHttpClient(await kubeConnection(cluster.server.kubeconfigPath))
  })
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  afterAll(async () => {
    await kube.close()
    await cluster.close()
    rmSync(dir, { recursive: true, force: true })
  })

  function input(): JobFolder {
    const folder = new JobFolder(LINES)
    cleanups.push(() => {
      folder.delete()
    })
    return folder
  }

  async function gone(job: ClusterJob): Promise<void> {
    if ((await job.read()) !== undefined) await job.delete()
    await until(`${job.name} is gone`, async () =>
      (await job.read()) === undefined && (await job.pods()).length === 0 ? true : undefined,
    )
  }

  async function create(name: string, spec: object): Promise<ClusterJob> {
    const job = await ClusterJob.create(cluster, name, spec)
    cleanups.push(async () => {
      await gone(job)
      await job.close()
    })
    return job
  }

  const savepointsOf = async (job: string, trigger: string): Promise<StreamSavepoint[]> =>
    (await kube.list(streamSavepoints, { namespace: NAMESPACE })).items.filter(
      ({ spec }) => spec.job === job && spec.trigger === trigger,
    )

  test('rollbackTo brings an earlier spec back, from a revision whose text nobody can change', async () => {
    const job = await create('numbered', {
      ...windowJob(1, { folder: input().path, interval: '100ms', rate: '50/s' }),
      deletion: { savepoint: 'Skip' },
    })
    await job.whenReady('Running')
    await job.edit({ replicas: 2 })
    await job.whenSeen('rescaled', ({ status }) => status?.lastOperation?.type === 'Rescale')
    const { status } = await job.whenReady('Running')
    expect(status?.revisions?.map(({ revision, change }) => [revision, change])).toEqual([
      [2, 'rescale'],
      [1, 'graph'],
    ])
    const name = revisionName('numbered', status?.revisions?.at(-1)?.hash ?? '')
    const there = await kube.get(controllerRevisions, { namespace: NAMESPACE, name })
    expect(there).toMatchObject({ revision: 1, data: { replicas: 1 } })
    expect(there.data).not.toHaveProperty('desiredState')
    const patch = kube.patch(controllerRevisions, { namespace: NAMESPACE, name }, { data: { replicas: 9 } })
    await expect(patch).rejects.toThrow('field is immutable')
    await job.edit({ upgrade: { rollbackTo: 1 } })
    await job.whenSeen('back', (one) => conditionOf(one, 'Ready')?.reason === 'RollbackTo')
    await job.whenReported(
      'of one slot',
      ({ phase, runningWorkers }) => phase === 'running' && runningWorkers.length === 2,
    )
    await job.edit({ upgrade: { rollbackTo: 5 } })
    const refused = await job.whenSeen('refused', (one) => conditionOf(one, 'Ready')?.reason === 'SpecInvalid')
    expect(refused.status?.message).toContain('there are 2, 1')
    expect(await job.events()).toContain(
      'RollbackTo: Revision 1 runs in place of the newest spec until spec.upgrade.rollbackTo is removed.',
    )
  })

  test('the savepoints of a suspension and of a deletion outlive the job, and the next one of the name starts from the newest', async () => {
    const folder = input()
    const first = await create('again', windowJob(2, { folder: folder.path, interval: '100ms', rate: '200/s' }))
    await first.whenReported('under way', ({ recordsIn, checkpoint }) => recordsIn > 100 && checkpoint !== null)
    await first.edit({ desiredState: 'Suspended' })
    await first.whenSeen('Suspended', ({ status }) => status?.phase === 'Suspended')
    await first.edit({ desiredState: 'Running' })
    await first.whenReported('on', ({ phase, attempt }) => phase === 'running' && attempt === 2)
    await gone(first)
    const [suspended] = await savepointsOf('again', 'Suspend')
    const [final] = await savepointsOf('again', 'Final')
    for (const one of [suspended, final]) {
      const { phase, location = '' } = one?.status ?? {}
      expect(phase).toBe('Completed')
      expect(existsSync(join(fileURLToPath(location), 'manifest.json')), location).toBe(true)
    }
    const next = await create('again', {
      ...windowJob(1, { folder: folder.path, interval: '100ms' }),
      restore: { latestOf: 'again' },
    })
    await next.whenReady('Finished')
    expect(folder.output()).toEqual(expectedOutput(LINES))
    expect(await next.report()).toMatchObject({ restore: final?.status?.location })
  })

  test.each<[string, object, string]>([
    [
      'two sources of its state',
      { restore: { path: '/a', latestOf: 'b' } },
      'give one of savepoint, path and latestOf',
    ],
    ['no source of its state', { restore: {} }, 'give one of savepoint, path and latestOf'],
    ['a UID of nothing', { restore: { path: '/a', uid: 'u' } }, 'uid goes with latestOf'],
    ['savepoints every ten seconds', { savepoints: { every: '10s' } }, 'must be from 1m to 7d, found 10s'],
    ['savepoints at no times', { savepoints: { keep: 3 } }, 'spec.savepoints.every: Required value'],
    ['no savepoint that stays', { savepoints: { every: '1h', keep: 0 } }, 'greater than or equal to 1'],
    ['savepoints for years', { savepoints: { every: '1h', maxAge: '800d' } }, 'must be from 1m to 365d, found 800d'],
    ['a revision below the first', { upgrade: { rollbackTo: 0 } }, 'greater than or equal to 1'],
    ['a history without end', { upgrade: { revisionHistoryLimit: 51 } }, 'less than or equal to 50'],
  ])('a job with %s is refused at apply', async (_, change, message) => {
    const creation = ClusterJob.create(cluster, 'refused', { graph: [{ id: 'a' }], ...change })
    await expect(creation).rejects.toThrow(message)
  })

  test('the trigger of a StreamSavepoint is Manual when it says nothing, and stays as it is', async () => {
    const ref = { namespace: NAMESPACE, name: 'by-hand' }
    const made = { apiVersion: API_VERSION, kind: 'StreamSavepoint', metadata: ref, spec: { job: 'nobody' } }
    expect((await kube.create(streamSavepoints, made)).spec.trigger).toBe('Manual')
    const patch = kube.patch(streamSavepoints, ref, { spec: { trigger: 'Periodic' } })
    await expect(patch).rejects.toThrow('a savepoint is asked for once')
    const unknown = { ...made, metadata: { ...ref, name: 'other' }, spec: { job: 'nobody', trigger: 'Rescale' } }
    await expect(kube.create(streamSavepoints, unknown as unknown as StreamSavepoint)).rejects.toThrow(
      'Unsupported value: "Rescale"',
    )
    await kube.delete(streamSavepoints, ref)
  })
})
