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
} from '../../../../operator/resources/labels.ts'
import { decide } from '../../../../operator/streamjob/decide.ts'
import type { Act } from '../../../../operator/streamjob/decision.ts'
import type { Observed } from '../../../../operator/streamjob/observed.ts'
import type { JobReport } from '../../../../runtime/control/job-report.ts'

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
  } = {},
): Pod {
  const { hash = 'same', chain, slot, address, phase = 'Running' } = more
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: name,
      labels: {
        [ROLE_LABEL]: chain === undefined ? 'coordinator' : 'worker',
        ...(chain === undefined ? {} : { [CHAIN_LABEL]: chain, [SLOT_LABEL]: String(slot ?? 0) }),
      },
      annotations: { [HASH_ANNOTATION]: hash, ...(address === undefined ? {} : { [COORDINATOR_ANNOTATION]: address }) },
    },
    spec: { containers: [{ name: 'millrace', env: [] }] },
    status: { phase, podIP: '10.0.0.1' },
  }
}

const COORDINATOR = pod('j-coordinator')
const worker = (slot: number, more: Parameters<typeof pod>[1] = {}): Pod =>
  pod(`j-bids-${slot}`, { chain: 'bids', slot, address: ADDRESS, ...more })
const ALL = [COORDINATOR, worker(0), worker(1)]

const REPORT: JobReport = {
  job: 'j',
  phase: 'running',
  attempt: 1,
  revision: 'b',
  targetRevision: 'b',
  expectedWorkers: ['bids-0', 'bids-1'],
  registeredWorkers: ['bids-0', 'bids-1'],
  runningWorkers: ['bids-0', 'bids-1'],
  checkpoint: null,
  checkpointFailures: 0,
  restarts: 0,
  lastPauseMs: null,
  recordsIn: 0,
  recordsOut: 0,
  badRecords: 0,
  lateRecords: 0,
  error: null,
}

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
    wanted: {
      spec: job.spec,
      jobSpec: {},
      revision: 'b',
      restore: undefined,
      coordinator: COORDINATOR,
      workers: [pod('j-bids-0', { chain: 'bids', slot: 0 }), pod('j-bids-1', { chain: 'bids', slot: 1 })],
      scaleChain: 'bids',
    },
    problems: [],
    keepSpec: undefined,
    pods: ALL,
    taken: [],
    coordinatorAddress: ADDRESS,
    coordinator: { kind: 'reached', report: { ...REPORT, ...report } },
    savepoint: undefined,
    waitsFor: undefined,
    ...more,
  }
}

function underWay(type: Operation['type'], step: Operation['step'], deadline = NOW + 60_000): Operation {
  return {
    id: 'op',
    type,
    step,
    tries: 0,
    startedAt: new Date(NOW - 1000).toISOString(),
    deadline: new Date(deadline).toISOString(),
  }
}

const DELETED = { deletionTimestamp: new Date(NOW - 1000).toISOString() }
const STALE = [COORDINATOR, worker(0, { hash: 'other' }), worker(1)]
const ABSENT: Partial<Observed> = { coordinator: { kind: 'absent' } }

type Row = readonly [when: string, facts: Facts, act: Act['kind'], phase: string, reason: string]

const TABLE: readonly Row[] = [
  ['it was just created', { metadata: { finalizers: [] } }, 'addFinalizer', 'Pending', 'Accepted'],
  [
    'a new spec is good and not kept yet',
    { more: { keepSpec: { change: undefined, taken: undefined } } },
    'keepSpec',
    'Running',
    'Accepted',
  ],
  [
    'the ConfigMap of a new good spec is of someone else',
    { more: { keepSpec: { change: undefined, taken: 'j-last-good' } } },
    'none',
    'Running',
    'NameTaken',
  ],
  ['no spec was ever good', { more: { wanted: undefined, problems: [] } }, 'none', 'Pending', 'SpecInvalid'],
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
  ['a worker is surplus after a rescale', { more: { pods: [...ALL, worker(2)] } }, 'deletePods', 'Running', 'Running'],
  [
    'a surplus worker still runs',
    { report: { runningWorkers: ['bids-0', 'bids-1', 'bids-2'] }, more: { pods: [...ALL, worker(2)] } },
    'none',
    'Running',
    'Running',
  ],
  ['pods differ and the job runs', { more: { pods: STALE } }, 'requestSavepoint', 'Upgrading', 'Upgrading'],
  [
    'pods differ and the savepoint is under way',
    {
      status: { operation: underWay('Upgrade', 'savepoint') },
      more: { pods: STALE, savepoint: { id: 'op-0', phase: 'inProgress' } },
    },
    'none',
    'Upgrading',
    'Upgrading',
  ],
  [
    'pods differ and the job does not run',
    { report: { phase: 'waiting' }, more: { pods: STALE } },
    'deletePods',
    'Upgrading',
    'Upgrading',
  ],
  [
    'pods differ and the coordinator is silent',
    {
      more: {
        pods: STALE,
        coordinator: { kind: 'unreachable', why: { code: 'X', message: 'x', domain: 'platform', retriable: true } },
      },
    },
    'none',
    'Upgrading',
    'Upgrading',
  ],
  [
    'pods differ and the coordinator was silent past the deadline',
    {
      status: { operation: underWay('Upgrade', 'savepoint', NOW - 1) },
      more: {
        pods: STALE,
        coordinator: { kind: 'unreachable', why: { code: 'X', message: 'x', domain: 'platform', retriable: true } },
      },
    },
    'deletePods',
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
    'it is deleted and its pods are gone',
    { metadata: DELETED, more: { pods: [], ...ABSENT } },
    'release',
    'Deleting',
    'Deleting',
  ],
  [
    'it is deleted and its deadline is over',
    { metadata: { deletionTimestamp: new Date(NOW - 61_000).toISOString() } },
    'release',
    'Deleting',
    'Deleting',
  ],
]

describe('the next step of a StreamJob', () => {
  test.each(TABLE)('when %s, follows', (_, facts, act, phase, reason) => {
    const decision = decide(observed(facts))
    expect({ act: decision.act.kind, phase: decision.phase, reason: decision.reason }).toEqual({ act, phase, reason })
  })

  test('is the same whenever the facts are', () => {
    for (const [, facts] of TABLE) expect(decide(observed(facts))).toEqual(decide(observed(facts)))
  })

  test('of an operation under way keeps its id, so that what is done twice is done once', () => {
    const { operation } = decide(
      observed({ status: { operation: underWay('Upgrade', 'savepoint') }, more: { pods: STALE } }),
    )
    expect(operation?.id).toBe('op')
  })

  test('says that an operation has succeeded when the job runs what is wanted', () => {
    const { ended, operation } = decide(observed({ status: { operation: underWay('Rescale', 'deploy') } }))
    expect({ ended, operation }).toEqual({ ended: { type: 'Rescale', result: 'Succeeded' }, operation: null })
  })
})
