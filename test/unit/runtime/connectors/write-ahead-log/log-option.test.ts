import { describe, expect, test } from 'vitest'
import { declaration as flume } from '../../../../../runtime/connectors/flume/declaration.ts'
import { declaration as tcp } from '../../../../../runtime/connectors/tcp/declaration.ts'
import { declaration as webhook } from '../../../../../runtime/connectors/webhook/declaration.ts'
import type { Options } from '../../../../../runtime/graph/connector-declaration.ts'

const SOURCES = [
  ['webhook', webhook, { port: 8088 }, 'maxBodyBytes'],
  ['tcp', tcp, { listen: 8088, acknowledge: 'count' }, 'maxRecordBytes'],
  ['flume', flume, { port: 8088 }, 'maxBatchBytes'],
] as const

describe.each(SOURCES)('the options of %s', (_name, declaration, base, largest) => {
  const problems = (options: Options): string[] =>
    (declaration.source?.options.check({ ...base, ...options }) ?? []).map(({ path, message }) => `${path}: ${message}`)
  const LOG = { path: '/data/intake' }

  test('need a log or none, and warn of none', () => {
    expect(problems({})).toEqual([expect.stringMatching(/^log: is required/)])
    expect(problems({ log: 'nowhere' })).toEqual([expect.stringMatching(/^log: must be none/)])
    expect(problems({ log: {} })).toEqual([expect.stringMatching(/^log\.path: is required/)])
    expect(problems({ log: LOG })).toEqual([])
    expect(declaration.source?.warnings?.({ ...base, log: LOG })).toEqual([])
    expect(declaration.source?.warnings?.({ ...base, log: 'none' })).toMatchObject([{ path: 'log' }])
  })

  test('refuse what would never fit into the log', () => {
    expect(problems({ log: { ...LOG, maxBytes: '4Mi' }, [largest]: '3Mi' })).toEqual([
      `${largest}: must be at most half of what the log holds, 4194304 bytes`,
    ])
    expect(problems({ log: 'none', [largest]: '9Mi' })).toEqual([expect.stringContaining('16777216')])
    expect(problems({ log: { ...LOG, maxBytes: '10Gi' }, [largest]: '65Mi' })).toEqual([
      `${largest}: must be at most 64Mi`,
    ])
  })

  test('say which folder is opened, so that the operator can check it', () => {
    expect(declaration.source?.options.opens?.({ ...base, log: LOG })).toEqual([
      { path: 'log.path', file: '/data/intake', as: 'file' },
    ])
  })

  test('take a topic of Kafka in place of a folder, with the checks of any connection to Kafka', () => {
    const kafka = { brokers: 'kafka:9092', topic: 'intake' }
    expect(problems({ log: { kafka } })).toEqual([])
    expect(declaration.source?.warnings?.({ ...base, log: { kafka } })).toEqual([])
    expect(problems({ log: { kafka, path: '/data' } })).toEqual(['log.path: has no meaning beside kafka'])
    expect(problems({ log: { kafka: { ...kafka, topic: 'a b', delet: true } } })).toEqual([
      expect.stringMatching(/^log\.kafka\.delet: /),
      expect.stringMatching(/^log\.kafka\.topic: "a b" is not a topic name/),
    ])
    const sasl = { mechanism: 'plain', username: 'u', passwordFile: '/secrets/kafka/password' }
    expect(problems({ log: { kafka: { ...kafka, sasl } } })).toEqual([
      'log.kafka.sasl.mechanism: is plain and tls is false: the password would travel as it is',
    ])
    expect(
      declaration.source?.options.opens?.({ ...base, log: { kafka: { ...kafka, tls: true, sasl } } }),
    ).toContainEqual({ path: 'log.kafka.sasl.passwordFile', file: '/secrets/kafka/password', as: 'secret' })
  })

  test('tell the port that senders reach', () => {
    expect(declaration.source?.listens?.({ ...base, log: LOG })).toEqual([8088])
  })
})
