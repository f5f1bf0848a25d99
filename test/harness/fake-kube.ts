import { KubeError } from '../../operator/kube/errors.ts'
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
} from '../../operator/kube/kube.ts'
import type { KubeObject } from '../../operator/kube/objects.ts'
import type { ResourceType } from '../../operator/kube/resource-type.ts'
import { applyMergePatch } from './merge-patch.ts'

interface Watcher {
  plural: string
  scope: Scope
  onEvent: (event: WatchEvent<KubeObject>) => void
  end: (end: WatchEnd) => void
}

interface Change {
  version: number
  plural: string
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  object: KubeObject
}

/**
 * The API server as far as the operator needs it: optimistic locking, generations, finalizers, owner references,
 * label selectors, watches that go on where another one ended, deletion of what was owned. `before` may throw to
 * make a call fail, or end a watch to make a gap.
 */
export class FakeKube implements Kube {
  readonly objects = new Map<string, KubeObject>()
  readonly calls: string[] = []
  readonly #history: Change[] = []
  readonly watchers = new Set<Watcher>()
  before: (call: string) => void = () => undefined
  /** May throw when a write is done, as when its answer is lost. */
  after: (call: string) => void = () => undefined
  /** Quotas, admission and checks of fields: may throw for an object that is to be created. */
  admit: (object: KubeObject) => void = () => undefined
  #version = 1

  readonly now: () => number

  constructor(now: () => number) {
    this.now = now
  }

  async get<T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef): Promise<T> {
    this.#enter('get', resource, ref.name)
    return copy(this.#find(resource, ref)) as T
  }

  async list<T extends KubeObject>(resource: ResourceType<T>, scope: Scope): Promise<ObjectList<T>> {
    this.#enter('list', resource, '')
    const items = [...this.objects]
      .filter(([key, object]) => key.startsWith(`${resource.plural}/`) && inScope(object, scope))
      .map(([, object]) => copy(object) as T)
    return { items, resourceVersion: String(this.#version) }
  }

  watch<T extends KubeObject>(
    resource: ResourceType<T>,
    options: WatchOptions,
    onEvent: (event: WatchEvent<T>) => void,
  ): Watch {
    this.calls.push(`watch ${resource.plural} ${options.resourceVersion}`)
    let end: (end: WatchEnd) => void = () => undefined
    const ended = new Promise<WatchEnd>((resolve) => {
      end = resolve
    })
    const watcher: Watcher = {
      plural: resource.plural,
      scope: options,
      onEvent: onEvent as Watcher['onEvent'],
      end: (how) => {
        this.watchers.delete(watcher)
        end(how)
      },
    }
    this.watchers.add(watcher)
    for (const { version, plural, type, object } of [...this.#history]) {
      if (version > Number(options.resourceVersion) && plural === resource.plural && inScope(object, options))
        watcher.onEvent({ type, object: copy(object) })
    }
    return {
      ended,
      stop: () => {
        watcher.end({ kind: 'closed' })
      },
    }
  }

  async create<T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<T> {
    this.#enter('create', resource, object.metadata.name)
    const key = this.#admitNew(resource, object)
    const stored = copy(object)
    stored.metadata.uid ??= `uid-${this.#version}`
    stored.metadata.generation = 1
    stored.metadata.creationTimestamp = new Date(this.now()).toISOString()
    const answer = this.#store(resource.plural, key, stored, 'ADDED') as T
    this.#leave('create', resource, object.metadata.name)
    return answer
  }

  async dryRunCreate<T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<void> {
    this.#enter('dryRunCreate', resource, object.metadata.name)
    this.#admitNew(resource, object)
  }

  #admitNew(resource: ResourceType<KubeObject>, object: KubeObject): string {
    const key = keyOf(resource, { namespace: object.metadata.namespace ?? '', name: object.metadata.name })
    this.admit(object)
    if (this.objects.has(key)) throw new KubeError(`${key} exists`, { status: 409, reason: 'AlreadyExists' })
    return key
  }

  async patch<T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef, patch: MergePatch): Promise<T> {
    this.#enter('patch', resource, ref.name)
    const { status: _, ...rest } = patch
    return this.#answer('patch', resource, ref, rest) as T
  }

  async patchStatus<T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef, patch: MergePatch): Promise<T> {
    this.#enter('patchStatus', resource, ref.name)
    const { metadata = {}, status } = patch
    return this.#answer('patchStatus', resource, ref, { metadata, status }) as T
  }

  async apply<T extends KubeObject>(resource: ResourceType<T>, object: T): Promise<T> {
    const ref = { namespace: object.metadata.namespace ?? '', name: object.metadata.name }
    if (!this.objects.has(keyOf(resource, ref))) return this.create(resource, object)
    this.#enter('apply', resource, ref.name)
    return this.#answer('apply', resource, ref, copy(object) as unknown as MergePatch) as T
  }

  async delete<T extends KubeObject>(
    resource: ResourceType<T>,
    ref: ObjectRef,
    options: DeleteOptions = {},
  ): Promise<void> {
    this.#enter('delete', resource, ref.name)
    const object = this.#find(resource, ref)
    const { uid } = options.preconditions ?? {}
    if (uid !== undefined && uid !== object.metadata.uid)
      throw new KubeError('uid differs', { status: 409, reason: 'Conflict' })
    object.metadata.deletionTimestamp ??= new Date(this.now()).toISOString()
    this.#finishOrKeep(resource.plural, keyOf(resource, ref), object)
    this.#leave('delete', resource, ref.name)
  }

  /** What a user, the kubelet or a crash does: no conflict, no call recorded. */
  update<T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef, change: (object: T) => void): void {
    const key = keyOf(resource, ref)
    const before = this.#find(resource, ref)
    const object = copy(before)
    change(object as T)
    if (JSON.stringify(specOf(before)) !== JSON.stringify(specOf(object)))
      object.metadata.generation = (before.metadata.generation ?? 0) + 1
    this.#finishOrKeep(resource.plural, key, object)
  }

  /** As the garbage collector does with an object that comes when its owner has gone. */
  collectGarbage(): void {
    const uids = new Set([...this.objects.values()].map(({ metadata }) => metadata.uid))
    for (const [key, { metadata }] of [...this.objects]) {
      const owners = metadata.ownerReferences ?? []
      const object = this.objects.get(key)
      if (object === undefined || owners.length === 0 || owners.some(({ uid }) => uids.has(uid))) continue
      const going = copy(object)
      going.metadata.deletionTimestamp ??= new Date(this.now()).toISOString()
      this.#finishOrKeep(key.slice(0, key.indexOf('/')), key, going)
    }
  }

  peek<T extends KubeObject>(resource: ResourceType<T>, ref: ObjectRef): T | undefined {
    return this.objects.get(keyOf(resource, ref)) as T | undefined
  }

  endWatches(how: WatchEnd): void {
    for (const watcher of [...this.watchers]) watcher.end(how)
  }

  #answer(verb: string, resource: ResourceType<KubeObject>, ref: ObjectRef, patch: MergePatch): KubeObject {
    const answer = this.#change(resource, ref, patch)
    this.#leave(verb, resource, ref.name)
    return answer
  }

  #change(resource: ResourceType<KubeObject>, ref: ObjectRef, patch: MergePatch): KubeObject {
    const before = this.#find(resource, ref)
    const { resourceVersion } = (patch['metadata'] ?? {}) as { resourceVersion?: string }
    if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion) {
      throw new KubeError(`${ref.name} has been modified`, { status: 409, reason: 'Conflict' })
    }
    const object = applyMergePatch(copy(before), patch) as KubeObject
    if (JSON.stringify(specOf(before)) !== JSON.stringify(specOf(object)))
      object.metadata.generation = (before.metadata.generation ?? 0) + 1
    return this.#finishOrKeep(resource.plural, keyOf(resource, ref), object)
  }

  #finishOrKeep(plural: string, key: string, object: KubeObject): KubeObject {
    if (object.metadata.deletionTimestamp === undefined || (object.metadata.finalizers?.length ?? 0) > 0)
      return this.#store(plural, key, object, 'MODIFIED')
    this.objects.delete(key)
    this.#store(plural, key, object, 'DELETED')
    for (const [ownedKey, owned] of [...this.objects]) {
      if (owned.metadata.ownerReferences?.some(({ uid }) => uid === object.metadata.uid) !== true) continue
      const going = copy(owned)
      going.metadata.deletionTimestamp ??= new Date(this.now()).toISOString()
      this.#finishOrKeep(ownedKey.slice(0, ownedKey.indexOf('/')), ownedKey, going)
    }
    return object
  }

  #store(plural: string, key: string, object: KubeObject, type: Change['type']): KubeObject {
    this.#version += 1
    const before = this.objects.get(key)
    object.metadata.resourceVersion = String(this.#version)
    if (type !== 'DELETED') this.objects.set(key, object)
    this.#history.push({ version: this.#version, plural, type, object: copy(object) })
    for (const watcher of [...this.watchers]) {
      if (watcher.plural !== plural) continue
      if (inScope(object, watcher.scope)) watcher.onEvent({ type, object: copy(object) })
      // To a watch with a selector, an object that it does not select any more is gone.
      else if (before !== undefined && inScope(before, watcher.scope))
        watcher.onEvent({ type: 'DELETED', object: copy(object) })
    }
    return copy(object)
  }

  #find(resource: ResourceType<KubeObject>, ref: ObjectRef): KubeObject {
    const found = this.objects.get(keyOf(resource, ref))
    if (found === undefined)
      throw new KubeError(`${resource.plural} "${ref.name}" not found`, { status: 404, reason: 'NotFound' })
    return found
  }

  #enter(verb: string, resource: ResourceType<KubeObject>, name: string): void {
    const call = `${verb} ${resource.plural} ${name}`.trim()
    this.calls.push(call)
    this.before(call)
  }

  #leave(verb: string, resource: ResourceType<KubeObject>, name: string): void {
    this.after(`${verb} ${resource.plural} ${name}`)
  }
}

function keyOf(resource: ResourceType<KubeObject>, ref: ObjectRef): string {
  return `${resource.plural}/${ref.namespace}/${ref.name}`
}

function copy<T>(value: T): T {
  return structuredClone(value)
}

function specOf(object: KubeObject): unknown {
  return (object as { spec?: unknown }).spec
}

function inScope(object: KubeObject, { namespace, labelSelector }: Scope): boolean {
  if (namespace !== undefined && object.metadata.namespace !== namespace) return false
  return (labelSelector ?? '')
    .split(',')
    .filter((term) => term !== '')
    .every((term) => {
      const [name = '', value] = term.split('=')
      if (name.startsWith('!')) return object.metadata.labels?.[name.slice(1)] === undefined
      const label = object.metadata.labels?.[name]
      return value === undefined ? label !== undefined : label === value
    })
}
