import type { StreamJob } from '../api/stream-job.ts'
import { unlessNotFound } from '../kube/errors.ts'
import type { Kube, ObjectRef } from '../kube/kube.ts'
import type { KubeObject } from '../kube/objects.ts'
import { services } from '../kube/resource-type.ts'
import { senderService, senderServiceName, type ListeningSource } from '../resources/sender-service.ts'
import { hashOf } from '../resources/hash.ts'
import { JOB_PORTS } from '../resources/job-pod.ts'
import type { PodSettings } from '../resources/job-pod.ts'
import { isOwnedBy } from '../resources/labels.ts'
import { jobNetworkPolicy, networkPolicies, networkPolicyName } from '../resources/network-policy.ts'
import type { JobNetwork, NetworkPolicy } from '../resources/network-policy.ts'
import { FIELD_MANAGER } from '../kube/field-manager.ts'
import { nameTaken, refusalFrom } from './refusal.ts'
import type { Refused } from './refusal.ts'

/**
 * Keeps who can reach each job as the settings and its sources want it: its NetworkPolicy, and a Service for each source
 * that listens. It remembers what it has written, to ask the API server once for a job and not in every pass; what it
 * forgets is only written again. A Service that it no longer wants and has forgotten goes with the job.
 */
export class Isolation {
  readonly #kube: Kube
  readonly #settings: PodSettings
  /** What was written last, by the uid of the job. */
  readonly #written = new Map<string, { policy: string; listening: readonly ListeningSource[] }>()

  constructor({ kube, settings }: { kube: Kube; settings: PodSettings }) {
    this.#kube = kube
    this.#settings = settings
  }

  /** Somebody has changed or removed the policy of this job, or the job is gone. */
  forget(jobUid: string): void {
    this.#written.delete(jobUid)
  }

  /** Before pods of the job are created, and while it runs. Resolves with why it was refused for good. */
  async ensure(job: StreamJob, listening: readonly ListeningSource[]): Promise<Refused | undefined> {
    const { network } = this.#settings
    const { uid = '' } = job.metadata
    const policy = hashOf([network ?? null, listening])
    const written = this.#written.get(uid)
    if (written?.policy === policy) return undefined
    let refusal = await this.#keepPolicy(job, network, listening)
    for (const source of listening) refusal ??= await this.#writeService(job, source)
    const kept = new Set(listening.map(({ operator }) => operator))
    for (const { operator } of written?.listening ?? [])
      if (!kept.has(operator)) await this.#removeService(job, operator)
    if (refusal === undefined) this.#written.set(uid, { policy, listening })
    return refusal
  }

  async #keepPolicy(
    job: StreamJob,
    network: PodSettings['network'],
    listening: readonly ListeningSource[],
  ): Promise<Refused | undefined> {
    if (network === undefined) return undefined
    return network === 'off' ? this.#remove(job) : this.#write(job, network, listening)
  }

  async #writeService(job: StreamJob, source: ListeningSource): Promise<Refused | undefined> {
    const service = senderService(job, source)
    const found = await unlessNotFound(this.#kube.get(services, refOf(service)))
    if (found !== undefined && !isOwnedBy(found, job)) return nameTaken(service)
    return refusalFrom(service, this.#kube.apply(services, service, FIELD_MANAGER))
  }

  async #removeService(job: StreamJob, operator: string): Promise<void> {
    const ref = { namespace: job.metadata.namespace ?? '', name: senderServiceName(job.metadata.name, operator) }
    const found = await unlessNotFound(this.#kube.get(services, ref))
    if (found === undefined || !isOwnedBy(found, job)) return
    await unlessNotFound(this.#kube.delete(services, ref).then(() => undefined))
  }

  async #write(
    job: StreamJob,
    network: JobNetwork,
    listening: readonly ListeningSource[],
  ): Promise<Refused | undefined> {
    const policy = jobNetworkPolicy(job, network, this.#settings.ports ?? JOB_PORTS, listening)
    const found = await this.#find(job)
    if (found !== undefined && !isOwnedBy(found, job)) return nameTaken(policy)
    return refusalFrom(policy, this.#kube.apply(networkPolicies, policy, FIELD_MANAGER))
  }

  async #remove(job: StreamJob): Promise<undefined> {
    const found = await this.#find(job)
    if (found === undefined || !isOwnedBy(found, job)) return undefined
    const { namespace = '', name, uid } = found.metadata
    const preconditions = uid === undefined ? {} : { preconditions: { uid } }
    return unlessNotFound(this.#kube.delete(networkPolicies, { namespace, name }, preconditions).then(() => undefined))
  }

  #find({ metadata }: StreamJob): Promise<NetworkPolicy | undefined> {
    const ref = { namespace: metadata.namespace ?? '', name: networkPolicyName(metadata.name) }
    return unlessNotFound(this.#kube.get(networkPolicies, ref))
  }
}

function refOf({ metadata: { namespace = '', name } }: KubeObject): ObjectRef {
  return { namespace, name }
}
