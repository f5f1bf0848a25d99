import { describe, expect, test } from 'vitest'
import { imageOf } from '../../../../operator/resources/job-pod.ts'
import type { JobReport } from '../../../../runtime/control/job-report.ts'
import { countsSpec, OperatorWorld } from '../../../harness/operator-world.ts'

/** Has a checkpoint, as every attempt that has run for a while. */
function checkpointed(report: JobReport): void {
  if (report.phase !== 'running') return
  const { attempt } = report
  report.checkpoint = {
    attempt,
    id: 7,
    kind: 'checkpoint',
    path: `checkpoints/${attempt}-7/manifest.json`,
    completedAt: 0,
    durationMs: 1,
    sizeBytes: 1,
  }
}

/** A job that has run for long enough to count as stable. */
async function stableJob(): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  world.afterReport = checkpointed
  await world.create()
  await world.untilRunning()
  expect(world.condition('Stable')).toBe('False/Observing')
  await world.until('stable', () => world.condition('Stable') === 'True/Passed')
  return world
}

const BROKEN = { code: 'USER_CODE_THREW', message: 'x is not a function', domain: 'user', retriable: false } as const
const CRASHING = { code: 'CRASH_LOOP', message: '5 attempts in a row', domain: 'platform', retriable: true } as const

/** Attempts of any target but this one are given up. */
function breaksAllBut(world: OperatorWorld, revision: string | null): void {
  world.afterReport = (report) => {
    checkpointed(report)
    if (report.targetRevision !== revision && report.phase === 'running')
      Object.assign(report, { phase: 'failed', error: BROKEN, checkpoint: null })
  }
}

const toReplicas = (world: OperatorWorld, replicas: number): void => {
  world.edit((spec) => {
    spec['replicas'] = replicas
  })
}

describe('an edit that does not hold', () => {
  test('gives way to the spec before it, and says why and what to do', async () => {
    const world = await stableJob()
    const { revision } = world.coordinatorReport()
    breaksAllBut(world, revision)
    toReplicas(world, 3)
    await world.until(
      'back',
      () => world.job()?.status?.rolledBack != null && world.coordinatorReport().phase === 'running',
    )
    await world.until('tidy', () => world.podNames().length === 5)
    expect(world.coordinatorReport().revision).toBe(revision)
    expect([world.condition('Ready'), world.condition('Stable'), world.condition('Stalled')]).toEqual([
      'False/RolledBack',
      'False/RolledBack',
      'True/RolledBack',
    ])
    expect(world.job()?.status?.message).toContain(
      'Generation 2 did not hold: x is not a function. The spec before it runs again, from ',
    )
    expect(await world.eventReasons()).toContain('RolledBack')
    expect(await world.eventReasons()).not.toContain('Rejected')
  })

  test('stays rolled back through restarts of the operator, a suspension and a bad edit, and is tried once', async () => {
    const world = await stableJob()
    const { revision } = world.coordinatorReport()
    breaksAllBut(world, revision)
    toReplicas(world, 3)
    const isBack = (): boolean =>
      world.coordinatorReport().phase === 'running' && world.coordinatorReport().revision === revision
    await world.until('back', () => world.job()?.status?.rolledBack != null && isBack())
    const targets = world.targets.length
    for (let pass = 0; pass < 10; pass += 1) await world.pass()
    expect(world.targets).toHaveLength(targets)
    world.edit((spec) => {
      spec['desiredState'] = 'Suspended'
    })
    await world.until('suspended', (job) => job?.status?.phase === 'Suspended')
    world.edit((spec) => {
      spec['desiredState'] = 'Running'
      spec['graph'] = []
    })
    await world.until('resumed', () => isBack())
    expect(world.targets.filter((target) => target.revision !== revision)).toHaveLength(1)
  })

  test('is tried again when another edit says so, and holds when what was wrong is mended', async () => {
    const world = await stableJob()
    breaksAllBut(world, world.coordinatorReport().revision)
    toReplicas(world, 3)
    await world.until('back', () => world.job()?.status?.rolledBack != null)
    world.afterReport = checkpointed
    world.edit((spec) => {
      spec['restartNonce'] = 'again'
    })
    await world.until('stable', () => world.condition('Stable') === 'True/Passed', 200)
    expect(world.job()?.status?.rolledBack ?? null).toBeNull()
    expect(world.job()?.status?.replicas).toBe(3)
  })

  test('of the image brings the pods before it back', async () => {
    const world = await stableJob()
    world.afterReport = (report) => {
      checkpointed(report)
      if (imageOf(world.pod('counts-coordinator')) === 'millrace:2' && report.phase === 'running')
        Object.assign(report, { phase: 'failed', error: BROKEN, checkpoint: null })
    }
    world.edit((spec) => {
      spec['image'] = 'millrace:2'
    })
    await world.until('back', () => world.job()?.status?.rolledBack != null, 200)
    await world.until('running', () => world.coordinatorReport().phase === 'running', 200)
    await world.until('tidy', () => world.podNames().length === 5)
    expect(world.podNames().map((name) => imageOf(world.pod(name)))).toEqual(Array(5).fill('millrace:1'))
  })

  test('is only given up while it crashes in a row when it has had its time', async () => {
    const world = await stableJob()
    const { revision } = world.coordinatorReport()
    world.afterReport = (report) => {
      report.error = report.revision === revision ? null : CRASHING
      if (report.revision === revision) checkpointed(report)
    }
    toReplicas(world, 3)
    await world.until('degraded', (job) => job?.status?.phase === 'Degraded')
    expect(world.job()?.status?.rolledBack ?? null).toBeNull()
    await world.until('back', () => world.job()?.status?.rolledBack != null, 200)
  })

  test('says that the job stands still when the spec before it is refused, and another edit runs', async () => {
    const world = await stableJob()
    const { revision } = world.coordinatorReport()
    breaksAllBut(world, revision)
    toReplicas(world, 3)
    await world.until('tried', (job) => job?.status?.lastGood?.generation === 2)
    world.refusesTarget = (target) =>
      target.revision === revision
        ? { code: 'STATE_WOULD_BE_LOST', message: 'operator sums is gone, and its state with it' }
        : undefined
    await world.until('refused', (job) => job?.status?.refusal != null)
    expect(world.job()?.status?.message).toContain('operator sums is gone')
    expect(world.job()?.status?.message).not.toContain('stays in force')
    world.afterReport = checkpointed
    toReplicas(world, 4)
    await world.until('running', (job) => job?.status?.phase === 'Running' && job.status.replicas === 4)
  })

  test('is given up when its attempts end before they run', async () => {
    const world = await stableJob()
    const { revision } = world.coordinatorReport()
    world.afterReport = (report) => {
      const isBefore = report.targetRevision === revision
      if (!isBefore) Object.assign(report, { phase: 'recovering', error: CRASHING, checkpoint: null })
      else report.error = null
      checkpointed(report)
    }
    toReplicas(world, 3)
    await world.until('back', () => world.job()?.status?.rolledBack != null, 300)
  })

  test('has its time anew when it was suspended meanwhile', async () => {
    const world = await stableJob()
    toReplicas(world, 3)
    await world.until('observed', (job) => job?.status?.observing != null)
    world.edit((spec) => {
      spec['desiredState'] = 'Suspended'
    })
    await world.until('suspended', (job) => job?.status?.phase === 'Suspended')
    await world.clock.advance(3_600_000)
    world.edit((spec) => {
      spec['desiredState'] = 'Running'
    })
    await world.until('running', (job) => job?.status?.phase === 'Running')
    await world.pass()
    expect(world.condition('Stable')).toBe('False/Observing')
  })

  test('stays when rollback is disabled, and when nothing has held before', async () => {
    const world = await stableJob()
    breaksAllBut(world, world.coordinatorReport().revision)
    world.edit((spec) => {
      Object.assign(spec, { replicas: 3, upgrade: { rollback: 'Disabled' } })
    })
    await world.until('failed', (job) => job?.status?.phase === 'Failed')
    const young = new OperatorWorld()
    await young.create(countsSpec())
    await young.untilRunning()
    breaksAllBut(young, young.coordinatorReport().revision)
    toReplicas(young, 3)
    await young.until('failed', (job) => job?.status?.phase === 'Failed')
    expect(await young.eventReasons()).not.toContain('RolledBack')
  })
})
