import { describe, expect, test } from 'vitest'
import { API_VERSION, type Operation, type StreamJob } from '../../../../operator/api/stream-job.ts'
import { imageOf } from '../../../../operator/resources/job-pod.ts'
import { Rollout } from '../../../../operator/streamjob/rollout.ts'
import { OperatorWorld } from '../../../harness/operator-world.ts'

function job(uid: string, operation: Operation | null = null): StreamJob {
  return {
    apiVersion: API_VERSION,
    kind: 'StreamJob',
    metadata: { namespace: 'default', name: uid, uid },
    spec: { graph: [] },
    status: { operation },
  }
}

const UPGRADE: Operation = {
  id: 'op',
  type: 'Upgrade',
  cause: 'operator',
  step: 'start',
  tries: 0,
  startedAt: '',
  deadline: '',
}

describe('a rollout', () => {
  test('lets so many jobs begin at once, and the next when one has ended', () => {
    const jobs = ['a', 'b', 'c'].map((uid) => job(uid))
    const rollout = new Rollout(2, () => jobs)
    const [a, b, c] = jobs as [StreamJob, StreamJob, StreamJob]
    expect(jobs.map((one) => rollout.mayBegin(one))).toEqual([true, true, false])
    expect(rollout.mayBegin(a)).toBe(true)
    rollout.ended(b)
    expect(rollout.mayBegin(c)).toBe(true)
    expect(rollout.mayBegin(b)).toBe(false)
  })

  test('counts those in whose status an upgrade is under way, as an operator finds them that has just started', () => {
    const jobs = [job('a', UPGRADE), job('b'), job('c', UPGRADE)]
    expect(jobs.map((one) => new Rollout(2, () => jobs).mayBegin(one))).toEqual([true, false, true])
  })

  test('does not count an edit that hangs', () => {
    const jobs = [job('a', { ...UPGRADE, cause: 'spec' }), job('b')]
    expect(new Rollout(1, () => jobs).mayBegin(jobs[1] as StreamJob)).toBe(true)
  })

  test('gives the place of a job that was deleted to another', () => {
    let jobs = [job('a'), job('b')]
    const rollout = new Rollout(1, () => jobs)
    expect(jobs.map((one) => rollout.mayBegin(one))).toEqual([true, false])
    jobs = [job('b')]
    expect(jobs.map((one) => rollout.mayBegin(one))).toEqual([true])
  })
})

describe('a job that another operator renders otherwise', () => {
  /** The operator comes with another image, while another job has the only place. */
  async function waitingJob(): Promise<{ world: OperatorWorld; other: { operation: Operation | null } }> {
    const world = new OperatorWorld()
    const other = { operation: UPGRADE }
    world.rollout = new Rollout(1, () => [job('other', other.operation)])
    await world.create()
    await world.untilRunning()
    world.image = 'millrace:2'
    world.kube.calls.length = 0
    for (let pass = 0; pass < 4; pass += 1) await world.pass()
    return { world, other }
  }

  test('keeps its pods and says so while it waits for its turn, and is upgraded when that comes', async () => {
    const { world, other } = await waitingJob()
    expect(world.kube.calls.filter((call) => /^(create|delete) pods/.test(call))).toEqual([])
    expect(world.job()?.status).toMatchObject({
      phase: 'Running',
      message: expect.stringContaining('wait for their turn'),
    })
    Object.assign(other, { operation: null })
    await world.until('upgraded', (one) => one?.status?.lastOperation?.type === 'Upgrade')
    expect(imageOf(world.pod('counts-hot-1'))).toBe('millrace:2')
    expect(world.coordinatorReport()).toMatchObject({ phase: 'running', attempt: 2 })
  })

  test('gets a lost pod back with the image of the others while it waits', async () => {
    const { world } = await waitingJob()
    for (const name of ['counts-hot-1', 'counts-coordinator']) {
      const { attempt } = world.coordinatorReport()
      world.kill(name)
      await world.until('recovered', () => world.pod(name) !== undefined && world.coordinatorReport().attempt > attempt)
    }
    expect(world.podNames().map((name) => imageOf(world.pod(name)))).toEqual(Array(5).fill('millrace:1'))
  })

  test('does not wait when a pod of it cannot start', async () => {
    const { world } = await waitingJob()
    world.cannotPull('millrace:1')
    world.kill('counts-hot-1')
    await world.until('upgraded', (one) => one?.status?.lastOperation?.type === 'Upgrade')
    expect(imageOf(world.pod('counts-hot-1'))).toBe('millrace:2')
  })

  test.each<[string, (spec: Record<string, unknown>) => void]>([
    [
      'how it is to be deleted and upgraded was edited before',
      (spec) => {
        Object.assign(spec, { deletion: { savepoint: 'Skip' }, upgrade: { stability: '2m' } })
      },
    ],
    [
      'an edit brought other pods before',
      (spec) => {
        spec['env'] = [{ name: 'A', value: '1' }]
      },
    ],
  ])('waits for its turn although %s', async (_, change) => {
    const world = new OperatorWorld()
    await world.create()
    await world.untilRunning()
    world.edit(change)
    await world.untilRunning()
    await world.until('tidy', () => world.podNames().length === 5)
    world.rollout = new Rollout(1, () => [job('other', UPGRADE)])
    world.image = 'millrace:2'
    const { revision } = world.coordinatorReport()
    world.kill('counts-hot-1')
    for (let pass = 0; pass < 8; pass += 1) {
      await world.pass()
      world.kubelet()
      await world.clock.advance(1_000)
    }
    expect(world.podNames().map((name) => imageOf(world.pod(name)))).toEqual(Array(5).fill('millrace:1'))
    expect(world.job()?.status?.message).toContain('wait for their turn')
    expect(world.coordinatorReport().revision).toBe(revision)
  })

  test('takes no place while it waits for something outside, or has finished', async () => {
    const world = new OperatorWorld()
    const asked: string[] = []
    const rollout = new Rollout(1, () => [])
    world.rollout = Object.assign(Object.create(rollout) as Rollout, {
      mayBegin: ({ metadata }: StreamJob) => {
        asked.push(metadata.name)
        return true
      },
      ended: () => undefined,
    })
    world.finishesAtOnce = true
    await world.create()
    await world.until('finished', (one) => one?.status?.phase === 'Finished')
    world.image = 'millrace:2'
    for (let pass = 0; pass < 4; pass += 1) await world.pass()
    expect(asked).toEqual([])
    expect(world.job()?.status?.phase).toBe('Finished')
  })

  test('does not wait when its spec asks for other pods', async () => {
    const { world } = await waitingJob()
    world.edit((spec) => {
      spec['restartNonce'] = 'now'
    })
    await world.until('upgraded', (one) => one?.status?.lastOperation?.type === 'Upgrade')
    expect(world.coordinatorReport().attempt).toBe(2)
  })
})
