import { describe, expect, test } from 'vitest'
import type { AutoscalerSpec } from '../../../../operator/api/stream-job.ts'
import { KubeError } from '../../../../operator/kube/errors.ts'
import type { ScalingProposal } from '../../../../runtime/control/job-report.ts'
import { countsSpec, OperatorWorld } from '../../../harness/operator-world.ts'
import { CHECKPOINT } from '../../../harness/running-report.ts'

const HOT: ScalingProposal = { operators: ['hot', 'out'], from: 2, to: 4, because: 'It is busy.' }
const RUNS_ON_TWO = ['counts-bids-0', 'counts-bids-1', 'counts-coordinator', 'counts-hot-0', 'counts-hot-1']
const RUNS_ON_FOUR = [...RUNS_ON_TWO, 'counts-hot-2', 'counts-hot-3']

/** A job that runs, is stable and has an autoscaler. */
async function scaledJob(autoscaler: Partial<AutoscalerSpec> = {}, changes: object = {}): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  world.afterReport = (report) => {
    report.checkpoint = { ...CHECKPOINT, attempt: report.attempt }
  }
  await world.create(
    countsSpec({
      upgrade: { stability: '1s' },
      autoscaler: { mode: 'Apply', maxReplicas: 8, ...autoscaler },
      ...changes,
    }),
  )
  await world.untilRunning()
  await world.until('stable', () => world.condition('Stable') === 'True/Passed')
  return world
}

/** The coordinator proposes this from now on, until another attempt runs. */
function proposes(world: OperatorWorld, ...proposals: ScalingProposal[]): void {
  const report = world.coordinatorReport()
  if (report.autoscaler !== undefined) report.autoscaler = { ...report.autoscaler, proposals }
}

const scaledTo = (world: OperatorWorld): object =>
  Object.fromEntries(
    ((world.targets.at(-1)?.spec as { graph: { id: string; replicas?: number }[] } | undefined)?.graph ?? []).flatMap(
      ({ id, replicas }) => (replicas === undefined ? [] : [[id, replicas]]),
    ),
  )

describe('a job with an autoscaler', () => {
  test('has its coordinator watch the load of the operators that have no replicas of their own', async () => {
    const { graph } = countsSpec()
    const pinned = graph.map((entry) =>
      (entry as { id: string }).id === 'bids' ? { ...(entry as object), replicas: 2 } : entry,
    )
    const world = await scaledJob({ minReplicas: 2, catchUp: '1m', targetUtilization: 60 }, { graph: pinned })
    expect(world.policies).toEqual([
      {
        operators: ['hot', 'out'],
        minReplicas: 2,
        maxReplicas: 8,
        targetUtilization: 0.6,
        catchUpMs: 60_000,
        scaleDownAfterMs: 300_000,
      },
    ])
  })

  test('has it watch otherwise when the bounds change, and touches no pod for it', async () => {
    const world = await scaledJob()
    const created = world.kube.calls.filter((call) => call.startsWith('create')).length
    world.edit((spec) => Object.assign(spec, { autoscaler: { mode: 'Apply', maxReplicas: 16 } }))
    await world.until('asked', () => world.policies.length === 2)
    expect(world.policies.at(-1)).toMatchObject({ maxReplicas: 16 })
    world.edit((spec) => Object.assign(spec, { autoscaler: undefined }))
    await world.until('asked', () => world.policies.length === 3)
    expect(world.policies.at(-1)).toBeNull()
    expect(world.targets).toHaveLength(1)
    expect(world.kube.calls.filter((call) => call.startsWith('create')).length).toBe(created)
    expect(world.job()?.status?.lastGood?.generation).toBe(1)
  })

  test('asks again when its coordinator has restarted', async () => {
    const world = await scaledJob()
    world.coordinatorReport().autoscaler = { policy: null, proposals: [], limits: [] }
    await world.until('asked again', () => world.policies.length === 2)
    expect(world.policies[1]).toEqual(world.policies[0])
  })

  test('runs as ever with a coordinator that cannot watch the load', async () => {
    const world = await scaledJob()
    delete world.coordinatorReport().autoscaler
    await world.pass()
    await world.pass()
    expect(world.policies).toHaveLength(1)
    expect(world.job()?.status?.phase).toBe('Running')
  })
})

describe('with mode Recommend', () => {
  test('what is proposed stands in the status and is an Event once, and nothing is done', async () => {
    const world = await scaledJob({ mode: 'Recommend' })
    proposes(world, HOT)
    await world.until('told', (job) => job?.status?.autoscaler?.proposals.length === 1)
    for (let passes = 0; passes < 5; passes++) await world.pass()
    expect(world.job()?.status?.autoscaler).toMatchObject({ scaled: [], proposals: [HOT] })
    expect(world.podNames()).toEqual(RUNS_ON_TWO)
    const events = world.eventTexts().filter((text) => text.includes('ScalingProposed'))
    expect(events).toEqual([expect.stringContaining('hot, out: 2 → 4 slots. It is busy.')])
  })

  test('limits are an Event once', async () => {
    const world = await scaledJob({ mode: 'Recommend' })
    const limits = [{ operators: ['hot'], reason: 'AtMax' as const, message: 'hot needs more than 8.' }]
    world.coordinatorReport().autoscaler = { ...world.coordinatorReport().autoscaler, limits } as never
    await world.until('told', (job) => job?.status?.autoscaler?.limits.length === 1)
    for (let passes = 0; passes < 3; passes++) await world.pass()
    expect(world.eventTexts().filter((text) => text.includes('ScalingLimited'))).toHaveLength(1)
  })
})

describe('with mode Apply', () => {
  test('a proposal is a rescale of these operators, and the spec stays as it was written', async () => {
    const world = await scaledJob()
    const before = structuredClone(world.job()?.spec)
    proposes(world, HOT)
    await world.until('rescaled', (job) => job?.status?.lastOperation?.type === 'Rescale')
    expect(world.podNames()).toEqual(RUNS_ON_FOUR)
    expect(scaledTo(world)).toEqual({ hot: 4, out: 4 })
    expect(world.coordinatorReport()).toMatchObject({ phase: 'running', attempt: 2 })
    expect(world.job()?.spec).toEqual(before)
    expect(world.job()?.status?.autoscaler).toMatchObject({
      scaled: [
        { operator: 'hot', replicas: 4 },
        { operator: 'out', replicas: 4 },
      ],
      base: 2,
      because: 'hot, out: 2 → 4 slots. It is busy.',
      proposals: [],
    })
    expect(await world.eventReasons()).toEqual(expect.arrayContaining(['ScalingApplied', 'RescaleCompleted']))
    expect(world.job()?.status?.autoscaler?.before ?? null).toBeNull()
  })

  test('fewer slots are a rescale too, and the pods that are left over go', async () => {
    const world = await scaledJob()
    proposes(world, { ...HOT, to: 1 })
    await world.until('rescaled', () => world.podNames().length === 4)
    expect(scaledTo(world)).toEqual({ hot: 1, out: 1 })
  })

  test('an edit of the graph keeps what was changed, and another number of replicas takes it back', async () => {
    const world = await scaledJob()
    proposes(world, HOT)
    await world.until('rescaled', (job) => job?.status?.lastOperation?.type === 'Rescale')
    world.edit((spec) => Object.assign(spec, { checkpoints: { interval: '20s' } }))
    await world.until('edited', (job) => job?.status?.lastOperation?.type === 'Upgrade')
    expect(world.podNames()).toEqual(RUNS_ON_FOUR)
    world.edit((spec) => Object.assign(spec, { replicas: 1 }))
    await world.until('scaled by hand', () => world.podNames().length === 3)
    expect(scaledTo(world)).toEqual({})
    expect(world.job()?.status?.autoscaler?.scaled).toEqual([])
    world.edit((spec) => Object.assign(spec, { replicas: 2 }))
    await world.until('scaled by hand again', () => world.podNames().length === 5)
  })

  test.each([
    ['Recommend', 7],
    ['Off', 5],
  ])('after it mode %s leaves %i pods', async (mode, count) => {
    const world = await scaledJob()
    proposes(world, HOT)
    await world.until('rescaled', (job) => job?.status?.lastOperation?.type === 'Rescale')
    world.edit((spec) => Object.assign(spec, { autoscaler: { mode, maxReplicas: 8 } }))
    for (let passes = 0; passes < 30; passes++) {
      await world.clock.advance((await world.pass()) ?? 1000)
      world.kubelet()
    }
    expect(world.podNames()).toHaveLength(count)
  })

  test('a lower maxReplicas holds at once', async () => {
    const world = await scaledJob()
    proposes(world, HOT)
    await world.until('rescaled', (job) => job?.status?.lastOperation?.type === 'Rescale')
    world.edit((spec) => Object.assign(spec, { autoscaler: { mode: 'Apply', maxReplicas: 3 } }))
    await world.until('bounded', () => world.podNames().length === 6)
  })

  test('a job that has not shown yet that it holds is left alone until it has', async () => {
    const world = await scaledJob()
    world.edit((spec) => Object.assign(spec, { upgrade: { stability: '5m' }, checkpoints: { interval: '20s' } }))
    await world.until('observed', (job) => job?.status?.observing != null)
    proposes(world, HOT)
    const since = world.clock.now()
    await world.until('rescaled', () => world.podNames().length === 7, 300)
    expect(world.clock.now() - since).toBeGreaterThan(4 * 60_000)
  })

  test('a job that is not well is left alone until it is', async () => {
    const world = await scaledJob()
    const error = { code: 'KAFKA_UNREACHABLE', message: 'no broker', domain: 'dependency', retriable: true } as const
    world.coordinatorReport().error = error
    proposes(world, HOT)
    for (let passes = 0; passes < 5; passes++) await world.pass()
    expect(world.podNames()).toEqual(RUNS_ON_TWO)
    world.coordinatorReport().error = null
    await world.until('rescaled', () => world.podNames().length === 7)
  })

  test.each<[string, ScalingProposal, number]>([
    ['more than maxReplicas', { ...HOT, to: 100_000 }, 11],
    ['fewer than minReplicas', { ...HOT, to: 1 }, 5],
    ['operators that there are not', { ...HOT, operators: ['hot', 'out', 'spy'] }, 5],
    ['a part of a chain', { ...HOT, operators: ['hot'] }, 5],
    ['from another number of slots', { ...HOT, from: 3 }, 5],
  ])('a coordinator that proposes %s is not followed beyond the spec', async (_, proposal, count) => {
    const world = await scaledJob({ minReplicas: 2 })
    proposes(world, proposal)
    for (let passes = 0; passes < 30; passes++) {
      await world.clock.advance((await world.pass()) ?? 1000)
      world.kubelet()
    }
    expect(world.podNames()).toHaveLength(count)
  })

  test('a coordinator that proposes something else each time has the job rescaled every 15 s at most', async () => {
    const world = await scaledJob()
    world.afterReport = (report) => {
      const slots = report.runningWorkers.filter((worker) => worker.startsWith('hot')).length
      const to = slots === 2 ? 3 : 2
      report.checkpoint = { ...CHECKPOINT, attempt: report.attempt }
      if (report.autoscaler !== undefined)
        report.autoscaler = { ...report.autoscaler, proposals: [{ ...HOT, from: slots, to }] }
    }
    const until = world.clock.now() + 60_000
    while (world.clock.now() < until) {
      await world.clock.advance(Math.max(100, (await world.pass()) ?? 1000))
      world.kubelet()
    }
    expect(world.targets.length).toBeLessThanOrEqual(1 + 5)
  })

  test('a change whose pods are refused is taken back at once, and tried again after ten minutes', async () => {
    const world = await scaledJob()
    world.kube.admit = (object) => {
      if (object.kind === 'Pod' && world.podNames().length >= 6)
        throw new KubeError('no', { status: 403, reason: 'Forbidden', words: 'exceeded quota: small' })
    }
    proposes(world, HOT)
    await world.until('taken back', (job) => job?.status?.autoscaler?.held != null)
    await world.until('as before', (job) => world.podNames().length === 5 && job?.status?.phase === 'Running')
    expect(world.coordinatorReport()).toMatchObject({ phase: 'running', attempt: 1 })
    expect(world.eventTexts().find((text) => text.includes('ScalingTakenBack'))).toContain('exceeded quota: small')
    world.kube.admit = () => undefined
    await world.clock.advance(9 * 60_000)
    for (let passes = 0; passes < 3; passes++) await world.pass()
    expect(world.podNames()).toHaveLength(5)
    await world.clock.advance(2 * 60_000)
    await world.until('rescaled', () => world.podNames().length === 7)
  })

  test('a change whose pods do not come in time is taken back', async () => {
    const world = await scaledJob()
    world.isHeld = (pod) => /-hot-[23]-/.test(pod.metadata.name)
    proposes(world, HOT)
    await world.until('taken back', (job) => job?.status?.autoscaler?.held != null, 2000)
    await world.until('as before', (job) => world.podNames().length === 5 && job?.status?.phase === 'Running')
    expect(world.coordinatorReport()).toMatchObject({ phase: 'running', attempt: 1 })
  })
})
