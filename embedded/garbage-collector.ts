import type { KubeObject } from './objects.ts'
import type { ObjectWriter, WriteOptions } from './object-writer.ts'
import type { ResourceDefinition, ResourceRegistry } from './resources.ts'
import { ApiStatusError } from './status-error.ts'
import type { Storage, StorageEvent } from './storage.ts'

const system: WriteOptions = {
  user: 'system:garbage-collector',
  fieldManager: 'garbage-collector',
  fieldValidation: 'Ignore',
  effect: 'store',
}

/**
 * Background deletion of what belongs to an object that is gone, foreground and orphan deletion, and the emptying of
 * namespaces. It looks at the whole store after each deletion, which is cheap at the sizes this server is made for.
 */
export class GarbageCollector {
  readonly #storage: Storage
  readonly #registry: ResourceRegistry
  readonly #writer: ObjectWriter
  readonly #stopWatching: () => void
  #scheduled: NodeJS.Immediate | undefined

  constructor(storage: Storage, registry: ResourceRegistry, writer: ObjectWriter) {
    this.#storage = storage
    this.#registry = registry
    this.#writer = writer
    this.#stopWatching = storage.watchAll((_key, event) => {
      if (matters(event)) this.#schedule()
    })
  }

  close(): void {
    this.#stopWatching()
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled)
  }

  #schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined
      this.collect()
    })
  }

  /** One round. What it deletes wakes it again, so chains of owners are followed to their end. */
  collect(): void {
    const definitions = this.#registry.all()
    const objects = definitions.flatMap((definition) =>
      this.#storage.list(definition, '').map((object) => ({ definition, object })),
    )
    const living = new Map(objects.map(({ object }) => [object.metadata.uid ?? '', object]))
    for (const { definition, object } of objects) {
      this.#collectDependent(definition, object, living)
      this.#finishOwner(
        definition,
        object,
        objects.map((one) => one.object),
      )
      if (definition.kind === 'Namespace' && object.metadata.deletionTimestamp !== undefined)
        this.#emptyNamespace(definition, object)
    }
  }

  #collectDependent(definition: ResourceDefinition, object: KubeObject, living: ReadonlyMap<string, KubeObject>): void {
    const owners = object.metadata.ownerReferences ?? []
    if (owners.length === 0 || object.metadata.deletionTimestamp !== undefined) return
    const present = owners.filter((owner) => living.has(owner.uid))
    const waiting = present.filter(
      (owner) => living.get(owner.uid)?.metadata.finalizers?.includes('foregroundDeletion') === true,
    )
    if (present.length === waiting.length) {
      this.#attempt(() =>
        this.#writer.remove(
          definition,
          namespaceOf(object),
          object.metadata.name,
          {
            propagationPolicy: waiting.length > 0 ? 'Foreground' : 'Background',
            preconditions: { uid: object.metadata.uid ?? '' },
          },
          system,
        ),
      )
    } else if (present.length < owners.length) {
      this.#attempt(() =>
        this.#writer.update(
          definition,
          namespaceOf(object),
          object.metadata.name,
          'main',
          (current) => ({ ...current, metadata: { ...current.metadata, ownerReferences: present } }),
          system,
        ),
      )
    }
  }

  /** Takes our own finalizers off an object whose dependents are gone (foreground) or set free (orphan). */
  #finishOwner(definition: ResourceDefinition, owner: KubeObject, objects: readonly KubeObject[]): void {
    const finalizers = owner.metadata.finalizers ?? []
    if (owner.metadata.deletionTimestamp === undefined) return
    const refersToOwner = (object: KubeObject): boolean =>
      object.metadata.ownerReferences?.some((one) => one.uid === owner.metadata.uid) === true
    const dependents = objects.filter(refersToOwner)
    if (finalizers.includes('orphan')) {
      for (const dependent of dependents) this.#release(dependent, owner)
      this.#dropFinalizer(definition, owner, 'orphan')
    } else if (finalizers.includes('foregroundDeletion') && dependents.length === 0)
      this.#dropFinalizer(definition, owner, 'foregroundDeletion')
  }

  #release(dependent: KubeObject, owner: KubeObject): void {
    const definition = this.#registry.findKind(dependent.apiVersion, dependent.kind)
    if (definition === undefined) return
    this.#attempt(() =>
      this.#writer.update(
        definition,
        namespaceOf(dependent),
        dependent.metadata.name,
        'main',
        (current) => ({
          ...current,
          metadata: {
            ...current.metadata,
            ownerReferences: (current.metadata.ownerReferences ?? []).filter((one) => one.uid !== owner.metadata.uid),
          },
        }),
        system,
      ),
    )
  }

  #dropFinalizer(definition: ResourceDefinition, object: KubeObject, finalizer: string): void {
    this.#attempt(() =>
      this.#writer.update(
        definition,
        namespaceOf(object),
        object.metadata.name,
        'main',
        (current) => ({
          ...current,
          metadata: {
            ...current.metadata,
            finalizers: (current.metadata.finalizers ?? []).filter((name) => name !== finalizer),
          },
        }),
        system,
      ),
    )
  }

  #emptyNamespace(definition: ResourceDefinition, namespace: KubeObject): void {
    let left = 0
    for (const one of this.#registry.all()) {
      if (!one.namespaced) continue
      for (const object of this.#storage.list(one, namespace.metadata.name)) {
        if (object.metadata.deletionTimestamp === undefined) {
          this.#attempt(() =>
            this.#writer.remove(
              one,
              namespace.metadata.name,
              object.metadata.name,
              { propagationPolicy: 'Background' },
              system,
            ),
          )
        }
        if (this.#storage.get(one, namespace.metadata.name, object.metadata.name) !== undefined) left++
      }
    }
    if (left === 0) this.#dropFinalizer(definition, namespace, 'kubernetes')
  }

  /** Someone else may have deleted or changed the object in this round; the next round sees that. */
  #attempt(write: () => unknown): void {
    try {
      write()
    } catch (error) {
      if (!(error instanceof ApiStatusError) || (error.httpCode !== 404 && error.httpCode !== 409)) throw error
    }
  }
}

const namespaceOf = (object: KubeObject): string => object.metadata.namespace ?? ''

/** Creations with owners count too: the owner may already be gone. */
function matters(event: StorageEvent): boolean {
  return (
    event.type === 'DELETED' ||
    event.object.metadata.deletionTimestamp !== undefined ||
    (event.object.metadata.ownerReferences ?? []).length > 0
  )
}
