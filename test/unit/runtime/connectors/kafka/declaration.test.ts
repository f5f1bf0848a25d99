import { describe, expect, test } from 'vitest'
import {
  deadLetterOptions,
  readSinkOptions,
  readSourceOptions,
  sinkOptions,
  sourceOptions,
} from '../../../../../runtime/connectors/kafka/declaration.ts'

describe('Kafka options', () => {
  test('when only brokers and topic are given, the safe defaults hold', () => {
    expect(readSourceOptions({ brokers: 'a:9092, b:9092', topic: 't' })).toMatchObject({
      brokers: ['a:9092', 'b:9092'],
      topics: ['t'],
      startFrom: { kind: 'earliest' },
      isolation: 'read_committed',
      bounded: false,
      partitionDiscoveryMs: 30_000,
      security: { tls: false },
    })
    expect(readSinkOptions({ brokers: ['a:9092'], topic: 't' })).toMatchObject({
      delivery: 'exactlyOnce',
      compression: 'none',
      timestampFormat: 'iso',
      transactionTimeoutMs: 900_000,
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
    [{ brokers: 'a:1', topic: 't', topicPattern: 'u' }, 'topicPattern'],
    [{ brokers: 'a:1', topicPattern: 'a(' }, 'topicPattern'],
    [{ brokers: 'a:1', topicPattern: '(?=a)' }, 'topicPattern'],
    [{ brokers: 'a:1', topic: 't', startFrom: 'soon' }, 'startFrom'],
    [{ brokers: 'a:1', topic: 't', bounded: true, startFrom: 'latest' }, 'startFrom'],
    [{ brokers: 'a:1', topic: 't', format: 'xml' }, 'format'],
    [{ brokers: 'a:1', topic: 't', isolated: true }, 'isolated'],
    [{ brokers: 'a:1', topic: 't', sasl: { username: 'u' } }, 'sasl.passwordFile'],
    [{ brokers: 'a:1', topic: 't', sasl: { username: 'u', passwordFile: '/p', password: 'x' } }, 'sasl.password'],
  ])('when a source says %j, the problem is at %s', (options, path) => {
    expect(sourceOptions.check(options).map((problem) => problem.path)).toContain(path)
  })

  test.each([
    [{ brokers: 'a:1', topic: 't', delivery: 'atMostOnce' }, 'delivery'],
    [{ brokers: 'a:1', topic: 't', transactionTimeout: '1' }, 'transactionTimeout'],
    [{ brokers: 'a:1', topic: 't', createTopic: { partitions: 0 } }, 'createTopic.partitions'],
    [{ brokers: 'a:1', topic: 't', createTopic: true }, 'createTopic'],
  ])('when a sink says %j, the problem is at %s', (options, path) => {
    expect(sinkOptions.check(options).map((problem) => problem.path)).toContain(path)
  })

  const plain = { mechanism: 'plain', username: 'u', passwordFile: '/p' }
  test.each<[string, object, readonly string[]]>([
    ['plain without TLS', { sasl: plain }, ['sasl.mechanism']],
    ['plain to one broker of another machine', { brokers: 'localhost:1,a:1', sasl: plain }, ['sasl.mechanism']],
    ['a name that only begins like loopback', { brokers: '127.0.0.1.example:1', sasl: plain }, ['sasl.mechanism']],
    ['plain over TLS', { tls: true, sasl: plain }, []],
    ['plain without TLS on purpose', { sasl: { ...plain, insecure: true } }, []],
    ['plain to this machine', { brokers: 'localhost:1,127.0.0.1:2,[::1]:3', sasl: plain }, []],
    ['scram without TLS, which does not send the password', { sasl: { ...plain, mechanism: 'scram-sha-256' } }, []],
  ])('when a password goes by %s, every role answers the same', (_what, written, paths) => {
    const options = { brokers: 'a:1', topic: 't', ...written }
    for (const set of [sourceOptions, sinkOptions, deadLetterOptions])
      expect(set.check(options).map(({ path }) => path)).toEqual(paths)
  })

  test('when the path of the password is wrong, the error does not repeat it', () => {
    const sasl = { username: 'u', passwordFile: { password: 'hunter2' } }
    const problems = sourceOptions.check({ brokers: 'a:1', topic: 't', sasl })
    expect(problems.map(({ path }) => path)).toEqual(['sasl.passwordFile'])
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })

  test('when both ends of a duration or count are passed, the options are refused', () => {
    expect(sinkOptions.check({ brokers: 'a:1', topic: 't', transactionTimeout: '999ms' })).toMatchObject([
      { path: 'transactionTimeout', message: 'must be a duration from 1s to 7d, found "999ms"' },
    ])
    expect(sinkOptions.check({ brokers: 'a:1', topic: 't', createTopic: { partitions: 10_001 } })).toMatchObject([
      { path: 'createTopic.partitions' },
    ])
  })
})
