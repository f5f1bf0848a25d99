import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { startLocalCluster, type LocalCluster } from '../../cli/local-cluster.ts'
import { kubeConnection } from '../../operator/real/kube-config.ts'
import { KubeHttpClient } from '../../operator/real/kube-http-client.ts'
import { configMaps, type ConfigMap } from '../../operator/resources/job-objects.ts'
import { ClusterJob, conditionOf } from '../harness/cluster-job.ts'
import { JobFolder } from '../harness/job-folder.ts'
import { silentLogger } from '../harness/silent-logger.ts'
import { until } from '../harness/until.ts'

const CLI = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const LINES = 1_500

interface Code {
  /** An option of the source, behind its others. */
  rate?: string
  /** What the function does first. */
  fault?: string
}

/** Every dear bid with a number of its auction, counted in state, and the version of the code that counted it. */
function moduleText(folder: string, version: number, { rate = '', fault = '' }: Code): string {
  return `
import { file, job, stream } from 'millrace'

const bids = stream('bids', file({ path: '${folder}/in-*.jsonl', format: 'json'${rate} }), {
  schema: { auction: 'long', price: 'long', at: 'timestamp', channel: 'string' }, eventTime: { field: 'at', outOfOrderness: '300ms' },
})
const numbered = bids.filter('dear', (bid) => bid.price > 100).keyBy('auction').process('numbered', {
  output: { auction: 'long', price: 'long', at: 'timestamp', channel: 'string', number: 'long', version: 'long' },
  state: { seen: { value: { rows: 'long' } } },
  onRow(bid, context) {
    ${fault}
    const number = (context.state.seen.get()?.rows ?? 0) + 1
    context.state.seen.set({ rows: number })
    context.emit({ ...bid, number, version: ${version} })
  },
})
export default job({ name: 'numbered', replicas: 2, checkpoints: { interval: '300ms' }, spec: { deletion: { savepoint: 'Skip' }, upgrade: { stability: '1s' } }, sinks: [numbered.sink('out', file({ path: '${folder}/out', format: 'json', timestampFormat: 'epochMillis' }))] })
`
}

interface Numbered {
  auction: number
  price: number
  at: number
  channel: string
  number: number
  version: number
}

describe('a StreamJob whose functions come from a ConfigMap', () => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-module-'))
  let cluster: LocalCluster
  let kube: KubeHttpClient
  let folder: JobFolder

  beforeAll(async () => {
    cluster = await startLocalCluster({
      dir,
      baseDir: dir,
      logger: silentLogger,
      backoff: { initialMs: 50, maxMs: 200, resetAfterMs: 60_000 },
    })
    kube = new KubeHttpClient(await kubeConnection(cluster.server.kubeconfigPath))
    folder = new JobFolder(LINES)
  })
  afterAll(async () => {
    await kube.close()
    await cluster.close()
    folder.delete()
    rmSync(dir, { recursive: true, force: true })
  })

  /** Compiles the job as `millrace compile` does and creates its ConfigMap; resolves with the spec of its StreamJob. */
  async function compiled(version: number, code: Code): Promise<{ spec: object; configMap: ConfigMap }> {
    const path = join(dir, `job-${version}.ts`)
    writeFileSync(path, moduleText(folder.path, version, code))
    const { stdout } = await promisify(execFile)(process.execPath, [CLI, 'compile', path])
    const [configMap, streamJob] = parseAllDocuments(stdout).map((document) => document.toJS() as unknown)
    const created = configMap as ConfigMap
    await kube.create(configMaps, { ...created, metadata: { ...created.metadata, namespace: 'default' } })
    return { spec: (streamJob as { spec: object }).spec, configMap: created }
  }

  test('it runs in pods, and an edit of its code is an upgrade through a savepoint: every row once, state goes on', async () => {
    const first = await compiled(1, { rate: ", rate: '100/s'" })
    // before the job runs: compiling takes seconds on a busy machine, and the edit must come while rows are left
    const second = await compiled(2, {})
    const job = await ClusterJob.create(cluster, 'numbered', first.spec)
    try {
      await job.whenReady('Running')
      await job.whenReported('reading', ({ recordsIn, checkpoint }) => recordsIn > 200 && checkpoint !== null)
      expect(second.configMap.metadata.name).not.toBe(first.configMap.metadata.name)
      await job.edit(second.spec)
      const finished = await job.whenReady('Finished')
      expect(finished.status).toMatchObject({ lastOperation: { type: 'Upgrade', result: 'Succeeded' } })
      const rows = folder.output().map((line) => JSON.parse(line) as Numbered)
      const dear = folder
        .input()
        .map((line) => JSON.parse(line) as Numbered)
        .filter((bid) => bid.price > 100)
      const bare = (all: readonly Numbered[]): string[] =>
        all.map(({ auction, price, at, channel }) => JSON.stringify({ auction, price, at, channel })).sort()
      expect(bare(rows)).toEqual(bare(dear))
      for (const auction of new Set(dear.map((bid) => bid.auction))) {
        const numbers = rows
          .filter((row) => row.auction === auction)
          .map((row) => row.number)
          .sort((a, b) => a - b)
        expect(numbers).toEqual(numbers.map((_, index) => index + 1))
      }
      expect(new Set(rows.map((row) => row.version))).toEqual(new Set([1, 2]))
    } finally {
      await job.delete()
      await until('the job is gone', async () => ((await job.read()) === undefined ? true : undefined))
      await job.close()
    }
  })

  test('when an edit brings code that throws, the code before it runs again, and every row is there once', async () => {
    rmSync(join(folder.path, 'out'), { recursive: true, force: true })
    const first = await compiled(3, { rate: ", rate: '200/s'" })
    const second = await compiled(4, { fault: "throw new Error('wrong code')" })
    const job = await ClusterJob.create(cluster, 'guarded', first.spec)
    try {
      await job.whenSeen('stable', (one) => conditionOf(one, 'Stable')?.status === 'True')
      await job.edit(second.spec)
      const seen = await job.whenSeen('rolled back', (one) => conditionOf(one, 'Ready')?.reason === 'RolledBack')
      expect(seen.status?.message).toContain('wrong code')
      expect(await job.events()).toContainEqual(
        expect.stringMatching(/^RolledBack: Generation 2 did not hold: .*wrong code/),
      )
      await job.whenSeen('finished', (one) => one.status?.phase === 'Finished', 120_000)
      const rows = folder.output().map((line) => JSON.parse(line) as Numbered)
      const dear = folder.input().filter((line) => (JSON.parse(line) as Numbered).price > 100)
      expect(rows).toHaveLength(dear.length)
      expect(new Set(rows.map((row) => row.version))).toEqual(new Set([3]))
      for (const auction of new Set(rows.map((row) => row.auction))) {
        const numbers = rows.filter((row) => row.auction === auction).map((row) => row.number)
        expect(numbers.sort((a, b) => a - b)).toEqual(numbers.map((_, index) => index + 1))
      }
    } finally {
      await job.delete()
      await until('the job is gone', async () => ((await job.read()) === undefined ? true : undefined))
      await job.close()
    }
  })

  test('when the module lacks the function, the job says which one and what is exported', async () => {
    const { spec, configMap } = await compiled(3, {})
    const wrong = JSON.parse(
      JSON.stringify(spec).replaceAll('"function":"numbered"', '"function":"nombered"'),
    ) as object
    const job = await ClusterJob.create(cluster, 'lacking', wrong)
    try {
      const report = await job.whenReported('failing', ({ error }) => error !== null)
      expect(report.error).toMatchObject({
        code: 'FUNCTION_MISSING',
        message: expect.stringContaining(
          'function nombered of module job is not exported; exported are dear, numbered',
        ),
      })
      expect(configMap.immutable).toBe(true)
    } finally {
      await job.delete()
      await until('the job is gone', async () => ((await job.read()) === undefined ? true : undefined))
      await job.close()
    }
  })
})
