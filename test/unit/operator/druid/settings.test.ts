import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { UNCONTESTED } from '../../../../operator/controller/leadership.ts'
import { configuredDruids } from '../../../../operator/druid/configured-druids.ts'
import type { DruidDatasource, DruidDatasourceSpec } from '../../../../operator/druid/druid-datasource.ts'
import { druidReconciler } from '../../../../operator/druid/reconcile.ts'
import { conditionOf } from '../../../../operator/druid/status.ts'
import { specProblems } from '../../../../operator/druid/validate-spec.ts'
import { FakeDruid } from '../../../harness/fake-druid.ts'
import { OneObjectKube } from '../../../harness/one-object-kube.ts'
import { sampleDatasource } from '../../../harness/druid-sample.ts'

const retention = [
  { type: 'loadByPeriod', period: 'P90D', tieredReplicants: { _default_tier: 1 } },
  { type: 'dropForever' },
]
const compaction = { config: { skipOffsetFromLatest: 'P1D' } }

test.each<[string, Partial<DruidDatasourceSpec>, string]>([
  ['a rule that there is not', { retention: [{ type: 'loadSometimes' }] }, 'spec.retention[0].type'],
  [
    'a rule without its period, which Druid takes',
    { retention: [{ type: 'loadByPeriod' }] },
    'spec.retention[0].period',
  ],
  [
    'a duration of ours as a period',
    { retention: [{ type: 'dropByPeriod', period: '90d' }] },
    'spec.retention[0].period',
  ],
  ['half an interval', { retention: [{ type: 'loadByInterval', interval: '2026' }] }, 'spec.retention[0].interval'],
  [
    'a misspelt member of a rule',
    { retention: [{ type: 'loadByPeriod', period: 'P1D', tiers: {} }] },
    'spec.retention[0][tiers]',
  ],
  [
    'replicas without end',
    { retention: [{ type: 'loadForever', tieredReplicants: { hot: 1e9 } }] },
    'spec.retention[0].tieredReplicants',
  ],
  [
    'a misspelt member of compaction',
    { compaction: { config: { skipOffset: 'P1D' } } },
    'spec.compaction.config[skipOffset]',
  ],
  [
    'another datasource to compact',
    { compaction: { config: { dataSource: 'x' } } },
    'spec.compaction.config[dataSource]',
  ],
  [
    'a priority above that of ingestion',
    { compaction: { config: { taskPriority: 99 } } },
    'spec.compaction.config.taskPriority',
  ],
  [
    'code in the transforms of compaction',
    { compaction: { config: { transformSpec: { filter: { type: 'javascript' } } } } },
    'spec.compaction.config.transformSpec.filter.type',
  ],
  [
    'options of the JVM for the tasks of compaction',
    { compaction: { config: { taskContext: { 'druid.indexer.runner.javaOptsArray': ['-javaagent:/tmp/x'] } } } },
    'spec.compaction.config.taskContext[druid.indexer.runner.javaOptsArray]',
  ],
])('%s is refused', (_, changes, path) => {
  expect(specProblems(sampleDatasource(changes)).map((problem) => problem.path)).toContain(path)
})

describe('a DruidDatasource with retention and compaction', () => {
  const ref = { namespace: 'shop', name: 'clicks' }
  let druid: FakeDruid
  let routerUrl: string
  let kube: OneObjectKube
  let now = Date.parse('2026-11-21T08:00:00Z')

  beforeEach(async () => {
    druid = new FakeDruid()
    routerUrl = await druid.start()
  })
  afterEach(() => druid.stop())

  /** A new process, which remembers nothing, until it has nothing more to do. */
  async function settle(): Promise<void> {
    const reconcile = druidReconciler({
      kube: kube.asKube(() => now),
      events: kube.recorder,
      druids: configuredDruids({ default: { routerUrl } }),
      leadership: UNCONTESTED,
      clock: { now: () => now, after: () => () => undefined, nextTurn: () => undefined },
    })
    now += 60_000
    while ((await reconcile(ref)).requeueAfterMs === 0);
  }

  async function applied(changes: Partial<DruidDatasourceSpec>): Promise<void> {
    kube = new OneObjectKube(sampleDatasource(changes))
    await settle()
  }

  function settingWrites(): string[] {
    return druid.writes().filter((path) => !path.includes('/supervisor'))
  }

  function condition(type: string): string {
    const found = conditionOf((kube.object as DruidDatasource | undefined)?.status, type)
    return found ? `${found.status}/${found.reason}` : 'absent'
  }

  function reasons(): string[] {
    return kube.events.map(({ reason }) => reason)
  }

  test('has them set once, and locks that compaction and ingestion share', async () => {
    await applied({ retention, compaction })
    await settle()
    expect(druid.rules.get('clicks')).toEqual(retention)
    expect(druid.compactions.get('clicks')).toEqual({
      dataSource: 'clicks',
      skipOffsetFromLatest: 'P1D',
      taskContext: { useConcurrentLocks: true },
    })
    expect(settingWrites()).toHaveLength(2)
    expect(condition('Configured')).toBe('True/AsWritten')
    expect(reasons()).toEqual(['Created', 'Configured', 'Configured'])
  })

  test('is not written to when Druid has them already', async () => {
    druid.rules.set('clicks', retention)
    await applied({ retention })
    expect(settingWrites()).toEqual([])
    expect(condition('Configured')).toBe('True/AsWritten')
  })

  test('is not even asked for them when the resource says nothing of them', async () => {
    druid.rules.set('clicks', retention)
    await applied({})
    expect(druid.calls.filter(({ path }) => /rules|compaction/.test(path))).toEqual([])
    expect(condition('Configured')).toBe('absent')
  })

  test('has changes by others corrected', async () => {
    await applied({ retention, compaction })
    druid.rules.set('clicks', [{ type: 'dropForever' }])
    druid.compactions.delete('clicks')
    await settle()
    expect(druid.rules.get('clicks')).toEqual(retention)
    expect(druid.compactions.has('clicks')).toBe(true)
    expect(reasons().slice(-2)).toEqual(['DriftCorrected', 'DriftCorrected'])
  })

  test('only tells of changes by others under driftPolicy Warn, and follows a new wish', async () => {
    await applied({ retention, driftPolicy: 'Warn' })
    druid.rules.set('clicks', [{ type: 'dropForever' }])
    await settle()
    expect(condition('Drifted')).toBe('True/ChangedByOthers')
    expect((kube.object as DruidDatasource | undefined)?.status?.drift).toEqual(['retention'])
    kube.edit({ spec: { retention: [{ type: 'loadForever' }] } })
    await settle()
    expect(druid.rules.get('clicks')).toEqual([{ type: 'loadForever' }])
    expect(condition('Drifted')).toBe('False/AsWritten')
  })

  test('has them removed by an empty list and by enabled: false', async () => {
    await applied({ retention, compaction })
    kube.edit({ spec: { retention: [], compaction: { enabled: false } } })
    await settle()
    expect(druid.rules.get('clicks')).toEqual([])
    expect(druid.compactions.has('clicks')).toBe(false)
    await settle()
    expect(settingWrites()).toHaveLength(4)
  })

  test('says in the words of Druid that it refused rules, does not send them again, and goes on reading', async () => {
    await applied({ retention: [{ type: 'broadcastForever' }], compaction })
    await settle()
    expect(condition('Configured')).toBe('False/Rejected')
    expect(condition('Ready')).toBe('True/Running')
    expect(settingWrites().filter((path) => path.includes('rules'))).toHaveLength(1)
    expect(druid.compactions.has('clicks')).toBe(true)
    kube.edit({ spec: { retention } })
    await settle()
    expect(condition('Configured')).toBe('True/AsWritten')
  })

  test('writes nothing twice when the answer is lost and the operator dies', async () => {
    kube = new OneObjectKube(sampleDatasource({}))
    await settle()
    kube.edit({ spec: { retention } })
    druid.losesAnswers = true
    await settle()
    druid.losesAnswers = false
    await settle()
    expect(settingWrites()).toHaveLength(1)
    expect(condition('Configured')).toBe('True/AsWritten')
  })

  test.each([
    ['Terminate', false],
    ['Suspend', true],
    ['Retain', true],
  ] as const)('under deletionPolicy %s keeps them: %s', async (deletionPolicy, kept) => {
    await applied({ retention, compaction, deletionPolicy })
    kube.delete(new Date(now).toISOString())
    await settle()
    expect(kube.object).toBeUndefined()
    expect((druid.rules.get('clicks') ?? []).length > 0).toBe(kept)
    expect(druid.compactions.has('clicks')).toBe(kept)
  })

  test('that belongs to another resource has none of them touched', async () => {
    await applied({})
    const foreign = structuredClone(druid.supervisors.get('clicks')?.spec) as Record<string, unknown>
    const spec = { ...foreign, context: { 'millrace.dev/owner': 'bank/clicks' } }
    druid.supervisors.set('clicks', { spec, suspended: false, restarts: 0 })
    await applied({ retention, compaction, deletionPolicy: 'Terminate', adoption: 'Always', dataSource: 'clicks' })
    kube.delete(new Date(now).toISOString())
    await settle()
    expect(settingWrites()).toEqual([])
  })
})
