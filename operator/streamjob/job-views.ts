import type { Clock } from '../../runtime/ports/clock.ts'
import { streamJobs } from '../api/stream-job.ts'
import type { StreamJob } from '../api/stream-job.ts'
import { unlessNotFound } from '../kube/errors.ts'
import type { Kube, ObjectRef } from '../kube/kube.ts'
import type { KubeObject, Pod } from '../kube/objects.ts'
import { pods as podResource } from '../kube/resource-type.ts'
import type { ResourceType } from '../kube/resource-type.ts'
import { JOB_LABEL } from '../resources/labels.ts'
import type { Decision } from './decision.ts'
import { isLiving, isReady } from './pod-sets.ts'

/** A job and all pods that bear its name. */
export interface JobView {
  job: StreamJob
  pods: readonly Pod[]
}

/** What watches keep. */
export interface JobCache {
  hasSynced(): boolean
  find(ref: ObjectRef): StreamJob | undefined
  related<R extends KubeObject>(resource: ResourceType<R>, ref: ObjectRef): R[]
  learn<R extends KubeObject>(resource: ResourceType<R>, object: R): void
}

interface JobViewsParts {
  kube: Pick<Kube, 'get' | 'list'>
  clock: Clock
  /** Absent: every view is read. */
  cache?: JobCache
}

/** So long what is told is trusted while a job is being deployed: a watch may be silent for longer. */
const DEPLOYING_MS = 5_000
/** The same for a job that is not, while not all of its pods are said to be ready. */
const UNREADY_MS = 2_000

/**
 * What passes decide on. Watches tell of jobs and pods without a request, but late, and of pods perhaps later than of
 * their job. So a view that was told serves a job of which nothing is being replaced, stopped or deleted, and a decision
 * on it stands when it is harmless on an old view (`standsOnTold`); else both are read.
 */
export class JobViews {
  readonly #parts: JobViewsParts
  /** Jobs of which the API server has shown that it knows more than was told, or may have. */
  readonly #doubted = new Set<string>()
  /** Since when what is told of a job is trusted that cannot stay as it is told to be. */
  readonly #trustedSince = new Map<string, number>()

  constructor(parts: JobViewsParts) {
    this.#parts = parts
  }

  /** Undefined when it must be read. */
  told(ref: ObjectRef): JobView | undefined {
    const { cache, clock } = this.#parts
    const key = keyOf(ref)
    if (cache?.hasSynced() !== true || this.#doubted.has(key)) return undefined
    const job = cache.find(ref)
    if (job === undefined || isBeingChanged(job)) return undefined
    const pods = cache.related(podResource, ref)
    const trustedMs = trustedFor(job, pods)
    if (trustedMs === Infinity) this.#trustedSince.delete(key)
    else {
      const since = this.#trustedSince.get(key) ?? clock.now()
      this.#trustedSince.set(key, since)
      // A clock that was set back trusts nothing for longer.
      if (Math.abs(clock.now() - since) >= trustedMs) return undefined
    }
    return structuredClone({ job, pods })
  }

  /** Undefined when there is no such job. */
  async read(ref: ObjectRef): Promise<JobView | undefined> {
    const { kube, cache, clock } = this.#parts
    const job = await unlessNotFound(kube.get(streamJobs, ref))
    if (job === undefined) return undefined
    const { namespace, name } = ref
    const { items } = await kube.list(podResource, { namespace, labelSelector: `${JOB_LABEL}=${name}` })
    const key = keyOf(ref)
    this.#doubted.delete(key)
    this.#trustedSince.set(key, clock.now())
    if (cache !== undefined) {
      cache.learn(streamJobs, structuredClone(job))
      for (const pod of items) cache.learn(podResource, structuredClone(pod))
    }
    return { job, pods: items }
  }

  /** A pass over this job has failed: the next one reads. */
  doubt(ref: ObjectRef): void {
    this.#doubted.add(keyOf(ref))
  }

  forget(ref: ObjectRef): void {
    this.#doubted.delete(keyOf(ref))
    this.#trustedSince.delete(keyOf(ref))
  }
}

/** Something is being replaced, stopped or deleted: more hangs on the pods that are there than a late watch may cost. */
function isBeingChanged({ metadata, status }: StreamJob): boolean {
  return metadata.deletionTimestamp !== undefined || (status?.operation?.type ?? 'Deploy') !== 'Deploy'
}

function trustedFor({ status }: StreamJob, pods: readonly Pod[]): number {
  if ((status?.operation ?? null) !== null) return DEPLOYING_MS
  return pods.every((pod) => isLiving(pod) && isReady(pod)) ? Infinity : UNREADY_MS
}

/** What is created again is there already; the coordinator refuses a target that is older than what it has obeyed. */
const HARMLESS: ReadonlySet<Decision['act']['kind']> = new Set(['none', 'keepSpec', 'createPods', 'putTarget'])

/**
 * Whether a decision on a view that was told may be acted on. Its status is written on the version of the job that it was
 * made on, and nothing that runs goes away by it.
 */
export function standsOnTold({ act, operation, template, rolledBack }: Decision): boolean {
  const isDeploying = operation === null || operation.type === 'Deploy'
  return isDeploying && template === undefined && rolledBack === undefined && HARMLESS.has(act.kind)
}

function keyOf({ namespace, name }: ObjectRef): string {
  return `${namespace}/${name}`
}
