import { request } from 'undici'
import type { LocalCluster } from '../../cli/local-cluster.ts'
import { API_VERSION, GROUP, streamJobs, type StreamJob, type StreamJobSpec } from '../../operator/api/stream-job.ts'
import { isNotFound } from '../../operator/kube/errors.ts'
import type { DeleteOptions } from '../../operator/kube/kube.ts'
import type { Condition, KubeEvent, Pod } from '../../operator/kube/objects.ts'
import { kubeEvents, pods } from '../../operator/kube/resource-type.ts'
import { kubeConnection, type KubeConnection } from '../../operator/real/kube-config.ts'
import { KubeHttpClient } from '../../operator/real/kube-http-client.ts'
import { portOf } from '../../operator/resources/job-pod.ts'
import { JOB_LABEL, ROLE_LABEL } from '../../operator/resources/labels.ts'
import { templateOf } from '../../operator/resources/template.ts'
import type { JobReport } from '../../runtime/control/job-report.ts'
import { until } from './until.ts'

const NAMESPACE = 'default'

/** A StreamJob of the embedded cluster as a user sees it: everything goes through the API over HTTPS. */
export class ClusterJob {
  readonly name: string
  readonly #kube: KubeHttpClient
  readonly #connection: KubeConnection
  /** The object as last read: what is shown when a wait ends in vain. */
  #seen: StreamJob | undefined

  private constructor(name: string, connection: KubeConnection) {
    this.name = name
    this.#connection = connection
    this.#kube = new KubeHttpClient(connection)
  }

  /** Creates the object; resolves as soon as the API server has it. */
  static async create({ server }: LocalCluster, name: string, spec: object): Promise<ClusterJob> {
    const job = new ClusterJob(name, await kubeConnection(server.kubeconfigPath))
    await job.#kube.create(streamJobs, {
      apiVersion: API_VERSION,
      kind: 'StreamJob',
      metadata: { name, namespace: NAMESPACE },
      spec: spec as StreamJobSpec,
    })
    return job
  }

  close(): Promise<void> {
    return this.#kube.close()
  }

  /** Undefined when it is gone. */
  async read(): Promise<StreamJob | undefined> {
    try {
      this.#seen = await this.#kube.get(streamJobs, { namespace: NAMESPACE, name: this.name })
      return this.#seen
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  async edit(spec: object): Promise<void> {
    await this.#kube.patch(streamJobs, { namespace: NAMESPACE, name: this.name }, { spec })
  }

  async delete(options: DeleteOptions = {}): Promise<void> {
    await this.#kube.delete(streamJobs, { namespace: NAMESPACE, name: this.name }, options)
  }

  /** As `kubectl delete pods -l millrace.dev/job=NAME`. */
  async deletePods(): Promise<void> {
    for (const { metadata } of await this.pods())
      await this.#kube.delete(pods, { namespace: NAMESPACE, name: metadata.name })
  }

  /** As `kubectl scale` and an HPA do it. */
  async scale(replicas: number): Promise<void> {
    const { server, agent, headers } = this.#connection
    const answer = await request(
      `${server}/apis/${GROUP}/v1alpha1/namespaces/${NAMESPACE}/streamjobs/${this.name}/scale`,
      {
        method: 'PATCH',
        dispatcher: agent,
        headers: { ...(await headers()), 'content-type': 'application/merge-patch+json' },
        body: JSON.stringify({ spec: { replicas } }),
      },
    )
    const text = await answer.body.text()
    if (answer.statusCode !== 200) throw new Error(`scale answered ${answer.statusCode}: ${text}`)
  }

  /** By name. All pods of this job when no selector is given; those being deleted among them. */
  async pods(labelSelector = `${JOB_LABEL}=${this.name}`): Promise<Pod[]> {
    const { items } = await this.#kube.list(pods, { namespace: NAMESPACE, labelSelector })
    return items.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  }

  /** `Reason: message` of each event about this job. */
  async events(): Promise<string[]> {
    const { items } = await this.#kube.list<KubeEvent>(kubeEvents, { namespace: NAMESPACE })
    return items
      .filter(({ involvedObject }) => involvedObject.kind === 'StreamJob' && involvedObject.name === this.name)
      .map(({ reason, message }) => `${reason}: ${message}`)
  }

  /** What the coordinator says; undefined when it cannot be asked just now. */
  async report(): Promise<JobReport | undefined> {
    const coordinators = await this.pods(`${JOB_LABEL}=${this.name},${ROLE_LABEL}=coordinator`)
    const template = coordinators.length > 1 ? (await this.read())?.status?.template : undefined
    const coordinator = coordinators.find((pod) => template === undefined || templateOf(pod) === template)
    const address = coordinator?.status?.podIP
    if (coordinator === undefined || address === undefined) return undefined
    try {
      const answer = await request(`http://${address}:${portOf(coordinator, 'http')}/v1/job`, {
        headersTimeout: 5_000,
        bodyTimeout: 5_000,
      })
      return (await answer.body.json()) as JobReport
    } catch (error) {
      if (error instanceof Error && 'code' in error) return undefined // not listening, or killed while it answered
      throw error
    }
  }

  /** Waits until the newest spec was seen by the operator and the object is as asked. */
  async whenSeen(what: string, matches: (job: StreamJob) => boolean, limitMs = 60_000): Promise<StreamJob> {
    return until(
      `${this.name} is ${what}`,
      async () => {
        const job = await this.read()
        return job !== undefined && job.status?.observedGeneration === job.metadata.generation && matches(job)
          ? job
          : undefined
      },
      limitMs,
    ).catch(async (cause: unknown) => {
      throw new Error(
        `${this.name} never was ${what}: ${JSON.stringify(this.#seen?.status)}; events ${JSON.stringify(await this.events())}`,
        { cause },
      )
    })
  }

  whenReady(phase: 'Running' | 'Finished'): Promise<StreamJob> {
    return this.whenSeen(
      `Ready and ${phase}`,
      (job) => conditionOf(job, 'Ready')?.status === 'True' && job.status?.phase === phase,
    )
  }

  /** Waits for what the coordinator says itself: newer than the object's status. */
  whenReported(what: string, matches: (report: JobReport) => boolean): Promise<JobReport> {
    let last: JobReport | undefined
    return until(`${this.name} is ${what}`, async () => {
      last = (await this.report()) ?? last
      return last !== undefined && matches(last) ? last : undefined
    }).catch((cause: unknown) => {
      throw new Error(`${this.name} never was ${what}: ${JSON.stringify(last)}`, { cause })
    })
  }
}

export function conditionOf(job: StreamJob, type: string): Condition | undefined {
  return job.status?.conditions?.find((one) => one.type === type)
}
