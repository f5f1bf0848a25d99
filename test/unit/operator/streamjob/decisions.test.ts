import { expect, test } from 'vitest'
import { OperatorWorld } from '../../../harness/operator-world.ts'

async function running(): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  await world.create()
  await world.untilRunning()
  return world
}

const decisionsOf = (world: OperatorWorld) => world.job()?.status?.decisions ?? []

test('when a job has come to run, its status tells each decision with what it was made on', async () => {
  const world = await running()
  const told = decisionsOf(world).map(({ saw, did, reason, because }) => `${saw} | ${did} | ${reason}: ${because}`)
  expect(told[0]).toBe('generation 1, 0 of 0 pods ready, no coordinator | keep the spec | Accepted: The spec is valid.')
  expect(told.at(-1)).toMatch(
    /^generation 1, 5 of 5 pods ready, coordinator running, attempt 1, revision \w+ \| nothing \| Running: 4 workers run\.$/,
  )
})

test('when nothing happens, nothing is added', async () => {
  const world = await running()
  const before = decisionsOf(world)
  for (let pass = 0; pass < 5; pass += 1) await world.pass()
  expect(decisionsOf(world)).toEqual(before)
})

test('when much happens, the ten newest are kept', async () => {
  const world = await running()
  for (const replicas of [1, 2, 1]) {
    world.edit((spec) => {
      spec['replicas'] = replicas
    })
    await world.untilRunning()
  }
  expect(decisionsOf(world)).toHaveLength(10)
  expect(decisionsOf(world).at(-1)?.because).toBe('2 workers run.')
})

test('when a coordinator says half a character, that is decided on once, in a text that the API server keeps', async () => {
  const world = await running()
  world.afterReport = (report) => {
    report.error = { code: 'STORE_DOWN', message: 'no \ud83d answer', domain: 'dependency', retriable: true }
  }
  for (let pass = 0; pass < 3; pass += 1) await world.pass()
  const told = decisionsOf(world).filter(({ because }) => because.includes('answer'))
  expect(told.map(({ because }) => because.isWellFormed())).toEqual([true])
  expect(world.job()?.status?.message?.isWellFormed()).toBe(true)
})
