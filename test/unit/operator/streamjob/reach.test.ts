import { describe, expect, test } from 'vitest'
import { API_VERSION, type StreamJob, type StreamJobSpec } from '../../../../operator/api/stream-job.ts'
import { readConfig } from '../../../../operator/config.ts'
import type { PodSettings } from '../../../../operator/resources/job-pod.ts'
import { reachOf } from '../../../../operator/resources/job-reach.ts'
import { readSpec } from '../../../../operator/streamjob/wanted.ts'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'

const SETTINGS: PodSettings = {
  image: 'millrace:1',
  imagePullPolicy: 'IfNotPresent',
  store: 'file:///checkpoints',
  storeVolume: { claim: 'shared', path: '/checkpoints' },
  addressing: 'service',
  encryption: 'on',
  maxSubtasks: 1000,
  reach: { files: [], addresses: [] },
}

const MOUNTS = {
  spec: {
    volumes: [
      { name: 'data', persistentVolumeClaim: { claimName: 'data' } },
      { name: 'kafka', secret: { secretName: 'kafka' } },
      { name: 'mixed', projected: { sources: [{ configMap: { name: 'c' } }, { secret: { name: 's' } }] } },
      { name: 'vault', csi: { driver: 'secrets-store.csi.k8s.io' } },
      { name: 'share', csi: { driver: 'nfs.csi.k8s.io' } },
    ],
    containers: [
      {
        name: 'millrace',
        volumeMounts: [
          { name: 'data', mountPath: '/data/' },
          { name: 'kafka', mountPath: '/secrets/kafka' },
          { name: 'mixed', mountPath: '/secrets/mixed' },
          { name: 'vault', mountPath: '/secrets/vault' },
          { name: 'share', mountPath: '/share' },
          { name: 'missing', mountPath: '/etc' },
        ],
      },
    ],
  },
}

interface Written {
  source?: object
  sink?: object
  onError?: unknown
  /** The verb of an operator between both. */
  call?: object
}

function specOf({ source, sink, onError, call }: Written, podTemplate: Readonly<Record<string, unknown>> = MOUNTS) {
  return {
    podTemplate,
    graph: [
      {
        id: 'out',
        from: call === undefined ? 'in' : 'called',
        sink: sink ?? { console: {} },
      },
      {
        id: 'in',
        source: source ?? { file: { path: '/data/a.jsonl', format: 'json' } },
        schema: { a: 'long' },
        ...(onError === undefined ? {} : { onError }),
      },
      ...(call === undefined ? [] : [{ id: 'called', from: 'in', ...call }]),
    ],
  } satisfies StreamJobSpec
}

function jobOf(spec: StreamJobSpec): StreamJob {
  return {
    apiVersion: API_VERSION,
    kind: 'StreamJob',
    metadata: { name: 'counts', namespace: 'shop', uid: 'u-1' },
    spec,
  }
}

function problemsOf(spec: StreamJobSpec, settings: PodSettings = SETTINGS) {
  return readSpec(spec, builtinConnectors, {
    maxSubtasks: 1000,
    origin: 'written',
    reach: reachOf(jobOf(spec), spec, settings),
  }).problems
}

const kafka = (passwordFile: string) => ({
  brokers: 'kafka:9092',
  topic: 't',
  sasl: { username: 'u', passwordFile },
})

describe('a spec on a cluster', () => {
  test('reaches the volumes it mounts, by their kind, and its own folder of the checkpoint volume', () => {
    const spec = specOf({})
    expect(
      reachOf(jobOf(spec), spec, { ...SETTINGS, reach: { files: ['/opt/shared/'], addresses: ['10.0.0.1'] } }),
    ).toEqual({
      files: ['/opt/shared', '/data', '/share', '/checkpoints/shop/counts/u-1'],
      secrets: ['/secrets/kafka', '/secrets/mixed', '/secrets/vault'],
      addresses: ['10.0.0.1'],
    })
  })

  test.each<[string, Written, string]>([
    ['a source', { source: { file: { path: '/etc/passwd', format: 'json' } } }, 'spec.graph[1].source.file.path'],
    [
      'one of several paths',
      { source: { file: { paths: ['/data/a', '/proc/self/environ'], format: 'json' } } },
      'spec.graph[1].source.file.paths[1]',
    ],
    ['a glob', { source: { file: { path: '/data/../*/environ', format: 'json' } } }, 'spec.graph[1].source.file.path'],
    ['a relative path', { source: { file: { path: 'data/a', format: 'json' } } }, 'spec.graph[1].source.file.path'],
    [
      'a mounted Secret',
      { source: { file: { path: '/secrets/kafka/*', format: 'json' } } },
      'spec.graph[1].source.file.path',
    ],
    [
      "another job's checkpoints",
      { sink: { file: { path: '/checkpoints/shop/other' } } },
      'spec.graph[0].sink.file.path',
    ],
    [
      'dead letters',
      { onError: { deadLetter: { file: { path: '/app/x' } } } },
      'spec.graph[1].onError.deadLetter.file.path',
    ],
    [
      'a password in a data folder',
      { sink: { kafka: kafka('/data/password') } },
      'spec.graph[0].sink.kafka.sasl.passwordFile',
    ],
    [
      'a password in the environment',
      { sink: { kafka: kafka('/proc/self/environ') } },
      'spec.graph[0].sink.kafka.sasl.passwordFile',
    ],
    [
      'the password of dead letters',
      { onError: { deadLetter: { kafka: kafka('/secrets/../etc/shadow') } } },
      'spec.graph[1].onError.deadLetter.kafka.sasl.passwordFile',
    ],
    [
      'a key of Kafka',
      {
        sink: {
          kafka: {
            brokers: 'k:1',
            topic: 't',
            tls: { caFile: '/secrets/kafka/ca', certificateFile: '/secrets/kafka/c', keyFile: '/data/key' },
          },
        },
      },
      'spec.graph[0].sink.kafka.tls.keyFile',
    ],
    [
      'the authority of a registry',
      {
        sink: {
          kafka: {
            brokers: 'k:1',
            topic: 't',
            format: { avro: { registry: 'https://r', tls: { caFile: '/etc/ssl/ca' } } },
          },
        },
      },
      'spec.graph[0].sink.kafka.format.avro.tls.caFile',
    ],
    [
      'the authority of a service',
      { call: { asyncMap: { http: { url: 'https://a/{a}', tls: { caFile: '/etc/ssl/ca' } }, output: { n: 'long' } } } },
      'spec.graph[2].asyncMap.http.tls.caFile',
    ],
    [
      'the authority of a table',
      {
        call: {
          join: {
            type: 'left',
            lookup: { http: { url: 'https://a/{a}', tls: { caFile: '/etc/ssl/ca' } }, output: { n: 'long' } },
          },
        },
      },
      'spec.graph[2].join.lookup.http.tls.caFile',
    ],
    [
      'the authority of a Druid',
      {
        call: {
          join: {
            type: 'left',
            lookup: {
              druid: {
                url: 'https://d',
                query: 'SELECT n FROM t WHERE a = ?',
                parameters: ['a'],
                tls: { caFile: '/etc/ssl/ca' },
              },
              output: { n: 'long' },
            },
          },
        },
      },
      'spec.graph[2].join.lookup.druid.tls.caFile',
    ],
    [
      'the file of a format',
      { sink: { kafka: { brokers: 'k:1', topic: 't', format: { protobuf: { file: '/etc/a.proto' } } } } },
      'spec.graph[0].sink.kafka.format.protobuf.file',
    ],
  ])('is refused when %s names what the job does not mount', (_what, written, path) => {
    expect(problemsOf(specOf(written))).toEqual([
      {
        code: 'FILE_FORBIDDEN',
        path,
        message: expect.stringMatching(/^(".+"|the path) is outside of the .+: .+/) as string,
        hint: expect.stringContaining('podTemplate') as string,
      },
    ])
  })

  test('is good when all it names is mounted', () => {
    expect(
      problemsOf(
        specOf({
          source: { file: { path: '/data/in/*.jsonl', format: 'json' } },
          sink: { kafka: kafka('/secrets/kafka/password') },
          onError: { deadLetter: { file: { path: '/checkpoints/shop/counts/u-1/letters' } } },
        }),
      ),
    ).toEqual([])
  })

  test('may name a folder that the chart allows, and everything where there is no bound', () => {
    const spec = specOf({ source: { file: { path: '/opt/a', format: 'json' } } }, {})
    expect(problemsOf(spec)).toHaveLength(1)
    expect(problemsOf(spec, { ...SETTINGS, reach: { files: ['/opt'], addresses: [] } })).toEqual([])
    const { reach: _reach, ...unbounded } = SETTINGS
    expect(problemsOf(spec, unbounded)).toEqual([])
  })
})

describe('the configuration of the operator', () => {
  const config = (env: Record<string, string>) =>
    readConfig([], { MILLRACE_TOKEN_KEY: 'k'.repeat(32), MILLRACE_STORE: '/c', MILLRACE_IMAGE: 'i', ...env }).pods.reach

  test('draws a bound around every job, also when nothing is set', () => {
    expect(config({})).toEqual({ files: [], addresses: [] })
    expect(config({ MILLRACE_FILE_ROOTS: '/a, /b', MILLRACE_HTTP_ADDRESSES: '127.0.0.1/32,fe80::1' })).toEqual({
      files: ['/a', '/b'],
      addresses: ['127.0.0.1/32', 'fe80::1'],
    })
  })

  test.each([
    ['MILLRACE_FILE_ROOTS', 'data', 'file-roots'],
    ['MILLRACE_HTTP_ADDRESSES', 'localhost', 'http-addresses'],
  ])('refuses %s=%s and names the setting', (name, value, setting) => {
    expect(() => config({ [name]: value })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(setting) as string }),
    )
  })
})
