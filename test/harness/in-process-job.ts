import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { scopedStore } from '../../runtime/checkpoint/scoped-store.ts'
import type { Connectors } from '../../runtime/connectors/registry.ts'
import type { CheckpointReport, JobReport, JobTarget, Order } from '../../runtime/control/job-report.ts'
import { Coordinator } from '../../runtime/coordinator/coordinator.ts'
import { httpApi } from '../../runtime/coordinator/http-api.ts'
import { type SubtaskPlace, subtasksOf } from '../../runtime/plan/chaining.ts'
import { planJob } from '../../runtime/front/planned-job.ts'
import type { NetAddress } from '../../runtime/ports/net.ts'
import type { Ports } from '../../runtime/ports/ports.ts'
import { ChainWorker } from '../../runtime/worker/worker.ts'
import { quietPorts } from './source-context.ts'
import { until } from './until.ts'

const LOOPBACK = { host: '127.0.0.1', port: 0 }

/** The real coordinator and workers of one job in this process, over loopback, with connectors of the test's choice. */
export class InProcessJob {
  readonly folder: string
  readonly workers = new Map<string, ChainWorker>()
  readonly #ports: Ports
  readonly #coordinator: Coordinator
  readonly #connectors: Connectors
  readonly #spec: object
  readonly #start: Pick<JobTarget, 'restore' | 'predecessor'>
  #control: NetAddress | undefined

  /**
   * `start`: the saved state that it starts from. `folder`: of other processes of the same job, which `template` tells
   * apart.
   */
  constructor(
    spec: object,
    connectors: Connectors,
    ports: Ports = quietPorts(),
    {
      start = {},
      uid = 'job-uid',
      folder,
      template,
      inlineStateBytes,
    }: {
      start?: Pick<JobTarget, 'restore' | 'predecessor'>
      uid?: string
      folder?: string
      template?: string
      inlineStateBytes?: number
    } = {},
  ) {
    this.folder = folder ?? mkdtempSync(join(tmpdir(), 'millrace-job-'))
    this.#spec = spec
    this.#start = start
    this.#connectors = connectors
    this.#ports = ports
    this.#coordinator = new Coordinator(
      {
        job: 'job',
        jobUid: uid,
        token: 'token',
        control: LOOPBACK,
        baseDir: this.folder,
        storeUrl: join(this.folder, 'store'),
        template,
        inlineStateBytes,
      },
      ports,
      connectors,
      scopedStore(ports.openStore(join(this.folder, 'store')), 'job'),
      (read) => planJob(read, connectors),
    )
  }

  /** Resolves with where workers register. */
  async start(): Promise<NetAddress> {
    const control = await this.startIdle()
    this.want('running')
    return control
  }

  /** As start, without a target. */
  async startIdle(): Promise<NetAddress> {
    const control = await this.#coordinator.start()
    this.#control = control
    for (const place of subtasksOf(planJob(this.#spec, this.#connectors).plan)) this.#startWorker(place, control)
    return control
  }

  /** A worker ends, and another process takes its place. */
  async replaceWorker(id: string): Promise<void> {
    await this.workers.get(id)?.close()
    const place = subtasksOf(planJob(this.#spec, this.#connectors).plan).find((one) => one.id === id)
    if (place === undefined || this.#control === undefined) throw new Error(`no worker ${id} was started`)
    this.#startWorker(place, this.#control)
  }

  #startWorker({ id, chain, slot }: SubtaskPlace, coordinator: NetAddress): void {
    const config = { job: 'job', name: id, chain: chain.id, slot, token: 'token', data: LOOPBACK, storeFolder: 'job' }
    const worker = new ChainWorker({ ...config, coordinator }, this.#ports, this.#connectors)
    this.workers.set(id, worker)
    void worker.run()
  }

  want(desiredState: 'running' | 'suspended', order?: Order, revision = '1'): void {
    this.#coordinator.setTarget({
      revision,
      spec: this.#spec,
      desiredState,
      ...this.#start,
      ...(order === undefined ? {} : { order }),
    })
  }

  /** Resolves with the savepoint once it is complete. */
  savepoint(id: string): Promise<CheckpointReport> {
    return until(`savepoint ${id} is complete`, () => {
      const report = this.#coordinator.savepoint({ id })
      if (report.phase === 'failed') throw new Error(report.error.message)
      return report.phase === 'completed' ? report.checkpoint : undefined
    })
  }

  report(): JobReport {
    return this.#coordinator.report()
  }

  /** What the coordinator serves at /metrics. */
  async metrics(): Promise<string> {
    const api = httpApi(this.#coordinator, 'token')
    return (await api({ method: 'GET', path: '/metrics', token: undefined, body: () => Promise.resolve('') })).body
  }

  reportWith(what: string, matches: (report: JobReport) => boolean): Promise<JobReport> {
    return until(`the job is ${what}`, () => {
      const report = this.report()
      return matches(report) ? report : undefined
    }).catch((cause: unknown) => {
      throw new Error(`last report ${JSON.stringify(this.report())}`, { cause })
    })
  }

  async close(): Promise<void> {
    await Promise.all([...this.workers.values()].map((worker) => worker.close()))
    await this.#coordinator.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
