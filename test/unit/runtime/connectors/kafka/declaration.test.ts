import { describe, expect, test } from 'vitest'
import { readSinkOptions, readSourceOptions } from '../../../../../runtime/connectors/kafka/declaration.ts'

describe('Kafka options', () => {
  test('when only brokers and topic are given, the safe defaults hold', () => {
    const source = readSourceOptions({ brokers: 'a:9092, b:9092', topic: 't' })
    expect(source).toMatchObject({
      problems: [],
      value: {
        brokers: ['a:9092', 'b:9092'],
        topics: ['t'],
        startFrom: { kind: 'earliest' },
        isolation: 'read_committed',
        bounded: false,
      },
    })
    expect(readSinkOptions({ brokers: ['a:9092'], topic: 't' })).toMatchObject({
      problems: [],
      value: { delivery: 'exactlyOnce', compression: 'none' },
    })
  })

  test.each([
    [{ topic: 't' }, 'brokers'],
    [{ brokers: 'a', topic: 't' }, 'brokers'],
    [{ brokers: 'a:99999', topic: 't' }, 'brokers'],
    [{ brokers: 'a:1' }, 'topic'],
    [{ brokers: 'a:1', topic: 'no/slash' }, 'topic'],
    [{ brokers: 'a:1', topics: ['t', 't'] }, 'topics'],
    [{ brokers: 'a:1', topic: 't', topics: ['u'] }, 'topics'],
    [{ brokers: 'a:1', topic: 't', startFrom: 'soon' }, 'startFrom'],
    [{ brokers: 'a:1', topic: 't', bounded: true, startFrom: 'latest' }, 'startFrom'],
    [{ brokers: 'a:1', topic: 't', format: 'xml' }, 'format'],
    [{ brokers: 'a:1', topic: 't', isolated: true }, 'isolated'],
    [{ brokers: 'a:1', topic: 't', sasl: { username: 'u' } }, 'sasl.passwordFile'],
    [{ brokers: 'a:1', topic: 't', sasl: { username: 'u', passwordFile: '/p', password: 'x' } }, 'sasl.password'],
  ])('when a source says %j, the problem is at %s', (options, path) => {
    expect(readSourceOptions(options).problems.map((problem) => problem.path)).toContain(path)
  })

  test.each([
    [{ brokers: 'a:1', topic: 't', delivery: 'atMostOnce' }, 'delivery'],
    [{ brokers: 'a:1', topic: 't', transactionTimeout: '1' }, 'transactionTimeout'],
    [{ brokers: 'a:1', topic: 't', createTopic: { partitions: 0 } }, 'createTopic.partitions'],
    [{ brokers: 'a:1', topic: 't', createTopic: true }, 'createTopic'],
  ])('when a sink says %j, the problem is at %s', (options, path) => {
    expect(readSinkOptions(options).problems.map((problem) => problem.path)).toContain(path)
  })
})
