import { describe, expect, test } from 'vitest'
import { API_VERSION, type StreamJob, streamJobs } from '../../../../operator/api/stream-job.ts'
import type { Pod } from '../../../../operator/kube/objects.ts'
import { pods } from '../../../../operator/kube/resource-type.ts'
import { JOB_LABEL } from '../../../../operator/resources/labels.ts'
import { predecessorOf } from '../../../../operator/streamjob/predecessor.ts'
import { FakeKube } from '../../../harness/fake-kube.ts'

const UID = '6f1c0c0e-0000-4000-8000-000000000001'
const LOCATION = `file:///checkpoints/team/orders/${UID}/checkpoints/4-17`

function job(uid: string): StreamJob {
  return {
    apiVersion: API_VERSION,
    kind: 'StreamJob',
    metadata: { namespace: 'team', name: 'orders', uid },
    spec: { graph: [] },
  }
}

function podOf(uid: string): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: 'team',
      name: 'orders-in-0',
      labels: { [JOB_LABEL]: 'orders' },
      ownerReferences: [{ apiVersion: API_VERSION, kind: 'StreamJob', name: 'orders', uid }],
    },
    spec: {},
  }
}

describe('the predecessor of a job that is restored', () => {
  test.each([LOCATION, `${LOCATION}/manifest.json`, `/checkpoints/team/orders/${UID}/`])(
    'is named by %s when its job and its pods are gone, although another job has its name',
    async (location) => {
      const kube = new FakeKube(() => 0)
      await kube.create(streamJobs, job('another'))
      await kube.create(pods, podOf('another'))
      expect(await predecessorOf(kube, 'team', location)).toBe(UID)
    },
  )

  test('is nobody while the job is there', async () => {
    const kube = new FakeKube(() => 0)
    await kube.create(streamJobs, job(UID))
    expect(await predecessorOf(kube, 'team', LOCATION)).toBeUndefined()
  })

  test('is nobody while a pod of it is there', async () => {
    const kube = new FakeKube(() => 0)
    await kube.create(pods, podOf(UID))
    expect(await predecessorOf(kube, 'team', LOCATION)).toBeUndefined()
  })

  test('is nobody while pods of its name belong to nobody: --cascade=orphan leaves them running', async () => {
    const kube = new FakeKube(() => 0)
    const { ownerReferences: _, ...metadata } = podOf(UID).metadata
    await kube.create(pods, { ...podOf(UID), metadata })
    expect(await predecessorOf(kube, 'team', LOCATION)).toBeUndefined()
  })

  test.each([`file:///checkpoints/other/orders/${UID}/checkpoints/4-17`, '/checkpoints', 'x'])(
    'is nobody for %s, which is not of a job of the namespace',
    async (location) => {
      expect(await predecessorOf(new FakeKube(() => 0), 'team', location)).toBeUndefined()
    },
  )
})
