import { describe, expect, test } from 'vitest'
import { streamJobs, type StreamJobSpec } from '../../../../operator/api/stream-job.ts'
import { controllerRevisions, revisionName } from '../../../../operator/resources/controller-revision.ts'
import type { ControllerRevision } from '../../../../operator/resources/controller-revision.ts'
import { configMaps } from '../../../../operator/resources/job-objects.ts'
import { imageOf } from '../../../../operator/resources/job-pod.ts'
import { keptHash } from '../../../../operator/streamjob/kept-specs.ts'
import { withinLimit, withRevision } from '../../../../operator/streamjob/revisions.ts'
import type { JobReport } from '../../../../runtime/control/job-report.ts'
import { crash, isCrash } from '../../../harness/certification/strike.ts'
import { countsSpec, OperatorWorld, REF } from '../../../harness/operator-world.ts'

async function runningJob(spec: StreamJobSpec = countsSpec()): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  await world.create(spec)
  await world.untilRunning()
  return world
}

async function edited(world: OperatorWorld, change: Record<string, unknown>): Promise<void> {
  world.edit((spec) => {
    Object.assign(spec, change)
  })
  await world.untilRunning()
}

function stored(world: OperatorWorld): ControllerRevision[] {
  return [...world.kube.objects.values()].filter((one): one is ControllerRevision => one.kind === 'ControllerRevision')
}

const numbers = (world: OperatorWorld): number[] => (world.job()?.status?.revisions ?? []).map((one) => one.revision)

/** Each listed revision has its object, with that number and text, and there are no others. */
function expectListedAndStored(world: OperatorWorld): void {
  const listed = (world.job()?.status?.revisions ?? []).map(({ hash, revision }) => [
    revisionName('counts', hash),
    revision,
    hash,
  ])
  const there = stored(world).map(({ metadata, revision, data }) => [
    metadata.name,
    revision,
    keptHash(data as StreamJobSpec),
  ])
  expect(there.sort()).toEqual(listed.sort())
}

/** Passes until the condition holds, whatever the operator dies of meanwhile. */
async function untilThrough(world: OperatorWorld, what: string, holds: () => boolean): Promise<void> {
  for (let pass = 0; pass < 300; pass += 1) {
    await world.pass().catch((error: unknown) => {
      if (!isCrash(error)) throw error
    })
    world.kubelet()
    if (holds()) return
    await world.clock.advance(500)
  }
  throw new Error(`not reached: ${what}; ${JSON.stringify(world.job()?.status)}`)
}

/** The writes of a scenario that revisions depend on; `die` may throw at each, before it is made and after. */
function atWrites(world: OperatorWorld, die: (call: string) => void): string[] {
  const calls: string[] = []
  for (const when of ['before', 'after'] as const)
    world.kube[when] = (call) => {
      if (!/^(create|patch|patchStatus|delete) (streamjobs|controllerrevisions|configmaps)/.test(call)) return
      calls.push(call)
      die(call)
    }
  return calls
}

async function dyingAtEach(scenario: (die: (call: string) => void) => Promise<string[]>): Promise<void> {
  const calls = await scenario(() => undefined)
  expect(calls.length).toBeGreaterThan(5)
  for (const [nr, name] of calls.entries()) {
    let count = -1
    await scenario((call) => {
      count += 1
      if (count === nr) crash(`${name}, now ${call}`)
    })
  }
}

describe('the list of revisions', () => {
  const entry = (hash: string) => ({ hash, generation: 1, at: '', change: 'graph' as const })

  test('has the newest first, and gives a text that comes again a new number', () => {
    const three = ['a', 'b', 'c'].reduce<ReturnType<typeof withRevision>>(
      (all, hash) => withRevision(all, entry(hash)),
      [],
    )
    expect(three.map(({ hash, revision }) => [hash, revision])).toEqual([
      ['c', 3],
      ['b', 2],
      ['a', 1],
    ])
    expect(withRevision(three, entry('a')).map(({ hash, revision }) => [hash, revision])).toEqual([
      ['a', 4],
      ['c', 3],
      ['b', 2],
    ])
    expect(withRevision(three, entry('c'))).toBe(three)
  })

  test('keeps what is in use, however old it is', () => {
    const all = ['a', 'b', 'c', 'd', 'e', 'f'].reduce<ReturnType<typeof withRevision>>(
      (known, hash) => withRevision(known, entry(hash)),
      [],
    )
    const status = {
      stable: 'a',
      lastGood: { generation: 1, hash: 'f', running: 'c', change: 'graph' as const },
      rollbackTo: { revision: 2, hash: 'b' },
    }
    expect(withinLimit(all, status, 2).map(({ hash }) => hash)).toEqual(['f', 'e', 'c', 'b', 'a'])
    expect(withinLimit(all, {}, 2).map(({ hash }) => hash)).toEqual(['f', 'e'])
  })
})

describe('each spec of a StreamJob that passes', () => {
  test('is kept as a revision, and one that comes back gets a new number', async () => {
    const world = await runningJob()
    await edited(world, { restartNonce: 'b' })
    await edited(world, { restartNonce: undefined })
    expect(numbers(world)).toEqual([3, 2])
    expect(world.job()?.status?.revisions?.[0]).toMatchObject({ generation: 3, change: 'none' })
    expectListedAndStored(world)
    const [one] = stored(world)
    expect(one?.metadata.labels?.['millrace.dev/job']).toBe('counts')
    expect(one?.metadata.ownerReferences).toMatchObject([{ uid: 'job-uid-1', controller: true }])
    expect(Object.keys(one?.data as object)).not.toContain('desiredState')
  })

  test('pushes out the oldest ones beyond the limit, and never one in use', async () => {
    const world = await runningJob(countsSpec({ upgrade: { revisionHistoryLimit: 2 } }))
    for (const nonce of ['b', 'c', 'd', 'e']) {
      await edited(world, { restartNonce: nonce })
      expectListedAndStored(world)
    }
    expect(numbers(world)).toEqual([5, 4])
  })

  test('is listed with its object wherever the operator dies, and nothing is left of what is not listed', async () => {
    await dyingAtEach(async (die) => {
      const world = await runningJob(countsSpec({ upgrade: { revisionHistoryLimit: 1 } }))
      const calls = atWrites(world, die)
      const toNonce = (restartNonce: string): void => {
        world.edit((spec) => {
          spec['restartNonce'] = restartNonce
        })
      }
      toNonce('b')
      await untilThrough(world, 'b runs', () => world.job()?.status?.phase === 'Running' && numbers(world)[0] === 2)
      await untilThrough(world, 'settled', () => world.podNames().length === 5)
      world.kube.before = world.kube.after = () => undefined
      await edited(world, { restartNonce: 'c' })
      expectListedAndStored(world)
      expect(numbers(world)[0]).toBe(3)
      return calls
    })
  })
})

describe('a spec that an earlier operator kept in a ConfigMap', () => {
  const keptName = { ...REF, name: 'counts-last-good' }

  /** As that operator has left a job that runs `running`, with the last good spec in the ConfigMap. */
  async function earlierJob(good: StreamJobSpec, more: object = {}): Promise<OperatorWorld> {
    const world = await runningJob(good)
    const job = world.job()
    for (const { metadata } of stored(world))
      await world.kube.delete(controllerRevisions, { namespace: REF.namespace, name: metadata.name })
    world.kube.update(streamJobs, REF, ({ status }) => {
      delete status?.revisions
    })
    await world.kube.create(configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { ...keptName, ownerReferences: [{ ...OWNER, uid: job?.metadata.uid ?? '' }] },
      data: { uid: job?.metadata.uid ?? '', spec: JSON.stringify(good), running: 'null', previous: 'null', ...more },
    })
    return world
  }
  const OWNER = { apiVersion: 'millrace.dev/v1alpha1', kind: 'StreamJob', name: 'counts' }

  test('becomes a revision, and the ConfigMap goes only when the status names it, wherever the operator dies', async () => {
    await dyingAtEach(async (die) => {
      const world = await earlierJob(countsSpec())
      const calls = atWrites(world, (call) => {
        if (call.startsWith('delete configmaps')) {
          expect(world.job()?.status?.revisions).toMatchObject([{ hash: keptHash(countsSpec()) }])
          expectListedAndStored(world)
        }
        die(call)
      })
      await untilThrough(world, 'migrated', () => world.job()?.status?.revisions !== undefined)
      await untilThrough(
        world,
        'tidy',
        () => world.kube.peek(configMaps, keptName) === undefined && !world.job()?.status?.lastGood?.leftover,
      )
      expect(world.job()?.status).toMatchObject({ phase: 'Running', attempt: 1, lastGood: { generation: 1 } })
      expectListedAndStored(world)
      return calls
    })
  })

  test('goes on running, and becomes a revision, when the newest spec is bad', async () => {
    const world = await earlierJob(countsSpec())
    const pods = world.podNames()
    world.edit((spec) => {
      spec['graph'] = []
    })
    await world.until('refused', () => world.condition('Ready') === 'False/SpecInvalid')
    await world.until('migrated', () => world.kube.peek(configMaps, keptName) === undefined)
    expect(numbers(world)).toEqual([1])
    expect(world.podNames()).toEqual(pods)
    expectListedAndStored(world)
  })

  test('is not used when it is not what the status vouches for', async () => {
    const world = await earlierJob(countsSpec())
    world.kube.update(configMaps, keptName, (kept) => {
      kept.data = { ...kept.data, spec: JSON.stringify(countsSpec({ image: 'evil:1' })) }
    })
    world.edit((spec) => {
      spec['graph'] = []
    })
    await world.until('refused', () => world.condition('Ready') === 'False/SpecInvalid')
    expect(JSON.stringify(world.job()?.status?.conditions)).toContain('LAST_GOOD_ALTERED')
    expect(stored(world)).toEqual([])
  })
})

describe('spec.upgrade.rollbackTo', () => {
  /** Revision 1 is of millrace:1 and two replicas, 2 of millrace:2, 3 of three replicas more. */
  async function threeRevisions(): Promise<OperatorWorld> {
    const world = await runningJob()
    await edited(world, { image: 'millrace:2' })
    await edited(world, { replicas: 3 })
    await world.until('tidy', () => world.podNames().length === 7)
    expect(numbers(world)).toEqual([3, 2, 1])
    return world
  }
  const images = (world: OperatorWorld): (string | undefined)[] => [
    ...new Set(world.podNames().map((name) => imageOf(world.pod(name)))),
  ]

  test('brings the spec of that revision back, says so, and lets the newest one run when it is removed', async () => {
    const world = await threeRevisions()
    await edited(world, { upgrade: { rollbackTo: 1 } })
    await world.until('tidy', () => world.podNames().length === 5)
    expect(images(world)).toEqual(['millrace:1'])
    expect([world.condition('Ready'), world.condition('Stalled')]).toEqual(['True/RollbackTo', 'False/Progressing'])
    expect(world.job()?.status).toMatchObject({ phase: 'Running', reason: 'RollbackTo', rollbackTo: { revision: 1 } })
    expect(world.job()?.status?.message).toContain('Revision 1 runs in place of the newest spec')
    await edited(world, { upgrade: {} })
    await world.until('tidy', () => world.podNames().length === 7)
    expect(images(world)).toEqual(['millrace:2'])
    expect(world.job()?.status?.rollbackTo ?? null).toBeNull()
    expect(numbers(world)).toEqual([3, 2, 1])
    expect((await world.eventReasons()).filter((reason) => reason.startsWith('RollbackTo')).sort()).toEqual([
      'RollbackTo',
      'RollbackToEnded',
    ])
  })

  test('wins over edits, also those of an autoscaler, which run when it is removed', async () => {
    const world = await threeRevisions()
    await edited(world, { upgrade: { rollbackTo: 1 } })
    await world.until('tidy', () => world.podNames().length === 5)
    await edited(world, { replicas: 5 })
    for (let pass = 0; pass < 5; pass += 1) await world.pass()
    expect(world.podNames()).toHaveLength(5)
    expect(numbers(world)).toEqual([3, 2, 1])
    await edited(world, { upgrade: {} })
    await world.until('five', () => world.podNames().length === 11)
    expect(numbers(world)).toEqual([4, 3, 2, 1])
  })

  test('of a number that there is not leaves the job as it is and says which there are', async () => {
    const world = await threeRevisions()
    world.edit((spec) => {
      Object.assign(spec, { upgrade: { rollbackTo: 7 }, replicas: 4 })
    })
    await world.until('refused', () => world.condition('Ready') === 'False/SpecInvalid')
    const { message = '' } = world.job()?.status ?? {}
    expect(message).toContain('spec.upgrade.rollbackTo: there is no revision 7 [REVISION_UNKNOWN]; there are 3, 2, 1')
    expect(world.podNames()).toHaveLength(7)
    await edited(world, { upgrade: { rollbackTo: 1 } })
    await world.until('tidy', () => world.podNames().length === 5)
    world.edit((spec) => {
      spec['upgrade'] = { rollbackTo: 9 }
    })
    await world.until('refused', () => world.condition('Ready') === 'False/SpecInvalid')
    for (let pass = 0; pass < 3; pass += 1) await world.pass()
    expect(images(world)).toEqual(['millrace:1'])
  })

  test('stays in force while the spec behind it is bad', async () => {
    const world = await threeRevisions()
    await edited(world, { upgrade: { rollbackTo: 1 } })
    await world.until('tidy', () => world.podNames().length === 5)
    const before = world.targets.length
    world.edit((spec) => {
      Object.assign(spec, { upgrade: {}, graph: [] })
    })
    await world.until('refused', () => world.condition('Ready') === 'False/SpecInvalid')
    for (let pass = 0; pass < 3; pass += 1) await world.pass()
    expect(images(world)).toEqual(['millrace:1'])
    expect(world.targets).toHaveLength(before)
  })

  test('of a revision that somebody has changed or removed is not obeyed', async () => {
    for (const remove of [true, false]) {
      const world = await threeRevisions()
      const name = revisionName('counts', keptHash(countsSpec()))
      if (remove) await world.kube.delete(controllerRevisions, { ...REF, name })
      else
        world.kube.update(controllerRevisions, { ...REF, name }, (one) => {
          one.data = countsSpec({ image: 'evil:1' })
        })
      world.edit((spec) => {
        spec['upgrade'] = { rollbackTo: 1 }
      })
      await world.until('refused', () => world.condition('Ready') === 'False/SpecInvalid')
      expect(world.job()?.status?.message).toContain(`[REVISION_ALTERED]`)
      expect(images(world)).toEqual(['millrace:2'])
    }
  })

  test('of a revision that is lost later leaves the pods as they are, until the field is removed', async () => {
    const world = await threeRevisions()
    await edited(world, { upgrade: { rollbackTo: 1 } })
    await world.until('tidy', () => world.podNames().length === 5)
    await world.kube.delete(controllerRevisions, { ...REF, name: revisionName('counts', keptHash(countsSpec())) })
    const targets = world.targets.length
    await world.until('told', (job) => job?.status?.message?.includes('[REVISION_ALTERED]') === true)
    for (let pass = 0; pass < 5; pass += 1) await world.pass()
    expect(world.podNames()).toHaveLength(5)
    expect(world.targets).toHaveLength(targets)
    expect(world.job()?.status).toMatchObject({ phase: 'Running', message: expect.stringContaining('left as it is') })
    await edited(world, { upgrade: {} })
    await world.until('tidy', () => world.podNames().length === 7)
    expect(images(world)).toEqual(['millrace:2'])
  })

  test('is not rolled back itself when that revision does not hold, though another one has held', async () => {
    const world = await runningJob()
    const holds = (report: JobReport, attempt: number): void => {
      if (report.phase !== 'running') return
      const path = 'checkpoints/1-7/manifest.json'
      report.checkpoint = { attempt, id: 7, kind: 'checkpoint', path, completedAt: 0, durationMs: 1, sizeBytes: 1 }
    }
    world.afterReport = (report) => {
      holds(report, 1)
    }
    await world.until('stable', () => world.condition('Stable') === 'True/Passed', 200)
    await edited(world, { image: 'millrace:2' })
    await edited(world, { replicas: 3 })
    const { stable } = world.job()?.status ?? {}
    expect(stable).toBe(keptHash(countsSpec()))
    const broken = { code: 'USER_CODE_THREW', message: 'no function', domain: 'user', retriable: false } as const
    world.afterReport = (report) => {
      holds(report, 1)
      if (report.attempt > 3 && report.phase === 'running') Object.assign(report, { phase: 'failed', error: broken })
    }
    world.edit((spec) => {
      spec['upgrade'] = { rollbackTo: 2 }
    })
    await world.until('failed', (job) => job?.status?.phase === 'Failed', 200)
    for (let pass = 0; pass < 5; pass += 1) await world.pass()
    expect(world.job()?.status).toMatchObject({ stable, phase: 'Failed', rollbackTo: { revision: 2 } })
    expect(await world.eventReasons()).not.toContain('RolledBack')
    world.afterReport = () => undefined
    await edited(world, { upgrade: {} })
    await world.until('three', () => world.podNames().length === 7)
  })

  test('becomes the stable revision when it holds', async () => {
    const world = await threeRevisions()
    await edited(world, { upgrade: { rollbackTo: 1 } })
    world.afterReport = (report) => {
      const { attempt, phase } = report
      const path = `checkpoints/${attempt}-7/manifest.json`
      if (phase === 'running')
        report.checkpoint = { attempt, id: 7, kind: 'checkpoint', path, completedAt: 0, durationMs: 1, sizeBytes: 1 }
    }
    await world.until('stable', () => world.condition('Stable') === 'True/Passed', 200)
    expect(world.job()?.status?.stable).toBe(keptHash(countsSpec()))
  })

  test('is obeyed once, whenever the operator dies', async () => {
    await dyingAtEach(async (die) => {
      const world = await runningJob()
      await edited(world, { image: 'millrace:2' })
      await world.until('tidy', () => world.podNames().length === 5)
      const calls = atWrites(world, die)
      const isAt = (reason: string, image: string): boolean =>
        world.job()?.status?.reason === reason && world.podNames().length === 5 && images(world)[0] === image
      world.edit((spec) => {
        spec['upgrade'] = { rollbackTo: 1 }
      })
      await untilThrough(world, 'back', () => isAt('RollbackTo', 'millrace:1'))
      world.edit((spec) => {
        Object.assign(spec, { upgrade: {}, restartNonce: 'new' })
      })
      await untilThrough(world, 'new', () => isAt('Running', 'millrace:2'))
      expect(numbers(world)).toEqual([3, 2, 1])
      return calls
    })
  })
})
