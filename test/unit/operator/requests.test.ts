import { expect, onTestFinished, test } from 'vitest'
import { pods } from '../../../operator/kube/resource-type.ts'
import { countsSpec, OperatorWorld, REF } from '../../harness/operator-world.ts'

/** A job and the whole operator, which decides on what its watches tell. */
async function controlled(): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  const operator = world.startControllers()
  onTestFinished(() => operator.stop())
  await live(world, 1)
  await world.create(countsSpec({ replicas: 1, upgrade: { stability: '1s' } }))
  return world
}

async function live(world: OperatorWorld, seconds: number): Promise<void> {
  for (let step = 0; step < seconds * 10; step += 1) {
    world.kubelet()
    await world.clock.advance(100)
  }
}

/** What the operator has asked of the API server since then, without its watches. */
function requestsSince({ kube }: OperatorWorld, from: number): string[] {
  return kube.calls
    .slice(from)
    .filter((call) => !call.startsWith('watch'))
    .map((call) => call.split(' ').slice(0, 2).join(' '))
}

test('when a job is deployed, three pods cost eight other requests until it runs', async () => {
  const world = await controlled()
  const from = world.kube.calls.findIndex((call) => call.startsWith('create streamjobs')) + 1
  await live(world, 1)
  expect(world.job()?.status?.phase).toBe('Running')
  expect(requestsSince(world, from).sort()).toEqual([
    'create controllerrevisions',
    'create events',
    'create events',
    'create pods',
    'create pods',
    'create pods',
    'create secrets',
    'patch streamjobs',
    'patchStatus streamjobs',
    'patchStatus streamjobs',
    'patchStatus streamjobs',
  ])
})

test('when a job is at rest, neither it nor its pods are read', async () => {
  const world = await controlled()
  await live(world, 60)
  const from = world.kube.calls.length
  await live(world, 600)
  expect(requestsSince(world, from)).toEqual([])
})

test('when a pod of a job at rest goes, the job and its pods are read before it is replaced', async () => {
  const world = await controlled()
  await live(world, 60)
  const from = world.kube.calls.length
  world.kill('counts-hot-0')
  await live(world, 10)
  const requests = requestsSince(world, from)
  const [read] = requests
  expect([
    read,
    requests.includes('list pods'),
    requests.indexOf('list pods') < requests.indexOf('create pods'),
  ]).toEqual(['get streamjobs', true, true])
  expect((await world.kube.list(pods, { namespace: REF.namespace })).items.length).toBe(3)
})
