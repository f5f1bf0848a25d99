import { isFields, memberOf, membersOf } from '../../runtime/model/fields.ts'
import { join } from '../../runtime/graph/problems.ts'
import type { Fields } from '../../runtime/model/fields.ts'
import type { Origin, Problem } from '../../runtime/graph/problems.ts'

/** What a podTemplate may say; everything else is refused with its path, never silently dropped. */
const POD_FIELDS = [
  'nodeSelector',
  'affinity',
  'tolerations',
  'topologySpreadConstraints',
  'priorityClassName',
  'schedulerName',
  'runtimeClassName',
  'dnsPolicy',
  'dnsConfig',
  'hostAliases',
  'terminationGracePeriodSeconds',
  'volumes',
  'securityContext',
  'containers',
  'serviceAccountName',
] as const
const CONTAINER_FIELDS = ['name', 'env', 'envFrom', 'resources', 'volumeMounts'] as const
/** Volume kinds that Pod Security "restricted" allows. */
const VOLUME_KINDS = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
]
/** Numbers only: who the processes run as. Root is refused. */
const SECURITY_FIELDS = ['runAsUser', 'runAsGroup', 'fsGroup', 'supplementalGroups', 'fsGroupChangePolicy'] as const
export const CONTAINER_NAME = 'millrace'
const OURS = /^([-a-z0-9]+\.)*millrace\.dev\//
const RESERVED_LABELS = /^app\.kubernetes\.io\//

export interface PodTemplate {
  labels: Record<string, string>
  annotations: Record<string, string>
  spec: Fields
  container: Fields
}

/**
 * The template's parts that go under the fixed fields. Unknown or forbidden ones were refused by
 * podTemplateProblems.
 */
export function podTemplateOf(template: unknown): PodTemplate {
  const { metadata, spec } = membersOf(template)
  const { containers, ...rest } = membersOf(spec)
  return {
    labels: texts(membersOf(metadata)['labels']),
    annotations: texts(membersOf(metadata)['annotations']),
    spec: rest,
    container: Array.isArray(containers) ? membersOf(containers[0]) : {},
  }
}

/** Everything in a podTemplate, env or resources that we do not allow. Pure; run before a spec is accepted. */
export function podProblems(spec: Fields, origin: Origin): Problem[] {
  return [
    ...podTemplateProblems(spec['podTemplate'], 'spec.podTemplate'),
    ...envProblems(spec['env'], 'spec.env'),
    // a spec that was kept by an operator which took both goes on as it was
    ...(origin === 'written' ? resourceProblems(spec) : []),
  ]
}

/** `resources` and the template may each name amounts. Two values for one amount are refused: no rule about which counts. */
function resourceProblems({ resources, podTemplate }: Fields): Problem[] {
  const inTemplate = membersOf(podTemplateOf(podTemplate).container['resources'])
  return Object.entries(membersOf(resources)).flatMap(([amounts, values]) =>
    Object.entries(membersOf(values)).flatMap(([name, value]) => {
      const other = memberOf(membersOf(memberOf(inTemplate, amounts)), name)
      if (other === undefined || other === value) return []
      const message = `is ${JSON.stringify(value)}, and ${JSON.stringify(other)} in podTemplate.spec.containers[0]`
      return [problem('RESOURCES_AMBIGUOUS', `spec.resources.${amounts}.${name}`, message, 'take one of them out')]
    }),
  )
}

/** `path` is where the template stands. */
export function podTemplateProblems(template: unknown, path: string): Problem[] {
  if (template === undefined) return []
  if (!isFields(template)) return [problem('TYPE_MISMATCH', path, 'must be a mapping with metadata and spec')]
  const found = unknownFields(template, ['metadata', 'spec'], path)
  const metadata = membersOf(template['metadata'])
  found.push(...unknownFields(metadata, ['labels', 'annotations'], `${path}.metadata`))
  for (const part of ['labels', 'annotations'] as const) {
    for (const name of Object.keys(membersOf(metadata[part]))) {
      if (OURS.test(name) || RESERVED_LABELS.test(name))
        found.push(problem('POD_FIELD_FORBIDDEN', join(`${path}.metadata.${part}`, name), 'is set by the operator'))
    }
  }
  const spec = membersOf(template['spec'])
  found.push(...unknownFields(spec, POD_FIELDS, `${path}.spec`))
  found.push(...securityProblems(spec['securityContext'], `${path}.spec.securityContext`))
  found.push(...volumeProblems(spec['volumes'], `${path}.spec.volumes`))
  found.push(...containerProblems(spec['containers'], `${path}.spec.containers`))
  return found
}

function containerProblems(containers: unknown, path: string): Problem[] {
  if (containers === undefined) return []
  if (!Array.isArray(containers) || containers.length !== 1 || membersOf(containers[0])['name'] !== CONTAINER_NAME) {
    return [problem('POD_FIELD_FORBIDDEN', path, `may hold one container, named "${CONTAINER_NAME}"`)]
  }
  const container = membersOf(containers[0])
  return [
    ...unknownFields(container, CONTAINER_FIELDS, `${path}[0]`),
    ...envProblems(container['env'], `${path}[0].env`),
  ]
}

function securityProblems(context: unknown, path: string): Problem[] {
  const fields = membersOf(context)
  const found = unknownFields(fields, SECURITY_FIELDS, path)
  if (fields['runAsUser'] === 0)
    found.push(
      problem(
        'POD_FIELD_FORBIDDEN',
        `${path}.runAsUser`,
        'is 0 (root)',
        'Pod Security "restricted" demands another user',
      ),
    )
  return found
}

function volumeProblems(volumes: unknown, path: string): Problem[] {
  if (!Array.isArray(volumes)) return []
  return volumes.flatMap((volume: unknown, index) => {
    const { name, ...kinds } = membersOf(volume)
    const at = join(path, index)
    if (name === TMP_VOLUME || name === STORE_VOLUME || name === MODULES_VOLUME)
      return [problem('POD_FIELD_FORBIDDEN', at, `the name "${name}" is taken`)]
    return Object.keys(kinds)
      .filter((kind) => !VOLUME_KINDS.includes(kind))
      .map((kind) =>
        problem(
          'POD_FIELD_FORBIDDEN',
          join(at, kind),
          'is not allowed by Pod Security "restricted"',
          `take one of ${VOLUME_KINDS.join(', ')}`,
        ),
      )
  })
}

export const TMP_VOLUME = 'millrace-tmp'
export const STORE_VOLUME = 'millrace-store'
export const MODULES_VOLUME = 'millrace-modules'

function envProblems(env: unknown, path: string): Problem[] {
  if (!Array.isArray(env)) return []
  return env.flatMap((entry: unknown, index) => {
    const name = membersOf(entry)['name']
    const taken = typeof name === 'string' && (name.startsWith('MILLRACE_') || name === 'NODE_OPTIONS')
    return taken ? [problem('ENV_RESERVED', join(join(path, index), 'name'), `"${name}" is set by the operator`)] : []
  })
}

function unknownFields(fields: Fields, allowed: readonly string[], path: string): Problem[] {
  return Object.keys(fields)
    .filter((name) => !allowed.includes(name))
    .map((name) =>
      problem(
        'POD_FIELD_FORBIDDEN',
        join(path, name),
        'may not be set in a podTemplate',
        `allowed are ${allowed.join(', ')}`,
      ),
    )
}

function problem(code: string, path: string, message: string, hint?: string): Problem {
  return { code, path, message, ...(hint === undefined ? {} : { hint }) }
}

function texts(value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(membersOf(value)).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}
