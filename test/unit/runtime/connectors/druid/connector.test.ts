import { describe, expect, test } from 'vitest'
import { druidConnector } from '../../../../../runtime/connectors/druid/connector.ts'
import { readSinkOptions, sinkOptions } from '../../../../../runtime/connectors/druid/declaration.ts'
import { VirtualKafka } from '../../../../../runtime/connectors/kafka/virtual/cluster.ts'
import { sinkContext } from '../../../../harness/kafka/connector-contexts.ts'
import { jumpingPorts } from '../../../../harness/kafka/jumping-clock.ts'

describe('the Druid sink', () => {
  test('when brokers and topic are known, it is the transactional Kafka sink on the topic of its datasource', () => {
    const options = { datasource: 'd', brokers: 'k:1', topic: 't', key: 'k' }
    expect(readSinkOptions(options)).toMatchObject({
      kind: 'topic',
      kafka: {
        brokers: ['k:1'],
        topic: 't',
        key: 'k',
        delivery: 'exactlyOnce',
        compression: 'none',
      },
    })
  })

  test('when an option of the Kafka sink is wrong, the problem is at that option', () => {
    expect(sinkOptions.check({ datasource: 'd', brokers: 'k:1', topic: 'no/slash' })).toMatchObject([{ path: 'topic' }])
  })

  test('when brokers and topic are not known yet, the check passes, but the writer cannot be opened', () => {
    expect(sinkOptions.check({ datasource: 'd' })).toEqual([])
    const sink = druidConnector((options) => new VirtualKafka().connect(options)).sink({ datasource: 'd' })
    expect(() => sink.writer(sinkContext(jumpingPorts()))).toThrow(
      expect.objectContaining({ code: 'DRUID_SINK_UNRESOLVED' }),
    )
  })

  test.each([
    [{}, 'datasource'],
    [{ datasource: 1 }, 'datasource'],
    [{ datasource: 'd', topic: 't' }, 'brokers'],
    [{ datasource: 'd', brokers: 'k:1' }, 'topic'],
    [{ datasource: 'd', delivery: 'atLeastOnce' }, 'delivery'],
    [{ datasource: 'd', format: 'csv' }, 'format'],
  ])('when a sink says %j, the problem is at %s', (options, path) => {
    expect(sinkOptions.check(options).map((problem) => problem.path)).toContain(path)
  })
})
