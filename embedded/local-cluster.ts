import type { JsonObject, KubeObject } from './objects.ts'
import type { DeleteOptions, ObjectWriter, UpdateScope, WriteOptions } from './object-writer.ts'
import type { ResourceDefinition, ResourceRegistry } from './resources.ts'
import { unknownPath } from './status-error.ts'
import type { Storage, StorageEvent } from './storage.ts'

/**
 * The API without the network, for what runs in the server's own process (the node, tests). Same rules, same write
 * log; it does not pass the request interceptor. Kinds are named as in `pods` or `leases.coordination.k8s.io`.
 */
export class LocalCluster {
  readonly #storage: Storage
  readonly #registry: ResourceRegistry
  readonly #writer: ObjectWriter
  readonly #options: WriteOptions

  constructor(storage: Storage, registry: ResourceRegistry, writer: ObjectWriter, user: string) {
    this.#storage = storage
    this.#registry = registry
    this.#writer = writer
    this.#options = { user, fieldManager: user, fieldValidation: 'Ignore', effect: 'store' }
  }

  get(resource: string, namespace: string, name: string): KubeObject | undefined {
    return this.#storage.get(this.#definition(resource), namespace, name)
  }

  list(resource: string, namespace = ''): KubeObject[] {
    return this.#storage.list(this.#definition(resource), namespace)
  }

  create(resource: string, namespace: string, object: JsonObject): KubeObject {
    return this.#writer.create(this.#definition(resource), namespace, object, this.#options).object
  }

  /** `change` gets a copy of the stored object, which it may change and return. Throws 404 when there is none. */
  update(
    resource: string,
    namespace: string,
    name: string,
    scope: UpdateScope,
    change: (current: KubeObject) => KubeObject,
  ): KubeObject {
    return this.#writer.update(
      this.#definition(resource),
      namespace,
      name,
      scope,
      (current) => change(current as KubeObject),
      this.#options,
    ).object
  }

  remove(resource: string, namespace: string, name: string, how: DeleteOptions = {}): void {
    this.#writer.remove(this.#definition(resource), namespace, name, how, this.#options)
  }

  /** Calls the listener for every present object (as ADDED) and then at each change, inside the write. */
  watch(resource: string, listener: (event: StorageEvent) => void): () => void {
    const definition = this.#definition(resource)
    const version = this.#storage.resourceVersion
    for (const object of this.#storage.list(definition, ''))
      listener({ type: 'ADDED', object, resourceVersion: version })
    return this.#storage.watch(definition, this.#storage.resourceVersion, listener)
  }

  #definition(resource: string): ResourceDefinition {
    const dot = resource.indexOf('.')
    const plural = dot < 0 ? resource : resource.slice(0, dot)
    const group = dot < 0 ? '' : resource.slice(dot + 1)
    const found = this.#registry.all().find((one) => one.plural === plural && one.group === group)
    if (found === undefined) throw unknownPath()
    return found
  }
}
