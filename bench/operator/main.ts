import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { request } from 'undici'
import { parse } from 'yaml'
import { API_VERSION, streamJobs, type StreamJob } from '../../operator/api/stream-job.ts'
import type { KubeObject } from '../../operator/kube/objects.ts'
import { pods, type ResourceType } from '../../operator/kube/resource-type.ts'
import { kubeConnection } from '../../operator/real/kube-config.ts'
import { KubeHttpClient } from '../../operator/real/kube-http-client.ts'
import { NODE_FLAGS } from '../../runtime/node-flags.ts'
import { freePorts } from '../../test/harness/beds/free-port.ts'
import { spawnTied, type TiedProcess } from '../../test/harness/beds/tied-process.ts'
import { waitFor } from '../../test/harness/beds/wait-for.ts'
import { figureOf, figureText, type Figure } from '../figure.ts'
import { writeReadme } from '../readme.ts'
import { type ApiServer, type AuditedRequest, startApiServer } from './api-server.ts'
import { StandIns } from './stand-ins.ts'

/**
 * `npm run bench:operator [-- --jobs N] [--hanging N] [--json]`: the operator of the image, a real API server and etcd,
 * and stand-ins for nodes and runtimes (bench/README.md, "Operator").
 */
const { values: options } = parseArgs({
  options: {
    jobs: { type: 'string', default: '1000' },
    hanging: { type: 'string', default: '100' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  process.stdout.write('npm run bench:operator -- --jobs 5000 --hanging 100 --json\n')
  process.exit(0)
}
const jobs = Number(options.jobs)
const hanging = Math.min(Number(options.hanging), jobs)
const TOKEN_KEY = 'bench-'.repeat(8)
const NAMESPACE = 'bench'
const STEADY_MS = 120_000
const EDITS = 20

const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-operator-'))
const figures: Figure[] = []
const say = (text: string): void => {
  process.stderr.write(`${text}\n`)
}
const add = (name: string, unit: string, values: readonly number[], more: Partial<Figure> = {}): void => {
  const figure = figureOf(`operator, ${jobs} jobs: ${name}`, unit, values, more)
  figures.push(figure)
  process.stdout.write(`${options.json ? JSON.stringify(figure) : figureText(figure)}\n`)
}

say('bundling the operator')
const app = bundled()
const server = await startApiServer(folder)
const kube = new KubeHttpClient(await kubeConnection(server.kubeconfig('bench')))
const standIns = new StandIns(kube, TOKEN_KEY)
await applyDefinitions()
await standIns.start()
let operator = await startOperator(server)
try {
  await measure()
} finally {
  await operator.process.stop(5_000)
  standIns.stop()
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
}
if (!options.json) writeReadme(figures, 'keep others')
process.exit(0)

async function measure(): Promise<void> {
  const began = performance.now()
  const none = new Map<number, number>()
  for (let from = 0; from < jobs; from += 50)
    await Promise.all(Array.from({ length: Math.min(50, jobs - from) }, (_, index) => createJob(nameOf(from + index))))
  await untilRunning(jobs)
  add('all running after', 's', [(performance.now() - began) / 1000])

  await atRest()
  ownDurations('deploys', none, (await reconciles()).own)
  await memory()
  await steady()
  await deploy()
  await edits('edit of replicas to the first call', nameOf, 100)
  await restart()
  standIns.hang((job) => Number(job.slice(4)) < hanging)
  await sleep(10_000)
  await edits(`the same, ${hanging} jobs hanging`, (index) => nameOf(jobs - 1 - index), 200)
}

/** Each spec has shown that it holds: from now on nothing is to be done. */
async function atRest(): Promise<void> {
  await waitFor('every job is stable', 900_000, async () => {
    const { items } = await kube.list(streamJobs, { namespace: NAMESPACE })
    const stable = items.filter(({ status }) => status?.observing === undefined && status?.stable !== undefined).length
    say(`${stable} of ${items.length} jobs are stable`)
    await sleep(5_000)
    return stable === items.length
  })
}

async function memory(): Promise<void> {
  const status = readFileSync(`/proc/${operator.process.pid}/status`, 'utf8')
  const kilobytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1])
  const scraped = await metrics()
  const megabytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MB`
  const note = [
    `${megabytes(kilobytes('RssFile') * 1024)} of it are pages of Node's own file`,
    `${megabytes(valueIn(scraped, 'nodejs_heap_size_total_bytes'))} V8's heap`,
    `${megabytes(valueIn(scraped, 'nodejs_heap_size_used_bytes'))} of that in use`,
  ]
  add('resident memory', 'MB', [kilobytes('VmRSS') / 1024], {
    target: jobs > 1000 ? 400 : 150,
    note: note.join(', '),
  })
  add('most resident memory', 'MB', [kilobytes('VmHWM') / 1024])
}

async function steady(): Promise<void> {
  const [offset, asked, cpu, passes] = [server.logSize(), standIns.requests, cpuSeconds(), await reconciles()]
  await sleep(STEADY_MS)
  const minutes = STEADY_MS / 60_000
  const sent = server.requestsSince(offset)
  add('API requests a job and minute, at rest', '', [sent.length / jobs / minutes], { target: 0.2 })
  add('coordinator requests a job and minute, at rest', '', [(standIns.requests - asked) / jobs / minutes])
  add('CPU at rest', '% of a core', [((cpuSeconds() - cpu) / STEADY_MS) * 100_000])
  const after = await reconciles()
  const made = after.count - passes.count
  if (made > 0) add('pass over a job at rest, mean', 'ms', [((after.seconds - passes.seconds) / made) * 1000])
  ownDurations('at rest', passes.own, after.own)
}

/** Of passes, without their waits for coordinators. A bucket's upper bound: so much or less. */
function ownDurations(when: string, before: ReadonlyMap<number, number>, after: ReadonlyMap<number, number>): void {
  const counts = [...after].map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)] as const)
  const all = counts.at(-1)?.[1] ?? 0
  // of no passes there is no duration, neither short nor long
  if (all === 0) return
  const share = (part: number): number => counts.find(([, count]) => count >= all * part)?.[0] ?? Infinity
  const note = `the bound of a bucket; ${all} passes`
  add(`own time of a pass, ${when}, p50`, 'ms', [share(0.5) * 1000], { target: 5, note })
  add(`own time of a pass, ${when}, p99`, 'ms', [share(0.99) * 1000], { target: 50, note })
}

/** Its pods are created among these requests. */
async function deploy(): Promise<void> {
  const offset = server.logSize()
  const sent = (): AuditedRequest[] => server.requestsSince(offset).filter((one) => isOf('one-more', one))
  await createJob('one-more')
  await untilRunning(jobs + 1)
  await sleep(5_000)
  add('API requests of one deploy', '', [sent().length], { target: 12, note: tally(sent()) })
  await atRest()
  await sleep(15_000)
  add('API requests of one deploy, until it is at rest', '', [sent().length], { note: tally(sent()) })
}

async function edits(name: string, jobOf: (index: number) => string, target: number): Promise<void> {
  const times: number[] = []
  for (let index = 0; index < EDITS; index += 1) {
    const job = jobOf(index)
    const offset = server.logSize()
    await kube.patch(streamJobs, { namespace: NAMESPACE, name: job }, { spec: { replicas: 2 } })
    const at = Date.now()
    let first: AuditedRequest | undefined
    await waitFor(`${job} is touched`, 120_000, async () => {
      first = server.requestsSince(offset).find((one) => isOf(job, one))
      return Promise.resolve(first !== undefined)
    })
    times.push(Math.max(0, Date.parse(first?.requestReceivedTimestamp ?? '') - at))
    await sleep(500)
  }
  add(name, 'ms', times, { target })
}

/** With the pods that are there: none may be touched. */
async function restart(): Promise<void> {
  const before = await podUids()
  await operator.process.kill()
  const began = performance.now()
  operator = await startOperator(server)
  await waitFor('every job was looked at', 600_000, async () => (await reconciles()).count >= jobs)
  add('restart to all jobs observed', 's', [(performance.now() - began) / 1000], { target: 30 })
  const after = await podUids()
  add('pods touched by a restart', '', [before.filter((uid) => !after.includes(uid)).length], { target: 0 })
}

/** As the image holds it. */
function bundled(): string {
  const root = join(import.meta.dirname, '..', '..')
  execFileSync(process.execPath, [join(root, 'scripts', 'bundle.ts'), '--out', join(folder, 'dist')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return join(folder, 'dist', 'app', 'main.mjs')
}

interface OperatorProcess {
  process: TiedProcess
  port: number
}

async function startOperator(api: ApiServer): Promise<OperatorProcess> {
  const [port = 0] = await freePorts(1)
  const args = [
    ...NODE_FLAGS,
    // half of what the chart gives the operator, as in the image
    '--max-old-space-size=256',
    app,
    'operator',
    `--kubeconfig=${api.kubeconfig('operator')}`,
    '--image=millrace:bench',
    '--store=file:///checkpoints',
    '--addressing=podIP',
    '--leader-election=on',
    '--lease-namespace=default',
    '--health-host=127.0.0.1',
    `--health-port=${port}`,
  ]
  const log = join(folder, 'operator.log')
  const process_ = await spawnTied(process.execPath, args, {
    log,
    env: { ...process.env, MILLRACE_TOKEN_KEY: TOKEN_KEY, NODE_ENV: 'production' },
  })
  return { process: process_, port }
}

/** Passes over StreamJobs, of this process of the operator. `own`: how many took at most so many seconds by themselves. */
async function reconciles(): Promise<{ count: number; seconds: number; own: ReadonlyMap<number, number> }> {
  const text = await metrics()
  const value = (suffix: string): number =>
    valueIn(text, `millrace_operator_reconcile_duration_seconds_${suffix}{controller="streamjob"}`)
  const buckets = text.matchAll(
    /^millrace_operator_reconcile_own_duration_seconds_bucket{le="(.+)",controller="streamjob"} (.+)$/gm,
  )
  const own = new Map(
    [...buckets].map(([, bound, count]) => [bound === '+Inf' ? Infinity : Number(bound), Number(count)]),
  )
  return { count: value('count'), seconds: value('sum'), own }
}

/** Empty before it serves them. */
async function metrics(): Promise<string> {
  try {
    return await (await request(`http://127.0.0.1:${operator.port}/metrics`)).body.text()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return ''
    throw error
  }
}

/** Of a metric in the text format of Prometheus; 0 where there is none. */
function valueIn(text: string, series: string): number {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `))
  return line === undefined ? 0 : Number(line.slice(series.length + 1))
}

function cpuSeconds(): number {
  const fields = readFileSync(`/proc/${operator.process.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function nameOf(index: number): string {
  return `job-${index}`
}

async function createJob(name: string): Promise<void> {
  await kube.create(streamJobs, {
    apiVersion: API_VERSION,
    kind: 'StreamJob',
    metadata: { namespace: NAMESPACE, name },
    spec: {
      replicas: 1,
      graph: [
        {
          id: 'bids',
          source: { nexmark: { events: 1_000_000_000 } },
          eventTime: { field: 'dateTime' },
        },
        { id: 'hot', from: 'bids', keyBy: 'auction', window: { tumble: '10s' }, aggregate: { bids: 'count()' } },
        { id: 'out', from: 'hot', sink: { console: {} } },
      ],
    },
  } satisfies StreamJob)
}

async function untilRunning(count: number): Promise<void> {
  await waitFor(`${count} jobs run`, 1_800_000, async () => {
    const { items } = await kube.list(streamJobs, { namespace: NAMESPACE })
    const running = items.filter(({ status }) => status?.phase === 'Running').length
    const other = items.find(({ status }) => status?.phase !== 'Running')
    say(
      `${running} of ${count} jobs run${other === undefined ? '' : `; ${other.metadata.name}: ${other.status?.message ?? ''}`}`,
    )
    if (running < count) await sleep(count > 2 ? 2_000 : 100)
    return running >= count
  })
}

async function podUids(): Promise<string[]> {
  const { items } = await kube.list(pods, { namespace: NAMESPACE })
  return items.map(({ metadata }) => metadata.uid ?? '')
}

/** Names begin with that of the job; a list names it in its selector, and a creation in the object only. */
function isOf(job: string, { objectRef = {}, requestURI }: AuditedRequest): boolean {
  const names = [objectRef.name ?? '', ...decodeURIComponent(requestURI).split(/[/=?&]/)]
  return names.some((name) => name === job || name.startsWith(`${job}-`) || name.startsWith(`${job}.`))
}

/** How often each kind of request was sent. */
function tally(requests: readonly AuditedRequest[]): string {
  const counts = new Map<string, number>()
  for (const { verb, objectRef } of requests) {
    const kind = `${verb} ${objectRef?.resource ?? ''}${objectRef?.subresource === undefined ? '' : `/${objectRef.subresource}`}`
    counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ')
}

async function applyDefinitions(): Promise<void> {
  const definitions: ResourceType<KubeObject> = {
    group: 'apiextensions.k8s.io',
    version: 'v1',
    plural: 'customresourcedefinitions',
    kind: 'CustomResourceDefinition',
  }
  for (const name of ['streamjobs', 'streamsavepoints', 'druiddatasources']) {
    const text = readFileSync(join(import.meta.dirname, '..', '..', 'crds', `${name}.yaml`), 'utf8')
    await kube.create(definitions, parse(text) as KubeObject)
  }
  const namespaces: ResourceType<KubeObject> = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace' }
  await kube.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } })
  await waitFor('StreamJobs are served', 30_000, async () => {
    try {
      await kube.list(streamJobs, { namespace: NAMESPACE })
      return true
    } catch (error) {
      if (error instanceof Error && 'status' in error && error.status === 404) return false
      throw error
    }
  })
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
