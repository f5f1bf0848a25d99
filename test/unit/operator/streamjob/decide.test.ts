import { describe, expect, test } from 'vitest'
import {
  FINALIZER,
  type Operation,
  type StreamJob,
  type StreamJobSpec,
  type StreamJobStatus,
} from '../../../../operator/api/stream-job.ts'
import type { Pod } from '../../../../operator/kube/objects.ts'
import {
  CHAIN_LABEL,
  COORDINATOR_ANNOTATION,
  HASH_ANNOTATION,
  ROLE_LABEL,
  SLOT_LABEL,
  TEMPLATE_LABEL,
} from '../../../../operator/resources/labels.ts'
import { decide, isAtRest } from '../../../../operator/streamjob/decide.ts'
import { statusOf } from '../../../../operator/streamjob/status.ts'
import type { Act } from '../../../../operator/streamjob/decision.ts'
import type { Observed } from '../../../../operator/streamjob/observed.ts'
import type { Wanted } from '../../../../operator/streamjob/wanted.ts'
import type { JobReport } from '../../../../runtime/control/job-report.ts'
import { runningReport } from '../../../harness/running-report.ts'

const NOW = Date.parse('2026-11-22T12:00:00Z')
const ADDRESS = '10.0.0.1:7000'

function pod(
  name: string,
  more: {
    hash?: string
    chain?: string
    slot?: number
    address?: string
    phase?: NonNullable<Pod['status']>['phase']
    template?: string
    isReady?: boolean
  } = {},
): Pod {
  const { hash = 'same', chain, slot, address, phase = 'Running', template = 'new', isReady = true } = more
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: name,
      labels: {
        [TEMPLATE_LABEL]: template,
        [ROLE_LABEL]: chain === undefined ? 'coordinator' : 'worker',
        ...(chain === undefined ? {} : { [CHAIN_LABEL]: chain, [SLOT_LABEL]: String(slot ?? 0) }),
      },
      annotations: { [HASH_ANNOTATION]: hash, ...(address === undefined ? {} : { [COORDINATOR_ANNOTATION]: address }) },
    },
    spec: { containers: [{ name: 'millrace', env: [] }] },
    status: {
      phase,
      podIP: '10.0.0.1',
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
    },
  }
}

const COORDINATOR = pod('j-coordinator')
const worker = (slot: number, more: Parameters<typeof pod>[1] = {}): Pod =>
  pod(`j-bids-${slot}`, { chain: 'bids', slot, address: ADDRESS, ...more })
const ALL = [COORDINATOR, worker(0), worker(1)]
const WANTED: Wanted = {
  spec: { graph: [] },
  jobSpec: {},
  revision: 'b',
  restore: undefined,
  template: 'new',
  coordinator: COORDINATOR,
  workers: [pod('j-bids-0', { chain: 'bids', slot: 0 }), pod('j-bids-1', { chain: 'bids', slot: 1 })],
  scaleChain: 'bids',
  autoscaler: null,
  scaled: [],
  chains: [{ operators: ['bids'], slots: 2 }],
  maxSubtasks: 1000,
  listening: [],
}

/** The same job on pods of another template, before the wanted ones. */
const asOld = (one: Pod): Pod => ({
  ...one,
  metadata: {
    ...one.metadata,
    name: `${one.metadata.name}-old`,
    labels: { ...one.metadata.labels, [TEMPLATE_LABEL]: 'old' },
  },
})
const OLD: Wanted = {
  ...WANTED,
  template: 'old',
  coordinator: asOld(COORDINATOR),
  workers: WANTED.workers.map(asOld),
}
const OLD_PODS = ALL.map(asOld)

const REPORT = runningReport({
  expectedWorkers: ['bids-0', 'bids-1'],
  registeredWorkers: ['bids-0', 'bids-1'],
  runningWorkers: ['bids-0', 'bids-1'],
})

interface Facts {
  spec?: Partial<StreamJobSpec>
  metadata?: Partial<StreamJob['metadata']>
  status?: Partial<StreamJobStatus>
  report?: Partial<JobReport>
  more?: Partial<Observed>
}

/** A job whose two workers run what is wanted, unless the facts say otherwise. */
function observed({ spec, metadata, status, report, more }: Facts): Observed {
  const job = {
    apiVersion: 'millrace.dev/v1alpha1',
    kind: 'StreamJob',
    metadata: { name: 'j', namespace: 'default', uid: 'uid', generation: 2, finalizers: [FINALIZER], ...metadata },
    spec: { graph: [], ...spec },
    status: { phase: 'Running', revision: 'b', attempt: 1, operation: null, ...status },
  } as StreamJob
  return {
    now: NOW,
    job,
    isDeferred: false,
    wanted: { ...WANTED, spec: job.spec },
    running: { ...WANTED, spec: job.spec },
    problems: [],
    plan: undefined,
    stableSpec: undefined,
    keepSpec: undefined,
    held: undefined,
    pods: ALL,
    orphans: [],
    stateLocation: '/store/default/j/uid/checkpoints/1-7',
    taken: [],
    coordinatorAddress: ADDRESS,
    coordinator: { kind: 'reached', report: { ...REPORT, ...report } },
    successor: undefined,
    savepoint: undefined,
    unreadSavepoints: [],
    waitsFor: undefined,
    ...more,
  }
}

function underWay(
  type: Operation['type'],
  step: Operation['step'],
  deadline = NOW + 60_000,
  startedAt = NOW - 1000,
): Operation {
  return {
    id: 'op',
    type,
    step,
    tries: 0,
    startedAt: new Date(startedAt).toISOString(),
    deadline: new Date(deadline).toISOString(),
  }
}

const TROUBLE: JobReport['error'] = { code: 'KAFKA_AWAY', message: 'm', domain: 'dependency', retriable: true }
const DELETED = { deletionTimestamp: new Date(NOW - 1000).toISOString() }
const SILENT: Observed['coordinator'] = {
  kind: 'unreachable',
  why: { code: 'X', message: 'x', domain: 'platform', retriable: true },
}
const knowing = (targetRevision: string | null): Observed['successor'] => ({
  address: ADDRESS,
  coordinator: {
    kind: 'reached',
    report: { ...REPORT, phase: 'waiting', attempt: 0, revision: null, targetRevision, expectedWorkers: [] },
  },
})
/** Old pods run the job. */
const OUTDATED: Partial<Observed> = {
  running: OLD,
  pods: OLD_PODS,
  successor: { address: undefined, coordinator: { kind: 'absent' } },
}
/** All new pods are there and idle. */
const BESIDE: Partial<Observed> = { running: OLD, pods: [...OLD_PODS, ...ALL], successor: knowing(null) }
const ABSENT: Partial<Observed> = { coordinator: { kind: 'absent' } }

function terminating(one: Pod, at: number): Pod {
  return { ...one, metadata: { ...one.metadata, deletionTimestamp: new Date(at).toISOString() } }
}

function renamed(one: Pod, name: string): Pod {
  return { ...one, metadata: { ...one.metadata, name } }
}

function runningSince(one: Pod, at: number): Pod {
  const state = { running: { startedAt: new Date(at).toISOString() } }
  return {
    ...one,
    status: { ...one.status, containerStatuses: [{ name: 'millrace', ready: true, restartCount: 0, state }] },
  }
}

type Row = readonly [when: string, facts: Facts, act: Act['kind'], phase: string, reason: string]

const KEEP: Observed['keepSpec'] & object = {
  kind: 'newest',
  change: undefined,
  specs: [],
  leftover: undefined,
}

const TABLE: readonly Row[] = [
  ['a new spec is good and not kept yet', { more: { keepSpec: KEEP } }, 'keepSpec', 'Running', 'Accepted'],
  ['no spec was ever good', { more: { wanted: undefined, pods: [] } }, 'none', 'Pending', 'SpecInvalid'],
  ['no spec of what runs is left', { more: { wanted: undefined } }, 'none', 'Running', 'SpecInvalid'],
  ['nothing is left to do', {}, 'none', 'Running', 'Running'],
  [
    'it has no pods',
    { status: { revision: null }, more: { pods: [], coordinatorAddress: undefined, ...ABSENT } },
    'createPods',
    'Deploying',
    'Deploying',
  ],
  [
    'the coordinator has no address yet',
    { status: { revision: null }, more: { pods: [COORDINATOR], coordinatorAddress: undefined, ...ABSENT } },
    'none',
    'Deploying',
    'Deploying',
  ],
  [
    'a worker is missing that ran before',
    { more: { pods: [COORDINATOR, worker(0)] } },
    'createPods',
    'Recovering',
    'Recovering',
  ],
  [
    'a worker was evicted',
    { more: { pods: [COORDINATOR, worker(0), worker(1, { phase: 'Failed' })] } },
    'deletePods',
    'Recovering',
    'Recovering',
  ],
  [
    'workers know another coordinator',
    { more: { pods: [COORDINATOR, worker(0, { address: 'old' }), worker(1)] } },
    'deletePods',
    'Recovering',
    'Recovering',
  ],
  [
    'the coordinator has another target',
    {
      report: { targetRevision: 'a', revision: 'a' },
      status: { lastGood: { generation: 2, hash: 'h', change: 'rescale' } },
    },
    'putTarget',
    'Rescaling',
    'Rescaling',
  ],
  ['the graph has changed', { report: { targetRevision: 'a', revision: 'a' } }, 'putTarget', 'Upgrading', 'Upgrading'],
  ['the coordinator deploys', { report: { phase: 'deploying', revision: null } }, 'none', 'Deploying', 'Deploying'],
  ['the coordinator recovers', { report: { phase: 'recovering' } }, 'none', 'Recovering', 'Recovering'],
  [
    'the job has failed',
    { report: { phase: 'failed', error: { code: 'RECORD_INVALID', message: 'no', domain: 'user', retriable: false } } },
    'none',
    'Failed',
    'RecordInvalid',
  ],
  [
    'it runs and the outside is away',
    { report: { error: { code: 'KAFKA_UNREACHABLE', message: 'no', domain: 'dependency', retriable: true } } },
    'none',
    'Degraded',
    'KafkaUnreachable',
  ],
  ['a worker is surplus after a rescale', { more: { pods: [...ALL, worker(2)] } }, 'deletePods', 'Running', 'Running'],
  [
    'a surplus worker still runs',
    { report: { runningWorkers: ['bids-0', 'bids-1', 'bids-2'] }, more: { pods: [...ALL, worker(2)] } },
    'none',
    'Running',
    'Running',
  ],
  ['other pods are wanted and the job runs', { more: OUTDATED }, 'startSuccessors', 'Upgrading', 'Upgrading'],
  [
    'other pods are wanted and the job never ran',
    { status: { attempt: 0 }, report: { phase: 'waiting', attempt: 0 }, more: OUTDATED },
    'deletePods',
    'Upgrading',
    'Upgrading',
  ],
  [
    'other pods are wanted and the job has failed',
    { report: { phase: 'failed' }, more: OUTDATED },
    'deletePods',
    'Upgrading',
    'Upgrading',
  ],
  [
    'other pods are wanted and a pod that runs the job went away',
    { more: { ...OUTDATED, pods: OLD_PODS.slice(0, 2) } },
    'createPods',
    'Upgrading',
    'Upgrading',
  ],
  [
    'pods of a template between the two are left over',
    { more: { ...OUTDATED, pods: [...OLD_PODS, pod('j-coordinator-x', { template: 'x' })] } },
    'deletePods',
    'Upgrading',
    'Upgrading',
  ],
  [
    'new pods start',
    { more: { ...BESIDE, pods: [...OLD_PODS, COORDINATOR, worker(0), worker(1, { isReady: false })] } },
    'none',
    'Upgrading',
    'Upgrading',
  ],
  [
    'new pods do not start in time',
    {
      status: { operation: underWay('Upgrade', 'start', NOW - 1) },
      more: { ...BESIDE, pods: [...OLD_PODS, COORDINATOR, worker(0), worker(1, { isReady: false })] },
    },
    'none',
    'Upgrading',
    'DeadlineExceeded',
  ],
  ...(['waiting', 'recovering'] as const).map(
    (phase): Row => [
      `other pods are wanted, and the coordinator is ${phase} for a worker of a target that is not kept`,
      { report: { phase, targetRevision: 'a', expectedWorkers: ['bids-0', 'bids-1', 'bids-2'] }, more: OUTDATED },
      'putTarget',
      'Upgrading',
      'Upgrading',
    ],
  ),
  [
    'other pods are wanted, and the coordinator recovers with workers that are kept',
    { report: { phase: 'recovering', registeredWorkers: ['bids-0'] }, more: OUTDATED },
    'startSuccessors',
    'Upgrading',
    'Upgrading',
  ],
  ['new pods are ready', { more: BESIDE }, 'putTarget', 'Upgrading', 'Upgrading'],
  [
    'new pods are ready and know the spec',
    { more: { ...BESIDE, successor: knowing('b') } },
    'none',
    'Upgrading',
    'Upgrading',
  ],
  [
    'new pods are ready to take over',
    { status: { operation: underWay('Upgrade', 'savepoint') }, more: BESIDE },
    'requestSavepoint',
    'Upgrading',
    'Upgrading',
  ],
  [
    'the savepoint of an upgrade is under way, however long it takes',
    {
      status: { operation: underWay('Upgrade', 'savepoint', NOW - 1) },
      more: { ...BESIDE, savepoint: { id: 'op-0', phase: 'inProgress' } },
    },
    'none',
    'Upgrading',
    'Upgrading',
  ],
  [
    'the job does not run in time for the savepoint of its upgrade',
    {
      status: { operation: underWay('Upgrade', 'savepoint', NOW - 1) },
      report: { phase: 'recovering' },
      more: BESIDE,
    },
    'putTarget',
    'Upgrading',
    'Upgrading',
  ],
  [
    'a new pod is not ready any more before the job is stopped',
    {
      status: { operation: underWay('Upgrade', 'savepoint') },
      more: { ...BESIDE, pods: [...OLD_PODS, COORDINATOR, worker(0), worker(1, { isReady: false })] },
    },
    'none',
    'Upgrading',
    'Upgrading',
  ],
  [
    'the old coordinator is silent before the savepoint',
    {
      status: { operation: underWay('Upgrade', 'savepoint') },
      more: { ...BESIDE, coordinator: SILENT },
    },
    'none',
    'Upgrading',
    'Upgrading',
  ],
  [
    'the job is to stop for its new pods',
    { status: { operation: underWay('Upgrade', 'stop') }, more: BESIDE },
    'putTarget',
    'Upgrading',
    'Upgrading',
  ],
  [
    'the job stopped for pods that have gone since',
    { status: { operation: underWay('Upgrade', 'stop') }, report: { phase: 'suspended' }, more: OUTDATED },
    'putTarget',
    'Upgrading',
    'Upgrading',
  ],
  [
    'new pods of an upgrade are not wanted any more',
    { status: { operation: underWay('Upgrade', 'start') }, more: { pods: [...ALL, ...OLD_PODS] } },
    'deletePods',
    'Running',
    'Running',
  ],
  [
    'the new pods run the job',
    { status: { operation: underWay('Upgrade', 'deploy') }, more: { pods: [...ALL, ...OLD_PODS] } },
    'deletePods',
    'Running',
    'Running',
  ],
  [
    'the new pods do not run the job yet',
    {
      status: { operation: underWay('Upgrade', 'deploy') },
      report: { phase: 'deploying' },
      more: { pods: [...ALL, ...OLD_PODS] },
    },
    'none',
    'Upgrading',
    'Upgrading',
  ],
  ['the name of a pod is taken', { more: { taken: ['pod j-bids-0'] } }, 'none', 'Pending', 'NameTaken'],
  [
    'it waits for a DruidDatasource',
    { more: { waitsFor: { code: 'DATASOURCE_MISSING', message: 'm', domain: 'user', retriable: true } } },
    'none',
    'Running',
    'DatasourceMissing',
  ],
  ...(
    [
      ['Deploy', 'waiting', 'Deploying'],
      ['Rescale', 'switching', 'Rescaling'],
      ['Recover', 'recovering', 'Recovering'],
      ['Resume', 'deploying', 'Deploying'],
      ['Upgrade', 'deploying', 'Upgrading'],
    ] as const
  ).map(
    ([type, phase, told]): Row => [
      `its operation ${type} is beyond its deadline`,
      { status: { operation: underWay(type, 'deploy', NOW - 1) }, report: { phase } },
      'none',
      told,
      'DeadlineExceeded',
    ],
  ),
  [
    'a pod stays terminating on a node that is gone: another one starts beside it',
    {
      report: { phase: 'recovering' },
      more: { pods: [COORDINATOR, worker(0), terminating(worker(1), NOW - 60_000)] },
    },
    'createPods',
    'Recovering',
    'Recovering',
  ],
  [
    'a pod stays terminating and the one beside it does not run the job yet',
    {
      report: { phase: 'recovering' },
      more: { pods: [COORDINATOR, worker(0), terminating(worker(1), NOW - 60_000), renamed(worker(1), 'j-bids-1-2')] },
    },
    'none',
    'Recovering',
    'PodTerminating',
  ],
  [
    'a pod is terminating as long as it may',
    {
      report: { phase: 'recovering' },
      more: { pods: [COORDINATOR, worker(0), terminating(worker(1), NOW + 5_000)] },
    },
    'none',
    'Recovering',
    'Recovering',
  ],
  [
    'a pod of a job that is suspended stays terminating',
    {
      spec: { desiredState: 'Suspended' },
      status: { operation: underWay('Suspend', 'removePods') },
      more: { pods: [terminating(worker(1), NOW - 60_000)], ...ABSENT },
    },
    'none',
    'Suspending',
    'PodTerminating',
  ],
  [
    'a worker has run for minutes and the coordinator has not heard of it',
    {
      status: { operation: { ...underWay('Recover', 'deploy'), startedAt: new Date(NOW - 200_000).toISOString() } },
      report: { phase: 'recovering', registeredWorkers: ['bids-0'] },
      more: { pods: [COORDINATOR, worker(0), runningSince(worker(1), NOW - 190_000)] },
    },
    'deletePods',
    'Recovering',
    'Recovering',
  ],
  [
    'a worker that the coordinator has not heard of has just started',
    {
      status: { operation: { ...underWay('Recover', 'deploy'), startedAt: new Date(NOW - 200_000).toISOString() } },
      report: { phase: 'recovering', registeredWorkers: ['bids-0'] },
      more: { pods: [COORDINATOR, worker(0), runningSince(worker(1), NOW - 60_000)] },
    },
    'none',
    'Recovering',
    'Recovering',
  ],
  ['it has finished', { report: { phase: 'finished' } }, 'none', 'Finished', 'Finished'],
  [
    'it has finished long ago',
    {
      report: { phase: 'finished' },
      status: { phase: 'Finished', finishedAt: new Date(NOW - 3_600_000).toISOString() },
    },
    'deletePods',
    'Finished',
    'Finished',
  ],
  [
    'it is suspended and no pods run',
    { spec: { desiredState: 'Suspended' }, more: { pods: [], ...ABSENT } },
    'none',
    'Suspended',
    'Suspended',
  ],
  ['it is to be suspended and runs', { spec: { desiredState: 'Suspended' } }, 'putTarget', 'Suspending', 'Suspending'],
  [
    'it is to run again',
    { status: { phase: 'Suspended' }, more: { pods: [], coordinatorAddress: undefined, ...ABSENT } },
    'createPods',
    'Deploying',
    'Resuming',
  ],
  ['it is deleted and runs', { metadata: DELETED }, 'putTarget', 'Deleting', 'Deleting'],
  [
    'it is deleted without a savepoint',
    { metadata: DELETED, spec: { deletion: { savepoint: 'Skip' } } },
    'deletePods',
    'Deleting',
    'Deleting',
  ],
  [
    'it is deleted and its pods are to be set free',
    { metadata: { ...DELETED, finalizers: [FINALIZER, 'orphan'] } },
    'none',
    'Deleting',
    'Deleting',
  ],
  [
    'it is deleted and its pods are gone',
    { metadata: DELETED, more: { pods: [], ...ABSENT } },
    'release',
    'Deleting',
    'Deleting',
  ],
  [
    'it is deleted and its deadline is over',
    { metadata: DELETED, status: { operation: underWay('Delete', 'savepoint', NOW - 1, NOW - 61_000) } },
    'release',
    'Deleting',
    'Deleting',
  ],
]

describe('a hand-over to new pods', () => {
  test.each([
    ['has stopped the job', { report: { phase: 'suspended' as const } }],
    ['was stopping a job that has ended', { report: { phase: 'finished' as const, revision: 'a' } }],
    ['was stopping a job that has failed', { report: { phase: 'failed' as const } }],
    ['waits for a coordinator that is gone', { more: { coordinator: { kind: 'absent' as const } } }],
  ])('that %s goes to the new coordinator, and is recorded before', (_, facts) => {
    const decision = decide(
      observed({
        status: { operation: underWay('Upgrade', 'stop') },
        report: 'report' in facts ? facts.report : {},
        more: { ...BESIDE, ...('more' in facts ? facts.more : {}) },
      }),
    )
    expect(decision).toMatchObject({
      act: { kind: 'putTarget', desiredState: 'running', template: 'new' },
      template: 'new',
      operation: { step: 'deploy' },
    })
  })

  test('whose new pods are gone when the job has stopped does not come about: the old pods run it on', () => {
    const status = { operation: underWay('Upgrade', 'stop') }
    const decision = decide(observed({ status, report: { phase: 'suspended' }, more: OUTDATED }))
    expect(decision.act).toEqual({ kind: 'putTarget', desiredState: 'running', template: 'old' })
    expect(decision.template).toBeUndefined()
  })

  test('that cannot stop the job in time goes on: the claim of the new coordinator fences the old one', () => {
    const decision = decide(
      observed({
        status: { operation: underWay('Upgrade', 'stop', NOW - 1) },
        more: { ...BESIDE, coordinator: SILENT },
      }),
    )
    expect(decision).toMatchObject({ act: { kind: 'putTarget', template: 'new' }, template: 'new' })
  })

  test('that waits says what for, is stalled when waiting alone will not help, and that the job runs on', () => {
    const blocked = worker(1, { isReady: false })
    blocked.status = {
      ...blocked.status,
      containerStatuses: [
        { name: 'millrace', ready: false, restartCount: 0, state: { waiting: { reason: 'ImagePullBackOff' } } },
      ],
    }
    expect(
      decide(observed({ more: { ...BESIDE, pods: [...OLD_PODS, COORDINATOR, worker(0), blocked] } })),
    ).toMatchObject({
      stalled: true,
      reason: 'ImagePullFailed',
      message: 'j-bids-1: ImagePullBackOff The job runs on with its previous pods.',
    })
  })
})

describe('the next step of a StreamJob', () => {
  test.each(TABLE)('when %s, follows', (_, facts, act, phase, reason) => {
    const decision = decide(observed(facts))
    expect({ act: decision.act.kind, phase: decision.phase, reason: decision.reason }).toEqual({ act, phase, reason })
  })

  test('is the same whenever the facts are', () => {
    for (const [, facts] of TABLE) expect(decide(observed(facts))).toEqual(decide(observed(facts)))
  })

  test('of a deletion whose savepoint is taken tells where it lies, once', () => {
    const facts: Facts = { metadata: DELETED, report: { phase: 'suspended' } }
    const decision = decide(observed(facts))
    expect(decision.events).toMatchObject([
      { reason: 'FinalSavepoint', message: expect.stringContaining(' /store/default/j/uid/checkpoints/1-7:') },
    ])
    expect(decide(observed({ ...facts, status: { operation: decision.operation } })).events).toEqual([])
  })

  test.each([
    ['at once', 0],
    ['late', 39],
    ['when nobody was there for its whole time', 3600],
  ])('of a deletion that an operator meets %s, after %d s, gives its savepoint 45 s from then', (_, afterS) => {
    const metadata = { deletionTimestamp: new Date(NOW - afterS * 1000).toISOString() }
    const { act, operation } = decide(observed({ metadata }))
    expect(act).toMatchObject({ kind: 'putTarget', desiredState: 'suspended' })
    expect(Date.parse(operation?.deadline ?? '') - NOW).toBe(45_000)
  })

  test('of a deletion that could take none tells where the newest checkpoint lies', () => {
    expect(decide(observed({ metadata: DELETED, report: { phase: 'failed' } })).events).toMatchObject([
      { reason: 'StoppedWithoutSavepoint', message: expect.stringContaining(', at /store/default/j/uid/') },
    ])
  })

  test('of a deletion that sets the pods free names them and how to stop them', () => {
    const decision = decide(observed({ metadata: DELETED, more: { pods: [], orphans: ALL, ...ABSENT } }))
    expect(decision).toMatchObject({
      act: { kind: 'release' },
      events: [
        {
          type: 'Warning',
          reason: 'Orphaned',
          message: expect.stringMatching(/j-bids-1 run on .* -n default -l millrace.dev\/job=j$/),
        },
      ],
    })
  })

  test('of an operation under way keeps its id, so that what is done twice is done once', () => {
    const { operation } = decide(observed({ status: { operation: underWay('Upgrade', 'savepoint') }, more: BESIDE }))
    expect(operation?.id).toBe('op')
  })

  test('beyond a deadline says what is waited for, more rarely, and goes on by itself when that has come', () => {
    const facts: Facts = {
      status: { operation: underWay('Recover', 'deploy', NOW - 1) },
      report: { phase: 'recovering', registeredWorkers: ['bids-0'] },
    }
    const late = decide(observed(facts))
    expect(late).toMatchObject({
      stalled: true,
      message: 'The coordinator is recovering: 1 of 2 workers have registered, not bids-1.',
      requeueAfterMs: 5_000,
      events: [{ type: 'Warning', reason: 'DeadlineExceeded' }],
    })
    const after = decide(observed({ status: facts.status ?? {} }))
    expect(after).toMatchObject({ phase: 'Running', ended: { type: 'Recover', result: 'Succeeded' } })
    expect(after.stalled).toBeUndefined()
  })

  test('names a pod beside one that stays terminating so that both can be there, however many there are', () => {
    const stuck = [worker(1), renamed(worker(1), 'j-bids-1-2')].map((one) => terminating(one, NOW - 60_000))
    const { act } = decide(
      observed({ report: { phase: 'recovering' }, more: { pods: [COORDINATOR, worker(0), ...stuck] } }),
    )
    expect(act).toMatchObject({ kind: 'createPods', pods: [{ metadata: { name: 'j-bids-1-3' } }] })
  })

  test('says that an operation has succeeded when the job runs what is wanted', () => {
    const { ended, operation } = decide(observed({ status: { operation: underWay('Rescale', 'deploy') } }))
    expect({ ended, operation }).toEqual({ ended: { type: 'Rescale', result: 'Succeeded' }, operation: null })
  })

  test('of a job that runs and meets a refusal outside says so in the message of its status', () => {
    const error = {
      code: 'KAFKA_UNREACHABLE',
      message: 'nobody answers at kafka:9092',
      domain: 'dependency' as const,
      retriable: true,
    }
    expect(decide(observed({ report: { error } }))).toMatchObject({
      phase: 'Degraded',
      message: '2 workers run. nobody answers at kafka:9092',
    })
  })
})

describe('the attempt in the status', () => {
  test.each([
    ['counts with that of a running coordinator', 'running', 4, 4],
    ['falls back with a coordinator that runs without the state of before', 'running', 1, 1],
    ['stays while pods take the job back that have run an older one', 'deploying', 2, 3],
    ['stays while the log cannot be read', 'waiting', 0, 3],
  ] as const)('%s', (_, phase, attempt, expected) => {
    const seen = observed({ status: { attempt: 3 }, report: { phase, attempt } })
    expect(statusOf(seen, decide(seen)).attempt).toBe(expected)
  })
})

describe('a coordinator that does not answer', () => {
  const silentSince = (ms: number): Facts['status'] => ({
    phase: 'Running',
    conditions: [
      {
        type: 'Healthy',
        status: 'Unknown',
        reason: 'NotReached',
        message: '',
        observedGeneration: 2,
        lastTransitionTime: new Date(NOW - ms).toISOString(),
      },
    ],
  })

  test.each<[string, Facts['status'], string]>([
    ['once is asked again, and its job runs', {}, 'Running'],
    ['for a moment is asked again, and its job runs', silentSince(9_000), 'Running'],
    ['for longer has a job that recovers', silentSince(10_000), 'Recovering'],
    ['while an operation is under way holds that one up', { operation: underWay('Recover', 'deploy') }, 'Recovering'],
  ])('%s', (_, status, phase) => {
    const decision = decide(observed({ ...(status === undefined ? {} : { status }), more: { coordinator: SILENT } }))
    expect([decision.phase, decision.act.kind]).toEqual([phase, 'none'])
  })

  test('while it is to take a job over keeps the savepoint that was taken for it', () => {
    const operation = underWay('Upgrade', 'savepoint')
    const successor = { address: ADDRESS, coordinator: SILENT }
    const decision = decide(observed({ status: { operation }, more: { ...BESIDE, successor } }))
    expect(decision.operation).toMatchObject({ step: 'savepoint', tries: operation.tries })
  })
})

const UNTOLD = { id: 'x', event: { type: 'Normal', reason: 'Finished', message: 'm' } } as const

test.each<[boolean, string, Facts]>([
  [true, 'runs what is wanted', {}],
  [true, 'runs and is not well', { report: { error: TROUBLE } }],
  [true, 'has failed for good', { report: { phase: 'failed', error: TROUBLE } }],
  [false, 'recovers', { report: { phase: 'recovering' } }],
  [false, 'has a surplus pod', { more: { pods: [...ALL, pod('more', { chain: 'more', slot: 1 })] } }],
  [
    false,
    'has a pod that is terminating and may be replaced later',
    { more: { pods: [...ALL, terminating(pod('more', { chain: 'more', slot: 1 }), NOW)] } },
  ],
  [false, 'has something to tell', { status: { untold: [UNTOLD] } }],
  [true, 'has yet to show that it holds', { status: { observing: { hash: 'b', since: '2026-11-22T12:00:00Z' } } }],
  [false, 'waits for its turn', { more: { isDeferred: true } }],
  [false, 'is deleted', { metadata: DELETED }],
])('it is %s that a job is at rest that %s', (isRest, _, facts) => {
  const before = observed(facts)
  expect(isAtRest(before, decide(before))).toBe(isRest)
})
