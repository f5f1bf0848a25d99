import { describe, expect, test } from 'vitest'
import { API_VERSION, streamJobs, type SavepointPolicy, type StreamJob } from '../../../../operator/api/stream-job.ts'
import { streamSavepoints, type StreamSavepoint } from '../../../../operator/api/stream-savepoint.ts'
import { decideSchedule, unpinned } from '../../../../operator/savepoint/decide-schedule.ts'
import { crash, isCrash } from '../../../harness/certification/strike.ts'
import { countsSpec, OperatorWorld, REF } from '../../../harness/operator-world.ts'

const NOW = Date.parse('2026-11-23T12:00:00Z')
const HOUR = 3_600_000
const JOB: StreamJob = {
  apiVersion: API_VERSION,
  kind: 'StreamJob',
  metadata: { name: 'j', uid: 'u', creationTimestamp: at(100) },
  spec: { graph: [] },
}

/** So many hours ago. */
function at(hours: number): string {
  return new Date(NOW - hours * HOUR).toISOString()
}

function savepoint(
  hours: number,
  phase: NonNullable<StreamSavepoint['status']>['phase'] = 'Completed',
  more: { uid?: string; trigger?: StreamSavepoint['spec']['trigger'] } = {},
): StreamSavepoint {
  return {
    apiVersion: API_VERSION,
    kind: 'StreamSavepoint',
    metadata: {
      name: `s${hours}`,
      creationTimestamp: at(hours),
      labels: { 'millrace.dev/job-uid': more.uid ?? 'u' },
    },
    spec: { job: 'j', trigger: more.trigger ?? 'Periodic' },
    status: { phase, location: `/store/ns/j/u/checkpoints/1-${hours}` },
  }
}

const decided = (savepoints: readonly StreamSavepoint[], policy: Partial<SavepointPolicy> = {}, job = JOB) =>
  decideSchedule({ job, policy: { every: '2h', ...policy }, now: NOW, savepoints })

describe('the savepoint that is due', () => {
  test.each<[string, readonly StreamSavepoint[], string | undefined]>([
    ['is that of the last time which was missed, of many', [], 'j-20261123-120000'],
    ['is none before the time has come', [savepoint(1.9)], undefined],
    ['is named for its time, not for now', [savepoint(3.5)], 'j-20261123-103000'],
    ['is none while another one is being taken', [savepoint(5, 'InProgress'), savepoint(7)], undefined],
    ['is one when the one before has failed', [savepoint(2, 'Failed')], 'j-20261123-120000'],
    ['does not depend on those of people', [savepoint(1, 'Completed', { trigger: 'Manual' })], 'j-20261123-120000'],
    ['does not depend on those of a namesake', [savepoint(1, 'Completed', { uid: 'v' })], 'j-20261123-120000'],
  ])('%s', (_, savepoints, due) => {
    expect(decided(savepoints).due).toBe(due)
  })

  test('of a new job comes after the first interval', () => {
    const young = { ...JOB, metadata: { ...JOB.metadata, creationTimestamp: at(1) } }
    const { due, nextAt } = decided([], {}, young)
    expect([due, nextAt]).toEqual([undefined, NOW + HOUR])
  })
})

test.each<[string, readonly StreamSavepoint[], Partial<SavepointPolicy>, number]>([
  ['the next is due', [savepoint(0.5)], {}, 1.5],
  ['one that is being taken may be complete', [savepoint(0.5, 'InProgress')], {}, 1 / 60],
  ['one that was due may be complete', [savepoint(3)], {}, 1 / 60],
  ['one is too old', [savepoint(0.5), savepoint(23)], { maxAge: '1d' }, 1],
])('the job is looked at again when %s', (_, savepoints, policy, hours) => {
  expect((decided(savepoints, policy).nextAt - NOW) / HOUR).toBeCloseTo(hours, 4)
})

describe('savepoints that need not stay', () => {
  const names = (savepoints: readonly StreamSavepoint[], policy: Partial<SavepointPolicy>): string[] =>
    decided(savepoints, policy).old.map(({ metadata }) => metadata.name)

  test.each<[string, readonly StreamSavepoint[], Partial<SavepointPolicy>, string[]]>([
    ['are those beyond the number', [savepoint(3), savepoint(1), savepoint(2)], { keep: 2 }, ['s3']],
    ['are those that are too old', [savepoint(1), savepoint(30), savepoint(50)], { maxAge: '1d' }, ['s30', 's50']],
    ['are never the newest that is completed', [savepoint(1, 'Failed'), savepoint(50)], { keep: 1, maxAge: '1d' }, []],
    ['are failed ones by the same measure', [1, 2, 3].map((one) => savepoint(one, 'Failed')), { keep: 2 }, ['s3']],
    ['are none of people', [savepoint(1), savepoint(9, 'Completed', { trigger: 'Manual' })], { keep: 1 }, []],
    ['are no final ones', [savepoint(1), savepoint(9, 'Completed', { trigger: 'Final' })], { keep: 1 }, []],
    ['are none that are being taken', [savepoint(1), savepoint(9, 'Pending')], { keep: 1, maxAge: '1h' }, []],
  ])('%s', (_, savepoints, policy, old) => {
    expect(names(savepoints, policy)).toEqual(old)
  })

  const heir = (restore: unknown, attempt = 0): StreamJob => ({
    ...JOB,
    spec: { graph: [], restore } as StreamJob['spec'],
    status: { attempt },
  })
  test.each<[string, StreamJob, string[]]>([
    ['its name', heir({ savepoint: 's9' }), []],
    ['its name, and has started', heir({ savepoint: 's9' }, 1), ['s9']],
    ['the name of another', heir({ savepoint: 's8' }), ['s9']],
    ['its location', heir({ path: '/store/ns/j/u/checkpoints/1-9' }), []],
    ['the newest one of its job', heir({ latestOf: 'j' }), []],
    ['the newest one of another job', heir({ latestOf: 'k' }), ['s9']],
    ['nothing that makes sense', heir({}), ['s9']],
  ])('stay as long as a job is to start from %s', (_, job, left) => {
    expect(unpinned([savepoint(9)], [JOB, job]).map(({ metadata }) => metadata.name)).toEqual(left)
  })
})

describe('a StreamJob with spec.savepoints', () => {
  const all = (world: OperatorWorld): StreamSavepoint[] =>
    [...world.kube.objects.values()].filter((one): one is StreamSavepoint => one.kind === 'StreamSavepoint')
  const completeAll = (world: OperatorWorld): void => {
    for (const { metadata, status } of all(world))
      if (status === undefined)
        world.kube.update(streamSavepoints, { namespace: REF.namespace, name: metadata.name }, (one) => {
          one.status = { phase: 'Completed', location: `file:///checkpoints/shop/counts/job-uid-1/checkpoints/1-1` }
        })
  }
  async function passes(world: OperatorWorld, minutes: number): Promise<void> {
    for (let pass = 0; pass < minutes * 4; pass += 1) {
      await world.pass().catch((error: unknown) => {
        if (!isCrash(error)) throw error
      })
      completeAll(world)
      await world.clock.advance(15_000)
    }
  }
  async function running(savepoints: SavepointPolicy): Promise<OperatorWorld> {
    const world = new OperatorWorld()
    await world.create(countsSpec({ savepoints }))
    await world.untilRunning()
    return world
  }

  test('gets one at each time while it runs, belonging to nobody, and no more of them than are to stay', async () => {
    const world = await running({ every: '10m', keep: 2 })
    await passes(world, 35)
    expect(all(world)).toHaveLength(2)
    expect(world.kube.calls.filter((call) => call.startsWith('create streamsavepoints'))).toHaveLength(3)
    const [one] = all(world)
    expect(one).toMatchObject({ spec: { job: 'counts', trigger: 'Periodic', deletionPolicy: 'Delete' } })
    expect(one?.metadata.ownerReferences).toBeUndefined()
    expect(world.job()?.metadata.generation).toBe(1)
    expect(world.job()?.status?.revisions).toHaveLength(1)
  })

  test('gets none while it is suspended, and one when it runs again', async () => {
    const world = await running({ every: '10m' })
    world.edit((spec) => {
      spec['desiredState'] = 'Suspended'
    })
    await world.until('suspended', (job) => job?.status?.phase === 'Suspended')
    await passes(world, 60)
    expect(all(world)).toEqual([])
    world.edit((spec) => {
      spec['desiredState'] = 'Running'
    })
    await world.untilRunning()
    await passes(world, 5)
    expect(all(world)).toHaveLength(1)
  })

  test('gets each once, wherever the operator dies', async () => {
    for (const when of ['before', 'after'] as const) {
      const world = await running({ every: '10m' })
      let left = 3
      world.kube[when] = (call) => {
        if (call.startsWith('create streamsavepoints') && left-- > 0) crash(call)
      }
      await passes(world, 15)
      expect(all(world), when).toHaveLength(1)
    }
  })

  test('is asked no more often than something may be due, by an operator that lives', async () => {
    const world = await running({ every: '1h' })
    world.isForgetful = false
    world.restartOperator()
    world.kube.calls.length = 0
    await passes(world, 10)
    expect(world.kube.calls.filter((call) => call.startsWith('list streamsavepoints')).length).toBe(1)
  })

  test('that is gone leaves them, and its successor counts its own', async () => {
    const world = await running({ every: '10m', keep: 1 })
    await passes(world, 15)
    expect(all(world)).toHaveLength(1)
    await world.kube.delete(streamJobs, REF)
    await world.until('gone', (job) => job === undefined)
    expect(all(world)).toHaveLength(1)
  })
})
