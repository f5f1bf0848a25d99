import { afterEach, beforeEach, expect, test } from 'vitest'
import { UNCONTESTED } from '../../../../operator/controller/leadership.ts'
import { configuredDruids } from '../../../../operator/druid/configured-druids.ts'
import type { DruidDatasource, DruidDatasourceSpec } from '../../../../operator/druid/druid-datasource.ts'
import { druidReconciler } from '../../../../operator/druid/reconcile.ts'
import { conditionOf } from '../../../../operator/druid/status.ts'
import type { Kube, MergePatch, ObjectRef } from '../../../../operator/kube/kube.ts'
import { FakeDruid } from '../../../harness/fake-druid.ts'
import { OneObjectKube } from '../../../harness/one-object-kube.ts'
import { sampleDatasource } from '../../../harness/druid-sample.ts'

const CYCLE_MS = 15_000
let druid: FakeDruid
let routerUrl: string
let kubes: Map<string, OneObjectKube>
let reconcile: ReturnType<typeof druidReconciler>
let due: Map<string, number>
let now: number

beforeEach(async () => {
  druid = new FakeDruid()
  routerUrl = await druid.start()
  now = Date.parse('2026-11-21T08:00:00Z')
})
afterEach(() => druid.stop())

/** Many resources of one Druid, each with a datasource of its own name. */
function apply(count: number, changes: Partial<DruidDatasourceSpec> = {}): void {
  const names = Array.from({ length: count }, (_, index) => `d${index}`)
  kubes = new Map(names.map((name) => [name, new OneObjectKube(named(name, changes))]))
  restartOperator()
}

function named(name: string, changes: Partial<DruidDatasourceSpec>): DruidDatasource {
  const sample = sampleDatasource(changes)
  return { ...sample, metadata: { ...sample.metadata, name, uid: `uid-${name}` } }
}

function restartOperator(): void {
  const of = ({ name }: ObjectRef): Kube => kubeOf(name).asKube(() => now)
  reconcile = druidReconciler({
    kube: {
      ...kubeOf('d0').asKube(() => now),
      get: (type, ref) => of(ref).get(type, ref),
      patch: (type, ref, patch: MergePatch) => of(ref).patch(type, ref, patch),
      patchStatus: (type, ref, patch: MergePatch) => of(ref).patchStatus(type, ref, patch),
    },
    events: {
      record: (about, note) => kubeOf(about.metadata.name).recorder.record(about, note),
      recordOnce: (about, note) => kubeOf(about.metadata.name).recorder.recordOnce(about, note),
    },
    druids: configuredDruids({ default: { routerUrl } }),
    leadership: UNCONTESTED,
    clock: { now: () => now, after: () => () => undefined, nextTurn: () => undefined },
  })
  due = new Map([...kubes.keys()].map((name) => [name, now]))
}

function kubeOf(name: string): OneObjectKube {
  const kube = kubes.get(name)
  if (kube === undefined) throw new Error(`no resource ${name}`)
  return kube
}

/** Passes as the controller has them, each when it is due, for so long. */
async function pass(ms: number): Promise<void> {
  const end = now + ms
  for (;;) {
    const [next] = [...due].sort(([, a], [, b]) => a - b)
    if (next === undefined || next[1] > end) break
    now = Math.max(now, next[1])
    const { requeueAfterMs = CYCLE_MS } = await reconcile({ namespace: 'shop', name: next[0] })
    due.set(next[0], now + requeueAfterMs)
  }
  now = end
}

async function callsDuring(ms: number): Promise<string[]> {
  const from = druid.calls.length
  await pass(ms)
  return druid.calls.slice(from).map(({ path }) => path.replace('/druid/indexer/v1/', ''))
}

function condition(name: string, type: string): string {
  const found = conditionOf((kubeOf(name).object as DruidDatasource | undefined)?.status, type)
  return `${found?.status}/${found?.reason}`
}

test('many resources of one Druid that rest are looked at with one call a cycle, and closely in turn', async () => {
  apply(60)
  await pass(3 * CYCLE_MS)
  const cycles = 20
  const calls = await callsDuring(cycles * CYCLE_MS)
  const all = calls.filter((path) => path === 'supervisor?full')
  expect(all).toHaveLength(cycles)
  // fifteen of the sixty in each, with its supervisor, status and tasks
  expect(calls.length - all.length).toBeLessThanOrEqual(cycles * 15 * 3)
  for (const name of kubes.keys()) {
    expect(calls.filter((path) => path === `supervisor/${name}/status`).length).toBeGreaterThanOrEqual(4)
  }
})

test('an operator that starts again does not ask for each of many resources', async () => {
  apply(100)
  await pass(2 * CYCLE_MS)
  restartOperator()
  const calls = await callsDuring(CYCLE_MS - 1)
  expect(calls.filter((path) => path.endsWith('/status')).length).toBeLessThanOrEqual(20)
})

test('a few resources are looked at one by one', async () => {
  apply(3)
  await pass(CYCLE_MS)
  expect(await callsDuring(2 * CYCLE_MS)).not.toContain('supervisor?full')
})

test('what others change at one of many is corrected within a cycle', async () => {
  apply(40)
  await pass(3 * CYCLE_MS)
  const supervisor = druid.supervisors.get('d7')
  const spec = structuredClone(supervisor?.spec) as { spec: { ioConfig: { taskCount: number } } }
  spec.spec.ioConfig.taskCount = 7
  druid.supervisors.set('d7', { spec: spec as never, suspended: false, restarts: 0 })
  druid.supervisors.delete('d8')
  await pass(CYCLE_MS)
  expect(druid.supervisors.get('d7')?.spec).toMatchObject({ spec: { ioConfig: { taskCount: 1 } } })
  expect(druid.supervisors.has('d8')).toBe(true)
  expect(kubeOf('d8').events.map(({ reason }) => reason)).toContain('LostAndRestored')
})

test('one of many that wants to be looked at every second does not have all of them read every second', async () => {
  apply(200)
  await pass(3 * CYCLE_MS)
  kubeOf('d0').edit({ spec: { syncInterval: '1s' } })
  const calls = await callsDuring(2 * CYCLE_MS)
  expect(calls.filter((path) => path === 'supervisor?full').length).toBeLessThanOrEqual(CYCLE_MS / 1000)
})

test('a state that changes at all of many is shown by all within a cycle', async () => {
  apply(40)
  await pass(3 * CYCLE_MS)
  druid.status = 'supervisor-status-after-bad-topic-missing'
  await pass(CYCLE_MS)
  expect([...kubes.keys()].map((name) => condition(name, 'Healthy'))).toEqual(
    Array.from({ length: 40 }, () => 'False/UnableToConnectToStream'),
  )
})

test('suspended ones rest as others do', async () => {
  apply(60, { suspended: true })
  await pass(6 * CYCLE_MS)
  const calls = await callsDuring(CYCLE_MS)
  // fifteen close looks
  expect(calls.length).toBeLessThanOrEqual(1 + 15 * 3)
})

test('an edit is carried out at once, whatever the others wait for', async () => {
  apply(40)
  await pass(3 * CYCLE_MS)
  kubeOf('d3').edit({ spec: { suspended: true } })
  await reconcile({ namespace: 'shop', name: 'd3' })
  expect(druid.supervisors.get('d3')?.suspended).toBe(true)
  expect(condition('d3', 'Ready')).toBe('True/Suspended')
})

test('a Druid that cannot be reached is reported by all, and not called for each', async () => {
  apply(40)
  await pass(3 * CYCLE_MS)
  druid.failure = 'refuse'
  const calls = await callsDuring(CYCLE_MS)
  expect([...kubes.keys()].map((name) => condition(name, 'Reachable'))).toEqual(
    Array.from({ length: 40 }, () => 'False/DruidUnreachable'),
  )
  expect(calls.length).toBeLessThanOrEqual(40)
  druid.failure = undefined
  await pass(CYCLE_MS)
  expect([...kubes.keys()].map((name) => condition(name, 'Ready'))).toEqual(
    Array.from({ length: 40 }, () => 'True/Running'),
  )
})

test('where all at once may not be read, each is looked at as before', async () => {
  druid.refusesOverview = true
  apply(10)
  await pass(3 * CYCLE_MS)
  expect([...kubes.keys()].map((name) => condition(name, 'Ready'))).toEqual(
    Array.from({ length: 10 }, () => 'True/Running'),
  )
  const calls = await callsDuring(CYCLE_MS)
  expect(calls).toContain('supervisor/d9/status')
})
