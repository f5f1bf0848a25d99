import { describeWithCauses } from '../../runtime/model/errors.ts'
import type { Clock } from '../../runtime/ports/clock.ts'
import type { Logger } from '../../runtime/ports/logger.ts'
import type { Rng } from '../../runtime/ports/rng.ts'
import { isConflict } from '../kube/errors.ts'
import type { Kube, ObjectRef } from '../kube/kube.ts'
import type { KubeObject } from '../kube/objects.ts'
import type { ResourceType } from '../kube/resource-type.ts'
import { Informer } from './informer.ts'
import type { OperatorMetrics, PassResult } from './metrics.ts'
import { WorkQueue } from './work-queue.ts'

/**
 * One pass over one object: makes the world a step more like what the object says and returns. Called again
 * after every change, after `requeueAfterMs`, and with back-off after a throw; never twice at once for a key.
 * The object may be gone: read it first. Nothing may be remembered between passes that matters after a crash.
 */
export type Reconcile = (ref: ObjectRef, aside: Aside) => Promise<ReconcileResult>

/** See WorkQueue: a wait of this pass for somebody who may not answer. One after the other. */
export type Aside = <R>(wait: () => Promise<R>) => Promise<R>

export interface ReconcileResult {
  /** Look again after this time even if nothing changes; absent: only changes and the resync wake it. */
  requeueAfterMs?: number
  /**
   * The resourceVersion of the object when nothing is left to do: a pass that only wrote down what it saw is not followed
   * by another one for what it wrote.
   */
  settledAt?: string
}

/** Other objects whose changes wake a key: e.g. the pods of a job. */
export interface AlsoWatch<T extends KubeObject> {
  resource: ResourceType<T>
  labelSelector?: string
  /**
   * The objects to reconcile when this one changes; those that the controller does not know are left out. When this one
   * is gone, its identity, labels and owners are still known.
   */
  wakes: (object: T) => readonly ObjectRef[]
  /** The part of an object that passes read from the cache (`related`); absent: none does. */
  read?: (object: T) => T
}

export interface ControllerOptions<T extends KubeObject> {
  name: string
  resource: ResourceType<T>
  /** Absent: every namespace. */
  namespaces?: readonly string[]
  /** The objects of this operator; absent: all. */
  labelSelector?: string
  reconcile: Reconcile
  alsoWatch?: readonly AlsoWatch<KubeObject>[]
  /** How many objects are reconciled side by side; default 4. */
  concurrency?: number
  /** Every object is looked at again this often; default 5 min. */
  resyncMs?: number
}

export interface ControllerParts {
  kube: Kube
  clock: Clock
  rng: Rng
  logger: Logger
  metrics: OperatorMetrics
}

/** watch → queue → reconcile; knows nothing of our kinds. */
export class Controller<T extends KubeObject> {
  readonly name: string
  readonly #options: ControllerOptions<T>
  readonly #parts: ControllerParts
  readonly #queue: WorkQueue
  readonly #informers: { resource: ResourceType<KubeObject>; informer: Informer<KubeObject> }[] = []
  readonly #primary: Informer<T>[] = []
  /** By key, the versions in which objects were left by passes that had nothing to do. */
  readonly #settledAt = new Map<string, string>()
  /** By key of a pass under way, the newest version of its object that was seen meanwhile. */
  readonly #seen = new Map<string, string>()
  #cancelResync: (() => void) | undefined

  constructor(parts: ControllerParts, options: ControllerOptions<T>) {
    this.name = options.name
    this.#parts = { ...parts, logger: parts.logger.with({ controller: options.name }) }
    this.#options = options
    this.#queue = new WorkQueue({
      clock: parts.clock,
      rng: parts.rng,
      concurrency: options.concurrency ?? 4,
      handle: (key) => this.#pass(key),
    })
  }

  /** Starts watching; with `act: false` caches warm up but nothing is reconciled until begin(). */
  watch(): void {
    for (const namespace of this.#options.namespaces ?? [undefined]) {
      const { labelSelector } = this.#options
      const scope = namespace === undefined ? {} : { namespace }
      const primary = new Informer<T>(this.#parts, {
        resource: this.#options.resource,
        scope: { ...scope, ...(labelSelector === undefined ? {} : { labelSelector }) },
        onChange: (object) => {
          this.#changed(object)
        },
      })
      this.#primary.push(primary)
      for (const also of this.#options.alsoWatch ?? [])
        this.#informers.push({ resource: also.resource, informer: this.#alsoInformer(also, scope) })
      primary.start()
    }
    for (const { informer } of this.#informers) informer.start()
  }

  /** What a pass has written itself comes back as a change, perhaps before the pass ends. */
  #changed({ metadata }: T): void {
    const ref = { namespace: metadata.namespace ?? '', name: metadata.name }
    const key = keyOf(ref)
    // When an object is gone, its last version is told once more.
    const version = this.find(ref) === undefined ? GONE : (metadata.resourceVersion ?? '')
    if (this.#seen.has(key)) this.#seen.set(key, version)
    else if (this.#settledAt.get(key) !== version) this.#queue.add(key)
  }

  #alsoInformer(also: AlsoWatch<KubeObject>, scope: { namespace?: string }): Informer<KubeObject> {
    return new Informer<KubeObject>(this.#parts, {
      resource: also.resource,
      scope: { ...scope, ...(also.labelSelector === undefined ? {} : { labelSelector: also.labelSelector }) },
      kept: also.read ?? identityOf,
      ...(also.read === undefined ? {} : { keys: (object: KubeObject) => also.wakes(object).map(keyOf) }),
      onChange: (object) => {
        for (const ref of also.wakes(object)) if (this.find(ref) !== undefined) this.#queue.add(keyOf(ref))
      },
    })
  }

  /** Begins to reconcile (this process leads now). */
  begin(): void {
    this.#queue.resume()
    this.#scheduleResync()
  }

  /** Stops watching and taking up work; resolves when the passes under way have ended. */
  async stop(): Promise<void> {
    this.#cancelResync?.()
    for (const informer of this.#all()) informer.stop()
    await this.#queue.stop()
  }

  hasSynced(): boolean {
    return this.#primary.length > 0 && this.#all().every((informer) => informer.hasSynced())
  }

  /** Something that no watch tells is known to have changed. */
  wake(ref: ObjectRef): void {
    this.#queue.add(keyOf(ref))
  }

  /** What the cache knows, for metrics; may be behind. */
  cached(): T[] {
    return this.#primary.flatMap((informer) => informer.items())
  }

  /** As cached; undefined when it is gone, or another operator's. */
  find(ref: ObjectRef): T | undefined {
    for (const informer of this.#primary) {
      const found = informer.find(ref)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Objects of a resource that is watched also, and read, which wake this one, as cached. */
  related<R extends KubeObject>(resource: ResourceType<R>, ref: ObjectRef): R[] {
    return this.#informersOf(resource).flatMap((informer) => informer.under(keyOf(ref)))
  }

  /** An answer of the API server, which may be newer than what the watches have told. */
  learn<R extends KubeObject>(resource: ResourceType<R>, object: R): void {
    for (const informer of this.#informersOf(resource)) informer.learn(object)
  }

  #informersOf<R extends KubeObject>(resource: ResourceType<R>): Informer<R>[] {
    const isOf = (other: ResourceType<KubeObject>): boolean =>
      other.plural === resource.plural && other.group === resource.group
    const own = isOf(this.#options.resource) ? this.#primary : []
    const also = this.#informers.filter((one) => isOf(one.resource)).map(({ informer }) => informer)
    return [...own, ...also] as unknown as Informer<R>[]
  }

  #all(): Pick<Informer<KubeObject>, 'stop' | 'hasSynced'>[] {
    return [...this.#primary, ...this.#informers.map(({ informer }) => informer)]
  }

  queueDepth(): number {
    return this.#queue.depth()
  }

  #scheduleResync(): void {
    this.#cancelResync = this.#parts.clock.after(this.#options.resyncMs ?? 300_000, () => {
      for (const object of this.cached()) this.#queue.look(keyOf(refOf(object)))
      this.#scheduleResync()
    })
  }

  async #pass(key: string): Promise<{ requeueAfterMs?: number }> {
    const { clock, logger, metrics } = this.#parts
    const startedAt = clock.now()
    let settledAt: string | undefined
    let asideMs = 0
    const aside: Aside = async (wait) => {
      const from = clock.now()
      try {
        return await this.#queue.aside(wait)
      } finally {
        asideMs += clock.now() - from
      }
    }
    const ended = (result: PassResult): void => {
      metrics.reconciled(this.name, result, { durationMs: clock.now() - startedAt, asideMs })
    }
    this.#settledAt.delete(key)
    this.#seen.set(key, '')
    try {
      const result = await this.#options.reconcile(refOfKey(key), aside)
      settledAt = result.settledAt
      ended('ok')
      return result
    } catch (error) {
      // Somebody else was faster: routine. The next pass decides on what is there now.
      ended(isConflict(error) ? 'conflict' : 'error')
      if (isConflict(error)) return { requeueAfterMs: 50 }
      logger.warn('reconcile failed, will be tried again', { object: key, error: describeWithCauses(error) })
      throw error
    } finally {
      const seen = this.#seen.get(key)
      this.#seen.delete(key)
      if (settledAt !== undefined) this.#settledAt.set(key, settledAt)
      if (seen !== '' && seen !== settledAt) this.#queue.add(key)
    }
  }
}

const GONE = 'gone'

/** There may be many thousands, and nobody reads them from the cache. */
function identityOf({ apiVersion, kind, metadata }: KubeObject): KubeObject {
  const { annotations, finalizers, managedFields, ...identity } = metadata
  return { apiVersion, kind, metadata: identity }
}

function refOf(object: KubeObject): ObjectRef {
  return { namespace: object.metadata.namespace ?? '', name: object.metadata.name }
}

function keyOf(ref: ObjectRef): string {
  return `${ref.namespace}/${ref.name}`
}

function refOfKey(key: string): ObjectRef {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}
