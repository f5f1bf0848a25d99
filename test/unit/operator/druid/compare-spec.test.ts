import { describe, expect, test } from 'vitest'
import { differences } from '../../../../operator/druid/compare-spec.ts'
import type { JsonObject } from '../../../../operator/druid/druid-client.ts'
import { desiredSupervisor } from '../../../../operator/druid/supervisor-spec.ts'
import { recorded, recordedJson } from '../../../harness/druid-fixtures.ts'
import { sampleDatasource } from '../../../harness/druid-sample.ts'

const posted = recorded('supervisor-create').request.body as JsonObject
const live = recordedJson('supervisor-get')

function changed(path: string, value: unknown): JsonObject {
  const copy = structuredClone(live) as Record<string, unknown>
  const keys = path.split('.')
  let at = copy
  for (const key of keys.slice(0, -1)) at = at[key] as Record<string, unknown>
  at[keys.at(-1) ?? ''] = value
  return copy as JsonObject
}

describe('the comparison with what Druid 33 echoes', () => {
  test('finds no difference between the recorded POST and the recorded GET', () => {
    expect(differences(posted, live)).toEqual([])
  })

  test('finds no difference between a GET and itself', () => {
    expect(differences(live, live)).toEqual([])
  })

  test.each([
    ['spec.ioConfig.taskCount', 2],
    ['spec.ioConfig.taskDuration', 'PT1H'],
    ['spec.ioConfig.useEarliestOffset', false],
    ['spec.ioConfig.consumerProperties', {}],
    ['spec.tuningConfig.offsetFetchPeriod', 'PT6S'],
    ['spec.dataSchema.granularitySpec.queryGranularity', 'HOUR'],
    ['spec.dataSchema.granularitySpec.rollup', false],
    ['spec.dataSchema.dimensionsSpec.dimensions', []],
    ['spec.dataSchema.metricsSpec', []],
  ])('finds a change of %s', (path, value) => {
    expect(differences(posted, changed(path, value))).toEqual([
      expect.stringMatching(new RegExp(`^${path.replaceAll('.', '\\.')}`)),
    ])
  })

  test('does not mind other spellings of periods and granularities', () => {
    expect(differences(posted, changed('spec.ioConfig.taskDuration', 'PT10M'))).toEqual([])
    expect(
      differences(
        posted,
        changed('spec.dataSchema.granularitySpec.segmentGranularity', {
          type: 'period',
          period: 'PT1H',
          timeZone: 'UTC',
          origin: null,
        }),
      ),
    ).toEqual([])
  })

  test('sees the order of dimensions, which is the sort order', () => {
    const reversed = [
      ...(posted as never as { spec: { dataSchema: { dimensionsSpec: { dimensions: unknown[] } } } }).spec.dataSchema
        .dimensionsSpec.dimensions,
    ].reverse()
    expect(differences(posted, changed('spec.dataSchema.dimensionsSpec.dimensions', reversed)).length).toBeGreaterThan(
      0,
    )
  })

  test('does not mind what Druid or someone else added', () => {
    expect(differences(posted, changed('spec.tuningConfig.somethingNew', 1))).toEqual([])
  })
})

describe('the rendered supervisor', () => {
  test('is what the recorded request was, with the defaults that keep exactly-once stated', () => {
    const { spec } = desiredSupervisor(sampleDatasource()).spec as never as {
      spec: Record<string, Record<string, unknown>>
    }
    expect(spec['ioConfig']).toEqual({
      completionTimeout: 'PT300S',
      inputFormat: { type: 'json' },
      period: 'PT2S',
      replicas: 1,
      startDelay: 'PT1S',
      taskCount: 1,
      taskDuration: 'PT600S',
      topic: 'clicks',
      useEarliestOffset: true,
      consumerProperties: { 'bootstrap.servers': '127.0.0.1:19092', 'isolation.level': 'read_committed' },
    })
    expect(spec['tuningConfig']).toEqual({ type: 'kafka', offsetFetchPeriod: 'PT5S', resetOffsetAutomatically: false })
  })

  test('has the same text whatever the order of the resource, since order alone restarts a supervisor', () => {
    const one = desiredSupervisor(
      sampleDatasource({
        kafka: { brokers: 'k:1', topic: 't', consumerProperties: { 'client.id': 'a', 'fetch.min.bytes': '1' } },
      }),
    )
    const two = desiredSupervisor(
      sampleDatasource({
        kafka: { consumerProperties: { 'fetch.min.bytes': 1, 'client.id': 'a' }, topic: 't', brokers: 'k:1' },
      }),
    )
    expect(JSON.stringify(one.spec)).toBe(JSON.stringify(two.spec))
    expect(one.hash).toBe(two.hash)
  })

  test('is the same specification when only suspended differs', () => {
    const running = desiredSupervisor(sampleDatasource())
    const suspended = desiredSupervisor(sampleDatasource({ suspended: true }))
    expect(suspended.hash).toBe(running.hash)
    expect(suspended.spec['suspended']).toBe(true)
  })

  test('cannot be talked into another isolation level or automatic resets by its free maps', () => {
    const { spec } = desiredSupervisor(
      sampleDatasource({
        kafka: {
          brokers: 'k:1',
          topic: 't',
          consumerProperties: { 'isolation.level': 'read_uncommitted', 'bootstrap.servers': 'evil:1' },
        },
      }),
    ).spec as never as { spec: { ioConfig: { consumerProperties: unknown } } }
    expect(spec.ioConfig.consumerProperties).toEqual({
      'bootstrap.servers': 'k:1',
      'isolation.level': 'read_committed',
    })
  })
})
