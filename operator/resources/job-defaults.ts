import { isFields, membersOf, memberOf } from '../../runtime/model/fields.ts'
import type { Fields } from '../../runtime/model/fields.ts'
import type { StreamJobSpec } from '../api/stream-job.ts'
import type { Role } from './labels.ts'
import { podTemplateOf } from './pod-template.ts'
import type { PodTemplate } from './pod-template.ts'

/** What a release gives to all of its jobs. The spec of a job goes over it. */
export interface JobDefaults {
  readonly imagePullSecrets?: readonly { name: string }[]
  /** As `spec.podTemplate`. */
  readonly podTemplate?: Fields
  /** Requests and limits of workers. */
  readonly resources?: Fields
  readonly coordinator?: { readonly resources?: Fields }
  /** Limit of the temporary volume of a pod, e.g. 10Gi. */
  readonly tmpSize?: string
}

export function templateFor({ podTemplate }: StreamJobSpec, defaults: JobDefaults | undefined): PodTemplate {
  const base = podTemplateOf(defaults?.podTemplate)
  const own = podTemplateOf(podTemplate)
  return {
    labels: { ...base.labels, ...own.labels },
    annotations: { ...base.annotations, ...own.annotations },
    spec: merged(base.spec, own.spec),
    container: merged(base.container, own.container),
  }
}

export function pullSecretsOf(
  { imagePullSecrets = [] }: StreamJobSpec,
  defaults: JobDefaults | undefined,
): readonly unknown[] {
  return mergedLists(defaults?.imagePullSecrets ?? [], imagePullSecrets, 'name')
}

const LEAST: Fields = { requests: { cpu: '100m', memory: '128Mi' } }

/**
 * Requests and limits of a container. What the job says in `resources` and in its template is joined, `resources` first.
 * The release gives the rest, which the job does not name at all: a job that requests memory gets no limit of memory from
 * it that might be less.
 */
export function resourcesOf(role: Role, spec: StreamJobSpec, defaults: JobDefaults | undefined): Fields {
  const base = (role === 'coordinator' ? defaults?.coordinator?.resources : defaults?.resources) ?? LEAST
  const own =
    role === 'coordinator'
      ? membersOf(spec.coordinator?.resources)
      : merged(membersOf(podTemplateOf(spec.podTemplate).container['resources']), membersOf(spec.resources))
  const named = new Set(AMOUNTS.flatMap((amounts) => Object.keys(membersOf(own[amounts]))))
  const rest = AMOUNTS.map((amounts) => {
    const kept = Object.entries(membersOf(base[amounts])).filter(([name]) => !named.has(name))
    return [amounts, Object.fromEntries(kept)] as const
  })
  const all = merged({ ...base, ...Object.fromEntries(rest) }, own)
  return Object.fromEntries(
    Object.entries(all).filter(([, value]) => !isFields(value) || Object.keys(value).length > 0),
  )
}

const AMOUNTS = ['requests', 'limits'] as const

/** Lists of things with names, as `kubectl` merges them; every other list is replaced as a whole. */
const NAMED_BY: ReadonlyMap<string, string> = new Map([
  ['volumes', 'name'],
  ['env', 'name'],
  ['volumeMounts', 'mountPath'],
  ['hostAliases', 'ip'],
])

/** Mappings are merged, named things by their names; else `over` wins. */
function merged(base: Fields, over: Fields): Fields {
  const both = Object.entries(over).map(([name, value]): [string, unknown] => {
    const before = memberOf(base, name)
    const key = NAMED_BY.get(name)
    if (isFields(before) && isFields(value)) return [name, merged(before, value)]
    if (key !== undefined && Array.isArray(before) && Array.isArray(value))
      return [name, mergedLists(before, value, key)]
    return [name, value]
  })
  return { ...base, ...Object.fromEntries(both) }
}

function mergedLists(base: readonly unknown[], over: readonly unknown[], key: string): unknown[] {
  const nameOf = (one: unknown): unknown => memberOf(membersOf(one), key)
  const names = new Set(over.map(nameOf))
  return [...base.filter((one) => !names.has(nameOf(one))), ...over]
}
