import type { Clock } from '../../runtime/ports/clock.ts'
import { isNotFound, KubeError, unlessNotFound } from '../kube/errors.ts'
import type { EventNote, EventRecorder } from '../kube/events.ts'
import type { Kube, ObjectRef } from '../kube/kube.ts'
import type { KubeObject, Lease, ObjectMeta } from '../kube/objects.ts'
import { leases } from '../kube/resource-type.ts'
import type { ResourceType } from '../kube/resource-type.ts'
import type { Reconcile } from './controller.ts'

/** On every object that an operator looks after: `namespace/name` of its lease. */
export const MANAGER_ANNOTATION = 'millrace.dev/operator'

/** A lease that has not changed for so long has nobody who renews it: twice the longest that a leader is silent. */
const STALE_MS = 30_000
const LOOK_AGAIN_MS = 10_000
const ASK_AGAIN_MS = 5_000

interface ManagersParts {
  kube: Kube
  clock: Clock
  events: EventRecorder
  /** The lease of this operator. */
  own: ObjectRef
}

/**
 * Keeps two operators off one object: both would render its pods in their own way, each undoing what the other did. The
 * first one puts its name on the object. Another one takes it over when that one is gone, and leaves it alone and says
 * so while that one lives.
 */
export class Managers {
  readonly #parts: ManagersParts
  readonly #own: string
  /** The leases of other operators, as they were seen last. */
  readonly #seen = new Map<string, SeenLease>()
  /** Many objects may have one manager: its lease is read for all of them. */
  readonly #asked = new Map<string, { until: number; state: Promise<ManagerState> }>()

  constructor(parts: ManagersParts) {
    this.#parts = parts
    this.#own = `${parts.own.namespace}/${parts.own.name}`
  }

  /**
   * The same, for objects that are this operator's. `find`: in its cache. `finalizer`: what an object gets with the name,
   * to spare a write of its own.
   */
  guard<T extends KubeObject>(
    resource: ResourceType<T>,
    find: (ref: ObjectRef) => T | undefined,
    reconcile: Reconcile,
    finalizer?: string,
  ): Reconcile {
    return async (ref, aside) => {
      const object = find(ref)
      if (object === undefined) return (await this.#isLeft(resource, ref)) ? {} : reconcile(ref, aside)
      const manager = object.metadata.annotations?.[MANAGER_ANNOTATION]
      if (manager === this.#own) return reconcile(ref, aside)
      const state = manager === undefined ? 'gone' : await this.#stateOf(manager)
      if (state === 'gone') {
        // Its change comes back as an event, and with it the next pass.
        await this.#sign(resource, object, this.#own, withFinalizer(object, finalizer))
        if (manager !== undefined) await this.#parts.events.record(object, takenOver(manager, this.#own))
        return {}
      }
      if (state !== 'unknown')
        await this.#parts.events.record(object, leftAlone(resource, object, { manager, own: this.#own, state }))
      return { requeueAfterMs: LOOK_AGAIN_MS }
    }
  }

  /**
   * Whether an object that is not in the cache is there all the same: its label names another class by now. That one's
   * operator gets it at once, although this one lives.
   */
  async #isLeft<T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef): Promise<boolean> {
    const object = await unlessNotFound(this.#parts.kube.get(resource, ref))
    if (object?.metadata.annotations?.[MANAGER_ANNOTATION] === this.#own) await this.#sign(resource, object, null)
    return object !== undefined
  }

  async #sign<T extends KubeObject>(
    resource: ResourceType<T>,
    { metadata }: T,
    name: string | null,
    more: Pick<ObjectMeta, 'finalizers'> = {},
  ): Promise<void> {
    const { namespace = '', name: object, resourceVersion } = metadata
    const annotations = { [MANAGER_ANNOTATION]: name }
    const patch = { metadata: { resourceVersion, annotations, ...more } }
    await this.#parts.kube.patch(resource, { namespace, name: object }, patch)
  }

  #stateOf(manager: string): Promise<ManagerState> {
    const now = this.#parts.clock.now()
    const asked = this.#asked.get(manager)
    const leftMs = (asked?.until ?? 0) - now
    if (asked !== undefined && leftMs > 0 && leftMs <= ASK_AGAIN_MS) return asked.state
    const state = this.#ask(manager).catch((error: unknown) => {
      this.#asked.delete(manager)
      throw error
    })
    this.#asked.set(manager, { until: now + ASK_AGAIN_MS, state })
    return state
  }

  async #ask(manager: string): Promise<ManagerState> {
    const [, namespace, name] = /^([^/]+)\/([^/]+)$/.exec(manager) ?? []
    if (namespace === undefined || name === undefined) return 'gone'
    let lease: Lease
    try {
      lease = await this.#parts.kube.get(leases, { namespace, name })
    } catch (error) {
      if (isNotFound(error)) return 'gone'
      if (error instanceof KubeError && error.status === 403) return 'hidden'
      throw error
    }
    if ((lease.spec.holderIdentity ?? '') === '') return 'gone'
    const now = this.#parts.clock.now()
    const record = JSON.stringify(lease.spec)
    const before = this.#seen.get(manager)
    const seen = before?.record === record ? before : { record, at: now, isRenewed: before !== undefined }
    this.#seen.set(manager, seen)
    if (now - seen.at > STALE_MS) return 'gone'
    return seen.isRenewed ? 'lives' : 'unknown'
  }
}

/** An object that is being deleted takes no finalizer any more. */
function withFinalizer({ metadata }: KubeObject, finalizer: string | undefined): Pick<ObjectMeta, 'finalizers'> {
  const { finalizers = [], deletionTimestamp } = metadata
  if (finalizer === undefined || deletionTimestamp !== undefined || finalizers.includes(finalizer)) return {}
  return { finalizers: [...finalizers, finalizer] }
}

interface SeenLease {
  record: string
  /** When it was first seen like that. */
  at: number
  /** It was seen in another way before. */
  isRenewed: boolean
}

/** unknown: it has to be seen for a while. hidden: this operator may not look. */
type ManagerState = 'lives' | 'gone' | 'unknown' | 'hidden'

function takenOver(manager: string, own: string): EventNote {
  const message = `The operator of lease ${manager} is gone: that of ${own} looks after it from now on.`
  return { type: 'Normal', reason: 'TakenOver', message }
}

function leftAlone(
  { plural, group }: ResourceType<KubeObject>,
  { metadata: { namespace = '', name } }: KubeObject,
  { manager = '', own, state }: { manager: string | undefined; own: string; state: ManagerState },
): EventNote {
  const why = state === 'hidden' ? 'and this one may not see whether it lives' : 'which lives'
  const how = `Let only one of them watch this namespace, or give each a class. To hand it over: kubectl annotate ${plural}.${group} ${name} -n ${namespace} --overwrite ${MANAGER_ANNOTATION}=${own}`
  return {
    type: 'Warning',
    reason: 'ManagedByAnother',
    message: `The operator of lease ${manager} looks after it, ${why}: that of ${own} leaves it alone. ${how}`,
  }
}
