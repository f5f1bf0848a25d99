import { KubeError } from '../../../operator/kube/errors.ts'
import type {
  DeleteOptions,
  Kube,
  MergePatch,
  ObjectList,
  ObjectRef,
  Scope,
  Watch,
  WatchEnd,
  WatchEvent,
  WatchOptions,
} from '../../../operator/kube/kube.ts'
import type { KubeObject } from '../../../operator/kube/objects.ts'
import { pods, type ResourceType } from '../../../operator/kube/resource-type.ts'
import type { FakeKube } from '../fake-kube.ts'
import type { SimulatedMachines } from '../../../sim/simulated-machines.ts'

const TIMEOUT_MS = 10_000
/** What is late comes mostly when its sender has given it up. */
const LATE_MS = { from: 7_000, to: 20_000 }
/** A pod stays until its node has ended its processes. */
export const KUBELET_FINALIZER = 'simulated/kubelet'

export interface KubeCall {
  owner: string
  verb: 'get' | 'list' | 'create' | 'dryRunCreate' | 'patch' | 'patchStatus' | 'apply' | 'delete'
  plural: string
  name: string
  /** It has been on its way for long: its sender may think otherwise by now, or be dead. */
  isLate: boolean
}

/** What a call suffers: no answer with the effect undone or done, an effect long after, a refusal, or nothing. */
export type KubeFault = 'before' | 'after' | 'late' | 'throttled' | undefined

/**
 * What a watch suffers at an event: told twice, told late, ended in one of the ways servers end watches, or
 * nothing.
 */
export type WatchFault = 'twice' | 'late' | WatchEnd['kind'] | undefined

/**
 * The API server under virtual time, as one process sees it: every call travels there and back, acts also when its
 * sender has died meanwhile, and may be lost on either way. Watches tell in order, late, twice, or end.
 */
export class VirtualKube {
  readonly server: FakeKube
  readonly #machines: SimulatedMachines
  /** As VirtualNetwork.reaches; the server is called `api-server`. */
  reaches: (from: string, to: string) => boolean = () => true
  fault: (call: KubeCall) => KubeFault = () => undefined
  watchFault: () => WatchFault = () => undefined
  /** A call arrives and is about to have its effect; has had it. Either may end its sender. */
  onArrival: (call: KubeCall) => void = () => undefined
  onEffect: (call: KubeCall) => void = () => undefined

  constructor(server: FakeKube, machines: SimulatedMachines) {
    this.server = server
    this.#machines = machines
  }

  kubeOf(owner: string): Kube {
    const { server } = this
    const call = <T>(
      verb: KubeCall['verb'],
      resource: ResourceType<KubeObject>,
      name: string,
      act: () => Promise<T>,
    ): Promise<T> => this.#call({ owner, verb, plural: resource.plural, name, isLate: false }, act)
    return {
      now: () => server.now(),
      get: <T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef): Promise<T> =>
        call('get', resource, ref.name, () => server.get(resource, ref)),
      list: <T extends KubeObject>(resource: ResourceType<T>, scope: Scope): Promise<ObjectList<T>> =>
        call('list', resource, '', () => server.list(resource, scope)),
      watch: <T extends KubeObject>(
        resource: ResourceType<T>,
        options: WatchOptions,
        onEvent: (event: WatchEvent<T>) => void,
      ): Watch => this.#watch(owner, resource, options, onEvent),
      create: <T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<T> =>
        call('create', resource, object.metadata.name, () =>
          server.create(resource, resource.plural === pods.plural ? held(object) : object),
        ),
      dryRunCreate: <T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<void> =>
        call('dryRunCreate', resource, object.metadata.name, () => server.dryRunCreate(resource, object)),
      patch: <T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef, patch: MergePatch): Promise<T> =>
        call('patch', resource, ref.name, () => server.patch(resource, ref, patch)),
      patchStatus: <T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef, patch: MergePatch): Promise<T> =>
        call('patchStatus', resource, ref.name, () => server.patchStatus(resource, ref, patch)),
      apply: <T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<T> =>
        call('apply', resource, object.metadata.name, () => server.apply(resource, object)),
      delete: <T extends KubeObject>(
        resource: ResourceType<T>,
        ref: ObjectRef,
        options?: DeleteOptions,
      ): Promise<void> => call('delete', resource, ref.name, () => server.delete(resource, ref, options)),
    }
  }

  #call<T>(call: KubeCall, act: () => Promise<T>): Promise<T> {
    const { owner } = call
    const { world } = this.#machines
    const fault = this.fault(call)
    return new Promise((resolve, reject) => {
      const what = `${call.verb} ${call.plural} ${call.name}`
      const answer = (settle: () => void): void => {
        if (fault !== 'after' && this.reaches('api-server', owner)) world.schedule(owner, this.#delay(), settle)
      }
      // Settling twice does nothing: the first of answer and time-out counts.
      world.schedule(owner, TIMEOUT_MS, () => {
        reject(new KubeError(`${what} got no answer`, { status: 0, reason: 'Timeout' }))
      })
      world.schedule(
        'network',
        fault === 'late' ? LATE_MS.from + world.random() * (LATE_MS.to - LATE_MS.from) : this.#delay(),
        () => {
          if (fault === 'before' || !this.reaches(owner, 'api-server')) return
          if (fault === 'throttled') {
            answer(() => {
              reject(new KubeError(`${what} was refused`, { status: 429, reason: 'TooManyRequests' }))
            })
            return
          }
          this.onArrival({ ...call, isLate: fault === 'late' })
          const done = act()
          void done.then(
            (result) => {
              this.onEffect(call)
              answer(() => {
                resolve(result)
              })
            },
            (error: unknown) => {
              answer(() => {
                reject(error instanceof Error ? error : new Error(String(error)))
              })
            },
          )
        },
      )
    })
  }

  #watch<T extends KubeObject>(
    owner: string,
    resource: ResourceType<T>,
    options: WatchOptions,
    onEvent: (event: WatchEvent<T>) => void,
  ): Watch {
    const { world } = this.#machines
    let tellEnd: (end: WatchEnd) => void = () => undefined
    const ended = new Promise<WatchEnd>((resolve) => {
      tellEnd = resolve
    })
    let isOver = false
    let lastArrival = world.now
    const later = (delayMs: number, act: () => void): void => {
      lastArrival = Math.max(lastArrival, world.now + delayMs)
      world.schedule(owner, lastArrival - world.now, act)
    }
    const finish = (end: WatchEnd): void => {
      if (isOver) return
      isOver = true
      source?.stop()
      later(this.#delay(), () => {
        tellEnd(end)
      })
    }
    const source: Watch | undefined = this.server.watch(resource, options, (event) => {
      if (isOver) return
      const fault = this.reaches('api-server', owner) ? this.watchFault() : 'failed'
      if (fault === 'closed' || fault === 'gone') {
        finish({ kind: fault })
        return
      }
      if (fault === 'failed') {
        finish({
          kind: fault,
          error: new KubeError(`watch of ${resource.plural} broke`, { status: 0, reason: 'Reset' }),
        })
        return
      }
      const tell = (): void => {
        onEvent(event)
      }
      later(fault === 'late' ? world.random() * 3_000 : this.#delay(), tell)
      if (fault === 'twice') later(this.#delay(), tell)
    })
    return {
      ended,
      stop: () => {
        finish({ kind: 'closed' })
      },
    }
  }

  #delay(): number {
    return this.#machines.world.random() * 4
  }
}

function held<T extends KubeObject>(pod: T): T {
  return { ...pod, metadata: { ...pod.metadata, finalizers: [...(pod.metadata.finalizers ?? []), KUBELET_FINALIZER] } }
}
