import type { KubeEvent, KubeObject, Lease, Pod, Secret, Service } from './objects.ts'

/** Names one resource of the API and ties it to its TypeScript type. All of ours are namespaced. */
export interface ResourceType<T extends KubeObject> {
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  /** Never set: carries T, so that `kube.get(pods, …)` answers a Pod. */
  readonly objectType?: T
}

export const pods: ResourceType<Pod> = { group: '', version: 'v1', plural: 'pods', kind: 'Pod' }
export const secrets: ResourceType<Secret> = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret' }
export const services: ResourceType<Service> = { group: '', version: 'v1', plural: 'services', kind: 'Service' }
export const kubeEvents: ResourceType<KubeEvent> = { group: '', version: 'v1', plural: 'events', kind: 'Event' }
export const leases: ResourceType<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
}

export function apiVersionOf(resource: ResourceType<KubeObject>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}
