import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { startApiServer } from '../../embedded/api-server.ts'
import type { EmbeddedApiServer } from '../../embedded/api-server.ts'
import type { LocalCluster } from '../../embedded/local-cluster.ts'
import type { JsonObject } from '../../embedded/objects.ts'
import type { DruidDatasource } from '../../operator/druid/druid-datasource.ts'
import { specProblems } from '../../operator/druid/validate-spec.ts'

const ROOT = join(import.meta.dirname, '../..')
const KIND = 'druiddatasources.millrace.dev'

describe('the API server with the DruidDatasource CRD', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-dds-'))
  let server: EmbeddedApiServer
  let cluster: LocalCluster
  let names = 0

  beforeAll(async () => {
    const crd = parse(readFileSync(join(ROOT, 'crds/druiddatasources.yaml'), 'utf8')) as JsonObject
    server = await startApiServer({ dir, crds: [crd] })
    cluster = server.local('tester')
  })
  afterAll(async () => {
    await server.close()
    rmSync(dir, { recursive: true, force: true })
  })

  function create(changes: object = {}): string {
    const name = `d${++names}`
    cluster.create(KIND, 'default', {
      apiVersion: 'millrace.dev/v1alpha1',
      kind: 'DruidDatasource',
      metadata: { name },
      spec: {
        kafka: { brokers: 'k:9092', topic: 't' },
        timestamp: { column: 'at' },
        dimensions: [{ name: 'a' }],
        ...changes,
      },
    })
    return name
  }

  function edit(name: string, changes: object): void {
    cluster.update(
      KIND,
      'default',
      name,
      'main',
      (current) => ({ ...current, spec: { ...(current['spec'] as object), ...changes } }) as never,
    )
  }

  function specOf(name: string): unknown {
    return cluster.get(KIND, 'default', name)?.['spec']
  }

  test('fills in the defaults', () => {
    expect(specOf(create())).toEqual({
      druid: { name: 'default' },
      kafka: { brokers: 'k:9092', topic: 't' },
      timestamp: { column: 'at', format: 'auto' },
      dimensions: [{ name: 'a', type: 'string' }],
      suspended: false,
      driftPolicy: 'Enforce',
      adoption: 'IfEqual',
      deletionPolicy: 'Suspend',
      deletionTimeout: '5m',
      syncInterval: '15s',
    })
  })

  test.each<[string, object, RegExp]>([
    ['a negative number of tasks', { ingestion: { taskCount: -1 } }, /taskCount/],
    ['an unknown granularity', { granularity: { segment: 'FORTNIGHT' } }, /FORTNIGHT/],
    ['a dimension that is there twice', { dimensions: [{ name: 'a' }, { name: 'a' }] }, /Duplicate/],
    ['no column at all', { dimensions: [] }, /dimensions or metrics must be given/],
    ['neither a topic nor a rawSpec', { kafka: undefined }, /kafka and timestamp must be given, or rawSpec/],
    ['a rawSpec beside typed fields', { rawSpec: { type: 'kafka' } }, /rawSpec says all of it/],
    ['two logins', { auth: { basic: { secret: 'a' }, bearer: { secret: 'a' } } }, /exactly one of basic and bearer/],
    ['a topic that is not a name', { kafka: { brokers: 'k:9092', topic: 'a b' } }, /topic/],
    ['a text that is not a duration', { syncInterval: 'often' }, /syncInterval/],
    ['an unknown policy', { deletionPolicy: 'DropData' }, /DropData/],
  ])('refuses %s', (_, changes, message) => {
    expect(() => create(changes)).toThrow(message)
  })

  test('takes a rawSpec as it is, and fills in the names of keys', () => {
    const rawSpec = { type: 'kafka', spec: { ioConfig: { topic: 't' } } }
    const only = { kafka: undefined, timestamp: undefined, dimensions: undefined }
    const name = create({ ...only, rawSpec, auth: { basic: { secret: 'login' } }, tls: { ca: { secret: 'ca' } } })
    expect(specOf(name)).toMatchObject({
      rawSpec,
      auth: { basic: { secret: 'login', usernameKey: 'username', passwordKey: 'password' } },
      tls: { ca: { secret: 'ca', key: 'ca.crt' } },
    })
  })

  test('refuses another topic, datasource and Druid, and takes other changes', () => {
    const name = create({ dataSource: 'first' })
    expect(() => {
      edit(name, { kafka: { brokers: 'k:9092', topic: 'u' } })
    }).toThrow(/topic cannot change/)
    expect(() => {
      edit(name, { dataSource: 'second' })
    }).toThrow(/dataSource cannot change/)
    expect(() => {
      edit(name, { druid: { name: 'other' } })
    }).toThrow(/druid.name cannot change/)
    edit(name, { suspended: true, kafka: { brokers: 'other:9092', topic: 't' } })
    expect(specOf(name)).toMatchObject({ suspended: true, kafka: { brokers: 'other:9092' } })
  })

  test('takes the datasource of the example, and nothing is wrong with it', () => {
    const documents = parseAllDocuments(readFileSync(join(ROOT, 'examples/flights-to-druid.yaml'), 'utf8'))
    const example = documents
      .map((document) => document.toJS() as JsonObject)
      .find(({ kind }) => kind === 'DruidDatasource')
    const stored = cluster.create(KIND, 'default', {
      ...example,
      metadata: { name: 'flight-delays', namespace: 'default' },
    })
    expect(specProblems(stored as unknown as DruidDatasource)).toEqual([])
  })
})
