import { expect, test } from 'vitest'
import { streamJobs } from '../../../../operator/api/stream-job.ts'
import { MetDeletions } from '../../../../operator/controller/met-deletions.ts'
import { OperatorWorld, REF } from '../../../harness/operator-world.ts'

test('a job that was deleted while no operator was there is stopped with a savepoint, and its pods go', async () => {
  const world = new OperatorWorld()
  await world.create()
  await world.untilRunning()
  await world.kube.delete(streamJobs, REF)
  await world.clock.advance(3_600_000)
  world.restartOperator()
  await world.until('gone', (job) => job === undefined)
  expect(world.podNames()).toEqual([])
  expect(world.targets.at(-1)?.desiredState).toBe('suspended')
  expect(await world.eventReasons()).not.toContain('DeletedWithLeftovers')
})

test('the time of a deletion runs from when it was met first, until it is forgotten', () => {
  const deletions = new MetDeletions()
  expect(deletions.metAt('a', 1000)).toBe(1000)
  expect(deletions.metAt('a', 5000)).toBe(1000)
  expect(deletions.metAt('b', 6000)).toBe(6000)
  deletions.forget('a')
  expect(deletions.metAt('a', 7000)).toBe(7000)
})
