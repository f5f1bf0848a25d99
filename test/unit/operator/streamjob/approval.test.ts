import { expect, test } from 'vitest'
import { streamJobs } from '../../../../operator/api/stream-job.ts'
import { countsSpec, OperatorWorld, REF } from '../../../harness/operator-world.ts'

const { graph } = countsSpec()
const FILTERED = [
  ...graph.slice(0, 1),
  { id: 'dear', from: 'bids', filter: 'price > 1' },
  ...graph
    .slice(1)
    .map((entry) => ((entry as { id: string }).id === 'hot' ? { ...(entry as object), from: 'dear' } : entry)),
]

function annotate(world: OperatorWorld, annotations: Record<string, string>): void {
  world.kube.update(streamJobs, REF, (job) => {
    job.metadata.annotations = { ...job.metadata.annotations, ...annotations }
  })
}

async function guardedJob(): Promise<OperatorWorld> {
  const world = new OperatorWorld()
  await world.create()
  annotate(world, { 'millrace.dev/approve-plan': 'required' })
  await world.untilRunning()
  return world
}

test('the first spec of a job needs no approval', async () => {
  const world = await guardedJob()
  expect(world.condition('Ready')).toBe('True/Running')
  expect(world.job()?.status?.plan ?? null).toBeNull()
})

test('an edit waits, says what it would do and how it is approved, and what runs is not touched', async () => {
  const world = await guardedJob()
  world.edit((spec) => Object.assign(spec, { graph: FILTERED }))
  await world.until('waits', () => world.condition('Ready') === 'False/PlanReady')
  for (let passes = 0; passes < 5; passes++) await world.pass()
  const { plan, message, phase } = world.job()?.status ?? {}
  expect(plan).toMatchObject({ class: 'graph', steps: [{ class: 'graph' }, { class: 'graph' }] })
  expect(message).toContain(`kubectl annotate sj counts millrace.dev/approved-plan=${plan?.hash} --overwrite`)
  expect(phase).toBe('Running')
  expect(world.condition('Stalled')).toBe('True/PlanReady')
  expect(world.targets).toHaveLength(1)
  expect(world.eventTexts().filter((text) => text.includes('PlanReady'))).toHaveLength(1)
  expect(await world.eventReasons()).not.toContain('Rejected')
})

test('an approved edit is carried out, and the approval holds for no other', async () => {
  const world = await guardedJob()
  world.edit((spec) => Object.assign(spec, { graph: FILTERED }))
  await world.until('waits', (job) => job?.status?.plan != null)
  annotate(world, { 'millrace.dev/approved-plan': world.job()?.status?.plan?.hash ?? '' })
  await world.until('upgraded', (job) => job?.status?.lastOperation?.type === 'Upgrade')
  expect(world.job()?.status?.plan ?? null).toBeNull()
  world.edit((spec) => Object.assign(spec, { replicas: 3 }))
  await world.until('waits', () => world.condition('Ready') === 'False/PlanReady')
  expect(world.podNames()).toHaveLength(5)
})

test('an edit back ends the waiting', async () => {
  const world = await guardedJob()
  world.edit((spec) => Object.assign(spec, { replicas: 3 }))
  await world.until('waits', (job) => job?.status?.plan != null)
  world.edit((spec) => Object.assign(spec, { replicas: 2 }))
  await world.until('as before', () => world.condition('Ready') === 'True/Running')
  expect(world.job()?.status?.plan ?? null).toBeNull()
  expect(world.condition('Stalled')).toBe('False/Progressing')
})

test('settings, a suspension and a deletion need no approval', async () => {
  const world = await guardedJob()
  world.edit((spec) => Object.assign(spec, { savepoints: { every: '1h' }, desiredState: 'Suspended' }))
  await world.until('suspended', (job) => job?.status?.phase === 'Suspended')
  expect(world.job()?.status?.plan ?? null).toBeNull()
})
