import type { Clock } from '../../runtime/ports/clock.ts'
import { sleep } from '../../runtime/ports/clock.ts'
import type { Logger } from '../../runtime/ports/logger.ts'
import type { Rng } from '../../runtime/ports/rng.ts'
import { askedToWaitMs } from '../kube/errors.ts'
import type { Kube, ObjectRef, Scope, Watch, WatchEvent } from '../kube/kube.ts'
import type { KubeObject } from '../kube/objects.ts'
import type { ResourceType } from '../kube/resource-type.ts'
import type { OperatorMetrics } from './metrics.ts'

export interface InformerOptions<T extends KubeObject> {
  resource: ResourceType<T>
  scope: Scope
  /** Called with the new state of an object, or what was kept of it when it was deleted. */
  onChange: (object: T) => void
  /** The part of an object that the cache keeps; absent: all of it but `managedFields`. */
  kept?: (object: T) => T
  /** The keys under which `under` finds an object. */
  keys?: (object: T) => readonly string[]
}

export interface InformerParts {
  kube: Kube
  clock: Clock
  rng: Rng
  logger: Logger
  metrics: OperatorMetrics
}

const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 30_000
/** A watch that ends sooner has told nothing; servers end one after minutes. */
const SHORT_WATCH_MS = 1_000
/** More than go while one answer is on its way. */
const MOST_GONE = 1_000

/**
 * A cache of one resource: list, then watch from there, watch again when the server ends it, list again after
 * 410 or a failure. Objects only ever move to newer resourceVersions, so a late answer of a relist cannot undo
 * what a watch has reported.
 */
export class Informer<T extends KubeObject> {
  readonly #parts: InformerParts
  readonly #options: InformerOptions<T>
  readonly #objects = new Map<string, T>()
  /** By the keys of the options, the keys of objects. */
  readonly #index = new Map<string, Set<string>>()
  /** UIDs of objects that went lately: an answer that was on its way meanwhile does not bring them back. */
  readonly #gone = new Set<string>()
  #watch: Watch | undefined
  #synced = false
  #stopped = false

  constructor(parts: InformerParts, options: InformerOptions<T>) {
    this.#parts = parts
    this.#options = options
  }

  start(): void {
    void this.#run()
  }

  stop(): void {
    this.#stopped = true
    this.#watch?.stop()
  }

  /** True once the first list has been read. */
  hasSynced(): boolean {
    return this.#synced
  }

  find({ namespace, name }: ObjectRef): T | undefined {
    return this.#objects.get(`${namespace}/${name}`)
  }

  items(): T[] {
    return [...this.#objects.values()]
  }

  /** Those that have this key. */
  under(key: string): T[] {
    return [...(this.#index.get(key) ?? [])].flatMap((one) => this.#objects.get(one) ?? [])
  }

  /** What the API server has answered about an object: it may be newer than what the watch has told. */
  learn(object: T): void {
    const { namespace, labelSelector = '' } = this.#options.scope
    const { uid = '', labels } = object.metadata
    const isInScope = namespace === undefined || object.metadata.namespace === namespace
    if (this.#synced && isInScope && isSelected(labels, labelSelector) && !this.#gone.has(uid)) this.#keep(object)
  }

  async #run(): Promise<void> {
    let failures = 0
    let shortWatches = 0
    let resourceVersion: string | undefined
    while (!this.#stopped) {
      try {
        resourceVersion ??= await this.#relist()
        const startedAt = this.#parts.clock.now()
        resourceVersion = await this.#watchFrom(resourceVersion)
        failures = 0
        shortWatches = this.#parts.clock.now() - startedAt < SHORT_WATCH_MS ? shortWatches + 1 : 0
        // The first one may be an old one's end that was met late.
        if (shortWatches > 1 && !this.#stopped) await this.#backOff(shortWatches - 1)
      } catch (error) {
        if (this.#stopped) return
        failures += 1
        resourceVersion = undefined
        this.#parts.logger.warn('watch failed, listing again', {
          resource: this.#options.resource.plural,
          failures,
          error,
        })
        await this.#backOff(failures, askedToWaitMs(error))
      }
    }
  }

  async #backOff(times: number, leastMs = 0): Promise<void> {
    const full = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(times - 1, 10))
    await sleep(this.#parts.clock, Math.max(leastMs, full / 2 + (full / 2) * this.#parts.rng.next()))
  }

  async #relist(): Promise<string> {
    const { items, resourceVersion } = await this.#parts.kube.list(this.#options.resource, this.#options.scope)
    const listed = new Set<string>()
    for (const object of items) {
      listed.add(keyOf(object))
      this.#keep(object)
    }
    for (const [key, object] of this.#objects) {
      // What was learnt from an answer since is newer than the list.
      if (listed.has(key) || isNewer(object.metadata.resourceVersion, resourceVersion)) continue
      this.#remove(key)
      this.#options.onChange(object)
    }
    this.#synced = true
    return resourceVersion
  }

  /** Resolves with the version to continue from, or undefined when a list is needed. */
  async #watchFrom(from: string): Promise<string | undefined> {
    let resourceVersion = from
    const { kube, metrics } = this.#parts
    this.#watch = kube.watch(this.#options.resource, { ...this.#options.scope, resourceVersion: from }, (event) => {
      resourceVersion = this.#on(event) ?? resourceVersion
    })
    const end = await this.#watch.ended
    if (this.#stopped) return resourceVersion
    metrics.watchRestarted(this.#options.resource.plural, end.kind)
    if (end.kind === 'failed') throw end.error
    return end.kind === 'gone' ? undefined : resourceVersion
  }

  #on(event: WatchEvent<T>): string | undefined {
    if (this.#stopped) return undefined
    if (event.type === 'BOOKMARK') return event.resourceVersion
    if (event.type === 'DELETED') {
      this.#wentAway(event.object)
    } else {
      this.#keep(event.object)
    }
    return event.object.metadata.resourceVersion
  }

  /** Another object may have the name by now. */
  #wentAway(object: T): void {
    const key = keyOf(object)
    this.#gone.add(object.metadata.uid ?? '')
    const [oldest = ''] = this.#gone
    if (this.#gone.size > MOST_GONE) this.#gone.delete(oldest)
    const known = this.#objects.get(key)
    if (known !== undefined && known.metadata.uid !== object.metadata.uid && isNewerObject(known, object)) return
    this.#remove(key)
    this.#options.onChange(object)
  }

  #keep(object: T): void {
    const key = keyOf(object)
    const known = this.#objects.get(key)
    if (known !== undefined && !isNewerObject(object, known)) return
    const kept = this.#options.kept?.(object) ?? withoutManagedFields(object)
    this.#remove(key)
    this.#objects.set(key, kept)
    for (const one of this.#options.keys?.(kept) ?? []) {
      const under = this.#index.get(one) ?? new Set()
      this.#index.set(one, under.add(key))
    }
    this.#options.onChange(object)
  }

  #remove(key: string): void {
    const known = this.#objects.get(key)
    if (known === undefined) return
    this.#objects.delete(key)
    for (const one of this.#options.keys?.(known) ?? []) {
      const under = this.#index.get(one)
      under?.delete(key)
      if (under?.size === 0) this.#index.delete(one)
    }
  }
}

function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields, ...metadata } = object.metadata
  return managedFields === undefined ? object : { ...object, metadata }
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`
}

/** For the selectors of this operator: `name`, `!name` and `name=value`, each of which must hold. */
function isSelected(labels: Readonly<Record<string, string>> = {}, selector: string): boolean {
  return selector
    .split(',')
    .filter((term) => term !== '')
    .every((term) => {
      const [name = '', value] = term.split('=')
      if (name.startsWith('!')) return !Object.hasOwn(labels, name.slice(1))
      return Object.hasOwn(labels, name) && (value === undefined || labels[name] === value)
    })
}

function isNewerObject(a: KubeObject, b: KubeObject): boolean {
  return isNewer(a.metadata.resourceVersion, b.metadata.resourceVersion)
}

/** resourceVersions are decimal numbers that may be compared (guaranteed since Kubernetes 1.35). */
function isNewer(a = '0', b = '0'): boolean {
  return BigInt(a) > BigInt(b)
}
