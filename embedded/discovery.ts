import type { JsonObject } from './objects.ts'
import type { ResourceDefinition, ResourceRegistry } from './resources.ts'
import { apiVersionOf } from './resources.ts'

/** The version we claim: that of the Kubernetes whose behaviour is followed. */
export const serverVersion: JsonObject = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.3+millrace-embedded',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: 'node',
  platform: `${process.platform}/${process.arch}`,
}

export function coreVersions(): JsonObject {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }
}

const standardVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

/** Groups that exist only to answer reviews; they hold no objects. */
const reviewGroups = [
  { group: 'authorization.k8s.io', version: 'v1' },
  { group: 'authentication.k8s.io', version: 'v1' },
]

export function groupList(registry: ResourceRegistry): JsonObject {
  const versions = [...registry.groupVersions(), ...reviewGroups].filter(({ group }) => group !== '')
  const groups = versions.map(groupOf)
  return { kind: 'APIGroupList', apiVersion: 'v1', groups }
}

/** Description of one group, or undefined when there is none of that name. */
export function groupDescription(registry: ResourceRegistry, group: string): JsonObject | undefined {
  const found = [...registry.groupVersions(), ...reviewGroups].find((one) => one.group === group)
  return found === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(found) }
}

function groupOf({ group, version }: { group: string; version: string }): JsonObject {
  const one = { groupVersion: `${group}/${version}`, version }
  return { name: group, versions: [one], preferredVersion: one }
}

/** Resources of one group and version, or undefined when it does not exist. */
export function resourceList(registry: ResourceRegistry, group: string, version: string): JsonObject | undefined {
  const groupVersion = apiVersionOf({ group, version })
  const definitions = registry.all().filter((one) => one.group === group && one.version === version)
  const reviews = reviewResources[groupVersion] ?? []
  if (definitions.length === 0 && reviews.length === 0) return undefined
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion,
    resources: [
      ...definitions.flatMap(resourceEntries),
      ...reviews.map(([plural, kind]) => ({
        name: plural,
        singularName: '',
        namespaced: false,
        kind,
        verbs: ['create'],
      })),
    ],
  }
}

const reviewResources: Readonly<Record<string, [string, string][]>> = {
  'authorization.k8s.io/v1': [
    ['selfsubjectaccessreviews', 'SelfSubjectAccessReview'],
    ['selfsubjectrulesreviews', 'SelfSubjectRulesReview'],
  ],
  'authentication.k8s.io/v1': [['selfsubjectreviews', 'SelfSubjectReview']],
}

function resourceEntries(definition: ResourceDefinition): JsonObject[] {
  const { plural, singular, namespaced, kind, shortNames, categories } = definition
  const entries: JsonObject[] = [
    {
      name: plural,
      singularName: singular,
      namespaced,
      kind,
      verbs: standardVerbs,
      ...(shortNames.length === 0 ? {} : { shortNames }),
      ...(categories.length === 0 ? {} : { categories }),
    },
  ]
  const subresource = (name: string, extra: JsonObject): void => {
    entries.push({ name: `${plural}/${name}`, singularName: '', namespaced, kind, ...extra })
  }
  if (definition.hasStatus) subresource('status', { verbs: ['get', 'patch', 'update'] })
  if (definition.scale !== undefined)
    subresource('scale', { group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: ['get', 'patch', 'update'] })
  if (kind === 'Pod') subresource('log', { verbs: ['get'] })
  return entries
}
