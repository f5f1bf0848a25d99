import type { LocalCluster } from '../../embedded/local-cluster.ts'
import type { ObjectRef } from '../../operator/kube/kube.ts'
import type { KubeObject } from '../../operator/kube/objects.ts'
import type { ResourceType } from '../../operator/kube/resource-type.ts'
import type { KubeConnection } from '../../operator/real/kube-config.ts'
import { KubeHttpClient } from '../../operator/real/kube-http-client.ts'
import type { SceneKube } from '../harness/certification/druid-scene.ts'

/**
 * The embedded API server as the kube of a scene: the operator's calls go over HTTP, what others do and see goes past it.
 */
export class ServedKube extends KubeHttpClient implements SceneKube {
  readonly #local: LocalCluster
  readonly #resources: readonly ResourceType<KubeObject>[]

  /** `resources`: the kinds that the scene sees. */
  constructor(connection: KubeConnection, local: LocalCluster, resources: readonly ResourceType<KubeObject>[]) {
    super(connection)
    this.#local = local
    this.#resources = resources
  }

  get objects(): Map<string, KubeObject> {
    const all = this.#resources.flatMap((resource) =>
      this.#local.list(kindOf(resource)).map((object): [string, KubeObject] => {
        const { namespace = '', name } = object.metadata
        return [`${resource.plural}/${namespace}/${name}`, object as unknown as KubeObject]
      }),
    )
    return new Map(all)
  }

  peek<T extends KubeObject>(resource: ResourceType<T>, { namespace, name }: ObjectRef): T | undefined {
    return this.#local.get(kindOf(resource), namespace, name) as T | undefined
  }

  update<T extends KubeObject>(
    resource: ResourceType<T>,
    { namespace, name }: ObjectRef,
    change: (object: T) => void,
  ): void {
    this.#local.update(kindOf(resource), namespace, name, 'main', (current) => {
      const copy = structuredClone(current)
      change(copy as unknown as T)
      return copy
    })
  }

  /** Takes away everything that a scene has left. */
  clear(): void {
    for (const resource of this.#resources)
      for (const { metadata } of this.#local.list(kindOf(resource))) {
        const { namespace = '', name } = metadata
        this.#local.update(kindOf(resource), namespace, name, 'main', (current) => ({
          ...current,
          metadata: { ...current.metadata, finalizers: [] },
        }))
        if (this.#local.get(kindOf(resource), namespace, name) !== undefined)
          this.#local.remove(kindOf(resource), namespace, name)
      }
  }
}

function kindOf({ plural, group }: ResourceType<KubeObject>): string {
  return group === '' ? plural : `${plural}.${group}`
}
