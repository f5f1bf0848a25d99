import { builtinSchema } from './builtin-schemas.ts'
import type { JsonObject, KubeObject } from './objects.ts'
import { arrayAt, isObject, objectAt, stringAt, valueAt } from './objects.ts'
import type { Schema } from './schema.ts'
import { ApiStatusError } from './status-error.ts'

export interface PrinterColumn {
  name: string
  type: string
  format?: string
  description?: string
  jsonPath: string
  priority?: number
}

/** Paths of the scale subresource as lists of member names. */
export interface ScalePaths {
  specReplicas: string[]
  statusReplicas: string[]
  labelSelector?: string[]
}

/** All the server has to know about one kind of object; the rest of the code asks this table and names no kind. */
export interface ResourceDefinition {
  group: string
  version: string
  kind: string
  listKind: string
  plural: string
  singular: string
  namespaced: boolean
  shortNames: string[]
  categories: string[]
  hasStatus: boolean
  scale?: ScalePaths
  schema: Schema
  /** From a CRD: columns of its tables; absent: Name and Age. */
  columns?: PrinterColumn[]
  /** True when the kind came from a CustomResourceDefinition: no strategic merge patch, errors name the group. */
  custom: boolean
}

const builtin = (
  groupVersion: string,
  kind: string,
  plural: string,
  options: Partial<ResourceDefinition> & { model?: string } = {},
): ResourceDefinition => {
  const [group, version] = groupVersion.includes('/')
    ? (groupVersion.split('/') as [string, string])
    : ['', groupVersion]
  const { model = `V1${kind}`, ...rest } = options
  return {
    group,
    version,
    kind,
    listKind: `${kind}List`,
    plural,
    singular: kind.toLowerCase(),
    namespaced: true,
    shortNames: [],
    categories: [],
    hasStatus: false,
    custom: false,
    schema: builtinSchema(model),
    ...rest,
  }
}

const builtinResources = (): ResourceDefinition[] => [
  builtin('v1', 'Namespace', 'namespaces', { namespaced: false, shortNames: ['ns'], hasStatus: true }),
  builtin('v1', 'Node', 'nodes', { namespaced: false, shortNames: ['no'], hasStatus: true }),
  builtin('v1', 'Pod', 'pods', { shortNames: ['po'], categories: ['all'], hasStatus: true }),
  builtin('v1', 'Service', 'services', { shortNames: ['svc'], categories: ['all'], hasStatus: true }),
  builtin('v1', 'ConfigMap', 'configmaps', { shortNames: ['cm'] }),
  builtin('v1', 'Secret', 'secrets'),
  builtin('v1', 'ServiceAccount', 'serviceaccounts', { shortNames: ['sa'] }),
  builtin('v1', 'Event', 'events', { shortNames: ['ev'], model: 'CoreV1Event' }),
  builtin('events.k8s.io/v1', 'Event', 'events', { shortNames: ['ev'], model: 'EventsV1Event' }),
  builtin('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims', { shortNames: ['pvc'], hasStatus: true }),
  builtin('apps/v1', 'ControllerRevision', 'controllerrevisions'),
  builtin('coordination.k8s.io/v1', 'Lease', 'leases'),
  builtin('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets', { shortNames: ['pdb'], hasStatus: true }),
  builtin('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies', { shortNames: ['netpol'] }),
  builtin('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'customresourcedefinitions', {
    namespaced: false,
    shortNames: ['crd', 'crds'],
    hasStatus: true,
  }),
]

export class ResourceRegistry {
  readonly #definitions: ResourceDefinition[] = builtinResources()

  all(): readonly ResourceDefinition[] {
    return this.#definitions
  }

  find(group: string, version: string, plural: string): ResourceDefinition | undefined {
    return this.#definitions.find((one) => one.group === group && one.version === version && one.plural === plural)
  }

  findKind(apiVersion: string, kind: string): ResourceDefinition | undefined {
    return this.#definitions.find((one) => apiVersionOf(one) === apiVersion && one.kind === kind)
  }

  /** Group versions in the order of first registration, the core group first. */
  groupVersions(): { group: string; version: string }[] {
    const seen = new Map(
      this.#definitions.map((one) => [apiVersionOf(one), { group: one.group, version: one.version }]),
    )
    return [...seen.values()]
  }

  /**
   * Takes in (or replaces) the kind of a CRD. Throws a 422 ApiStatusError when it has no storage version that is
   * served.
   */
  addCustom(crd: KubeObject): ResourceDefinition {
    const definition = definitionOfCrd(crd)
    this.removeCustom(crd)
    this.#definitions.push(definition)
    return definition
  }

  removeCustom(crd: KubeObject): void {
    const group = stringAt(crd, 'spec', 'group')
    const plural = stringAt(crd, 'spec', 'names', 'plural')
    const index = this.#definitions.findIndex((one) => one.custom && one.group === group && one.plural === plural)
    if (index >= 0) this.#definitions.splice(index, 1)
  }
}

export function apiVersionOf(definition: { group: string; version: string }): string {
  return definition.group === '' ? definition.version : `${definition.group}/${definition.version}`
}

/** Key of a kind in the storage: independent of the version. */
export function storageKeyOf(definition: { group: string; plural: string }): string {
  return `${definition.group}/${definition.plural}`
}

function definitionOfCrd(crd: KubeObject): ResourceDefinition {
  const names = objectAt(crd, 'spec', 'names')
  const versions = arrayAt(crd, 'spec', 'versions').filter(isObject)
  const version = versions.find((one) => one['storage'] === true && one['served'] === true)
  const kind = stringAt(names, 'kind')
  const plural = stringAt(names, 'plural')
  const group = stringAt(crd, 'spec', 'group')
  const versionName = stringAt(version, 'name')
  if (
    version === undefined ||
    kind === undefined ||
    plural === undefined ||
    group === undefined ||
    versionName === undefined
  ) {
    throw new ApiStatusError(
      422,
      'Invalid',
      `CustomResourceDefinition "${crd.metadata.name}" is invalid: it needs spec.group, ` +
        'spec.names.kind, spec.names.plural and one version that is served and stored',
    )
  }
  const scale = scalePathsOf(version)
  const columns = arrayAt(version, 'additionalPrinterColumns')
  return {
    group,
    version: versionName,
    kind,
    plural,
    custom: true,
    listKind: stringAt(names, 'listKind') ?? `${kind}List`,
    singular: stringAt(names, 'singular') ?? kind.toLowerCase(),
    namespaced: stringAt(crd, 'spec', 'scope') !== 'Cluster',
    shortNames: stringsAt(names, 'shortNames'),
    categories: stringsAt(names, 'categories'),
    hasStatus: isObject(valueAt(version, 'subresources', 'status')),
    ...(scale === undefined ? {} : { scale }),
    // A CRD is data that its author wrote for this format; the walker treats what it does not know as absent.
    schema: (valueAt(version, 'schema', 'openAPIV3Schema') ?? { type: 'object' }) as Schema,
    ...(columns.length === 0 ? {} : { columns: columns as unknown as PrinterColumn[] }),
  }
}

function stringsAt(value: JsonObject, name: string): string[] {
  return arrayAt(value, name).filter((item) => typeof item === 'string')
}

function scalePathsOf(version: JsonObject): ScalePaths | undefined {
  const scale = valueAt(version, 'subresources', 'scale')
  if (!isObject(scale)) return undefined
  const selector = stringAt(scale, 'labelSelectorPath')
  return {
    specReplicas: memberNames(stringAt(scale, 'specReplicasPath') ?? '.spec.replicas'),
    statusReplicas: memberNames(stringAt(scale, 'statusReplicasPath') ?? '.status.replicas'),
    ...(selector === undefined ? {} : { labelSelector: memberNames(selector) }),
  }
}

const memberNames = (path: string): string[] => path.split('.').filter((name) => name !== '')
