import { describe, expect, test } from 'vitest'
import { pods } from '../../../../operator/kube/resource-type.ts'
import { OperatorWorld } from '../../../harness/operator-world.ts'

const FIRST = '1'.repeat(32)
const SECOND = '2'.repeat(32)

async function runningJob(): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  world.tokenKeys = [FIRST]
  await world.create()
  await world.untilRunning()
  return world
}

const uidsOf = (world: OperatorWorld): (string | undefined)[] =>
  world.podNames().map((name) => world.kube.peek(pods, world.refOf(name))?.metadata.uid)

describe('another key of tokens', () => {
  test('beside the earlier one replaces no pod', async () => {
    const world = await runningJob()
    const before = uidsOf(world)
    world.tokenKeys = [SECOND, FIRST]
    for (let pass = 0; pass < 5; pass += 1) await world.pass()
    expect(uidsOf(world)).toEqual(before)
    expect(world.condition('Ready')).toBe('True/Running')
  })

  test('beside the earlier one is that of pods that something else replaces, through a savepoint', async () => {
    const world = await runningJob()
    world.tokenKeys = [SECOND, FIRST]
    world.edit((spec) => {
      spec['image'] = 'millrace:2'
    })
    await world.untilRunning()
    expect(world.job()?.status?.lastOperation).toMatchObject({ type: 'Upgrade', result: 'Succeeded' })
    world.tokenKeys = [SECOND]
    const before = uidsOf(world)
    for (let pass = 0; pass < 5; pass += 1) await world.pass()
    expect(uidsOf(world)).toEqual(before)
  })

  test('without the earlier one brings the job to new pods all the same', async () => {
    const world = await runningJob()
    const before = uidsOf(world)
    world.tokenKeys = [SECOND]
    await world.until('new pods run', () => uidsOf(world).every((uid) => !before.includes(uid)))
    await world.untilRunning()
    expect(world.job()?.status).toMatchObject({ phase: 'Running' })
  })
})
