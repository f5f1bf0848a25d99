import { MetDeletions } from '../../../../operator/controller/met-deletions.ts'
import { describe, expect, test } from 'vitest'
import { streamSavepoints } from '../../../../operator/api/stream-savepoint.ts'
import type { StreamSavepoint } from '../../../../operator/api/stream-savepoint.ts'
import { API_VERSION, streamJobs } from '../../../../operator/api/stream-job.ts'
import { UNCONTESTED } from '../../../../operator/controller/leadership.ts'
import { EventRecorder } from '../../../../operator/kube/events.ts'
import { reconcileSavepoint } from '../../../../operator/savepoint/reconcile.ts'
import { OperatorWorld, REF } from '../../../harness/operator-world.ts'
import { silentLogger } from '../../../harness/silent-logger.ts'

const ASKED = { namespace: REF.namespace, name: 'asked' }

/**
 * The phase of a StreamSavepoint after one pass over a suspended job whose newest checkpoint is a savepoint of this
 * name.
 */
async function phaseFor(savepoint: string | null): Promise<string | undefined> {
  const world = new OperatorWorld()
  const { kube, clock } = world
  await world.create()
  kube.update(streamJobs, REF, (job) => {
    job.status = {
      phase: 'Suspended',
      checkpoint: {
        attempt: 1,
        id: 7,
        kind: 'savepoint',
        savepoint,
        path: 'checkpoints/1-7/manifest.json',
        completedAt: '2026-11-21T12:00:00Z',
        sizeBytes: 1,
        durationMs: 1,
        failures: 0,
      },
    }
  })
  await kube.create(streamSavepoints, {
    apiVersion: API_VERSION,
    kind: 'StreamSavepoint',
    metadata: { ...ASKED },
    spec: { job: REF.name },
  })
  const events = new EventRecorder({
    kube,
    clock,
    logger: silentLogger,
    instance: 'test',
  })
  await reconcileSavepoint(
    {
      kube,
      jobClient: world,
      tokenKeys: ['k'.repeat(32)],
      events,
      leadership: UNCONTESTED,
      deletions: new MetDeletions(),
      store: 'file:///checkpoints',
    },
    ASKED,
  )
  return kube.peek(streamSavepoints, ASKED)?.status?.phase
}

describe('a StreamSavepoint of a suspended job', () => {
  test('is what the job was suspended with when that is kept under a name', async () => {
    expect(await phaseFor('suspended-1')).toBe('Completed')
  })

  test('waits when the newest savepoint has no name, since that will be retired', async () => {
    expect(await phaseFor(null)).toBe('Pending')
  })
})

/** A job that runs, whose coordinator has been asked for a savepoint and has completed it, which nobody knows yet. */
async function untilTaken(): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  await world.create()
  await world.untilRunning()
  await world.kube.create(streamSavepoints, {
    apiVersion: API_VERSION,
    kind: 'StreamSavepoint',
    metadata: { ...ASKED, uid: 'savepoint-uid-1' },
    spec: { job: REF.name },
  })
  await world.savepointPass(ASKED)
  return world
}

function statusIn({ kube }: OperatorWorld): StreamSavepoint['status'] {
  return kube.peek(streamSavepoints, ASKED)?.status
}

describe('a StreamSavepoint whose job is deleted while it is taken', () => {
  test('is completed, since the coordinator stays until the StreamSavepoint has heard of it', async () => {
    const world = await untilTaken()
    await world.kube.delete(streamJobs, REF)
    await world.until('the coordinator is kept', (job) => job?.status?.message?.includes('asked') === true)
    expect(world.podNames()).toHaveLength(5)
    await world.savepointPass(ASKED)
    expect(statusIn(world)?.phase).toBe('Completed')
    await world.until('gone', (job) => job === undefined)
  })

  test('does not keep the job when nobody looks at it: its pods go in time', async () => {
    const world = await untilTaken()
    await world.kube.delete(streamJobs, REF)
    await world.until('gone', (job) => job === undefined, 200)
    expect([world.podNames(), await world.eventReasons()]).toEqual([
      [],
      expect.not.arrayContaining(['DeletedWithLeftovers']),
    ])
  })

  test('fails when the job went before it could be asked, and does not wait for its timeout', async () => {
    const world = await untilTaken()
    await world.kube.delete(streamJobs, REF)
    await world.until('gone', (job) => job === undefined, 200)
    await world.savepointPass(ASKED)
    expect([statusIn(world)?.phase, statusIn(world)?.error?.code]).toEqual(['Failed', 'JOB_DELETED'])
  })
})
