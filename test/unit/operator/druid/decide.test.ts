import { describe, expect, test } from 'vitest'
import type { Decision, Observation } from '../../../../operator/druid/decide.ts'
import { decide } from '../../../../operator/druid/decide.ts'
import type { JsonObject } from '../../../../operator/druid/druid-client.ts'
import type { DruidDatasourceSpec, DruidDatasourceStatus } from '../../../../operator/druid/druid-datasource.ts'
import { desiredSupervisor, withOrder } from '../../../../operator/druid/supervisor-spec.ts'
import type { Order } from '../../../../runtime/model/job.ts'
import { recordedJson } from '../../../harness/druid-fixtures.ts'
import { sampleDatasource } from '../../../harness/druid-sample.ts'

const wanted = desiredSupervisor(sampleDatasource())
const applied: DruidDatasourceStatus = { applied: { hash: wanted.hash, suspended: false, time: '' } }
const nothing: Observation = { live: undefined, history: [], isOwnerGone: false, isMarkedElsewhere: false }
const tombstone: JsonObject = { type: 'noop' }
const unmarked = recordedJson('supervisor-get')

function live(changes: JsonObject = {}): Observation {
  return { live: { ...wanted.spec, ...changes }, history: [], isOwnerGone: false, isMarkedElsewhere: false }
}

function vanished(spec: JsonObject): Observation {
  return { live: undefined, history: [{ spec, version: '2' }], isOwnerGone: false, isMarkedElsewhere: false }
}

function withTaskCount(taskCount: number): JsonObject {
  const copy = structuredClone(wanted.spec) as never as { spec: { ioConfig: { taskCount: number } } }
  copy.spec.ioConfig.taskCount = taskCount
  return copy as never as JsonObject
}

function decided(
  observed: Observation,
  status: DruidDatasourceStatus = {},
  changes: Partial<DruidDatasourceSpec> = {},
): Decision {
  return decide(desiredSupervisor(sampleDatasource(changes)), changes, status, observed)
}

describe('without a live supervisor', () => {
  test.each<[string, Observation, DruidDatasourceStatus, object]>([
    ['and without a past it is created', nothing, {}, { act: 'apply', reason: 'Created' }],
    [
      'and with a tombstone from before this resource it is created',
      vanished(tombstone),
      {},
      { act: 'apply', reason: 'Created' },
    ],
    [
      'that we had applied and someone terminated, it is created again',
      vanished(tombstone),
      applied,
      { act: 'apply', reason: 'RecreatedAfterTerminate' },
    ],
    [
      'that fell over as it was, it is posted again',
      vanished(wanted.spec),
      applied,
      { act: 'restore', rejects: false },
    ],
    [
      'whose update we had begun, the last good one is restored and the update rejected',
      vanished(withTaskCount(3)),
      { ...applied, applying: { hash: wanted.hash } },
      { act: 'restore', rejects: true, spec: withTaskCount(3) },
    ],
    [
      'whose update nobody had begun, the last good one is restored first',
      vanished(withTaskCount(3)),
      applied,
      { act: 'restore', rejects: false, spec: withTaskCount(3) },
    ],
    [
      'that belonged to another resource, nothing is touched',
      vanished({ ...wanted.spec, context: { 'millrace.dev/owner': 'other/clicks' } }),
      {},
      { act: 'refuse', reason: 'OwnedByAnother' },
    ],
  ])('%s', (_, observed, status, expected) => {
    expect(decided(observed, status)).toMatchObject(expected)
  })

  test('that someone terminated, it stays away when drift is only warned of', () => {
    expect(decided(vanished(tombstone), applied, { driftPolicy: 'Warn' })).toEqual({
      act: 'nothing',
      drift: ['terminated'],
    })
  })
})

describe('with a live supervisor', () => {
  test('that is as written nothing is done', () => {
    expect(decided(live(), applied)).toEqual({ act: 'nothing', drift: [] })
  })

  test('a new specification is sent even when everything in it is there already, for fields may have been taken out', () => {
    expect(decided(live(), { applied: { hash: 'older', suspended: false, time: '' } })).toMatchObject({
      act: 'apply',
      reason: 'Updated',
    })
  })

  test('a rejected specification is not sent again', () => {
    const status = {
      ...applied,
      applied: { hash: 'older', suspended: false, time: '' },
      rejected: { hash: wanted.hash, message: 'no' },
    }
    expect(decided(live(), status)).toEqual({ act: 'nothing', drift: [], rejected: 'no' })
  })

  test.each([
    ['Enforce', { act: 'apply', reason: 'DriftCorrected' }],
    ['Warn', { act: 'nothing', drift: ['spec.ioConfig.taskCount'] }],
    ['Ignore', { act: 'nothing', drift: [] }],
  ] as const)('a change by someone else is answered by driftPolicy %s', (driftPolicy, expected) => {
    expect(
      decided({ live: withTaskCount(3), history: [], isOwnerGone: false, isMarkedElsewhere: false }, applied, {
        driftPolicy,
      }),
    ).toMatchObject(expected)
  })

  test.each([
    ['Enforce', { act: 'resume', reason: 'DriftCorrected' }],
    ['Warn', { act: 'nothing', drift: ['suspended'] }],
    ['Ignore', { act: 'nothing', drift: [] }],
  ] as const)('a suspension by someone else is answered by driftPolicy %s', (driftPolicy, expected) => {
    expect(decided(live({ suspended: true }), applied, { driftPolicy })).toMatchObject(expected)
  })

  test.each(['Enforce', 'Warn', 'Ignore'] as const)(
    'a suspension asked for by the resource is done under driftPolicy %s',
    (driftPolicy) => {
      expect(decided(live(), applied, { suspended: true, driftPolicy })).toMatchObject({
        act: 'suspend',
        reason: 'Suspended',
      })
    },
  )

  test('a suspension is followed also while a specification is rejected', () => {
    expect(
      decided(live(), { ...applied, rejected: { hash: wanted.hash, message: 'no' } }, { suspended: true }),
    ).toMatchObject({ act: 'suspend' })
  })

  test.each<[string, JsonObject, string]>([
    [
      'another topic',
      { spec: { ...(wanted.spec['spec'] as JsonObject), ioConfig: { topic: 'other' } } },
      'TopicChanged',
    ],
    ['another type', { type: 'kinesis' }, 'SupervisorTypeChanged'],
    ['another owner', { context: { 'millrace.dev/owner': 'other/clicks' } }, 'OwnedByAnother'],
  ])('%s is never overwritten', (_, changes, reason) => {
    expect(decided(live(changes), applied)).toMatchObject({ act: 'refuse', reason })
    expect(decided(live(changes), applied, { adoption: 'Always' })).toMatchObject({ act: 'refuse', reason })
  })

  test.each([
    ['IfEqual', 'refuse'],
    ['Always', 'apply'],
    ['Never', 'refuse'],
  ] as const)('one made by hand that differs is answered by adoption %s with %s', (adoption, act) => {
    expect(
      decided(
        { live: unmarked, history: [], isOwnerGone: false, isMarkedElsewhere: false },
        {},
        { adoption, ingestion: { taskCount: 5 } },
      ),
    ).toMatchObject({
      act,
    })
  })

  test('one made by hand that is equal is adopted, and marked as ours', () => {
    const { context: _, ...byHand } = wanted.spec
    const decision = decided({
      live: { ...byHand, context: { useConcurrentLocks: true } },
      history: [],
      isOwnerGone: false,
      isMarkedElsewhere: false,
    })
    expect(decision).toMatchObject({ act: 'apply', reason: 'Adopted' })
    expect((decision as { spec: JsonObject }).spec['context']).toMatchObject({ 'millrace.dev/owner': 'shop/clicks' })
  })

  test.each(['Enforce', 'Warn', 'Ignore'] as const)(
    'what a leader sent that had lost its lease is sent over under driftPolicy %s, and a change by someone else is not taken for it',
    (driftPolicy) => {
      const lease = { id: 'lease', transitions: 5 }
      const status: DruidDatasourceStatus = {
        applied: { hash: wanted.hash, suspended: false, time: '', order: { generation: 3, lease } },
      }
      const sentBy = (order: Order): Observation => ({
        live: withOrder(withTaskCount(3), order),
        history: [],
        isOwnerGone: false,
        isMarkedElsewhere: false,
      })
      for (const late of [
        { generation: 2, lease },
        { generation: 3, lease: { ...lease, transitions: 4 } },
      ])
        expect(decided(sentBy(late), status, { driftPolicy })).toMatchObject({
          act: 'apply',
          reason: 'LateWriteCorrected',
          spec: wanted.spec,
        })
      expect(decided(sentBy({ generation: 3, lease }), status, { driftPolicy })).not.toMatchObject({
        reason: 'LateWriteCorrected',
      })
    },
  )

  test.each([
    ['IfEqual', {}, { act: 'apply', reason: 'Adopted' }],
    ['IfEqual', { ingestion: { taskCount: 5 } }, { act: 'refuse', reason: 'NotAdopted' }],
    ['Never', {}, { act: 'refuse', reason: 'NotAdopted' }],
    ['Always', { ingestion: { taskCount: 5 } }, { act: 'apply', reason: 'Adopted' }],
  ] as const)('with the mark of a resource that is gone, adoption %s decides', (adoption, changes, expected) => {
    const context = { ...(wanted.spec['context'] as JsonObject), 'millrace.dev/owner': 'shop/gone' }
    const observed = { ...live({ context }), isOwnerGone: true, isMarkedElsewhere: false }
    expect(decided(observed, {}, { adoption, ...changes })).toMatchObject(expected)
  })

  test('a mark of ownership taken away by hand is drift', () => {
    expect(decided(live({ context: { useConcurrentLocks: true } }), applied)).toMatchObject({
      act: 'apply',
      reason: 'DriftCorrected',
    })
  })
})
