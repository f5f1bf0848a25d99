import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { UNCONTESTED } from '../../../../operator/controller/leadership.ts'
import { configuredDruids } from '../../../../operator/druid/configured-druids.ts'
import type { DruidDatasource, DruidDatasourceSpec } from '../../../../operator/druid/druid-datasource.ts'
import { druidReconciler } from '../../../../operator/druid/reconcile.ts'
import { resolveDruidSinks } from '../../../../operator/druid/resolve-sinks.ts'
import { conditionOf } from '../../../../operator/druid/status.ts'
import { specProblems } from '../../../../operator/druid/validate-spec.ts'
import { FakeDruid } from '../../../harness/fake-druid.ts'
import { OneObjectKube } from '../../../harness/one-object-kube.ts'
import { sampleDatasource } from '../../../harness/druid-sample.ts'

const ioConfig = {
  topic: 'clicks',
  inputFormat: { type: 'csv', columns: ['ts', 'page'] },
  consumerProperties: { 'bootstrap.servers': 'k:9092' },
  taskDuration: 'PT10M',
}
const dataSchema = {
  dataSource: 'clicks',
  timestampSpec: { column: 'ts', format: 'millis' },
  dimensionsSpec: { dimensions: ['page'] },
  metricsSpec: [],
  transformSpec: { filter: { type: 'selector', dimension: 'page', value: 'x' } },
}
const raw = { type: 'kafka', spec: { dataSchema, ioConfig, tuningConfig: { type: 'kafka', maxRowsInMemory: 10 } } }

function resource(
  rawSpec: Readonly<Record<string, unknown>>,
  changes: Partial<DruidDatasourceSpec> = {},
): DruidDatasource {
  return { ...sampleDatasource(), spec: { rawSpec, ...changes } }
}

function withIo(changes: object): Readonly<Record<string, unknown>> {
  return { ...raw, spec: { ...raw.spec, ioConfig: { ...ioConfig, ...changes } } }
}

describe('a rawSpec', () => {
  test('that Druid would take has no problems', () => {
    expect(specProblems(resource(raw))).toEqual([])
  })

  test.each<[string, DruidDatasource, string]>([
    ['a typed field beside it', resource(raw, { kafka: { brokers: 'k:1', topic: 't' } }), 'spec.kafka'],
    ['another type', resource({ ...raw, type: 'kinesis' }), 'spec.rawSpec.type'],
    ['another datasource', resource(raw, { dataSource: 'other' }), 'spec.rawSpec.spec.dataSchema.dataSource'],
    ['another id', resource({ ...raw, id: 'payroll' }), 'spec.rawSpec.id'],
    ['a run state of its own', resource({ ...raw, suspended: true }), 'spec.rawSpec.suspended'],
    ['a context that is a text', resource({ ...raw, context: 'x' }), 'spec.rawSpec.context'],
    [
      'options of the JVM for its tasks, which may start a program',
      resource({ ...raw, context: { 'druid.indexer.runner.javaOpts': '-XX:OnOutOfMemoryError=sh' } }),
      'spec.rawSpec.context[druid.indexer.runner.javaOpts]',
    ],
    [
      'properties of Druid for its tasks',
      resource({ ...raw, context: { 'druid.indexer.fork.property.druid.javascript.enabled': true } }),
      'spec.rawSpec.context[druid.indexer.fork.property.druid.javascript.enabled]',
    ],
    ['no topic', resource(withIo({ topic: undefined })), 'spec.rawSpec.spec.ioConfig.topic'],
    ['a pattern of topics', resource(withIo({ topicPattern: '(' })), 'spec.rawSpec.spec.ioConfig.topicPattern'],
    ['no tasks', resource(withIo({ taskCount: -1 })), 'spec.rawSpec.spec.ioConfig.taskCount'],
    ['tasks of a second', resource(withIo({ taskDuration: 'PT1S' })), 'spec.rawSpec.spec.ioConfig.taskDuration'],
    [
      'a broker without a port',
      resource(withIo({ consumerProperties: { 'bootstrap.servers': 'k' } })),
      'spec.rawSpec.spec.ioConfig.consumerProperties[bootstrap.servers]',
    ],
    [
      'the environment of Druid for the broker',
      resource(
        withIo({
          consumerProperties: { 'bootstrap.servers': 'k:1', 'druid.dynamic.config.provider': { type: 'environment' } },
        }),
      ),
      'spec.rawSpec.spec.ioConfig.consumerProperties[druid.dynamic.config.provider]',
    ],
    [
      'the environment of Druid for a schema registry',
      resource(
        withIo({
          inputFormat: {
            type: 'avro_stream',
            avroBytesDecoder: {
              type: 'schema_registry',
              url: 'http://attacker',
              headers: { 'druid.dynamic.config.provider': { type: 'environment', variables: { x: 'SECRET' } } },
            },
          },
        }),
      ),
      'spec.rawSpec.spec.ioConfig.inputFormat.avroBytesDecoder.headers[druid.dynamic.config.provider]',
    ],
    [
      'a password from the environment of Druid',
      resource(withIo({ inputFormat: { type: 'x', password: { type: 'environment', variable: 'SECRET' } } })),
      'spec.rawSpec.spec.ioConfig.inputFormat.password.type',
    ],
    [
      'code in a transform',
      resource({
        ...raw,
        spec: { ...raw.spec, dataSchema: { ...dataSchema, transformSpec: { filter: { type: 'javascript' } } } },
      }),
      'spec.rawSpec.spec.dataSchema.transformSpec.filter.type',
    ],
    [
      'no threads',
      resource({ ...raw, spec: { ...raw.spec, tuningConfig: { workerThreads: -1 } } }),
      'spec.rawSpec.spec.tuningConfig.workerThreads',
    ],
    ['nothing in it', resource({}), 'spec.rawSpec.type'],
  ])('with %s is refused', (_, datasource, path) => {
    expect(specProblems(datasource).map((problem) => problem.path)).toContain(path)
  })

  test('is no more needed than typed fields, and one of both is', () => {
    expect(specProblems({ ...sampleDatasource(), spec: {} }).map(({ path }) => path)).toContain('spec')
  })

  test('gives its brokers and topic to the sink of a job', () => {
    const job = { graph: [{ id: 'out', sink: { druid: { datasource: 'clicks' } } }] }
    const { spec, problems } = resolveDruidSinks(job, new Map([['clicks', resource(raw)]]))
    expect(problems).toEqual([])
    expect(spec.graph[0]?.sink.druid).toEqual({ datasource: 'clicks', brokers: 'k:9092', topic: 'clicks' })
  })
})

describe('a DruidDatasource with a rawSpec', () => {
  const ref = { namespace: 'shop', name: 'clicks' }
  let druid: FakeDruid
  let kube: OneObjectKube
  let settle: () => Promise<void>
  let now = Date.parse('2026-11-21T08:00:00Z')

  beforeEach(async () => {
    druid = new FakeDruid()
    const routerUrl = await druid.start()
    settle = async () => {
      const reconcile = druidReconciler({
        kube: kube.asKube(() => now),
        events: kube.recorder,
        druids: configuredDruids({ default: { routerUrl } }),
        leadership: UNCONTESTED,
        clock: { now: () => now, after: () => () => undefined, nextTurn: () => undefined },
      })
      now += 60_000
      while ((await reconcile(ref)).requeueAfterMs === 0);
    }
  })
  afterEach(() => druid.stop())

  function status() {
    return (kube.object as DruidDatasource | undefined)?.status ?? {}
  }

  test('has the supervisor as it is written, with its mark and run state, and is sent once', async () => {
    kube = new OneObjectKube(resource({ ...raw, context: { priority: 80, 'millrace.dev/owner': 'bank/payroll' } }))
    await settle()
    await settle()
    expect(druid.supervisors.get('clicks')?.spec).toMatchObject({
      ...raw,
      context: { priority: 80, 'millrace.dev/owner': 'shop/clicks' },
      suspended: false,
    })
    expect(druid.writes()).toHaveLength(1)
    expect(conditionOf(status(), 'Ready')?.reason).toBe('Running')
    expect(status().topic).toBe('clicks')
  })

  test('is restored when somebody changes it', async () => {
    kube = new OneObjectKube(resource(raw))
    await settle()
    const changed = structuredClone(druid.supervisors.get('clicks')?.spec) as typeof raw
    changed.spec.tuningConfig.maxRowsInMemory = 7
    druid.supervisors.set('clicks', { spec: changed, suspended: false, restarts: 0 })
    await settle()
    expect(druid.supervisors.get('clicks')?.spec).toMatchObject(raw)
    expect(kube.events.map(({ reason }) => reason)).toEqual(['Created', 'DriftCorrected'])
  })

  test('is not sent for ever when Druid does not keep a name that it does not know, and says so', async () => {
    druid.knows = (member) => member !== 'taskCnt'
    kube = new OneObjectKube(resource(withIo({ taskCnt: 3 })))
    await settle()
    await settle()
    expect(druid.writes()).toHaveLength(1)
    expect(conditionOf(status(), 'Drifted')?.status).toBe('False')
    expect(conditionOf(status(), 'Applied')?.message).toContain('spec.ioConfig.taskCnt')
    kube.edit({ spec: { rawSpec: { spec: { ioConfig: { taskCnt: null } } } } })
    await settle()
    expect(status().applied?.unkept).toEqual([])
  })

  test('is not sent for ever either when Druid keeps hardly anything of it, and the status stays small', async () => {
    druid.knows = (member) => !member.startsWith('wish')
    kube = new OneObjectKube(
      resource(withIo(Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`wish${n}`, n])))),
    )
    await settle()
    await settle()
    expect(druid.writes()).toHaveLength(1)
    expect(status().applied?.unkept).toEqual(['spec.ioConfig'])
  })
})
