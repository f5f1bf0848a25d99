import { describe, expect, test } from 'vitest'
import { API_VERSION, type RestoreFrom, type StreamJobSpec } from '../../../../operator/api/stream-job.ts'
import { streamSavepoints, type StreamSavepointStatus } from '../../../../operator/api/stream-savepoint.ts'
import { restoreProblems } from '../../../../operator/streamjob/restore-source.ts'
import { countsSpec, OperatorWorld, REF } from '../../../harness/operator-world.ts'

interface Saved {
  name: string
  job?: string
  uid?: string
  place: string
  phase?: StreamSavepointStatus['phase']
  /** Seconds after the first one, by the clock of the coordinator. */
  completed?: number
}

/** A job that is to start from `restore`, when the namespace has these, created a second after each other. */
async function heir(restore: RestoreFrom, saved: readonly Saved[]): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  for (const { name, job = 'old', uid = 'u1', place, phase = 'Completed', completed = 0 } of saved) {
    await world.kube.create(streamSavepoints, {
      apiVersion: API_VERSION,
      kind: 'StreamSavepoint',
      metadata: { name, namespace: REF.namespace },
      spec: { job },
      status: {
        phase,
        location: `file:///store/shop/${job}/${uid}/checkpoints/${place}`,
        completedAt: new Date(Date.UTC(2026, 0, 1) + completed * 1000).toISOString(),
      },
    })
    await world.clock.advance(1000)
  }
  await world.create(countsSpec({ restore }))
  return world
}

async function startedFrom(world: OperatorWorld): Promise<string | undefined> {
  await world.until('a target', () => world.targets.length > 0)
  return world.targets[0]?.restore
}

describe('a job with restore.latestOf', () => {
  test.each<[string, RestoreFrom, readonly Saved[], string]>([
    [
      'starts from the newest completed one of that job',
      { latestOf: 'old' },
      [
        { name: 'a', place: '1-7' },
        { name: 'b', place: '2-9' },
        { name: 'c', place: '3-11', phase: 'Failed' },
        { name: 'd', place: '9-90', job: 'other', uid: 'x' },
      ],
      'u1/checkpoints/2-9',
    ],
    [
      'believes attempts and checkpoint numbers, not the clocks of coordinators or the order of the objects',
      { latestOf: 'old' },
      [
        { name: 'a', place: '2-10', completed: 0 },
        { name: 'b', place: '2-9', completed: 600 },
        { name: 'c', place: '1-99', completed: 900 },
      ],
      'u1/checkpoints/2-10',
    ],
    [
      'takes the last of several lives of the job',
      { latestOf: 'old' },
      [
        { name: 'a', place: '9-90', uid: 'u1', completed: 600 },
        { name: 'b', place: '1-2', uid: 'u2' },
      ],
      'u2/checkpoints/1-2',
    ],
    [
      'takes the life whose UID it names',
      { latestOf: 'old', uid: 'u1' },
      [
        { name: 'a', place: '9-90', uid: 'u1' },
        { name: 'b', place: '1-2', uid: 'u2' },
      ],
      'u1/checkpoints/9-90',
    ],
    [
      'may be the next life of the same job',
      { latestOf: 'counts' },
      [{ name: 'a', place: '1-2', job: 'counts' }],
      'u1/checkpoints/1-2',
    ],
  ])('%s', async (_, restore, saved, location) => {
    expect(await startedFrom(await heir(restore, saved))).toContain(location)
  })

  test('waits and says why as long as there is none', async () => {
    const world = await heir({ latestOf: 'old', uid: 'u9' }, [{ name: 'a', place: '1-7' }])
    await world.until('told', () => world.condition('Ready') === 'False/SavepointMissing')
    expect(world.job()?.status?.message).toContain('no completed StreamSavepoint of a StreamJob old with the UID u9')
    expect(world.targets).toEqual([])
    world.kube.update(streamSavepoints, { namespace: REF.namespace, name: 'a' }, ({ status }) => {
      if (status !== undefined) status.location = 'file:///store/shop/old/u9/checkpoints/1-7'
    })
    expect(await startedFrom(world)).toContain('u9/checkpoints/1-7')
  })
})

test.each<[unknown, string]>([
  [{}, 'it names nothing'],
  [{ savepoint: 7 }, 'it names nothing'],
  [{ savepoint: 'a', path: '/b' }, 'it names savepoint and path'],
  [{ path: '/b', latestOf: 'c' }, 'it names path and latestOf'],
])('restore: %j is refused', (restore, message) => {
  expect(restoreProblems({ graph: [], restore } as unknown as StreamJobSpec)).toMatchObject([
    { code: 'RESTORE_INVALID', path: 'spec.restore', message },
  ])
})
