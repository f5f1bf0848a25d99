import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DruidDatasource, DruidDatasourceSpec } from '../../../../operator/druid/druid-datasource.ts'
import type { AllowedUse } from '../../../../operator/druid/allowed-use.ts'
import { UNCONTESTED } from '../../../../operator/controller/leadership.ts'
import { configuredDruids } from '../../../../operator/druid/configured-druids.ts'
import { HttpDruidClient } from '../../../../operator/druid/http-druid-client.ts'
import { WriteQueue } from '../../../../operator/druid/write-queue.ts'
import { druidReconciler } from '../../../../operator/druid/reconcile.ts'
import { conditionOf } from '../../../../operator/druid/status.ts'
import { KubeError } from '../../../../operator/kube/errors.ts'
import type { Kube } from '../../../../operator/kube/kube.ts'
import { FakeDruid } from '../../../harness/fake-druid.ts'
import { OneObjectKube } from '../../../harness/one-object-kube.ts'
import { sampleDatasource } from '../../../harness/druid-sample.ts'

const ref = { namespace: 'shop', name: 'clicks' }
let druid: FakeDruid
let routerUrl: string
let kube: OneObjectKube
let reconcile: ReturnType<typeof druidReconciler>
let now = Date.parse('2026-11-21T08:00:00Z')

beforeEach(async () => {
  druid = new FakeDruid()
  routerUrl = await druid.start()
})
afterEach(() => druid.stop())

function apply(changes: Partial<DruidDatasourceSpec> = {}): void {
  kube = new OneObjectKube(sampleDatasource(changes))
  restartOperator()
}

/** A new process remembers nothing. */
function restartOperator({
  allowed,
  lease,
  transitions = 1,
  kube: port,
}: {
  allowed?: AllowedUse[]
  lease?: string
  transitions?: number
  kube?: Kube
} = {}): void {
  reconcile = druidReconciler({
    kube: port ?? kube.asKube(() => now),
    events: kube.recorder,
    druids: configuredDruids({ default: { routerUrl, ...(allowed === undefined ? {} : { allowed }) } }),
    leadership: lease === undefined ? UNCONTESTED : { ...UNCONTESTED, turn: () => ({ id: lease, transitions }) },
    // minutes ahead of the API server
    clock: { now: () => now + 300_000, after: () => () => undefined, nextTurn: () => undefined },
  })
}

/** Passes until the next look lies in the future, as the controller does. */
async function settle(): Promise<number | undefined> {
  now += 60_000
  for (let pass = 0; pass < 5; pass += 1) {
    const { requeueAfterMs } = await reconcile(ref)
    if (requeueAfterMs !== 0) return requeueAfterMs
  }
  throw new Error('the reconciler does not come to rest')
}

function condition(type: string): string {
  const found = conditionOf((kube.object as DruidDatasource | undefined)?.status, type)
  return found ? `${found.status}/${found.reason}` : 'absent'
}

function status() {
  return (kube.object as DruidDatasource | undefined)?.status ?? {}
}

function reasons(): string[] {
  return kube.events.map(({ reason }) => reason)
}

describe('a DruidDatasource', () => {
  test('becomes a supervisor, and its state is told', async () => {
    apply()
    await settle()
    expect(druid.supervisors.has('clicks')).toBe(true)
    expect(condition('Ready')).toBe('True/Running')
    expect(status()).toMatchObject({
      dataSource: 'clicks',
      topic: 'clicks',
      state: 'RUNNING',
      lag: 0,
      activeTasks: 1,
      healthy: true,
      suspended: false,
      observedGeneration: 1,
    })
    expect(status().applying).toBeUndefined()
    expect(reasons()).toEqual(['Created'])
  })

  test('that is suspended by an operator which dies behind the call has that noted by the next one', async () => {
    apply()
    await settle()
    kube.edit({ spec: { suspended: true } })
    await configuredDruids({ default: { routerUrl } }).find('default')?.client().suspend('clicks')
    restartOperator()
    await settle()
    expect([status().applied?.suspended, condition('Ready')]).toEqual([true, 'True/Suspended'])
    kube.edit({ spec: { suspended: false } })
    await settle()
    expect(reasons()).toEqual(['Created', 'Suspended', 'Resumed'])
  })

  test('has its finalizer before Druid hears of it', async () => {
    apply()
    await reconcile(ref)
    expect(kube.object?.metadata.finalizers).toHaveLength(1)
    expect(druid.calls).toEqual([])
  })

  test('has its intent in the status before Druid gets the specification', async () => {
    apply()
    const intents: unknown[] = []
    druid.beforeWrite = () => {
      intents.push(status().applying)
    }
    await settle()
    const time = new Date(now).toISOString().replace('.000', '')
    const as = { reason: 'Created', message: "created supervisor 'clicks' reading topic 'clicks'" }
    expect(intents).toEqual([{ hash: status().applied?.hash, time, as }])
  })

  test('is looked at in time when the clock of the operator is set back', async () => {
    apply()
    await settle()
    now -= 300_000
    const looks = druid.calls.length
    expect((await reconcile(ref)).requeueAfterMs).toBeLessThanOrEqual(15_000)
    expect(druid.calls.length).toBeGreaterThan(looks)
  })

  test('has an Event that the API server refuses in its status until it is written', async () => {
    apply()
    kube.refusedEvents = 1
    expect(await settle()).toBeLessThanOrEqual(1_000)
    expect([reasons(), status().untold?.map(({ event }) => event.reason)]).toEqual([[], ['Created']])
    await settle()
    expect([reasons(), status().untold]).toEqual([['Created'], undefined])
  })

  test('is reported as created when the operator died between the call and its status', async () => {
    apply()
    const dies = { ...kube.asKube(() => now) }
    let writes = 0
    dies.patchStatus = (type, ref, patch) => {
      writes += 1
      if (writes === 2) throw new KubeError('died', { status: 0, reason: 'Unreachable' })
      return kube.asKube(() => now).patchStatus(type, ref, patch)
    }
    restartOperator({ kube: dies, lease: 'a' })
    await expect(settle()).rejects.toThrow('died')
    expect([druid.supervisors.has('clicks'), reasons()]).toEqual([true, []])
    // Another leader marks what it sends in another way, and Druid would restart its tasks for that.
    restartOperator({ lease: 'a', transitions: 2 })
    await settle()
    expect(reasons()).toEqual(['Created'])
    expect(druid.supervisors.get('clicks')?.restarts).toBe(0)
  })

  test('says that retention was set when the operator died between the call and its status', async () => {
    apply()
    await settle()
    kube.edit({ spec: { retention: [{ type: 'loadForever' }] } })
    const dies = { ...kube.asKube(() => now) }
    dies.patchStatus = (type, ref, patch) => {
      if (druid.rules.has('clicks')) throw new KubeError('died', { status: 0, reason: 'Unreachable' })
      return kube.asKube(() => now).patchStatus(type, ref, patch)
    }
    restartOperator({ kube: dies })
    await expect(settle()).rejects.toThrow('died')
    restartOperator()
    await settle()
    expect(reasons()).toEqual(['Created', 'Configured'])
    expect(status().settings?.[0]?.writing).toBeUndefined()
  })

  test('stays until the Event of its deletion is written', async () => {
    apply()
    await settle()
    kube.delete(new Date(now).toISOString())
    kube.refusedEvents = 1
    await settle()
    expect(kube.object).toBeDefined()
    await settle()
    expect([kube.object, reasons()]).toEqual([undefined, ['Created', 'Suspended']])
  })

  test('is not restarted when the answer to its creation is lost and the operator dies', async () => {
    apply()
    druid.losesAnswers = true
    await settle()
    expect(condition('Ready')).toBe('Unknown/DruidUnreachable')
    druid.losesAnswers = false
    restartOperator()
    await settle()
    expect(druid.supervisors.get('clicks')?.restarts).toBe(0)
    expect(condition('Ready')).toBe('True/Running')
    expect(status().applying).toBeUndefined()
  })

  test('is not posted again by further passes, and its status is not written when nothing has changed', async () => {
    apply()
    await settle()
    const { statusWrites } = kube
    const writes = druid.writes().length
    await settle()
    await settle()
    expect(druid.writes().length).toBe(writes)
    expect(kube.statusWrites).toBe(statusWrites)
  })

  test('does not ask Druid when its own status write wakes it', async () => {
    apply()
    await settle()
    const calls = druid.calls.length
    await reconcile(ref)
    expect(druid.calls.length).toBe(calls)
  })

  test('is updated when its specification changes', async () => {
    apply()
    await settle()
    kube.edit({ spec: { ingestion: { taskCount: 2 } } })
    await settle()
    expect(druid.supervisors.get('clicks')?.restarts).toBe(1)
    expect(reasons()).toEqual(['Created', 'Updated'])
  })

  test('is suspended and resumed without a new specification', async () => {
    apply()
    await settle()
    kube.edit({ spec: { suspended: true } })
    await settle()
    expect(condition('Ready')).toBe('True/Suspended')
    kube.edit({ spec: { suspended: false } })
    await settle()
    expect(condition('Ready')).toBe('True/Running')
    expect(druid.writes().filter((path) => path.includes('skipRestart'))).toHaveLength(1)
  })

  test('has its tasks handed off when Druid leaves a partition without a reader, and again only after a while', async () => {
    const handOffs = (): number => druid.writes().filter((path) => path.endsWith('/clicks/taskGroups/handoff')).length
    apply()
    await settle()
    druid.unread = '1'
    const again = await settle()
    expect(again).toBe(3_000)
    expect(handOffs()).toBe(0)
    expect(condition('Healthy')).toBe('True/Running')
    now += 27_000
    await reconcile(ref)
    expect(handOffs()).toBe(0)
    now += 3_000
    await reconcile(ref)
    expect(handOffs()).toBe(1)
    expect(condition('Healthy')).toBe('False/PartitionsUnread')
    now += 15_000
    await reconcile(ref)
    expect(handOffs()).toBe(1)
    now += 15_000
    await reconcile(ref)
    expect(handOffs()).toBe(2)
    druid.unread = undefined
    await settle()
    expect(status().unread).toBeUndefined()
    expect(condition('Healthy')).toBe('True/Running')
    expect(handOffs()).toBe(2)
    expect(reasons()).toEqual(['Created', 'TasksHandedOff', 'PartitionsUnread', 'TasksHandedOff', 'Healthy'])
  })

  test('has Druid know its lookups, puts back what others change, and takes them away when they are not named', async () => {
    const countries = { name: 'countries', map: { DE: 'Germany' } }
    apply({ lookups: [countries, { name: 'hot', tier: 'hot', map: {} }] })
    await settle()
    expect([...(druid.lookups?.keys() ?? [])]).toEqual(['__default/countries', 'hot/hot'])
    expect(druid.lookups?.get('__default/countries')).toMatchObject({
      version: 'millrace-000000000001-shop/clicks',
      lookupExtractorFactory: { type: 'map', map: { DE: 'Germany' } },
    })
    expect(condition('Configured')).toBe('True/AsWritten')
    druid.lookups?.set('__default/countries', { version: 'zz', lookupExtractorFactory: { type: 'map', map: {} } })
    await settle()
    expect(druid.lookups?.get('__default/countries')).toMatchObject({
      version: 'zz~millrace-000000000001-shop/clicks',
      lookupExtractorFactory: { type: 'map', map: { DE: 'Germany' } },
    })
    druid.lookups?.set('__default/theirs', { version: 'v1', lookupExtractorFactory: {} })
    kube.edit({ spec: { lookups: null } })
    await settle()
    expect([...(druid.lookups?.keys() ?? [])]).toEqual(['__default/theirs'])
    expect(reasons()).toEqual(['Created', 'Configured', 'Configured', 'DriftCorrected', 'Configured', 'Configured'])
    expect(status().settings ?? []).toEqual([])
  })

  test('does not send a lookup again that Druid refused until it is another one', async () => {
    apply({ lookups: [{ name: 'refused', map: {} }] })
    await settle()
    const writes = druid.writes().length
    await settle()
    expect(druid.writes()).toHaveLength(writes)
    expect(condition('Configured')).toBe('False/Rejected')
    expect(reasons()).toEqual(['Created', 'Rejected'])
    kube.edit({ spec: { lookups: [{ name: 'refused', map: { a: 'b' } }] } })
    await settle()
    expect(reasons()).toEqual(['Created', 'Rejected', 'Rejected'])
  })

  test('leaves a lookup that belongs to another resource, says so, and takes it once that is gone', async () => {
    const theirs = { version: 'millrace-000000000004-shop/other', lookupExtractorFactory: { type: 'map', map: {} } }
    druid.lookups = new Map([['__default/countries', theirs]])
    apply({ lookups: [{ name: 'countries', map: { DE: 'Germany' } }] })
    await settle()
    await settle()
    expect(druid.lookups.get('__default/countries')).toEqual(theirs)
    expect(condition('Configured')).toBe('False/Rejected')
    expect(condition('Ready')).toBe('True/Running')
    expect(reasons()).toEqual(['Created', 'Rejected'])
    druid.lookups.delete('__default/countries')
    await settle()
    expect(condition('Configured')).toBe('True/AsWritten')
  })

  test('is not sent while the sampler refuses it, in the words of Druid, and is sent when it no longer does', async () => {
    apply()
    await settle()
    const writes = druid.writes().length
    kube.edit({ spec: { metrics: [{ type: 'nonsense', name: 'x' }] } })
    await settle()
    await settle()
    expect(druid.writes()).toHaveLength(writes)
    expect(condition('Ready')).toBe('False/SampleRefused')
    expect(condition('Stalled')).toBe('True/SampleRefused')
    expect(conditionOf(status(), 'Ready')?.message).toMatch(
      /not sent \(the last good specification continues\): .*Could not resolve type id/,
    )
    expect(status().state).toBe('RUNNING')
    expect(reasons()).toEqual(['Created', 'SampleRefused'])
    druid.sampler = { status: 200, text: '{"data":[]}' }
    kube.edit({ spec: { metrics: [{ type: 'count', name: 'rows' }] } })
    await settle()
    expect(condition('Ready')).toBe('True/Running')
    expect(reasons()).toEqual(['Created', 'SampleRefused', 'Updated'])
  })

  test('is not sent when none of the first records becomes a row, and is when one does', async () => {
    const [good, bad] = [
      { input: {}, parsed: {} },
      { unparseable: true, error: 'Unable to parse row [x] into JSON' },
    ]
    druid.sampler = { status: 200, text: JSON.stringify({ data: [bad, bad] }) }
    apply()
    await settle()
    expect(druid.writes()).toEqual([])
    expect(conditionOf(status(), 'Ready')?.message).toContain(
      'none of the first 2 records of the topic becomes a row: Unable to parse row [x] into JSON',
    )
    druid.sampler = { status: 200, text: JSON.stringify({ data: [bad, good] }) }
    await settle()
    expect(condition('Ready')).toBe('True/Running')
  })

  test.each([
    ['has none', { status: 404, text: 'Not Found' }],
    ['may not be used', { status: 403, text: 'Unauthorized' }],
    [
      'finds no topic',
      {
        status: 400,
        text: '{"error":"Failed to sample data: Consumer is not subscribed to any topics or assigned any partitions"}',
      },
    ],
  ])('is sent when the sampler %s, and says so', async (_what, answer) => {
    druid.sampler = answer
    apply()
    await settle()
    expect(condition('Ready')).toBe('True/Running')
    expect(kube.events.map(({ message }) => message).join()).toContain('not sampled before: ')
  })

  test('is not sampled where it does not want to be', async () => {
    apply({ validation: { sample: false } })
    await settle()
    expect(druid.calls.filter(({ path }) => path.endsWith('/sampler'))).toEqual([])
  })

  test('says what Druid refused in its own words while the old specification goes on', async () => {
    druid.sampler = { status: 200, text: '{"data":[]}' }
    apply()
    await settle()
    kube.edit({ spec: { metrics: [{ type: 'nonsense', name: 'x' }] } })
    await settle()
    const writes = druid.writes().length
    await settle()
    expect(druid.writes().length).toBe(writes)
    expect(condition('Ready')).toBe('False/Rejected')
    expect(condition('Stalled')).toBe('True/Rejected')
    expect(conditionOf(status(), 'Ready')?.message).toContain('Could not resolve type id')
    expect(status().state).toBe('RUNNING')
    kube.edit({ spec: sampleDatasource().spec })
    await settle()
    expect(condition('Ready')).toBe('True/Running')
    expect(status().rejected).toBeUndefined()
  })

  test('gets its last good supervisor back when an update makes Druid lose it', async () => {
    apply()
    await settle()
    kube.edit({ spec: { metrics: [{ type: 'deadly', name: 'x' }] } })
    await settle()
    expect(JSON.stringify(druid.supervisors.get('clicks')?.spec)).toContain('longSum')
    expect(condition('Ready')).toBe('False/Rejected')
    expect(reasons()).toEqual(['Created', 'LostAndRestored', 'Rejected'])
    await settle()
    expect(reasons()).toHaveLength(3)
  })

  test('gets its last good supervisor back when the operator dies between the fatal update and its answer', async () => {
    apply()
    await settle()
    kube.edit({ spec: { metrics: [{ type: 'deadly', name: 'x' }] } })
    const before = status().applied
    await settle()
    druid.lose('clicks')
    kube.edit({ status: { applied: before, rejected: null, applying: { hash: status().rejected?.hash } } })
    restartOperator()
    await settle()
    expect(druid.supervisors.has('clicks')).toBe(true)
    expect(condition('Ready')).toBe('False/Rejected')
  })

  test('comes back after it fell over by itself', async () => {
    apply()
    await settle()
    druid.lose('clicks')
    await settle()
    expect(druid.supervisors.has('clicks')).toBe(true)
    expect(condition('Ready')).toBe('True/Running')
    expect(reasons()).toContain('LostAndRestored')
  })

  test('has changes by others corrected', async () => {
    apply()
    await settle()
    const supervisor = druid.supervisors.get('clicks')
    const spec = structuredClone(supervisor?.spec) as { spec: { ioConfig: { taskCount: number } } }
    spec.spec.ioConfig.taskCount = 7
    druid.supervisors.set('clicks', { spec: spec as never, suspended: true, restarts: 0 })
    await settle()
    expect(druid.supervisors.get('clicks')?.spec).toMatchObject({ spec: { ioConfig: { taskCount: 1 } } })
    expect(druid.supervisors.get('clicks')?.suspended).toBe(false)
    expect(reasons()).toContain('DriftCorrected')
  })

  test('only tells of changes by others under driftPolicy Warn', async () => {
    apply({ driftPolicy: 'Warn' })
    await settle()
    const supervisor = druid.supervisors.get('clicks')
    if (supervisor) supervisor.suspended = true
    await settle()
    expect(condition('Drifted')).toBe('True/ChangedByOthers')
    expect(status().drift).toEqual(['suspended'])
    expect(druid.supervisors.get('clicks')?.suspended).toBe(true)
  })

  test('says that Druid cannot be reached and goes on when it can', async () => {
    druid.failure = 503
    apply()
    expect(await settle()).toBeLessThanOrEqual(15_000)
    expect(condition('Reachable')).toBe('False/DruidUnreachable')
    expect(condition('Ready')).toBe('Unknown/DruidUnreachable')
    druid.failure = undefined
    await settle()
    expect(condition('Reachable')).toBe('True/Reached')
    expect(condition('Ready')).toBe('True/Running')
    expect(reasons()).toEqual(['DruidUnreachable', 'Created', 'Reachable'])
  })

  test('is unhealthy with the reason of Druid when the topic is missing', async () => {
    druid.status = 'supervisor-status-after-bad-topic-missing'
    apply()
    await settle()
    expect(condition('Healthy')).toBe('False/UnableToConnectToStream')
    expect(status().recentErrors?.at(-1)?.message).toContain('No partitions found for stream')
    expect(reasons()).toContain('UnableToConnectToStream')
  })

  test.each<[string, Partial<DruidDatasourceSpec>, RegExp]>([
    ['a wrong field', { ingestion: { taskDuration: '1s' } }, /shorter than 1m/],
    ['a Druid that the operator does not know', { druid: { name: 'elsewhere' } }, /knows no Druid named 'elsewhere'/],
  ])('is stalled by %s and Druid is not called', async (_, changes, message) => {
    apply(changes)
    await settle()
    expect(condition('Stalled')).toBe('True/SpecInvalid')
    expect(conditionOf(status(), 'Ready')?.message).toMatch(message)
    expect(druid.calls).toEqual([])
  })

  test('does not touch a supervisor of another resource, neither now nor when it is deleted', async () => {
    apply()
    await settle()
    kube = new OneObjectKube({
      ...sampleDatasource({ deletionPolicy: 'Terminate' }),
      metadata: { name: 'clicks', namespace: 'shop', uid: 'u2' },
    })
    const foreign = structuredClone(druid.supervisors.get('clicks')?.spec) as Record<string, unknown>
    druid.supervisors.set('clicks', {
      spec: { ...foreign, context: { 'millrace.dev/owner': 'bank/clicks' } },
      suspended: false,
      restarts: 0,
    })
    restartOperator()
    const writes = druid.writes().length
    await settle()
    expect(condition('Stalled')).toBe('True/OwnedByAnother')
    kube.delete(new Date(now).toISOString())
    await settle()
    expect(kube.object).toBeUndefined()
    expect(druid.writes().length).toBe(writes)
  })
})

describe('a Druid that is open to some only', () => {
  test('is not called for a namespace that has no rule, and the resource says what to ask for', async () => {
    apply()
    restartOperator({ allowed: [{ namespaces: ['bank'], datasources: ['*'] }] })
    await settle()
    expect(condition('Ready')).toBe('False/NotAllowed')
    expect(condition('Stalled')).toBe('True/NotAllowed')
    expect(conditionOf(status(), 'Ready')?.message).toMatch(/namespace 'shop' .* 'default', not 'clicks'.*allowed/)
    expect(druid.calls).toEqual([])
  })

  test('is left as it is when the right was taken away, also by the deletion', async () => {
    apply({ deletionPolicy: 'Terminate' })
    await settle()
    const writes = druid.writes().length
    restartOperator({ allowed: [{ namespaces: ['bank'], datasources: ['*'] }] })
    kube.delete(new Date(now).toISOString())
    await settle()
    expect(kube.object).toBeUndefined()
    expect(druid.writes().length).toBe(writes)
    expect(reasons()).toContain('LeftAlone')
  })
})

describe('two clusters with one Druid', () => {
  async function appliedElsewhere(): Promise<void> {
    apply({ adoption: 'Always', deletionPolicy: 'Terminate' })
    restartOperator({ lease: 'there' })
    await settle()
  }

  test.each([
    ['of another name', { name: 'mine', uid: 'uid-2' }, 'clicks'],
    ['of the same name', { name: 'clicks', uid: 'uid-2' }, undefined],
  ])('a resource %s neither takes nor ends what the other one has made', async (_, metadata, dataSource) => {
    await appliedElsewhere()
    const writes = druid.writes().length
    const sample = sampleDatasource({
      adoption: 'Always',
      deletionPolicy: 'Terminate',
      ...(dataSource && { dataSource }),
    })
    kube = new OneObjectKube({ ...sample, metadata: { ...sample.metadata, ...metadata } })
    restartOperator({ lease: 'here' })
    const own = { namespace: 'shop', name: metadata.name }
    await reconcile(own)
    await reconcile(own)
    expect(condition('Stalled')).toBe('True/OwnedByAnother')
    kube.delete(new Date(now).toISOString())
    await reconcile(own)
    expect(kube.object).toBeUndefined()
    expect(druid.writes().length).toBe(writes)
  })

  test('a resource goes on with its supervisor under a new lease, since it is the same one', async () => {
    await appliedElsewhere()
    restartOperator({ lease: 'of a new installation' })
    kube.edit({ spec: { ingestion: { taskCount: 2 } } })
    await settle()
    expect(condition('Ready')).toBe('True/Running')
    expect(reasons()).toEqual(['Created', 'Updated'])
  })

  test('a resource that was made again under the same lease has the supervisor of the earlier one', async () => {
    apply()
    restartOperator({ lease: 'here' })
    await settle()
    const sample = sampleDatasource()
    kube = new OneObjectKube({ ...sample, metadata: { ...sample.metadata, uid: 'uid-2' } })
    restartOperator({ lease: 'here' })
    await settle()
    expect(condition('Ready')).toBe('True/Running')
  })
})

describe('a DruidDatasource whose leader was frozen', () => {
  test('has its own specification back when an older one was sent late, although it only warns of drift', async () => {
    apply({ driftPolicy: 'Warn' })
    await settle()
    const older = structuredClone(druid.supervisors.get('clicks')?.spec)
    kube.edit({ spec: { ingestion: { taskCount: 2 } } })
    await settle()
    const newer = structuredClone(druid.supervisors.get('clicks')?.spec)
    await new HttpDruidClient({ routerUrl }).applySupervisor(older as never)
    await settle()
    expect(druid.supervisors.get('clicks')?.spec).toEqual(newer)
    expect(reasons()).toContain('LateWriteCorrected')
  })

  test('gets no write of it, also of those that waited for their turn', async () => {
    apply()
    let isHeld = true
    const frozen = new HttpDruidClient({ routerUrl }, new WriteQueue({ isHeld: () => isHeld, turn: () => undefined }))
    const first = frozen.suspend('clicks')
    const second = frozen.resume('clicks')
    isHeld = false
    await expect(first).rejects.toMatchObject({ code: 'LEADERSHIP_LOST' })
    await expect(second).rejects.toMatchObject({ code: 'LEADERSHIP_LOST' })
    expect(druid.writes()).toEqual([])
  })

  test('takes up a supervisor that bears the mark of a resource that is gone', async () => {
    apply()
    await settle()
    const spec = druid.supervisors.get('clicks')?.spec as { context: Record<string, string> }
    spec.context['millrace.dev/owner'] = 'shop/gone'
    apply({ dataSource: 'clicks' })
    await settle()
    expect(reasons()).toContain('Adopted')
    expect(condition('Ready')).toBe('True/Running')
  })
})

describe('a supervisor whose owner was made again for another datasource', () => {
  test('is taken up, since the owner cannot want it any more', async () => {
    apply()
    await settle()
    const spec = druid.supervisors.get('clicks')?.spec as { context: Record<string, string> }
    spec.context['millrace.dev/owner'] = 'shop/first'
    apply()
    const own = kube.asKube(() => now)
    const first = { ...sampleDatasource({ dataSource: 'other' }), metadata: { name: 'first', namespace: 'shop' } }
    restartOperator({
      kube: { ...own, get: (type, at) => (at.name === 'first' ? Promise.resolve(first as never) : own.get(type, at)) },
    })
    await settle()
    expect(condition('Ready')).toBe('True/Running')
  })
})

describe('a deleted DruidDatasource', () => {
  async function deleted(changes: Partial<DruidDatasourceSpec>): Promise<void> {
    apply(changes)
    await settle()
    kube.delete(new Date(now + 60_000).toISOString())
    await settle()
  }

  test('leaves its supervisor suspended by default', async () => {
    await deleted({})
    expect(kube.object).toBeUndefined()
    expect(druid.supervisors.get('clicks')?.suspended).toBe(true)
  })

  test('leaves its supervisor running under Retain', async () => {
    await deleted({ deletionPolicy: 'Retain' })
    expect(kube.object).toBeUndefined()
    expect(druid.supervisors.get('clicks')?.suspended).toBe(false)
  })

  test('under Terminate takes its lookups away, and none of another resource', async () => {
    druid.lookups = new Map([['__default/theirs', { version: 'v1', lookupExtractorFactory: { type: 'map', map: {} } }]])
    await deleted({ deletionPolicy: 'Terminate', lookups: [{ name: 'countries', map: { DE: 'Germany' } }] })
    expect([...druid.lookups.keys()]).toEqual(['__default/theirs'])
  })

  test('terminates its supervisor under Terminate and waits for its tasks', async () => {
    druid.runningTasks = 'tasks-running'
    await deleted({ deletionPolicy: 'Terminate' })
    expect(druid.supervisors.has('clicks')).toBe(false)
    expect(kube.object).toBeDefined()
    druid.runningTasks = 'none'
    await settle()
    expect(kube.object).toBeUndefined()
  })

  test.each(['Suspend', 'Terminate'] as const)(
    'waits under %s for a specification that was sent and not answered, and leaves nothing of it behind',
    async (deletionPolicy) => {
      apply({ deletionPolicy })
      druid.delayed = []
      await settle()
      const late = druid.delayed
      druid.delayed = undefined
      expect(late).toHaveLength(1)
      kube.delete(new Date(now).toISOString())
      await reconcile(ref)
      expect(kube.object).toBeDefined()
      expect(reasons()).toContain('DeletionWaits')
      for (const arrive of late) arrive()
      await settle()
      expect(kube.object).toBeUndefined()
      expect(druid.supervisors.get('clicks')?.suspended).toBe(deletionPolicy === 'Suspend' ? true : undefined)
    },
  )

  test('goes when the supervisor is gone already', async () => {
    apply({ deletionPolicy: 'Terminate' })
    await settle()
    druid.lose('clicks')
    kube.delete(new Date(now).toISOString())
    await settle()
    expect(kube.object).toBeUndefined()
  })

  test('goes at its deadline while Druid cannot be reached, and says what is left behind', async () => {
    apply({ deletionTimeout: '5m' })
    await settle()
    druid.failure = 'refuse'
    kube.delete(new Date(now + 60_000).toISOString())
    await settle()
    expect(kube.object).toBeDefined()
    expect(reasons()).toContain('DeletionWaits')
    now += 5 * 60_000
    await settle()
    expect(kube.object).toBeUndefined()
    expect(kube.events.at(-1)).toMatchObject({ type: 'Warning', reason: 'DeletedWithLeftovers' })
    expect(kube.events.at(-1)?.message).toContain("supervisor 'clicks'")
  })

  test('that was deleted while no operator was there has its whole time when one comes', async () => {
    apply({ deletionPolicy: 'Terminate', deletionTimeout: '5m' })
    await settle()
    druid.failure = 'refuse'
    kube.delete(new Date(now - 3_600_000).toISOString())
    await settle()
    expect(kube.object).toBeDefined()
    druid.failure = undefined
    await settle()
    expect(kube.object).toBeUndefined()
    expect(druid.supervisors.has('clicks')).toBe(false)
  })

  test('goes only when what is left behind has been told, or half a minute later', async () => {
    apply({ deletionTimeout: '1m' })
    await settle()
    druid.failure = 'refuse'
    kube.delete(new Date(now).toISOString())
    await settle()
    kube.refusedEvents = 1
    await settle()
    expect([kube.object === undefined, reasons().includes('DeletedWithLeftovers')]).toEqual([false, false])
    now -= 59_000
    await settle()
    expect([kube.object === undefined, reasons().includes('DeletedWithLeftovers')]).toEqual([true, true])
  })

  test('is taken up again by an equal one after its supervisor was suspended', async () => {
    await deleted({})
    apply()
    await settle()
    expect(druid.supervisors.get('clicks')?.suspended).toBe(false)
    expect(condition('Ready')).toBe('True/Running')
  })
})
