import { describe, expect, test } from 'vitest'
import { API_VERSION, streamJobs } from '../../../operator/api/stream-job.ts'
import { MANAGER_ANNOTATION } from '../../../operator/controller/managers.ts'
import { wrapped } from '../../../operator/controller/wrapped.ts'
import { KubeError } from '../../../operator/kube/errors.ts'
import type { Kube } from '../../../operator/kube/kube.ts'
import { imageOf } from '../../../operator/resources/job-pod.ts'
import type { Clock } from '../../../runtime/ports/clock.ts'
import { type RunningOperator, startOperator } from '../../../operator/operator.ts'
import { jobConnectors, OperatorWorld, REF } from '../../harness/operator-world.ts'
import { silentLogger } from '../../harness/silent-logger.ts'

interface Release {
  name: string
  operatorClass?: string
  kube?: Kube
  clock?: Clock
}

/** An operator of a release of its own, with a lease and an image of its own. */
function start(
  world: OperatorWorld,
  { name, operatorClass, kube = world.kube, clock = world.clock }: Release,
): RunningOperator {
  return startOperator({
    kube,
    clock,
    jobClient: world,
    rng: { next: () => 0.5, id: () => name },
    logger: silentLogger,
    connectors: jobConnectors,
    druids: () => ({ find: () => undefined }),
    settings: {
      tokenKeys: world.tokenKeys,
      rolloutLimit: 1,
      ...(operatorClass === undefined ? {} : { operatorClass }),
      leaderElection: { lease: { namespace: name, name: 'millrace' }, identity: name, onLost: () => undefined },
      pods: {
        image: `millrace:${name}`,
        imagePullPolicy: 'IfNotPresent',
        store: 'file:///checkpoints',
        addressing: 'podIP',
        encryption: 'on',
        maxSubtasks: 1000,
      },
    },
  })
}

function timersOf({ clock }: OperatorWorld): Omit<Clock, 'now'> {
  return {
    after: (ms, run) => clock.after(ms, run),
    nextTurn: (run) => {
      clock.nextTurn(run)
    },
  }
}

async function pass(world: OperatorWorld, seconds: number): Promise<void> {
  for (let step = 0; step < seconds * 2; step += 1) {
    await world.clock.advance(500)
    world.kubelet()
  }
}

const images = (world: OperatorWorld): string[] => [
  ...new Set(world.podNames().map((name) => imageOf(world.pod(name)) ?? '')),
]

/** The operator `blue` runs a job. */
async function runningJob(): Promise<{ world: OperatorWorld; blue: RunningOperator; cut: () => void }> {
  const world = new OperatorWorld()
  await world.create()
  let isCut = false
  const cutOff = (): Promise<never> => Promise.reject(new KubeError('cut off', { status: 0, reason: 'Timeout' }))
  const kube = wrapped<Kube>(world.kube, (name, call) =>
    isCut && name !== 'watch' && name !== 'now' ? cutOff() : call(),
  )
  const blue = start(world, { name: 'blue', kube })
  await pass(world, 20)
  expect(images(world)).toEqual(['millrace:blue'])
  const cut = (): void => {
    isCut = true
  }
  return { world, blue, cut }
}

describe('a second operator over one namespace', () => {
  test('leaves alone what the first one looks after when its own clock is set five minutes ahead', async () => {
    const { world } = await runningJob()
    let aheadMs = 0
    start(world, { name: 'green', clock: { ...timersOf(world), now: () => world.clock.now() + aheadMs } })
    await pass(world, 45)
    aheadMs = 300_000
    await pass(world, 60)
    expect(images(world)).toEqual(['millrace:blue'])
  })

  test('leaves alone what the first one looks after, and says so and how to change it', async () => {
    const { world } = await runningJob()
    start(world, { name: 'green' })
    await pass(world, 120)
    expect(images(world)).toEqual(['millrace:blue'])
    expect(world.job()?.metadata.annotations).toEqual({ [MANAGER_ANNOTATION]: 'blue/millrace' })
    expect(world.eventTexts().join('\n')).toMatch(
      /ManagedByAnother: The operator of lease blue\/millrace .* green\/millrace leaves it alone.* kubectl annotate streamjobs.millrace.dev counts -n shop --overwrite millrace.dev\/operator=green\/millrace/,
    )
  })

  test('takes it over at once when the first one has given back its lease', async () => {
    const { world, blue } = await runningJob()
    await blue.stop()
    start(world, { name: 'green' })
    await pass(world, 60)
    expect(images(world)).toEqual(['millrace:green'])
    expect(await world.eventReasons()).toContain('TakenOver')
  })

  test('takes it over when nobody has renewed the lease of the first one for half a minute', async () => {
    const { world, cut } = await runningJob()
    cut()
    start(world, { name: 'green' })
    await pass(world, 120)
    expect(images(world)).toEqual(['millrace:green'])
  })

  test('looks after it when somebody has taken the name of the first one off', async () => {
    const { world, blue } = await runningJob()
    await blue.stop()
    world.kube.update(streamJobs, REF, (job) => {
      job.metadata.annotations = {}
    })
    start(world, { name: 'green' })
    await pass(world, 60)
    expect(world.job()?.metadata.annotations).toEqual({ [MANAGER_ANNOTATION]: 'green/millrace' })
  })
})

describe('an object that names its operator', () => {
  test('that is no lease is looked after all the same', async () => {
    const world = new OperatorWorld()
    await world.create()
    world.kube.update(streamJobs, REF, (job) => {
      job.metadata.annotations = { [MANAGER_ANNOTATION]: 'blue' }
    })
    start(world, { name: 'green' })
    await pass(world, 20)
    expect(images(world)).toEqual(['millrace:green'])
  })

  test('is handed over by the command that the Event gives, while both operators live', async () => {
    const { world } = await runningJob()
    start(world, { name: 'green' })
    await pass(world, 60)
    const [, name = '', value = ''] =
      /kubectl annotate streamjobs\.millrace\.dev counts -n shop --overwrite (\S+)=(\S+)/.exec(
        world.eventTexts().join('\n'),
      ) ?? []
    world.kube.update(streamJobs, REF, (job) => {
      job.metadata.annotations = { [name]: value }
    })
    await pass(world, 60)
    expect(images(world)).toEqual(['millrace:green'])
  })

  test('gets its Event however many there are, and the lease is not read for each of them', async () => {
    const { world } = await runningJob()
    for (let nr = 0; nr < 20; nr += 1) {
      await world.kube.create(streamJobs, {
        apiVersion: API_VERSION,
        kind: 'StreamJob',
        metadata: {
          namespace: REF.namespace,
          name: `other-${nr}`,
          annotations: { [MANAGER_ANNOTATION]: 'blue/millrace' },
        },
        spec: { graph: [] },
      })
    }
    world.kube.calls.length = 0
    start(world, { name: 'green' })
    await pass(world, 60)
    const told = world.eventTexts().filter((text) => text.includes('ManagedByAnother'))
    expect(told).toHaveLength(21)
    expect(world.kube.calls.filter((call) => call === 'get leases millrace').length).toBeLessThan(120)
  })
})

describe('an operator with a class', () => {
  test('gets a job that runs when its label changes, from the operator of the class before', async () => {
    const { world } = await runningJob()
    start(world, { name: 'green', operatorClass: 'green' })
    world.kube.update(streamJobs, REF, (job) => {
      job.metadata.labels = { 'millrace.dev/operator-class': 'green' }
    })
    await pass(world, 60)
    expect(world.job()?.metadata.annotations).toEqual({ [MANAGER_ANNOTATION]: 'green/millrace' })
    expect(images(world)).toEqual(['millrace:green'])
    expect(world.kube.calls.filter((call) => call.startsWith('patch streamjobs')).length).toBeLessThan(8)
  })

  test('looks after jobs of its class only, and one without a class after those without', async () => {
    const world = new OperatorWorld()
    await world.create()
    start(world, { name: 'green', operatorClass: 'green' })
    await pass(world, 20)
    expect(world.podNames()).toEqual([])
    world.kube.update(streamJobs, REF, (job) => {
      job.metadata.labels = { 'millrace.dev/operator-class': 'green' }
    })
    start(world, { name: 'blue' })
    await pass(world, 20)
    expect(images(world)).toEqual(['millrace:green'])
  })
})
