import { describe, expect, test } from 'vitest'
import { API_VERSION, FINALIZER, streamJobs } from '../../../../operator/api/stream-job.ts'
import type { OperationType, StreamJob, StreamJobStatus } from '../../../../operator/api/stream-job.ts'
import type { Pod } from '../../../../operator/kube/objects.ts'
import { pods as podResource } from '../../../../operator/kube/resource-type.ts'
import { JOB_LABEL } from '../../../../operator/resources/labels.ts'
import type { Act, Decision } from '../../../../operator/streamjob/decision.ts'
import { JobViews, standsOnTold } from '../../../../operator/streamjob/job-views.ts'
import { FakeKube } from '../../../harness/fake-kube.ts'
import { ManualClock } from '../../../harness/manual-clock.ts'
import { countsSpec, REF } from '../../../harness/operator-world.ts'

const operationOf = (type: OperationType): NonNullable<StreamJobStatus['operation']> => ({
  id: 'x',
  type,
  step: 'deploy',
  tries: 0,
  startedAt: '2026-11-23T10:00:00Z',
  deadline: '2026-11-23T10:05:00Z',
})

/** A cache that was told of a job, and an API server that knows a newer one. */
class Views {
  readonly clock = new ManualClock()
  readonly kube = new FakeKube(() => this.clock.now())
  readonly learnt: string[] = []
  hasSynced = true
  told: StreamJob
  pods: Pod[]
  readonly views = new JobViews({
    kube: this.kube,
    clock: this.clock,
    cache: {
      hasSynced: () => this.hasSynced,
      find: () => this.told,
      related: <R>() => this.pods as R[],
      learn: (resource) => {
        this.learnt.push(resource.plural)
      },
    },
  })

  constructor(status: Partial<StreamJobStatus> = {}, metadata: Partial<StreamJob['metadata']> = {}) {
    this.told = {
      apiVersion: API_VERSION,
      kind: 'StreamJob',
      metadata: { ...REF, uid: 'uid', finalizers: [FINALIZER], resourceVersion: '5', ...metadata },
      spec: countsSpec(),
      status: { observedGeneration: 1, phase: 'Running', ...status } as StreamJobStatus,
    }
    this.pods = [podOf('a', 'True')]
  }

  isTrusted(): boolean {
    return this.views.told(REF) !== undefined
  }
}

function podOf(name: string, ready: string): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: REF.namespace, name, labels: { [JOB_LABEL]: REF.name } },
    spec: {},
    status: { conditions: [{ type: 'Ready', status: ready }] },
  }
}

describe('what watches tell of a job is decided on', () => {
  const deleted = { deletionTimestamp: '2026-11-23T10:00:00Z' }
  test.each<[isTrusted: boolean, when: string, views: Views]>([
    [true, 'when nothing is under way', new Views()],
    [true, 'when it is being deployed', new Views({ operation: operationOf('Deploy') })],
    [false, 'when it is being rescaled', new Views({ operation: operationOf('Rescale') })],
    [false, 'when it is being upgraded', new Views({ operation: operationOf('Upgrade') })],
    [false, 'when it recovers', new Views({ operation: operationOf('Recover') })],
    [false, 'when it is being suspended', new Views({ operation: operationOf('Suspend') })],
    [false, 'when it is resumed', new Views({ operation: operationOf('Resume') })],
    [false, 'when it is being deleted', new Views({}, deleted)],
  ])('%j %s', (isTrusted, _, views) => {
    expect(views.isTrusted()).toBe(isTrusted)
  })

  test('not before all of it was listed', () => {
    const views = new Views()
    views.hasSynced = false
    expect(views.isTrusted()).toBe(false)
  })

  test('for five seconds of a deployment, and again when it was read', async () => {
    const views = new Views({ operation: operationOf('Deploy') })
    await views.kube.create(streamJobs, views.told)
    expect(views.isTrusted()).toBe(true)
    await views.clock.advance(4_999)
    expect(views.isTrusted()).toBe(true)
    await views.clock.advance(1)
    expect(views.isTrusted()).toBe(false)
    await views.views.read(REF)
    expect(views.isTrusted()).toBe(true)
  })

  test('for two seconds while a pod is said not to be ready, and for long when all are', async () => {
    const views = new Views()
    views.pods = [podOf('a', 'True'), podOf('b', 'False')]
    expect(views.isTrusted()).toBe(true)
    await views.clock.advance(2_000)
    expect(views.isTrusted()).toBe(false)
    views.pods = [podOf('a', 'True'), podOf('b', 'True')]
    expect(views.isTrusted()).toBe(true)
    await views.clock.advance(3_600_000)
    expect(views.isTrusted()).toBe(true)
  })

  test('not after a pass that has failed, until it was read', async () => {
    const views = new Views()
    await views.kube.create(streamJobs, views.told)
    views.views.doubt(REF)
    expect(views.isTrusted()).toBe(false)
    await views.views.read(REF)
    expect(views.isTrusted()).toBe(true)
  })

  test('as a copy: a pass that changes it changes nothing of what is kept', () => {
    const views = new Views()
    const view = views.views.told(REF)
    if (view !== undefined) view.job.metadata.labels = { changed: 'yes' }
    expect(views.told.metadata.labels).toBeUndefined()
  })
})

test('what is read of a job and its pods is kept as told', async () => {
  const views = new Views()
  await views.kube.create(streamJobs, views.told)
  await views.kube.create(podResource, podOf('a', 'True'))
  const read = await views.views.read(REF)
  expect([read?.pods.length, views.learnt]).toEqual([1, ['streamjobs', 'pods']])
})

test('a job that is gone is read as gone', async () => {
  expect(await new Views().views.read(REF)).toBeUndefined()
})

describe('a decision on what was told', () => {
  const none: Act = { kind: 'none' }
  const putTarget: Act = { kind: 'putTarget', desiredState: 'running', template: 't' }
  const row = (act: Act, more: Partial<Decision> = {}): Decision => ({
    act,
    phase: 'Running',
    reason: 'Running',
    message: '',
    operation: null,
    events: [],
    ...more,
  })
  test.each<[stands: boolean, what: string, decision: Decision]>([
    [true, 'does nothing', row(none)],
    [true, 'keeps a spec', row({ kind: 'keepSpec' })],
    [true, 'creates pods of a deployment', row({ kind: 'createPods', pods: [] }, { operation: operationOf('Deploy') })],
    [true, 'sets the target of a deployment', row(putTarget, { operation: operationOf('Deploy') })],
    [false, 'deletes pods', row({ kind: 'deletePods', pods: [] })],
    [false, 'starts successors', row({ kind: 'startSuccessors', pods: [], probes: [] })],
    [false, 'asks for a savepoint', row({ kind: 'requestSavepoint', id: 's' })],
    [false, 'lets a job go', row({ kind: 'release' })],
    [false, 'deletes what an earlier operator left', row({ kind: 'deleteLeftover' })],
    [false, 'begins to recover', row(none, { operation: operationOf('Recover') })],
    [false, 'suspends', row(putTarget, { operation: operationOf('Suspend') })],
    [false, 'hands a job over to other pods', row(none, { template: 'other' })],
    [false, 'rolls back', row(none, { rolledBack: { hash: 'h', at: '', message: '' } })],
  ])('stands: %j, when it %s', (stands, _, decision) => {
    expect(standsOnTold(decision)).toBe(stands)
  })
})
