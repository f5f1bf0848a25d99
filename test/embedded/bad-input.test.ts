import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startLocalCluster, type LocalCluster } from '../../cli/local-cluster.ts'
import { API_VERSION } from '../../operator/api/stream-job.ts'
import type { DruidDatasource } from '../../operator/druid/druid-datasource.ts'
import type { KubeEvent } from '../../operator/kube/objects.ts'
import type { JobPorts } from '../../operator/resources/job-pod.ts'
import { ClusterJob, conditionOf } from '../harness/cluster-job.ts'
import { JobFolder } from '../harness/job-folder.ts'
import { descendantsOf } from '../harness/processes.ts'
import { silentLogger } from '../harness/silent-logger.ts'
import { windowJob } from '../harness/simulation/window-job.ts'
import { until } from '../harness/until.ts'

/** Below the range that systems give to outgoing connections, and nobody's. */
const NOBODY = '127.0.0.1:19'
const SCHEMA = { auction: 'long', price: 'long', at: 'timestamp' }

describe('what bad input and bad surroundings get on the embedded cluster', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-bad-'))
  const cleanups: (() => Promise<void> | void)[] = []
  let cluster: LocalCluster

  beforeAll(async () => {
    cluster = await startLocalCluster({
      dir,
      baseDir: dir,
      logger: silentLogger,
      backoff: { initialMs: 50, maxMs: 200, resetAfterMs: 60_000 },
      druids: { default: { routerUrl: `http://${NOBODY}` } },
    })
  })
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  afterAll(async () => {
    await cluster.close()
    rmSync(dir, { recursive: true, force: true })
  })

  async function create(name: string, spec: object): Promise<ClusterJob> {
    const job = await ClusterJob.create(cluster, name, { deletion: { savepoint: 'Skip' }, ...spec })
    cleanups.push(async () => {
      if ((await job.read()) !== undefined) await job.delete()
      await until(`${name} is gone`, async () =>
        (await job.read()) === undefined && (await job.pods()).length === 0 ? true : undefined,
      )
      await job.close()
    })
    return job
  }

  /** A job that reads slowly from files and so runs on until it is deleted. */
  function endlessJob(checkpoints: object = {}): object {
    const folder = new JobFolder(2_000)
    cleanups.push(() => {
      folder.delete()
    })
    const { checkpoints: own, ...spec } = windowJob(1, { folder: folder.path, interval: '200ms', rate: '20/s' })
    return { ...spec, checkpoints: { ...own, ...checkpoints } }
  }

  test.each([
    [{ replicas: 200 }, 'replicas 200 is above maxParallelism 128'],
    [{ replicas: 0 }, 'Invalid value: 0: spec.replicas in body should be greater than or equal to 1'],
    [{ replicas: -3 }, 'Invalid value: -3: spec.replicas in body should be greater than or equal to 1'],
    [{ graph: [{ id: 'a', replicas: 9 }], maxParallelism: 8 }, 'replicas 9 of an operator is above maxParallelism 8'],
  ])('when a job has %j, the API server refuses it and names both numbers', async (change, message) => {
    await expect(ClusterJob.create(cluster, 'numbers', { graph: [{ id: 'a' }], ...change })).rejects.toThrow(message)
  })

  test('when a running job is edited into nonsense, it goes on with the last good spec and says what is wrong', async () => {
    const spec = endlessJob() as { graph: { id: string; filter?: string }[] }
    const job = await create('edited', spec)
    await job.whenReady('Running')
    await job.edit({
      graph: spec.graph.map((entry) => ('filter' in entry ? { ...entry, filter: 'prise > 1' } : entry)),
    })
    const { status } = await job.whenSeen(
      'told to be invalid',
      (seen) => conditionOf(seen, 'Ready')?.reason === 'SpecInvalid',
    )
    expect(status).toMatchObject({ phase: 'Running', attempt: 1 })
    expect(status?.message).toContain('there is no field "prise" [UNKNOWN_FIELD]; did you mean "price"?')
    const before = await job.whenReported('running', ({ phase }) => phase === 'running')
    await job.whenReported('reading on', ({ recordsIn }) => recordsIn > before.recordsIn)
    await until('an event tells it', async () =>
      (await job.events()).some((event) => event.startsWith('Rejected: ') && event.includes('did you mean'))
        ? true
        : undefined,
    )
  })

  test.each([
    [
      'source',
      [
        { id: 'in', source: { kafka: { brokers: NOBODY, topic: 'bids', format: 'json' } }, schema: SCHEMA },
        { id: 'out', from: 'in', sink: 'console' },
      ],
    ],
    [
      'sink',
      [
        { id: 'in', source: { nexmark: { events: 1_000_000, rate: '100/s' } } },
        { id: 'out', from: 'in', sink: { kafka: { brokers: NOBODY, topic: 'bids' } } },
      ],
    ],
  ])('when the Kafka of its %s cannot be reached, condition and Event name the broker', async (part, graph) => {
    const job = await create(`no-kafka-${part}`, { graph })
    const seen = await job.whenSeen('told', (one) => conditionOf(one, 'Ready')?.reason === 'KafkaUnreachable', 15_000)
    expect(conditionOf(seen, 'Ready')?.message).toContain(NOBODY)
    expect(conditionOf(seen, 'Healthy')).toMatchObject({ status: 'False', reason: 'KafkaUnreachable' })
    await until('an event tells it', async () =>
      (await job.events()).some((event) => event.startsWith('KafkaUnreachable: ') && event.includes(NOBODY))
        ? true
        : undefined,
    )
  })

  test.each(['control', 'data', 'http'] as const)(
    'when another program has the port for %s of its pods, status and an Event name the port',
    async (name) => {
      const { [name]: port } = JSON.parse(readFileSync(join(dir, 'job-ports.json'), 'utf8')) as JobPorts
      const foreign = createServer()
      await new Promise<void>((resolve, reject) => {
        foreign.once('error', reject).listen(port, '0.0.0.0', resolve)
      })
      cleanups.push(() => void foreign.close())
      const job = await create(`no-port-${name}`, endlessJob())
      const said = new RegExp(`:${port}: listen EADDRINUSE`)
      await job.whenSeen('told', (one) => said.test(one.status?.lastFailure?.message ?? ''))
      await job.whenSeen('stalled', (one) => said.test(conditionOf(one, 'Ready')?.message ?? ''))
      await until('an event tells it', async () =>
        (await job.events()).some((event) => event.startsWith('ContainerFailed: ') && said.test(event))
          ? true
          : undefined,
      )
    },
  )

  test('when its checkpoint store cannot be written at the start, it does not start and says why', async () => {
    writeFileSync(join(dir, 'in-the-way'), '')
    const job = await create('no-store', endlessJob({ store: `file://${join(dir, 'in-the-way')}` }))
    const seen = await job.whenSeen('told', (one) => conditionOf(one, 'Ready')?.reason === 'StoreUnavailable')
    expect(conditionOf(seen, 'Ready')?.message).toContain(join(dir, 'in-the-way'))
    expect(seen.status).toMatchObject({ attempt: 0 })
    const events = await job.events()
    expect(events.filter((event) => event.startsWith('StoreUnavailable: '))).toHaveLength(1)
  })

  test('when its checkpoint store is of an unknown kind, it is told as a mistake of the spec', async () => {
    const job = await create('odd-store', endlessJob({ store: 'ftp://host/x' }))
    const seen = await job.whenSeen('told', (one) => conditionOf(one, 'Ready')?.reason === 'SpecInvalid')
    expect(seen.status?.message).toContain(
      'spec.checkpoints.store: there is no store of kind "ftp" [STORE_UNSUPPORTED]',
    )
    expect(await job.pods()).toEqual([])
  })

  test('when its checkpoint store fails later, it runs on and checkpoints fail visibly until the store is back', async () => {
    const store = join(dir, 'fails-later')
    mkdirSync(store)
    const job = await create('store-fails', endlessJob({ store: `file://${store}` }))
    await job.whenReported('checkpointed', ({ checkpoint }) => checkpoint !== null)
    renameSync(store, `${store}-away`)
    writeFileSync(store, '')
    const seen = await job.whenSeen('unhealthy', (one) => (one.status?.checkpoint?.failures ?? 0) >= 2)
    expect(seen.status?.phase).toBe('Degraded')
    expect(conditionOf(seen, 'Ready')).toMatchObject({ status: 'True', reason: 'CheckpointFailed' })
    expect(conditionOf(seen, 'Healthy')).toMatchObject({ status: 'False', reason: 'CheckpointFailed' })
    const { recordsIn, attempt } = await job.whenReported('failing', ({ checkpointFailures }) => checkpointFailures > 2)
    await job.whenReported('reading on', (report) => report.recordsIn > recordsIn && report.attempt === attempt)
    rmSync(store)
    renameSync(`${store}-away`, store)
    await job.whenSeen(
      'healthy again',
      (one) => conditionOf(one, 'Healthy')?.status === 'True' && one.status?.checkpoint?.failures === 0,
    )
    expect((await job.read())?.status).toMatchObject({ phase: 'Running', attempt: 1, restarts: 0 })
  })

  test('when Druid cannot be reached, the DruidDatasource says so, and its deletion ends in time and names what is left', async () => {
    const local = cluster.server.local('test')
    local.create('druiddatasources.millrace.dev', 'default', {
      apiVersion: API_VERSION,
      kind: 'DruidDatasource',
      metadata: { name: 'nobody' },
      spec: {
        kafka: { brokers: NOBODY, topic: 't' },
        timestamp: { column: 'at' },
        dimensions: [{ name: 'word' }],
        deletionTimeout: '3s',
      },
    })
    const read = (): DruidDatasource | undefined =>
      local.get('druiddatasources.millrace.dev', 'default', 'nobody') as DruidDatasource | undefined
    const seen = await until('it is told', () =>
      read()?.status?.conditions?.find(({ type, status }) => type === 'Reachable' && status === 'False'),
    )
    expect(seen.message).toContain(NOBODY)
    local.remove('druiddatasources.millrace.dev', 'default', 'nobody')
    await until('it is gone', () => (read() === undefined ? true : undefined))
    const events = local.list('events', 'default') as unknown as KubeEvent[]
    expect(
      events
        .filter(({ involvedObject }) => involvedObject.name === 'nobody')
        .map(({ reason, message }) => `${reason}: ${message}`),
    ).toContainEqual(expect.stringMatching(/^DeletedWithLeftovers: .*supervisor/))
  })

  test('when nothing of it answers, its deletion ends within the deadline and names what is left', async () => {
    const job = await create('hangs', { ...endlessJob(), deletion: { savepoint: 'Take', deadline: '4s' } })
    await job.whenReady('Running')
    const hanging = descendantsOf(process.pid).filter(({ command }) => command.includes('runtime/main.ts'))
    for (const { pid } of hanging) process.kill(pid, 'SIGSTOP')
    await job.delete()
    await until('it is gone', async () => ((await job.read()) === undefined ? true : undefined))
    await until('an event names the pods', async () =>
      (await job.events()).some((event) =>
        /^DeletedWithLeftovers: .*pod hangs-bids-0-\w+, pod hangs-coordinator-/.test(event),
      )
        ? true
        : undefined,
    )
    expect(await job.events()).toContainEqual(expect.stringMatching(/^StoppedWithoutSavepoint: /))
  })
})
