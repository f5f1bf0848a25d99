import { expect, test } from 'vitest'
import { kubeEvents, pods } from '../../../../operator/kube/resource-type.ts'
import { OperatorWorld, REF } from '../../../harness/operator-world.ts'

const OUT_OF_MEMORY = { reason: 'OOMKilled', exitCode: 137, finishedAt: '2026-11-22T10:00:00Z' }

async function withWorkerKilledForMemory(): Promise<{ world: OperatorWorld; name: string }> {
  const world = new OperatorWorld()
  await world.create()
  await world.untilRunning()
  const ref = world.refOf('counts-bids-0')
  world.kube.update(pods, ref, (pod) => {
    pod.status = {
      ...pod.status,
      containerStatuses: [{ name: 'worker', ready: true, restartCount: 1, lastState: { terminated: OUT_OF_MEMORY } }],
    }
  })
  return { world, name: ref.name }
}

function failing(world: OperatorWorld, code: string): void {
  Object.assign(world.coordinatorReport(), {
    phase: 'recovering',
    error: { code, message: 'what the coordinator saw', domain: 'platform', retriable: true },
  })
}

test('when a worker was killed for memory, status, its condition Healthy and one Event say so', async () => {
  const { world, name } = await withWorkerKilledForMemory()
  failing(world, 'CHANNEL_LOST')
  await world.pass()
  expect(world.job()?.status?.lastFailure).toMatchObject({ pod: name, reason: 'OOMKilled' })
  expect(world.condition('Healthy')).toBe('False/OOMKilled')
  const healthy = world.job()?.status?.conditions?.find(({ type }) => type === 'Healthy')
  expect(healthy?.message).toContain(`${name} was killed for memory`)
  for (let pass = 0; pass < 3; pass += 1) await world.pass()
  const { items } = await world.kube.list(kubeEvents, { namespace: REF.namespace })
  expect(items.filter(({ reason }) => reason === 'OOMKilled')).toMatchObject([{ count: 1, type: 'Warning' }])
})

test('the death of a pod does not explain an error that has another cause', async () => {
  const { world } = await withWorkerKilledForMemory()
  failing(world, 'KAFKA_UNREACHABLE')
  await world.pass()
  expect(world.condition('Healthy')).toBe('False/KafkaUnreachable')
})
