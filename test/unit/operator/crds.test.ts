import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { describe, expect, test } from 'vitest'
import { validateCel } from '../../../embedded/cel.ts'
import type { StreamJobSpec, StreamJobStatus } from '../../../operator/api/stream-job.ts'
import type { StreamSavepoint, StreamSavepointStatus } from '../../../operator/api/stream-savepoint.ts'
import type { DruidDatasourceSpec, DruidDatasourceStatus } from '../../../operator/druid/druid-datasource.ts'

interface Schema {
  type?: string
  properties?: Record<string, Schema>
  items?: Schema
  default?: unknown
  'x-kubernetes-preserve-unknown-fields'?: boolean
  description?: string
}
interface Crd {
  spec: {
    names: { shortNames: string[]; categories: string[]; plural: string }
    versions: {
      subresources: { status?: object; scale?: Record<string, string> }
      schema: { openAPIV3Schema: Schema }
      additionalPrinterColumns: { name: string }[]
    }[]
  }
}

/** Every name of a type, checked by the compiler: a field that is added or removed there fails to compile here. */
type FieldsOf<T> = Record<keyof Required<T>, true>

const streamJobSpec: FieldsOf<StreamJobSpec> = {
  replicas: true,
  maxParallelism: true,
  maxBadShare: true,
  state: true,
  checkpoints: true,
  modules: true,
  graph: true,
  desiredState: true,
  image: true,
  imagePullPolicy: true,
  imagePullSecrets: true,
  env: true,
  resources: true,
  coordinator: true,
  podTemplate: true,
  restartNonce: true,
  restore: true,
  savepoints: true,
  deletion: true,
  upgrade: true,
  autoscaler: true,
}
const streamJobStatus: FieldsOf<StreamJobStatus> = {
  observedGeneration: true,
  phase: true,
  reason: true,
  message: true,
  attempt: true,
  revision: true,
  template: true,
  replicas: true,
  selector: true,
  pods: true,
  checkpoint: true,
  restarts: true,
  lastFailure: true,
  losses: true,
  operation: true,
  lastOperation: true,
  untold: true,
  refusal: true,
  lastGood: true,
  revisions: true,
  rollbackTo: true,
  stable: true,
  observing: true,
  rolledBack: true,
  finishedAt: true,
  autoscaler: true,
  plan: true,
  decisions: true,
  conditions: true,
}
const savepointSpec: FieldsOf<StreamSavepoint['spec']> = {
  job: true,
  timeout: true,
  trigger: true,
  deletionPolicy: true,
}
const savepointStatus: FieldsOf<StreamSavepointStatus> = {
  observedGeneration: true,
  phase: true,
  id: true,
  location: true,
  attempt: true,
  sizeBytes: true,
  durationMs: true,
  startedAt: true,
  completedAt: true,
  error: true,
  conditions: true,
}
const datasourceSpec: FieldsOf<DruidDatasourceSpec> = {
  auth: true,
  tls: true,
  druid: true,
  dataSource: true,
  rawSpec: true,
  kafka: true,
  timestamp: true,
  dimensions: true,
  metrics: true,
  granularity: true,
  ingestion: true,
  tuning: true,
  retention: true,
  compaction: true,
  validation: true,
  lookups: true,
  suspended: true,
  driftPolicy: true,
  adoption: true,
  deletionPolicy: true,
  deletionTimeout: true,
  syncInterval: true,
}
const datasourceStatus: FieldsOf<DruidDatasourceStatus> = {
  observedGeneration: true,
  conditions: true,
  dataSource: true,
  topic: true,
  state: true,
  detailedState: true,
  healthy: true,
  suspended: true,
  lag: true,
  unread: true,
  activeTasks: true,
  publishingTasks: true,
  recentErrors: true,
  applying: true,
  applied: true,
  rejected: true,
  settings: true,
  drift: true,
  untold: true,
}

const CASES = [
  { file: 'streamjobs', spec: streamJobSpec, status: streamJobStatus, shortName: 'sj' },
  { file: 'streamsavepoints', spec: savepointSpec, status: savepointStatus, shortName: 'ssp' },
  { file: 'druiddatasources', spec: datasourceSpec, status: datasourceStatus, shortName: 'dds' },
]

function read(file: string): Crd {
  return parse(readFileSync(`crds/${file}.yaml`, 'utf8')) as Crd
}

describe.each(CASES)('crds/$file.yaml', ({ file, spec, status, shortName }) => {
  const crd = read(file)
  const [version] = crd.spec.versions
  const schema = version?.schema.openAPIV3Schema ?? {}

  test('says the same as the TypeScript types', () => {
    expect(Object.keys(schema.properties?.['spec']?.properties ?? {}).sort()).toEqual(Object.keys(spec).sort())
    expect(Object.keys(schema.properties?.['status']?.properties ?? {}).sort()).toEqual(Object.keys(status).sort())
  })

  test('has a short name, the category streams, a status subresource and columns', () => {
    expect(crd.spec.names).toMatchObject({ shortNames: [shortName], categories: ['streams'] })
    expect(version?.subresources.status).toEqual({})
    expect(version?.additionalPrinterColumns.map(({ name }) => name)).toContain('Age')
  })

  test('is small: kubectl apply keeps a copy of it in an annotation', () => {
    expect(JSON.stringify(crd).length).toBeLessThan(60_000)
  })

  test('has no message that turns a number into text: an API server refuses the CRD, since it takes such a text for endless', () => {
    expect(JSON.stringify(crd).match(/"messageExpression":"[^"]*string\(/g)).toBeNull()
  })

  test('is structural: every node has a type or keeps what it does not know', () => {
    const untyped: string[] = []
    const visit = (node: Schema, path: string): void => {
      if (node.type === undefined && node['x-kubernetes-preserve-unknown-fields'] !== true) untyped.push(path)
      for (const [name, member] of Object.entries(node.properties ?? {})) visit(member, `${path}.${name}`)
      if (node.items !== undefined) visit(node.items, `${path}[]`)
    }
    visit(schema, file)
    expect(untyped).toEqual([])
  })
})

test('the scale subresource of a StreamJob has a value to show from the first moment', () => {
  const [version] = read('streamjobs').spec.versions
  expect(version?.subresources.scale).toEqual({
    specReplicasPath: '.spec.replicas',
    statusReplicasPath: '.status.replicas',
    labelSelectorPath: '.status.selector',
  })
  expect(version?.schema.openAPIV3Schema.properties?.['spec']?.properties?.['replicas']?.default).toBe(1)
})

describe('durations that the operator waits for', () => {
  const schemaAt = (crd: Crd, ...path: string[]): Schema => {
    let schema = crd.spec.versions[0]?.schema.openAPIV3Schema
    for (const name of ['spec', ...path]) schema = schema?.properties?.[name]
    if (schema === undefined) throw new Error(`no ${path.join('.')}`)
    return schema
  }
  const FIELDS = [
    { field: 'checkpoints.interval', crd: read('streamjobs'), least: '10ms', most: '7d' },
    { field: 'savepoints.every', crd: read('streamjobs'), least: '1m', most: '7d' },
    { field: 'savepoints.maxAge', crd: read('streamjobs'), least: '1m', most: '365d' },
    { field: 'autoscaler.catchUp', crd: read('streamjobs'), least: '10s', most: '7d' },
    { field: 'autoscaler.scaleDownAfter', crd: read('streamjobs'), least: '10s', most: '1d' },
    { field: 'deletion.deadline', crd: read('streamjobs'), least: '1s', most: '1d' },
    { field: 'timeout', crd: read('streamsavepoints'), least: '1s', most: '7d' },
    { field: 'deletionTimeout', crd: read('druiddatasources'), least: '1s', most: '7d' },
    { field: 'syncInterval', crd: read('druiddatasources'), least: '1s', most: '1d' },
  ]

  test.each(FIELDS)('$field is taken from $least to $most', ({ field, crd, least, most }) => {
    const schema = schemaAt(crd, ...field.split('.'))
    const problems = (value: string): string[] =>
      validateCel(value, undefined, schema as never, field).map(({ message }) => message)
    for (const value of [least, most, '90s', '1.5h', '0.5d']) expect(problems(value), value).toEqual([])
    for (const value of ['0s', '0.5ms', '0d', '400d', '9999h', '99999999s'])
      expect(problems(value), value).toEqual([
        expect.stringContaining(`must be from ${least} to ${most}, found ${value}`) as unknown,
      ])
  })
})
