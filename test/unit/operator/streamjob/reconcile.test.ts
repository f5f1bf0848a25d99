import { describe, expect, test } from 'vitest'
import { streamJobs } from '../../../../operator/api/stream-job.ts'
import { KubeError } from '../../../../operator/kube/errors.ts'
import { pods, services } from '../../../../operator/kube/resource-type.ts'
import type { KubeObject } from '../../../../operator/kube/objects.ts'
import { configMaps } from '../../../../operator/resources/job-objects.ts'
import { countsSpec, crash, OperatorWorld, REF } from '../../../harness/operator-world.ts'

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
    const uids = new Map(world.podNames().map((name) => [name, world.kube.peek(pods, { ...REF, name })?.metadata.uid]))
    world.edit((spec) => {
      spec['replicas'] = 3
    })
    await world.untilRunning()
    expect(world.podNames()).toHaveLength(7)
    for (const [name, uid] of uids) expect(world.kube.peek(pods, { ...REF, name })?.metadata.uid).toBe(uid)
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
    for (const name of TWO)
      expect(JSON.stringify(world.kube.peek(pods, { ...REF, name })?.spec)).toContain('millrace:2')
    expect(world.job()?.status).toMatchObject({ attempt: 2, lastOperation: { type: 'Upgrade' } })
  })

  test('whose savepoint before an upgrade fails goes on with the pods it has', async () => {
    const world = await runningJob()
    world.savepointFails = true
    world.edit((spec) => {
      spec['image'] = 'millrace:2'
    })
    await world.until('tried again', () => world.store.savepointsTaken >= 2)
    expect(world.podNames()).toEqual(TWO)
    expect(world.coordinatorReport().attempt).toBe(1)
    expect(await world.eventReasons()).toContain('SavepointFailed')
  })

  test('that has lost a worker when its image is changed is upgraded at once, since nothing runs that a savepoint could hold', async () => {
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
    await world.until('about to run again', (job) => job?.status?.message?.startsWith('The coordinator gets') === true)
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
    world.kube.update(pods, { ...REF, name: 'counts-hot-1' }, (pod) => {
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
    await world.kube.create(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...REF, name: 'counts-hot-0', uid: 'stranger', labels: { 'millrace.dev/job': 'counts' } },
      spec: {},
    })
    await world.create()
    await world.until('said', () => world.condition('Stalled') === 'True/NameTaken')
    expect(world.podNames()).toEqual(['counts-hot-0'])
    expect(world.job()?.status?.message).toContain('pod counts-hot-0 exists and belongs to someone else')
  })

  test.each(['configmaps', 'services'] as const)(
    'whose name would take one of the %s of a stranger leaves it as it is and starts nothing',
    async (plural) => {
      const world = new OperatorWorld()
      world.addressing = 'service'
      const name = plural === 'configmaps' ? 'counts-last-good' : 'counts-coordinator'
      const resource = plural === 'configmaps' ? configMaps : services
      const kind = plural === 'configmaps' ? 'ConfigMap' : 'Service'
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
  const keptName = { ...REF, name: 'counts-last-good' }
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
    'when somebody has written %s into its ConfigMap, is used for no pod, and the condition says so',
    async (_what, change) => {
      const world = await runningJob()
      world.kube.update(configMaps, keptName, (kept) => {
        const spec = JSON.parse(kept.data?.['spec'] ?? '{}') as Record<string, unknown>
        change(spec)
        kept.data = { ...kept.data, spec: JSON.stringify(spec) }
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

  test('when its ConfigMap is no JSON, or another shape, is taken for altered', async () => {
    for (const text of ['', '{', 'null', '[]', '7']) {
      const world = await runningJob()
      world.kube.update(configMaps, keptName, (kept) => {
        kept.data = { ...kept.data, spec: text }
      })
      breakSpec(world)
      await world.until('refused', () => world.condition('Ready') === 'False/SpecInvalid')
      expect(JSON.stringify(world.job()?.status?.conditions)).toContain('LAST_GOOD_ALTERED')
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
    world.kube.update(pods, { namespace: REF.namespace, name: 'counts-hot-0' }, (pod) => {
      pod.metadata.finalizers = ['kept/for-a-while']
    })
    world.edit((spec) => {
      spec['desiredState'] = 'Suspended'
    })
    await world.until('one pod is left, on its way out', () => world.podNames().join() === 'counts-hot-0')
    await world.kube.delete(streamJobs, REF)
    await world.pass()
    world.kube.update(pods, { namespace: REF.namespace, name: 'counts-hot-0' }, (pod) => {
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

describe('an operator that dies at any API call', () => {
  const stories: Record<string, { act: (world: OperatorWorld) => void; holds: (world: OperatorWorld) => void }> = {
    'of an upgrade': {
      act: (world) => {
        world.edit((spec) => {
          spec['image'] = 'millrace:2'
        })
      },
      holds: (world) => {
        expect(world.store.savepointsTaken).toBe(1)
        expect(world.podNames()).toEqual(TWO)
      },
    },
    'of a rescale': {
      act: (world) => {
        world.edit((spec) => {
          spec['replicas'] = 1
        })
      },
      holds: (world) => {
        expect(world.coordinatorReport().attempt).toBe(2)
        expect(world.podNames()).toHaveLength(3)
      },
    },
  }
  for (const [name, { act, holds }] of Object.entries(stories)) {
    test(`${name} has its work finished by the next one, with nothing done twice`, async () => {
      for (let point = 0, reached = true; reached; point += 1) {
        const world = await runningJob()
        act(world)
        let left = point
        reached = false
        world.kube.before = (call) => {
          if (/^(create|get) events/.test(call) || left-- !== 0) return
          reached = true
          crash(call)
        }
        for (let pass = 0; pass < 40 && !reached; pass += 1) {
          await world.pass().catch((error: unknown) => {
            if (!reached) throw error
          })
          world.kubelet()
          await world.clock.advance(500)
        }
        world.kube.before = () => undefined
        await world.untilRunning()
        await world.until('tidy', () => world.podNames().length === (name.includes('rescale') ? 3 : 5))
        holds(world)
        if (point > 200) throw new Error('the story has no end')
      }
    })
  }
})
