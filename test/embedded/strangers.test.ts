import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startLocalCluster, type LocalCluster } from '../../cli/local-cluster.ts'
import type { Pod } from '../../operator/kube/objects.ts'
import { portOf } from '../../operator/resources/job-pod.ts'
import { ROLE_LABEL } from '../../operator/resources/labels.ts'
import type { NetAddress } from '../../runtime/ports/net.ts'
import { ClusterJob } from '../harness/cluster-job.ts'
import { JobFolder } from '../harness/job-folder.ts'
import { descendantsOf, startMillrace } from '../harness/processes.ts'
import { silentLogger } from '../harness/silent-logger.ts'
import { windowJob } from '../harness/simulation/window-job.ts'
import { until } from '../harness/until.ts'

/** How many of each kind. */
const PEERS = 100
const SENT = Buffer.alloc(2 << 20, 'x')
/**
 * What a flood may cost. A port that keeps the bodies that it is sent has 400 MB more; one that does not, less than
 * the 20 MB that are promised, and what the heap of a young process grows by before it is collected.
 */
const MOST_GROWTH_MB = 120
/** One in ten seconds and port, for the time that a flood takes on a slow machine; 600 peers are refused at each. */
const MOST_LOG_LINES = 40

/** What the peers of a flood send: nothing, bytes, half of a TLS record, bodies of requests, half of a head. */
const FLOOD: readonly Buffer[] = [
  Buffer.alloc(0),
  SENT,
  Buffer.concat([Buffer.from([22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb]), Buffer.alloc(16_000)]),
  Buffer.concat([httpHead('PUT /v1/target'), SENT]),
  Buffer.concat([httpHead('GET /v1/job'), SENT]),
  Buffer.from(`GET /v1/job HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ${'y'.repeat(15_000)}`),
]

function httpHead(what: string): Buffer {
  return Buffer.from(`${what} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 4000000\r\n\r\n`)
}

/** All at once, from this process; resolves when the port has closed every one. */
async function flood(at: NetAddress): Promise<void> {
  const open = new Set<Socket>()
  for (let count = 0; count < PEERS * FLOOD.length; count++) {
    const socket = connect({ ...at, localAddress: '127.0.0.1' })
    open.add(socket)
    socket
      .on('error', () => undefined)
      .on('close', () => open.delete(socket))
      .resume()
      .write(FLOOD[count % FLOOD.length] ?? SENT)
  }
  await until('the port has closed all strangers', () => (open.size === 0 ? true : undefined))
}

const memoryMb = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

/** Floods ports of a process, and looks at its memory meanwhile. */
async function growthUnderFloods(pid: number, ports: readonly NetAddress[]): Promise<number> {
  const before = memoryMb(pid)
  let most = before
  const watch = setInterval(() => {
    most = Math.max(most, memoryMb(pid))
  }, 20)
  try {
    await Promise.all(ports.map(flood))
  } finally {
    clearInterval(watch)
  }
  return most - before
}

describe('strangers that flood the ports of a job', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-strangers-'))
  const folder = new JobFolder(20_000)
  let cluster: LocalCluster

  beforeAll(async () => {
    cluster = await startLocalCluster({ dir, baseDir: dir, logger: silentLogger })
  })
  afterAll(async () => {
    await cluster.close()
    folder.delete()
    rmSync(dir, { recursive: true, force: true })
  })

  function refusalsLogged(): number {
    const logs = join(dir, 'logs')
    return readdirSync(logs, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.log'))
      .flatMap((name) => readFileSync(join(logs, name), 'utf8').split('\n'))
      .filter((line) => line.includes('refused')).length
  }

  const portsOf = (pod: Pod, names: readonly ('control' | 'data' | 'http')[]): NetAddress[] =>
    names.map((name) => ({ host: pod.status?.podIP ?? '', port: portOf(pod, name) }))

  test('on the embedded cluster cost its coordinator little memory and few lines, and the job runs on', async () => {
    const spec = windowJob(1, { folder: folder.path, interval: '200ms', rate: '50/s' })
    const job = await ClusterJob.create(cluster, 'flooded', { deletion: { savepoint: 'Skip' }, ...spec })
    await job.whenReady('Running')
    const pods = await job.pods()
    const isCoordinator = ({ metadata }: Pod): boolean => metadata.labels?.[ROLE_LABEL] === 'coordinator'
    const coordinator = pods.find(isCoordinator)
    const worker = pods.find((pod) => !isCoordinator(pod))
    if (coordinator === undefined || worker === undefined) throw new Error('the job has no pods')
    const pid = cluster.node.pidOf('default', coordinator.metadata.name) ?? 0
    expect(await growthUnderFloods(pid, portsOf(coordinator, ['control', 'http']))).toBeLessThan(MOST_GROWTH_MB)
    const workerPid = cluster.node.pidOf('default', worker.metadata.name) ?? 0
    expect(await growthUnderFloods(workerPid, portsOf(worker, ['data']))).toBeLessThan(MOST_GROWTH_MB)
    const { recordsIn } = await job.whenReported('running', ({ phase }) => phase === 'running')
    await job.whenReported('reading on', (report) => report.recordsIn > recordsIn && report.attempt === 1)
    expect(refusalsLogged()).toBeGreaterThan(0)
    expect(refusalsLogged()).toBeLessThan(MOST_LOG_LINES)
    await job.close()
  })

  test('of millrace run, which does not encrypt, cost its coordinator little memory, and the job runs on', async () => {
    const own = new JobFolder(20_000)
    own.writeJob(own.spec(1, { interval: '200ms', rate: '50/s' }))
    const run = startMillrace('run', own.jobFile)
    try {
      const pid = await until(
        'its coordinator runs',
        () => descendantsOf(run.process.pid ?? 0).find(({ command }) => command.endsWith('main.ts coordinator'))?.pid,
      )
      const portIn = (name: string): number =>
        Number(new RegExp(`\\0${name}=(\\d+)`).exec(readFileSync(`/proc/${pid}/environ`, 'utf8'))?.[1])
      const host = '127.0.0.1'
      const http = { host, port: portIn('MILLRACE_HTTP_PORT') }
      const attempts = async (): Promise<unknown> =>
        fetch(`http://${host}:${http.port}/v1/job`).then(
          async (answer) => (await answer.json()) as { phase: string; attempt: number },
          () => undefined,
        )
      const running = await until('it runs', async () => {
        const report = (await attempts()) as { phase: string; attempt: number } | undefined
        return report?.phase === 'running' ? report : undefined
      })
      const control = { host, port: portIn('MILLRACE_CONTROL_PORT') }
      expect(await growthUnderFloods(pid, [control, http])).toBeLessThan(MOST_GROWTH_MB)
      expect(await attempts()).toMatchObject({ phase: 'running', attempt: running.attempt })
    } finally {
      run.process.kill('SIGINT')
      await run.ended
      own.delete()
    }
  })
})
