import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { Informer } from '../../operator/controller/informer.ts'
import { OperatorMetrics } from '../../operator/controller/metrics.ts'
import { isConflict, isNotFound } from '../../operator/kube/errors.ts'
import type { Kube } from '../../operator/kube/kube.ts'
import type { Pod } from '../../operator/kube/objects.ts'
import { pods } from '../../operator/kube/resource-type.ts'
import { jobToken } from '../../operator/resources/hash.ts'
import { JOB_LABEL } from '../../operator/resources/labels.ts'
import { subtaskOf } from '../../operator/resources/worker-pod.ts'
import type { JobReport } from '../../runtime/control/job-report.ts'
import { reportDigest } from '../../runtime/control/report-digest.ts'
import { builtinConnectors } from '../../runtime/builtin-connectors.ts'
import { planJob } from '../../runtime/front/planned-job.ts'
import { subtasksOf } from '../../runtime/plan/chaining.ts'
import type { JobTarget } from '../../runtime/model/job.ts'
import { realClock } from '../../runtime/ports/real/clock.ts'
import { serverTls } from '../../runtime/ports/real/job-tls.ts'
import { realRng } from '../../runtime/ports/real/rng.ts'
import { silentLogger } from '../../test/harness/silent-logger.ts'

const PORT = 8081
const CHECKPOINT_MS = 10_000

/**
 * Stands in for nodes and runtimes: each pod is Running and Ready as soon as it is created, and at the address of each
 * coordinator pod, in 127.0.0.0/8, somebody answers for it over TLS as control/job-report.ts says.
 */
export class StandIns {
  requests = 0
  readonly #kube: Kube
  readonly #tokenKey: string
  readonly #informer: Informer<Pod>
  readonly #server: Server
  readonly #coordinators = new Map<string, StandInCoordinator>()
  #addresses = 0

  constructor(kube: Kube, tokenKey: string) {
    this.#kube = kube
    this.#tokenKey = tokenKey
    const parts = { kube, clock: realClock, rng: realRng, logger: silentLogger, metrics: new OperatorMetrics() }
    this.#informer = new Informer<Pod>(parts, {
      resource: pods,
      scope: { labelSelector: JOB_LABEL },
      onChange: (pod) => void this.#start(pod),
    })
    const keyOf = (jobUid: string) => serverTls({ jobUid, token: jobToken(this.#tokenKey, jobUid) })
    this.#server = createServer(
      { ...keyOf(''), pskCallback: (socket, identity) => keyOf(identity).pskCallback?.(socket, identity) ?? null },
      (request, response) => void this.#answer(request, response),
    )
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.listen(PORT, '0.0.0.0', resolve)
    })
    this.#informer.start()
  }

  /** The coordinators of these jobs take connections and say nothing from now on. */
  hang(isHanging: (job: string) => boolean): void {
    for (const coordinator of this.#coordinators.values()) coordinator.hangs = isHanging(coordinator.job)
  }

  stop(): void {
    this.#informer.stop()
    this.#server.close()
    this.#server.closeAllConnections()
  }

  async #start(pod: Pod): Promise<void> {
    if (pod.metadata.deletionTimestamp !== undefined || pod.status?.podIP !== undefined) return
    this.#addresses += 1
    const podIP = `127.${1 + (this.#addresses >> 16)}.${(this.#addresses >> 8) & 255}.${this.#addresses & 255}`
    const job = pod.metadata.labels?.[JOB_LABEL] ?? ''
    if (subtaskOf(pod) === undefined) this.#coordinators.set(podIP, new StandInCoordinator(job))
    const { namespace = '', name } = pod.metadata
    try {
      await this.#kube.patchStatus(
        pods,
        { namespace, name },
        {
          status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions: [{ type: 'Ready', status: 'True' }] },
        },
      )
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1
    const address = (request.socket as TLSSocket).localAddress?.replace('::ffff:', '') ?? ''
    const coordinator = this.#coordinators.get(address)
    if (coordinator?.hangs === true) return
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body: unknown = chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString())
    if (request.url === '/v1/changes') {
      const { digest, waitMs } = body as { digest: string; waitMs: number }
      const heard = coordinator === undefined ? undefined : await coordinator.unlike(digest, waitMs)
      if (heard === undefined) response.writeHead(204).end()
      else response.end(JSON.stringify(heard))
      return
    }
    if (request.url === '/v1/target') coordinator?.setTarget(body as JobTarget)
    response.end(JSON.stringify(coordinator?.report()))
  }
}

/** Runs whatever it is asked to, at once. */
class StandInCoordinator {
  hangs = false
  readonly job: string
  #target: JobTarget | undefined
  #workers: readonly string[] = []
  #attempt = 0
  readonly #since = Date.now()
  #changed: (() => void)[] = []

  constructor(job: string) {
    this.job = job
  }

  setTarget(target: JobTarget): void {
    if (target.revision !== this.#target?.revision) this.#attempt += 1
    this.#target = target
    this.#workers = subtasksOf(planJob(target.spec, builtinConnectors).plan).map(({ id }) => id)
    for (const wake of this.#changed.splice(0)) wake()
  }

  async unlike(digest: string, waitMs: number): Promise<JobReport | undefined> {
    if (reportDigest(this.report()) !== digest) return this.report()
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        resolve(undefined)
      }, waitMs)
      this.#changed.push(() => {
        clearTimeout(timer)
        resolve(this.report())
      })
    })
  }

  report(): JobReport {
    const workers = this.#workers
    const id = Math.floor((Date.now() - this.#since) / CHECKPOINT_MS)
    const revision = this.#target?.revision ?? null
    return {
      job: this.job,
      phase: this.#target === undefined ? 'waiting' : 'running',
      attempt: this.#attempt,
      revision,
      targetRevision: revision,
      expectedWorkers: workers,
      registeredWorkers: workers,
      runningWorkers: workers,
      checkpoint:
        id === 0
          ? null
          : {
              attempt: this.#attempt,
              id,
              kind: 'checkpoint',
              path: `checkpoints/${this.#attempt}-${id}/manifest.json`,
              completedAt: Date.now(),
              durationMs: 12,
              sizeBytes: 4_096,
            },
      checkpointFailures: 0,
      restarts: 0,
      lastPauseMs: null,
      recordsIn: Date.now() - this.#since,
      recordsOut: Date.now() - this.#since,
      badRecords: 0,
      lateRecords: 0,
      error: null,
    }
  }
}
