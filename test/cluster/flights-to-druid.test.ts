import { execFile } from 'node:child_process'
import { copyFileSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { streamJobs } from '../../operator/api/stream-job.ts'
import type { StreamJobSpec } from '../../operator/api/stream-job.ts'
import { kubeConnection } from '../../operator/real/kube-config.ts'
import { KubeHttpClient } from '../../operator/real/kube-http-client.ts'
import { decodeManifest, type Manifest } from '../../runtime/checkpoint/manifest.ts'
import { startDruid } from '../harness/beds/druid-bed.ts'
import type { DruidBed } from '../harness/beds/druid-bed.ts'
import { buildImage } from '../harness/beds/image.ts'
import { startKafka } from '../harness/beds/kafka-bed.ts'
import type { KafkaBed } from '../harness/beds/kafka-bed.ts'
import { startKubeNode } from '../harness/beds/kube-bed.ts'
import type { KubeNode } from '../harness/beds/kube-bed.ts'
import {
  druidRows,
  expectEveryWindowOnce,
  FlightsFeed,
  PARTITIONS,
  rescaleWhileFlowing,
  ROOT,
  untilJob,
} from '../harness/flights-to-druid.ts'
import type { JobAccess } from '../harness/flights-to-druid.ts'
import { documentedCommand, documentedCommands } from '../harness/documented-commands.ts'
import { localVolume } from '../harness/local-volume.ts'
import { until } from '../harness/until.ts'

const PREFILLED = 50_000
const FLIGHTS = 600_000
const NAME = 'flights-to-druid'
/** As the README has it. */
const NAMESPACE = 'streams'
const LONG_MS = 120_000
const run = promisify(execFile)

/**
 * The README's way onto a cluster, with its own commands: image, chart, loader, example, kubectl scale; then delete and
 * helm uninstall.
 */
describe('flights from Kafka into Druid on a real Kubernetes node', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-cluster-'))
  const volume = join(dir, 'volume')
  let node: KubeNode
  let kafka: KafkaBed
  let druid: DruidBed
  let api: KubeHttpClient
  let feed: FlightsFeed
  let example = ''
  let kubeconfig = ''
  const commands = documentedCommands('README.md', 'Start on Kubernetes')

  const started = Date.now()
  /** For the reader of the run: what the figures were. */
  const say = (text: string): void => {
    process.stdout.write(`  [path B, ${Math.round((Date.now() - started) / 1000)} s] ${text}\n`)
  }
  const environment = (): NodeJS.ProcessEnv => ({
    ...process.env,
    KUBECONFIG: kubeconfig,
    PATH: `${dirname(node.bin.kubectl)}:${process.env['PATH'] ?? ''}`,
  })
  const kubectl = async (...args: string[]): Promise<string> =>
    (await run(node.bin.kubectl, args, { env: environment(), maxBuffer: 1e8 })).stdout
  const helm = async (...args: string[]): Promise<string> =>
    (await run(node.bin.helm, args, { env: environment() })).stdout

  const fromReadme = (start: string): string => documentedCommand(commands, start)
  /** Runs a command of the README as it stands there, but for what has another address or is smaller here. */
  const shell = async (command: string): Promise<string> => {
    const here = command
      .replace('http://druid-router:8888', druid.routerUrl)
      .replace('--brokers kafka:9092', `--brokers ${kafka.bootstrap} --partitions ${PARTITIONS} --limit ${PREFILLED}`)
      .replace('examples/flights-to-druid.yaml', example)
      .replace(/ --watch$/, '')
    return (await run('bash', ['-c', here], { cwd: ROOT, env: environment() })).stdout
  }

  beforeAll(async () => {
    const [, tag = ''] = /^docker build -t (\S+) \.$/.exec(fromReadme('docker build')) ?? []
    const image = await buildImage({ name: `docker.io/library/${tag}` })
    node = await startKubeNode()
    kubeconfig = join(dir, 'kubeconfig')
    copyFileSync(node.kubeconfig, kubeconfig)
    await node.importImage(image.tar)
    kafka = await startKafka({ dir: join(dir, 'kafka'), podAddress: node.gateway })
    druid = await startDruid({ dir: join(dir, 'druid'), host: node.gateway })
    api = new KubeHttpClient(await kubeConnection(node.kubeconfig))
    mkdirSync(volume)
    writeFileSync(join(dir, 'volume.json'), JSON.stringify(localVolume('checkpoints', volume)))
    await kubectl('apply', '-f', join(dir, 'volume.json'))
    example = join(dir, 'flights-to-druid.yaml')
    writeFileSync(
      example,
      readFileSync(join(ROOT, 'examples/flights-to-druid.yaml'), 'utf8').replaceAll(
        'kafka:9092',
        kafka.podBootstrap ?? '',
      ),
    )
  })

  afterAll(async () => {
    await feed?.close()
    await api?.close()
    await node?.stop()
    await druid?.stop()
    await kafka?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  const job: JobAccess = {
    pollMs: 250,
    status: async () => (await api.get(streamJobs, { namespace: NAMESPACE, name: NAME })).status ?? {},
    scale: async (replicas) => {
      await shell(fromReadme('kubectl scale').replace(/\d+$/, String(replicas)))
    },
  }

  const ready = (): Promise<string> => kubectl('rollout', 'status', 'deployment/millrace', '--timeout=120s')
  const operatorLog = (): Promise<string> => kubectl('logs', 'deployment/millrace', '--tail=-1')

  /** The newest checkpoint of each attempt that the volume holds, as this machine sees it. */
  function newestOfAttempts(): Map<number, string> {
    const newest = new Map<number, Manifest>()
    for (const path of globSync(join(volume, NAMESPACE, NAME, '*/checkpoints/*/manifest.json'))) {
      const manifest = decodeManifest({ path: path.slice(path.lastIndexOf('checkpoints/')) }, readFileSync(path))
      if (manifest.id >= (newest.get(manifest.attempt)?.id ?? 0)) newest.set(manifest.attempt, manifest)
    }
    return new Map([...newest].map(([attempt, { kind }]) => [attempt, kind]))
  }

  test('when the job is scaled 2 → 3 → 1 by kubectl while records flow, Druid has every window once and right', async () => {
    expect(commands.map((command) => command.split(' ').slice(0, 2).join(' '))).toEqual([
      // these two are done by buildImage
      'npm ci',
      'docker build',
      'kubectl create',
      'kubectl config',
      'helm install',
      'kubectl rollout',
      'helm test',
      'node cli/node.js',
      'kubectl apply',
      'kubectl get',
      'kubectl scale',
    ])
    await shell(fromReadme('kubectl create namespace'))
    await kubectl('label', 'namespace', NAMESPACE, 'pod-security.kubernetes.io/enforce=restricted')
    await shell(fromReadme('kubectl config'))
    await shell(fromReadme('helm install'))
    await shell(fromReadme('kubectl rollout'))
    say('helm install: the operator is ready')
    expect(await shell(fromReadme('helm test'))).toMatch(/Phase:\s+Succeeded/)
    expect(await shell(fromReadme('node cli/node.js cli/load-flights.ts'))).toContain(
      `${PREFILLED} flights are in topic flights`,
    )
    feed = await FlightsFeed.connect(kafka.bootstrap, PREFILLED, FLIGHTS)
    await shell(fromReadme('kubectl apply'))
    say(`the loader has written ${PREFILLED} flights, the example is applied`)
    const endedBy: (string | undefined)[] = []
    const steps = await rescaleWhileFlowing(feed, job, () => {
      endedBy.push(newestOfAttempts().get(endedBy.length + 1))
    })
    for (const { replicas, operation } of steps)
      say(`scaled to ${replicas}: pause ${operation?.pauseMs} ms, ${operation?.startedAt} to ${operation?.finishedAt}`)
    expect(endedBy, 'how each attempt before a rescale ended').toEqual(['savepoint', 'savepoint'])
    say(`${feed.written.length} flights written in all`)
    const rows = await expectEveryWindowOnce(feed, job, druid.routerUrl)
    const sum = (column: 2 | 3 | 4): number => rows.reduce((total, row) => total + row[column], 0)
    say(
      `Druid: ${rows.length} windows, ${sum(2)} flights, ${sum(3)} late, ${sum(4)} minutes of delay, all as computed plainly`,
    )
    expect(await shell(fromReadme('kubectl get streams'))).toContain(NAME)
    say(`\n${await kubectl('get', 'streams,pods')}`)
  }, 900_000)

  test('when the release is upgraded to all namespaces, a new operator takes over and the job goes on in the same pods', async () => {
    const pods = (): Promise<string> =>
      kubectl('get', 'pods', '-l', `millrace.dev/job=${NAME}`, '-o', 'jsonpath={.items[*].metadata.uid}')
    const before = { pods: await pods(), attempt: (await job.status()).attempt, operator: await operatorLog() }
    await helm(
      'upgrade',
      'millrace',
      join(ROOT, 'charts/millrace'),
      '--reuse-values',
      '--set',
      'podAnnotations.upgraded=yes',
      '--set-json',
      'watchNamespaces=[]',
    )
    await ready()
    await until(
      'the new operator leads',
      async () =>
        (await kubectl('logs', '-l', 'app.kubernetes.io/name=millrace-operator', '--tail=-1')).includes('"leading"')
          ? true
          : undefined,
      LONG_MS,
      250,
    )
    const checkpoint = (await job.status()).checkpoint?.id ?? 0
    const { attempt, phase } = await untilJob(
      job,
      'shows a later checkpoint',
      (status) => (status.checkpoint?.id ?? 0) > checkpoint,
    )
    expect({ attempt, phase, pods: await pods() }).toEqual({
      attempt: before.attempt,
      phase: 'Running',
      pods: before.pods,
    })
    expect(refusals(before.operator)).toEqual([])
    expect(await operatorLog()).not.toBe(before.operator)
    say('helm upgrade: the job went on')
  })

  test('when a job is applied in a namespace without the claim, its status says which claim is missing and where', async () => {
    await kubectl('create', 'namespace', 'elsewhere')
    await api.create(streamJobs, {
      ...kindOfJob,
      metadata: { namespace: 'elsewhere', name: 'homeless' },
      spec: consoleSpec,
    })
    const stalled = await until(
      'the job is stalled',
      async () => {
        const { status } = await api.get(streamJobs, { namespace: 'elsewhere', name: 'homeless' })
        return status?.conditions?.find((one) => one.type === 'Stalled' && one.status === 'True')
      },
      LONG_MS,
      250,
    )
    expect(stalled).toMatchObject({ reason: 'Unschedulable' })
    expect(stalled.message).toContain('"millrace-checkpoints" not found')
    expect(stalled.message).toContain("Create that claim in the job's namespace")
    // the job first: in a namespace that goes, nobody may create the events of its deletion
    await kubectl('delete', 'sj', 'homeless', '-n', 'elsewhere', '--timeout=90s')
    await kubectl('delete', 'namespace', 'elsewhere', '--timeout=90s')
  })

  test('when the example is deleted, the job and its pods go, Druid keeps its rows and the supervisor rests', async () => {
    const rows = (await druidRows(druid.routerUrl)).length
    await kubectl('delete', '-f', example, '--timeout=90s')
    await until(
      'no pod is left',
      async () =>
        (await kubectl('get', 'pods', '-l', `millrace.dev/job=${NAME}`, '-o', 'name')) === '' ? true : undefined,
      LONG_MS,
      250,
    )
    for (const kind of ['secrets', 'services', 'controllerrevisions']) {
      await until(
        `no ${kind} are left`,
        async () =>
          (await kubectl('get', kind, '-l', `millrace.dev/job=${NAME}`, '-o', 'name')) === '' ? true : undefined,
        LONG_MS,
        250,
      )
    }
    const supervisor = (await (
      await fetch(`${druid.overlordUrl}/druid/indexer/v1/supervisor/flight-delays/status`)
    ).json()) as { payload: { suspended: boolean } }
    expect(supervisor.payload.suspended).toBe(true)
    expect((await druidRows(druid.routerUrl)).length).toBe(rows)
  })

  test('while all that happened the operator was refused nothing by the API server', async () => {
    const log = await operatorLog()
    expect(log).toContain('operator started')
    expect(refusals(log)).toEqual([])
  })

  test('when the release is uninstalled, only the key, the claim and the CRDs stay; the next one, for one namespace, runs a job with them', async () => {
    const key = await kubectl('get', 'secret', 'millrace-token-key', '-o', 'jsonpath={.data.key}')
    await helm('uninstall', 'millrace', '--wait', '--timeout', '90s')
    const kinds =
      'deployments,services,serviceaccounts,secrets,persistentvolumeclaims,roles,rolebindings,clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings'
    const left = async (kinds: string): Promise<string[]> =>
      (await kubectl('get', kinds, '-l', 'app.kubernetes.io/name=millrace-operator', '-o', 'name'))
        .split('\n')
        .filter((name) => name !== '')
    await until(
      'the pod of the operator is gone',
      async () => ((await left('pods')).length === 0 ? true : undefined),
      LONG_MS,
      250,
    )
    expect(await left(kinds)).toEqual(['secret/millrace-token-key', 'persistentvolumeclaim/millrace-checkpoints'])
    expect(await kubectl('get', 'crds', '-o', 'name')).toContain('streamjobs.millrace.dev')
    await shell(fromReadme('helm install'))
    await ready()
    expect(await kubectl('get', 'secret', 'millrace-token-key', '-o', 'jsonpath={.data.key}')).toBe(key)
    await api.create(streamJobs, { ...kindOfJob, metadata: { namespace: NAMESPACE, name: 'again' }, spec: consoleSpec })
    await until(
      'the job runs',
      async () =>
        (await api.get(streamJobs, { namespace: NAMESPACE, name: 'again' })).status?.phase === 'Running'
          ? true
          : undefined,
      LONG_MS,
      250,
    )
    await kubectl('delete', 'sj', 'again', '--timeout=90s')
    expect(refusals(await operatorLog())).toEqual([])
    say('uninstalled, and installed again for one namespace')
  })
})

const kindOfJob = { apiVersion: 'millrace.dev/v1alpha1', kind: 'StreamJob' } as const

/** A job that needs nothing outside of its pods. */
const consoleSpec: StreamJobSpec = {
  graph: [
    { id: 'bids', source: { nexmark: { events: 1_000_000, rate: '1/s' } } },
    { id: 'out', from: 'bids', sink: 'console' },
  ],
}

function refusals(log: string): string[] {
  return log.split('\n').filter((line) => /forbidden|\b40[13]\b/i.test(line))
}
