import type { DruidDatasource } from './druid-datasource.ts'
import { dataSourceOf } from './druid-datasource.ts'
import type { SpecProblem } from './spec-problem.ts'

/** Names as the operator's configuration writes them: exact, or the beginning of a name and `*`. */
export interface AllowedUse {
  namespaces: readonly string[]
  datasources: readonly string[]
}

/** Why this resource may not use that Druid; undefined when it may. A Druid without rules is open to all. Pure. */
export function useProblem(
  druid: string,
  uses: readonly AllowedUse[],
  resource: Pick<DruidDatasource, 'metadata' | 'spec'>,
): SpecProblem | undefined {
  const { namespace = 'default' } = resource.metadata
  const dataSource = dataSourceOf(resource)
  // The rules of other namespaces are nobody's business here.
  const own = uses.filter(({ namespaces }) => namespaces.some((pattern) => fits(pattern, namespace)))
  const names = own.flatMap(({ datasources }) => datasources)
  if (uses.length === 0) return undefined
  if (names.some((pattern) => fits(pattern, dataSource)))
    return lookupProblem(druid, namespace, names, resource.spec.lookups ?? [])
  const may = names.length === 0 ? 'none of its datasources' : `its datasources ${names.join(', ')}`
  return {
    path: resource.spec.dataSource === undefined ? 'metadata.name' : 'spec.dataSource',
    message: `namespace '${namespace}' may use ${may} of Druid '${druid}', not '${dataSource}'`,
    hint: `Ask who runs the operator to add namespace '${namespace}' and datasource '${dataSource}' to druids.${druid}.allowed.`,
  }
}

/** Lookups are those of the whole Druid: their names follow the rules of datasources. */
function lookupProblem(
  druid: string,
  namespace: string,
  names: readonly string[],
  lookups: NonNullable<DruidDatasource['spec']['lookups']>,
): SpecProblem | undefined {
  const at = lookups.findIndex(({ name }) => !names.some((pattern) => fits(pattern, name)))
  const { name } = lookups[at] ?? {}
  if (name === undefined) return undefined
  return {
    path: `spec.lookups[${at}].name`,
    message: `namespace '${namespace}' may name lookups of Druid '${druid}' as its datasources ${names.join(', ')}, not '${name}'`,
    hint: `Ask who runs the operator to add '${name}' to druids.${druid}.allowed.`,
  }
}

/** Whether a rule can be read as it was meant. */
export function isNamePattern(text: unknown): text is string {
  return typeof text === 'string' && /^(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?\*?$/.test(text) && text !== ''
}

function fits(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}
