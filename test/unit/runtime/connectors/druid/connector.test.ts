import { describe, expect, test } from 'vitest'
import { druidSink } from '../../../../../runtime/connectors/druid/connector.ts'
import type { SinkConnector, SinkContext, SinkWriter } from '../../../../../runtime/connectors/sink.ts'

const seen: unknown[] = []
const kafka: SinkConnector = {
  validate: (options) => {
    seen.push(options)
    return [{ path: 'topic', message: 'from kafka' }]
  },
  writer: (context) => {
    seen.push(context.options)
    return {} as SinkWriter
  },
}
const sink = druidSink(kafka)

describe('the Druid sink', () => {
  test('is the transactional Kafka sink on the topic of its datasource', () => {
    sink.writer({
      operatorId: 'out',
      options: { datasource: 'd', brokers: 'k:1', topic: 't', key: 'k' },
    } as unknown as SinkContext)
    expect(seen.at(-1)).toEqual({ brokers: 'k:1', topic: 't', key: 'k', delivery: 'exactlyOnce' })
  })

  test('lets the Kafka sink judge its options', () => {
    expect(sink.validate({ datasource: 'd', brokers: 'k:1', topic: 't' })).toEqual([
      { path: 'topic', message: 'from kafka' },
    ])
  })

  test('may be unresolved when it is checked, but not when it is opened', () => {
    expect(sink.validate({ datasource: 'd' })).toEqual([])
    expect(() => sink.writer({ operatorId: 'out', options: { datasource: 'd' } } as unknown as SinkContext)).toThrow(
      expect.objectContaining({ code: 'DRUID_SINK_UNRESOLVED' }),
    )
  })

  test.each([
    [{}, 'datasource'],
    [{ datasource: 1 }, 'datasource'],
    [{ datasource: 'd', topic: 't' }, 'brokers'],
    [{ datasource: 'd', delivery: 'atLeastOnce' }, 'delivery'],
  ])('refuses %j', (options, path) => {
    expect(sink.validate(options).map((problem) => problem.path)).toContain(path)
  })
})
