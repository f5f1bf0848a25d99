import type { StreamJob } from '../api/stream-job.ts'
import { unlessNotFound } from '../kube/errors.ts'
import type { Kube } from '../kube/kube.ts'
import { hashOf } from '../resources/hash.ts'
import { JOB_PORTS } from '../resources/job-pod.ts'
import type { PodSettings } from '../resources/job-pod.ts'
import { isOwnedBy } from '../resources/labels.ts'
import { jobNetworkPolicy, networkPolicies, networkPolicyName } from '../resources/network-policy.ts'
import type { JobNetwork, NetworkPolicy } from '../resources/network-policy.ts'
import { FIELD_MANAGER } from '../kube/field-manager.ts'
import { refusalFrom } from './refusal.ts'
import type { Refused } from './refusal.ts'

/**
 * Keeps the NetworkPolicy of each job as the settings want it. It remembers what it has written, to ask the API server
 * once for a job and not in every pass; what it forgets is only written again.
 */
export class Isolation {
  readonly #kube: Kube
  readonly #settings: PodSettings
  /** What was written last, by the uid of the job. */
  readonly #written = new Map<string, string>()

  constructor({ kube, settings }: { kube: Kube; settings: PodSettings }) {
    this.#kube = kube
    this.#settings = settings
  }

  /** Somebody has changed or removed the policy of this job, or the job is gone. */
  forget(jobUid: string): void {
    this.#written.delete(jobUid)
  }

  /** Before pods of the job are created, and while it runs. Resolves with why it was refused for good. */
  async ensure(job: StreamJob): Promise<Refused | undefined> {
    const { network } = this.#settings
    const { uid = '' } = job.metadata
    const wanted = hashOf(network ?? null)
    if (network === undefined || this.#written.get(uid) === wanted) return undefined
    const refusal = network === 'off' ? await this.#remove(job) : await this.#write(job, network)
    if (refusal === undefined) this.#written.set(uid, wanted)
    return refusal
  }

  async #write(job: StreamJob, network: JobNetwork): Promise<Refused | undefined> {
    const policy = jobNetworkPolicy(job, network, this.#settings.ports ?? JOB_PORTS)
    const found = await this.#find(job)
    if (found !== undefined && !isOwnedBy(found, job))
      return {
        reason: 'NameTaken',
        message: `The NetworkPolicy ${policy.metadata.name} exists and belongs to someone else: rename this job or remove it.`,
      }
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
