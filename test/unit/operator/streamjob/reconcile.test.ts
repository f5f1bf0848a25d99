import { describe, expect, test } from 'vitest'
import { streamJobs, type StreamJobSpec } from '../../../../operator/api/stream-job.ts'
import { KubeError } from '../../../../operator/kube/errors.ts'
import type { KubeObject, Pod } from '../../../../operator/kube/objects.ts'
import { pods, services } from '../../../../operator/kube/resource-type.ts'
import { controllerRevisions, revisionName } from '../../../../operator/resources/controller-revision.ts'
import { TEMPLATE_LABEL } from '../../../../operator/resources/labels.ts'
import { imageOf } from '../../../../operator/resources/job-pod.ts'
import { keptHash } from '../../../../operator/streamjob/kept-specs.ts'
import { countsSpec, OperatorWorld, REF } from '../../../harness/operator-world.ts'

async function runningJob(): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  await world.create()
  await world.untilRunning()
  return world
}

const TWO = ['counts-bids-0', 'counts-bids-1', 'counts-coordinator', 'counts-hot-0', 'counts-hot-1']

describe('a StreamJob', () => {
  test('that is created gets a coordinator and one pod for each chain and slot', async () => {
    const world = await runningJob()
    expect(world.podNames()).toEqual(TWO)
    expect(world.job()?.status).toMatchObject({ phase: 'Running', attempt: 1, replicas: 2, pods: '5/5' })
    expect([world.condition('Ready'), world.condition('Reconciling'), world.condition('Stalled')]).toEqual([
      'True/Running',
      'False/Settled',
      'False/Progressing',
    ])
  })

  test('that runs and is left alone is written no more', async () => {
    const world = await runningJob()
    const before = world.job()?.metadata.resourceVersion
    for (let pass = 0; pass < 5; pass += 1) {
      await world.pass()
      await world.clock.advance(5000)
    }
    expect(world.job()?.metadata.resourceVersion).toBe(before)
  })

  test('that is scaled up keeps the pods it has and gets the missing ones', async () => {
    const world = await runningJob()
    const uids = new Map(world.podNames().map((name) => [name, world.pod(name)?.metadata.uid]))
    world.edit((spec) => {
      spec['replicas'] = 3
    })
    await world.untilRunning()
    expect(world.podNames()).toHaveLength(7)
    for (const [name, uid] of uids) expect(world.pod(name)?.metadata.uid).toBe(uid)
    expect(world.job()?.status).toMatchObject({
      attempt: 2,
      replicas: 3,
      lastOperation: { type: 'Rescale', result: 'Succeeded' },
    })
  })

  test('that is scaled down loses surplus pods only after the new attempt runs', async () => {
    const world = await runningJob()
    world.edit((spec) => {
      spec['replicas'] = 1
    })
    world.kube.before = (call) => {
      if (call.startsWith('delete pods')) expect(world.coordinatorReport().attempt).toBe(2)
    }
    await world.until('one slot', () => world.podNames().length === 3)
    await world.untilRunning()
    expect(world.podNames()).toEqual(['counts-bids-0', 'counts-coordinator', 'counts-hot-0'])
  })

  test('that is scaled has the pause of that step in its status as soon as a record was seen, and keeps it', async () => {
    const world = await runningJob()
    world.edit((spec) => {
      spec['replicas'] = 3
    })
    await world.untilRunning()
    expect(world.job()?.status?.lastOperation?.pauseMs ?? null).toBeNull()
    world.coordinatorReport().lastPauseMs = 700
    await world.pass()
    expect(world.job()?.status?.lastOperation).toMatchObject({ type: 'Rescale', pauseMs: 700 })
    world.coordinatorReport().lastPauseMs = 800
    await world.pass()
    expect(world.job()?.status?.lastOperation).toMatchObject({ type: 'Rescale', pauseMs: 700 })
  })

  test('whose selector an autoscaler uses matches exactly as many pods as replicas says', async () => {
    const world = await runningJob()
    world.edit((spec) => {
      spec['replicas'] = 3
    })
    await world.untilRunning()
    const { selector, replicas } = world.job()?.status ?? {}
    const matched = await world.kube.list(pods, { namespace: REF.namespace, labelSelector: selector ?? '' })
    expect([matched.items.length, replicas]).toEqual([3, 3])
  })

  test('whose deletion deadline alone changes keeps every pod and its revision', async () => {
    const world = await runningJob()
    world.kube.calls.length = 0
    world.edit((spec) => {
      spec['deletion'] = { deadline: '10s' }
    })
    for (let pass = 0; pass < 4; pass += 1) await world.pass()
    expect(world.kube.calls.filter((call) => /^(create|delete|apply)/.test(call))).toEqual([])
    expect(world.targets.length).toBe(1)
  })

  test('whose image changes gets a savepoint first, then new pods, and never a second savepoint', async () => {
    const world = await runningJob()
    world.edit((spec) => {
      spec['image'] = 'millrace:2'
    })
    world.kube.before = (call) => {
      if (call.startsWith('delete pods'))
        expect([...world.store.savepoints.values()].map(({ phase }) => phase)).toEqual(['completed'])
    }
    await world.untilRunning()
    expect(world.store.savepointsTaken).toBe(1)
    for (const name of TWO) expect(JSON.stringify(world.pod(name)?.spec)).toContain('millrace:2')
    expect(world.job()?.status).toMatchObject({ attempt: 2, lastOperation: { type: 'Upgrade' } })
  })

  test('whose savepoint before an upgrade fails goes on with the pods it has', async () => {
    const world = await runningJob()
    world.savepointFails = true
    world.edit((spec) => {
      spec['image'] = 'millrace:2'
    })
    await world.until('tried again', () => world.store.savepointsTaken >= 2)
    expect(world.kube.calls.filter((call) => call.startsWith('delete pods'))).toEqual([])
    expect(world.coordinatorReport()).toMatchObject({ phase: 'running', attempt: 1 })
    expect(await world.eventReasons()).toContain('SavepointFailed')
  })

  test('that has lost a worker when its image is changed gets that worker back, and is upgraded then', async () => {
    const world = await runningJob()
    world.kill('counts-hot-1')
    world.edit((spec) => {
      spec['image'] = 'millrace:2'
    })
    const startedAt = world.clock.now()
    await world.until(
      'upgraded',
      (job) => job?.status?.lastOperation?.type === 'Upgrade' && job.status.phase === 'Running',
    )
    expect(world.clock.now() - startedAt).toBeLessThan(30_000)
    expect(world.podNames()).toEqual(TWO)
  })

  test('that runs again after an upgrade when its image is changed once more takes another savepoint', async () => {
    const world = await runningJob()
    world.edit((spec) => {
      spec['image'] = 'millrace:2'
    })
    await world.until(
      'about to run again',
      (job) => job?.status?.message?.startsWith('The new coordinator gets') === true,
    )
    world.edit((spec) => {
      spec['image'] = 'millrace:3'
    })
    await world.untilRunning()
    expect(world.store.savepointsTaken).toBe(2)
    expect(world.coordinatorReport().attempt).toBe(3)
  })

  test('whose new spec is wrong says where and goes on with the last good one', async () => {
    const world = await runningJob()
    world.edit((spec) => {
      ;(spec['graph'] as Record<string, unknown>[])[1]!['keyBy'] = 'auktion'
    })
    await world.until('refused', () => world.condition('Ready') === 'False/SpecInvalid')
    expect(world.job()?.status?.message).toMatch(/spec\.graph\[1\]\.keyBy.*auktion/)
    expect(world.job()?.status?.phase).toBe('Running')
    world.kill('counts-hot-0')
    await world.until('recovered', () => world.podNames().length === 5 && world.coordinatorReport().attempt === 2)
    expect(world.condition('Ready')).toBe('False/SpecInvalid')
  })

  test('whose new spec does not fit its state is refused and goes on', async () => {
    const world = await runningJob()
    world.edit((spec) => {
      ;(spec['graph'] as Record<string, unknown>[])[1]!['window'] = { tumble: '20s' }
    })
    await world.until('refused', () => world.condition('Ready') === 'False/StateIncompatible')
    expect(world.targets).toHaveLength(1)
  })

  test('that asks for more pods than one job may have is refused, and none is made', async () => {
    const world = new OperatorWorld()
    await world.create(countsSpec({ maxParallelism: 32768, replicas: 32768 }))
    await world.until('refused', () => world.condition('Ready') === 'False/SpecInvalid')
    expect(world.job()?.status?.message).toMatch(/spec\.replicas.*subtasks.*the operator takes 1000/)
    expect(world.podNames()).toEqual([])
  })

  test('that was never valid has no pods and is stalled', async () => {
    const world = new OperatorWorld()
    await world.create(countsSpec({ graph: [{ id: 'a', sauce: {} }] }))
    await world.until('refused', () => world.condition('Stalled') === 'True/SpecInvalid')
    expect(world.podNames()).toEqual([])
  })

  test('that lost a worker gets it back and the next attempt', async () => {
    const world = await runningJob()
    world.kill('counts-hot-1')
    await world.until('recovered', (job) => job?.status?.attempt === 2 && job.status.phase === 'Running')
    expect(world.podNames()).toEqual(TWO)
    expect(await world.eventReasons()).toContain('Recovering')
  })

  test('with an evicted pod replaces it', async () => {
    const world = await runningJob()
    world.kube.update(pods, world.refOf('counts-hot-1'), (pod) => {
      pod.status = { phase: 'Failed', reason: 'Evicted' }
    })
    await world.until('recovered', (job) => job?.status?.attempt === 2 && job.status.phase === 'Running')
    expect(await world.eventReasons()).toContain('PodFailed')
  })

  test('that lost its coordinator gets a new one that is told the target, and workers that know its address', async () => {
    const world = await runningJob()
    world.kill('counts-coordinator')
    await world.until('recovered', (job) => job?.status?.attempt === 2 && job.status.phase === 'Running')
    expect(world.podNames()).toEqual(TWO)
  })

  test('that is suspended stops with a savepoint and then has no pods; resumed it runs again', async () => {
    const world = await runningJob()
    world.edit((spec) => {
      spec['desiredState'] = 'Suspended'
    })
    world.kube.before = (call) => {
      if (call.startsWith('delete pods counts-hot')) expect(world.coordinatorReport().phase).toBe('suspended')
    }
    await world.until('suspended', (job) => job?.status?.phase === 'Suspended')
    expect(world.podNames()).toEqual([])
    expect(world.condition('Ready')).toBe('True/Suspended')
    world.kube.before = () => undefined
    world.edit((spec) => {
      spec['desiredState'] = 'Running'
    })
    await world.untilRunning()
    expect(world.job()?.status).toMatchObject({ attempt: 2, lastOperation: { type: 'Resume' } })
  })

  test('that is created suspended is ready with its generation observed and no pod', async () => {
    const world = new OperatorWorld()
    await world.create(countsSpec({ desiredState: 'Suspended' }))
    await world.until('suspended', () => world.condition('Ready') === 'True/Suspended')
    expect(world.job()?.status?.observedGeneration).toBe(1)
    expect(world.podNames()).toEqual([])
  })

  test('that has finished is not started again by a lost pod', async () => {
    const world = await runningJob()
    world.coordinatorReport().phase = 'finished'
    await world.until('finished', (job) => job?.status?.phase === 'Finished')
    for (const name of world.podNames()) world.kill(name)
    for (let pass = 0; pass < 3; pass += 1) await world.pass()
    expect(world.podNames()).toEqual([])
    expect(world.condition('Ready')).toBe('True/Finished')
  })

  test('that finishes before its rescale is seen to run has been rescaled all the same', async () => {
    const world = await runningJob()
    world.finishesAtOnce = true
    world.edit((spec) => {
      spec['replicas'] = 3
    })
    await world.until('finished', (job) => job?.status?.phase === 'Finished')
    expect(world.job()?.status).toMatchObject({ attempt: 2, lastOperation: { type: 'Rescale', result: 'Succeeded' } })
  })

  test('that failed says why and is stalled', async () => {
    const world = await runningJob()
    Object.assign(world.coordinatorReport(), {
      phase: 'failed',
      error: {
        code: 'SOURCE_UNREACHABLE',
        message: 'broker kafka:9092 does not answer',
        domain: 'dependency',
        retriable: false,
      },
    })
    await world.until('failed', () => world.condition('Stalled') === 'True/SourceUnreachable')
    expect(world.job()?.status).toMatchObject({ phase: 'Failed', message: 'broker kafka:9092 does not answer' })
  })

  test('whose name would take pods of a stranger touches none of them', async () => {
    const world = new OperatorWorld()
    const { name } = (await runningJob()).refOf('counts-hot-0')
    await world.kube.create(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...REF, name, uid: 'stranger', labels: { 'millrace.dev/job': 'counts' } },
      spec: {},
    })
    await world.create()
    await world.until('said', () => world.condition('Stalled') === 'True/NameTaken')
    expect(world.podNames()).toEqual(['counts-hot-0'])
    expect(world.job()?.status?.message).toContain(`pod ${name} exists and belongs to someone else`)
  })

  test.each(['controllerrevisions', 'services'] as const)(
    'whose name would take one of the %s of a stranger leaves it as it is and starts nothing',
    async (plural) => {
      const world = new OperatorWorld()
      world.addressing = 'service'
      const isRevision = plural === 'controllerrevisions'
      const name = isRevision ? revisionName('counts', keptHash(countsSpec())) : 'counts-coordinator'
      const resource = isRevision ? controllerRevisions : services
      const kind = isRevision ? 'ControllerRevision' : 'Service'
      await world.kube.create<KubeObject>(resource, {
        apiVersion: 'v1',
        kind,
        metadata: { ...REF, name, uid: 'stranger', labels: { theirs: 'yes' } },
      })
      const before = world.kube.peek<KubeObject>(resource, { ...REF, name })
      await world.create()
      await world.until('said', () => world.condition('Stalled') === 'True/NameTaken')
      expect(world.job()?.status?.message).toContain(`${kind} ${name} exists and belongs to someone else`)
      expect(world.podNames()).toEqual([])
      expect(world.kube.peek<KubeObject>(resource, { ...REF, name })).toEqual(before)
      await world.kube.delete<KubeObject>(resource, { ...REF, name })
      await world.until('started', () => world.podNames().length === TWO.length)
    },
  )
})

describe('the last good spec of a StreamJob', () => {
  const keptName = { ...REF, name: revisionName('counts', keptHash(countsSpec())) }
  const breakSpec = (world: OperatorWorld): void => {
    world.edit((spec) => {
      spec['graph'] = []
    })
  }

  test('when the newest spec is bad, is what goes on running', async () => {
    const world = await runningJob()
    breakSpec(world)
    await world.until('refused', () => world.condition('Ready') === 'False/SpecInvalid')
    expect(world.podNames()).toEqual(TWO)
  })

  test.each<[string, (spec: Record<string, unknown>) => void]>([
    ['an image', (spec) => Object.assign(spec, { image: 'evil:1' })],
    ['a Secret', (spec) => Object.assign(spec, { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's' } } }] })],
    ['a number of pods', (spec) => Object.assign(spec, { replicas: 9 })],
  ])(
    'when somebody has put another revision with %s in its place, is used for no pod, and the condition says so',
    async (_what, change) => {
      const world = await runningJob()
      world.kube.update(controllerRevisions, keptName, ({ data }) => {
        change(data as Record<string, unknown>)
      })
      const before = world.kube.calls.length
      breakSpec(world)
      await world.until('refused', () => world.condition('Ready') === 'False/SpecInvalid')
      for (let pass = 0; pass < 3; pass += 1) await world.pass()
      expect(JSON.stringify(world.job()?.status?.conditions)).toContain('LAST_GOOD_ALTERED')
      expect(world.kube.calls.slice(before).filter((call) => /^(create|delete) pods/.test(call))).toEqual([])
      world.edit((spec) => Object.assign(spec, countsSpec({ replicas: 3 })))
      await world.untilRunning()
      expect(world.podNames()).toHaveLength(7)
    },
  )

  test('when its revision is gone, or of another shape, is taken for altered, and kept again with the next good one', async () => {
    for (const data of ['gone', '', null, [], 7]) {
      const world = await runningJob()
      if (data === 'gone') await world.kube.delete(controllerRevisions, keptName)
      else
        world.kube.update(controllerRevisions, keptName, (kept) => {
          kept.data = data
        })
      breakSpec(world)
      await world.until('refused', () => world.condition('Ready') === 'False/SpecInvalid')
      expect(JSON.stringify(world.job()?.status?.conditions)).toContain('LAST_GOOD_ALTERED')
      world.edit((spec) => Object.assign(spec, countsSpec({ restartNonce: 'b' })))
      await world.untilRunning()
      world.edit((spec) => Object.assign(spec, countsSpec({ restartNonce: undefined } as object)))
      await world.untilRunning()
      expect(keptHash(world.kube.peek(controllerRevisions, keptName)?.data as StreamJobSpec)).toBe(
        keptHash(countsSpec()),
      )
    }
  })

  test('when an older operator has written ten digits of its hash, is read, and kept anew with all of them', async () => {
    const world = await runningJob()
    world.kube.update(streamJobs, REF, ({ status }) => {
      if (status?.lastGood !== undefined) status.lastGood.hash = status.lastGood.hash.slice(0, 10)
    })
    breakSpec(world)
    await world.until('refused', () => world.condition('Ready') === 'False/SpecInvalid')
    expect(JSON.stringify(world.job()?.status?.conditions)).not.toContain('LAST_GOOD_ALTERED')
    world.edit((spec) => Object.assign(spec, countsSpec()))
    await world.untilRunning()
    expect(world.job()?.status?.lastGood?.hash).toMatch(/^[0-9a-f]{64}$/)
    expect(world.podNames()).toEqual(TWO)
  })
})

describe('a StreamJob whose pods are to be others', () => {
  const toImage = (world: OperatorWorld, image: string | undefined): void => {
    world.edit((spec) => {
      spec['image'] = image
    })
  }
  test('gets them beside those it has, which go only when the new ones run it', async () => {
    const world = await runningJob()
    world.kube.before = (call) => {
      if (!call.startsWith('delete pods')) return
      expect(imageOf(world.pod('counts-coordinator'))).toBe('millrace:2')
      expect(world.coordinatorReport()).toMatchObject({ phase: 'running', attempt: 2 })
    }
    toImage(world, 'millrace:2')
    await world.until('ten pods', () => world.podNames().length === 10)
    expect(world.job()?.status).toMatchObject({ phase: 'Upgrading', pods: '5/5', replicas: 2 })
    await world.untilRunning()
    await world.until('tidy', () => world.podNames().length === 5)
    // the first one, the new coordinator reads the spec, the old one stops, the new one runs the job
    expect(world.targets.map(({ desiredState }) => desiredState)).toEqual([
      'running',
      'suspended',
      'suspended',
      'running',
    ])
    expect(await world.eventReasons()).toEqual(expect.arrayContaining(['UpgradeStarted', 'UpgradeCompleted']))
  })

  test('has a selector for autoscalers that leaves out the new ones until they run it', async () => {
    const world = await runningJob()
    toImage(world, 'millrace:2')
    await world.until('ten pods', () => world.podNames().length === 10)
    await world.pass()
    const { selector = '' } = world.job()?.status ?? {}
    const { items } = await world.kube.list(pods, { namespace: REF.namespace, labelSelector: selector })
    expect(items.map(imageOf)).toEqual(['millrace:1', 'millrace:1'])
  })

  test('runs on with its own when the image of the new ones is missing, says so, and loses them when it is edited back', async () => {
    const world = await runningJob()
    world.cannotPull('millrace:2')
    toImage(world, 'millrace:2')
    await world.until('told', () => world.condition('Stalled') === 'True/ImagePullFailed')
    expect(world.job()?.status?.message).toMatch(/millrace:2 not found The job runs on with its previous pods\.$/)
    expect(world.coordinatorReport()).toMatchObject({ phase: 'running', attempt: 1 })
    expect(await world.eventReasons()).toContain('ImagePullFailed')
    toImage(world, undefined)
    await world.until('back', () => world.condition('Ready') === 'True/Running' && world.podNames().length === 5)
    expect(world.condition('Stalled')).toBe('False/Progressing')
    expect(world.coordinatorReport()).toMatchObject({ phase: 'running', attempt: 1 })
    expect(world.store.savepointsTaken).toBe(0)
    expect(world.job()?.status?.lastOperation).toMatchObject({ type: 'Upgrade', result: 'Superseded' })
  })

  test('takes over a third template when the second cannot start', async () => {
    const world = await runningJob()
    world.cannotPull('millrace:2')
    toImage(world, 'millrace:2')
    await world.until('told', () => world.condition('Stalled') === 'True/ImagePullFailed')
    toImage(world, 'millrace:3')
    await world.untilRunning()
    await world.until('tidy', () => world.podNames().length === 5)
    expect(imageOf(world.pod('counts-hot-0'))).toBe('millrace:3')
    expect(world.coordinatorReport().attempt).toBe(2)
  })

  test('gets a lost pod back from the spec that runs, however long the new ones do not start', async () => {
    const world = await runningJob()
    world.cannotPull('millrace:2')
    toImage(world, 'millrace:2')
    await world.until('told', () => world.condition('Stalled') === 'True/ImagePullFailed')
    world.edit((spec) => {
      spec['restartNonce'] = 'once more'
    })
    await world.until('told again', () => world.condition('Stalled') === 'True/ImagePullFailed')
    for (const name of ['counts-hot-1', 'counts-coordinator']) {
      const { attempt } = world.coordinatorReport()
      world.kill(name)
      await world.until('recovered', () => world.pod(name) !== undefined && world.coordinatorReport().attempt > attempt)
      expect(imageOf(world.pod(name))).toBe('millrace:1')
      await world.until('told once more', () => world.condition('Stalled') === 'True/ImagePullFailed')
    }
  })

  test('has none created when the API server would take one of them not, and runs on', async () => {
    const world = await runningJob()
    world.kube.calls.length = 0
    world.kube.admit = (object) => {
      if (object.kind === 'Pod' && object.metadata.name.includes('hot-1'))
        throw new KubeError('no', { status: 422, reason: 'Invalid', words: 'metadata.labels: Invalid value: "a b"' })
    }
    toImage(world, 'millrace:2')
    await world.until('told', () => world.condition('Stalled') === 'True/PodRefused')
    expect(world.kube.calls.filter((call) => /^(create|delete) pods/.test(call))).toEqual([])
    expect(world.job()?.status?.message).toMatch(/"a b"\. The job runs on with its previous pods\.$/)
    expect(world.podNames()).toEqual(TWO)
    expect(world.coordinatorReport()).toMatchObject({ phase: 'running', attempt: 1 })
    expect(world.store.savepointsTaken).toBe(0)
  })

  test('runs on when a quota has no room for both', async () => {
    const world = await runningJob()
    world.kube.admit = (object) => {
      if (object.kind === 'Pod' && world.podNames().length >= 7)
        throw new KubeError('no', { status: 403, reason: 'Forbidden', words: 'exceeded quota: small' })
    }
    toImage(world, 'millrace:2')
    await world.until('told', () => world.condition('Stalled') === 'True/QuotaExceeded')
    expect(world.coordinatorReport()).toMatchObject({ phase: 'running', attempt: 1 })
    expect(world.kube.calls.filter((call) => call.startsWith('delete pods'))).toEqual([])
    world.kube.admit = () => undefined
    await world.untilRunning()
    expect(world.coordinatorReport()).toMatchObject({ attempt: 2 })
  })

  test('is upgraded also where pods of its old template are refused by now and one of them went away', async () => {
    const world = await runningJob()
    world.kube.admit = (object) => {
      if (imageOf(object as Pod) === 'millrace:1')
        throw new KubeError('no', { status: 403, reason: 'Forbidden', words: 'denied the request: old image' })
    }
    world.kill('counts-hot-1')
    await world.until('told', () => world.condition('Stalled') === 'True/PodRefused')
    toImage(world, 'millrace:2')
    await world.until('upgraded', (job) => job?.status?.lastOperation?.type === 'Upgrade', 600)
    expect(world.coordinatorReport()).toMatchObject({ phase: 'running' })
    expect(imageOf(world.pod('counts-hot-1'))).toBe('millrace:2')
  })

  test('that never ran has the old ones replaced at once, since nothing is lost with them', async () => {
    const world = new OperatorWorld()
    world.cannotPull('millrace:2')
    await world.create(countsSpec({ image: 'millrace:2' }))
    await world.until('told', () => world.condition('Stalled') === 'True/ImagePullFailed')
    toImage(world, 'millrace:1')
    await world.untilRunning()
    expect(world.podNames()).toEqual(TWO)
    expect(world.coordinatorReport().attempt).toBe(1)
  })

  /** As an operator left them that knew no templates. */
  function withOldNames(world: OperatorWorld): void {
    for (const object of [...world.kube.objects.values()].filter(({ kind }) => kind === 'Pod')) {
      const pod = structuredClone(object) as Pod
      const { [TEMPLATE_LABEL]: template, ...labels } = pod.metadata.labels ?? {}
      world.kube.objects.delete(`pods/${REF.namespace}/${pod.metadata.name}`)
      pod.metadata.name = pod.metadata.name.replace(`-${template ?? ''}`, '')
      pod.metadata.labels = labels
      world.kube.objects.set(`pods/${REF.namespace}/${pod.metadata.name}`, pod)
    }
    world.kube.update(streamJobs, REF, (job) => {
      delete job.status?.template
    })
  }

  test('keeps pods whose names know no template when they are rendered the same, also through a rescale', async () => {
    const world = await runningJob()
    withOldNames(world)
    world.kube.calls.length = 0
    for (let pass = 0; pass < 4; pass += 1) await world.pass()
    expect(world.kube.calls.filter((call) => /^(create|delete) (pods|events)/.test(call))).toEqual([])
    expect(world.condition('Ready')).toBe('True/Running')
    world.edit((spec) => {
      spec['replicas'] = 3
    })
    await world.untilRunning()
    expect(world.kube.calls.filter((call) => call.startsWith('delete pods'))).toEqual([])
    expect(world.podNames()).toHaveLength(7)
    expect(world.job()?.status).toMatchObject({ replicas: 3, lastOperation: { type: 'Rescale' } })
    toImage(world, 'millrace:2')
    await world.untilRunning()
    await world.until('tidy', () => world.podNames().length === 7)
    expect(world.job()?.status).toMatchObject({ replicas: 3, lastOperation: { type: 'Upgrade', result: 'Succeeded' } })
    expect(world.podNames().map((name) => imageOf(world.pod(name)))).toEqual(Array(7).fill('millrace:2'))
  })

  test.each([
    ['at once', 0],
    ['after a while', 1],
  ])('whose names know no template is upgraded %s from those as from others', async (_, passes) => {
    const world = await runningJob()
    withOldNames(world)
    for (let pass = 0; pass < passes; pass += 1) await world.pass()
    toImage(world, 'millrace:2')
    await world.until('ten pods', () => world.podNames().length === 10)
    expect(world.kube.calls.filter((call) => call.startsWith('delete pods'))).toEqual([])
    await world.until('upgraded', (job) => job?.status?.lastOperation?.type === 'Upgrade')
    await world.until('tidy', () => world.podNames().length === 5)
    expect(world.store.savepointsTaken).toBe(1)
  })
})

describe('a StreamJob of which the API server does not take an object', () => {
  const refuse = (status: number, reason: string, words: string): never => {
    throw new KubeError(`POST /somewhere: ${words} (${status})`, { status, reason, words })
  }
  const QUOTA = 'pods "x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3'

  test.each([
    ['a quota is used up', 'Pod', 403, QUOTA, 'QuotaExceeded'],
    ['a label is no label', 'Pod', 422, 'Pod "x" is invalid: metadata.labels: Invalid value: "a b"', 'PodRefused'],
    ['a quantity is no number', 'Pod', 400, 'quantities must match the regular expression', 'PodRefused'],
    ['Pod Security forbids it', 'Pod', 403, 'violates PodSecurity "restricted:latest"', 'PodRefused'],
    ['a webhook does not answer', 'Pod', 500, 'failed calling webhook "x": connection refused', 'PodRefused'],
    ['Secrets are counted', 'Secret', 403, 'exceeded quota: small, requested: secrets=1', 'QuotaExceeded'],
    ['a policy forbids the Secret', 'Secret', 403, 'denied the request: no Secrets here', 'SecretRefused'],
    [
      'its spec cannot be kept',
      'ControllerRevision',
      403,
      'denied the request: none here',
      'ControllerRevisionRefused',
    ],
  ])(
    'because %s is stalled in the words of the server, and starts when that is mended',
    async (_, kind, status, words, reason) => {
      const world = new OperatorWorld()
      world.kube.admit = (object) => {
        if (object.kind === kind) refuse(status, 'Forbidden', words)
      }
      await world.create()
      await world.until('told', () => world.condition('Stalled') === `True/${reason}`)
      expect(world.job()?.status?.message).toContain(words)
      expect(world.condition('Ready')).toBe(`False/${reason}`)
      expect(await world.eventReasons()).toContain(reason)
      world.kube.admit = () => undefined
      await world.untilRunning()
      expect(world.condition('Stalled')).toBe('False/Progressing')
      expect(world.job()?.status?.refusal).toBeUndefined()
    },
  )

  test('is tried again at growing distances, and its status is not written meanwhile', async () => {
    const world = new OperatorWorld()
    world.kube.admit = (object) => {
      if (object.kind === 'Pod') refuse(403, 'Forbidden', QUOTA)
    }
    await world.create()
    await world.until(
      'told',
      (job) => world.condition('Stalled') === 'True/QuotaExceeded' && (job?.status?.untold ?? []).length === 0,
    )
    const version = world.job()?.metadata.resourceVersion
    const waits: number[] = []
    for (let pass = 0; pass < 12; pass += 1) {
      const nextMs = (await world.pass()) ?? 0
      waits.push(nextMs)
      await world.clock.advance(nextMs)
    }
    expect(waits[0]).toBe(1_000)
    expect(waits.at(-1)).toBeGreaterThan(30_000)
    expect(Math.max(...waits)).toBeLessThanOrEqual(60_000)
    expect(world.job()?.metadata.resourceVersion).toBe(version)
  })

  test('when it is scaled up says that it runs on, and can be scaled back', async () => {
    const world = await runningJob()
    world.kube.admit = (object) => {
      if (object.kind === 'Pod') refuse(403, 'Forbidden', QUOTA)
    }
    world.edit((spec) => {
      spec['replicas'] = 3
    })
    await world.until('told', () => world.condition('Stalled') === 'True/QuotaExceeded')
    expect(world.job()?.status?.message).toMatch(/exceeded quota.* The job runs on with its previous pods\.$/)
    expect(world.coordinatorReport()).toMatchObject({ phase: 'running', attempt: 1 })
    world.edit((spec) => {
      spec['replicas'] = 2
    })
    await world.until('runs', () => world.condition('Ready') === 'True/Running')
    expect(world.condition('Stalled')).toBe('False/Progressing')
    expect(world.coordinatorReport().attempt).toBe(1)
  })
})

describe('a StreamJob whose coordinator does not take a target', () => {
  const VERB_UNKNOWN = { code: 'VERB_UNKNOWN', message: 'spec.graph[1].pattern: no such verb' }
  test('has the code and the words of the coordinator as its condition, runs on, and goes on when it is edited back', async () => {
    const world = await runningJob()
    const first = world.targets.at(-1)?.revision
    world.refusesTarget = ({ revision }) => (revision === first ? undefined : VERB_UNKNOWN)
    world.edit((spec) => {
      ;(spec['graph'] as Record<string, unknown>[]).push({ id: 'again', from: 'bids', sink: { console: {} } })
    })
    await world.until('told', () => world.condition('Stalled') === 'True/VerbUnknown')
    expect(world.job()?.status?.message).toMatch(/no such verb \[VERB_UNKNOWN\]\. The job runs on/)
    expect(await world.eventReasons()).toContain('VerbUnknown')
    expect(world.coordinatorReport()).toMatchObject({ phase: 'running', attempt: 1 })
    world.edit((spec) => {
      ;(spec['graph'] as Record<string, unknown>[]).pop()
    })
    await world.until('back', () => world.condition('Ready') === 'True/Running')
    expect(world.condition('Stalled')).toBe('False/Progressing')
    expect(world.coordinatorReport().attempt).toBe(1)
  })

  test('of an older image runs on with its previous pods: nothing stops before the new coordinator has read the spec', async () => {
    const world = await runningJob()
    world.refusesTarget = (_, image) => (image === 'millrace:0' ? VERB_UNKNOWN : undefined)
    world.edit((spec) => {
      spec['image'] = 'millrace:0'
    })
    await world.until('told', () => world.condition('Stalled') === 'True/VerbUnknown')
    expect(world.coordinatorReport()).toMatchObject({ phase: 'running', attempt: 1 })
    expect(world.store.savepointsTaken).toBe(0)
    expect(world.kube.calls.filter((call) => call.startsWith('delete pods'))).toEqual([])
    world.edit((spec) => {
      spec['image'] = 'millrace:2'
    })
    await world.untilRunning()
    expect(world.coordinatorReport()).toMatchObject({ phase: 'running', attempt: 2 })
  })

  test('that would lose its state is not asked again until its spec is another', async () => {
    const world = await runningJob()
    const first = world.targets.at(-1)?.revision ?? ''
    world.edit((spec) => {
      ;(spec['graph'] as Record<string, unknown>[]).push({ id: 'again', from: 'bids', sink: { console: {} } })
    })
    await world.until('asked', () => world.targets.length === 2)
    const error = { code: 'STATE_WOULD_BE_LOST', message: 'operator hot', domain: 'user', retriable: false } as const
    world.afterReport = (report) => {
      Object.assign(report, { phase: 'running', revision: first, targetRevision: first })
      report.refused = { revision: world.targets.at(-1)?.revision ?? '', error }
    }
    await world.until('told', () => world.condition('Stalled') === 'True/StateWouldBeLost')
    for (let pass = 0; pass < 5; pass += 1) await world.pass()
    expect(world.targets).toHaveLength(2)
  })
})

describe('deleting a StreamJob', () => {
  test('takes a last savepoint, removes the pods and ends', async () => {
    const world = await runningJob()
    await world.kube.delete(streamJobs, REF)
    await world.until('gone', (job) => job === undefined)
    expect(world.podNames()).toEqual([])
    expect(world.targets.at(-1)?.desiredState).toBe('suspended')
  })

  test('while its suspension removes the pods says nothing of a missing savepoint, since one was taken', async () => {
    const world = await runningJob()
    const ref = world.refOf('counts-hot-0')
    world.kube.update(pods, ref, (pod) => {
      pod.metadata.finalizers = ['kept/for-a-while']
    })
    world.edit((spec) => {
      spec['desiredState'] = 'Suspended'
    })
    await world.until('one pod is left, on its way out', () => world.podNames().join() === 'counts-hot-0')
    await world.kube.delete(streamJobs, REF)
    await world.pass()
    world.kube.update(pods, ref, (pod) => {
      delete pod.metadata.finalizers
    })
    await world.until('gone', (job) => job === undefined)
    expect(await world.eventReasons()).not.toContain('StoppedWithoutSavepoint')
  })

  test('that started while no operator was there waits for a coordinator that does not answer at once', async () => {
    const world = await runningJob()
    world.kube.update(streamJobs, REF, (job) => {
      job.status = { ...job.status, phase: 'Deploying', attempt: 0 }
    })
    world.unreachable = true
    await world.kube.delete(streamJobs, REF)
    for (let pass = 0; pass < 3; pass += 1) await world.pass()
    expect(world.podNames()).toEqual(TWO)
    world.unreachable = false
    await world.until('gone', (job) => job === undefined)
    expect(world.targets.at(-1)?.desiredState).toBe('suspended')
  })

  test('ends within the deadline when nothing answers, and names what was left behind', async () => {
    const world = await runningJob()
    world.unreachable = true
    world.kube.before = (call) => {
      if (call.startsWith('delete pods')) throw new KubeError('not found', { status: 404, reason: 'NotFound' })
    }
    const startedAt = world.clock.now()
    await world.kube.delete(streamJobs, REF)
    await world.until('gone', (job) => job === undefined, 400)
    expect(world.clock.now() - startedAt).toBeLessThanOrEqual(62_000)
    expect(await world.eventReasons()).toContain('DeletedWithLeftovers')
  })
})
