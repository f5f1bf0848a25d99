import type { ErrorReport } from '../../runtime/model/errors.ts'
import { isFields } from '../../runtime/plan/problems.ts'
import type { Fields } from '../../runtime/plan/problems.ts'
import { druidDatasources } from '../druid/druid-datasource.ts'
import { isNotFound } from '../kube/errors.ts'
import type { Kube } from '../kube/kube.ts'

export interface BoundSpec {
  jobSpec: Readonly<Record<string, unknown>>
  /** A DruidDatasource that is named and not there. */
  waitsFor: ErrorReport | undefined
}

/**
 * `sink: { druid: { datasource } }` names a DruidDatasource of the same namespace: its brokers and topic are written
 * beside the name, since pods may not ask the API server. What the user wrote there stays.
 */
export async function bindDruidSinks(kube: Kube, namespace: string, jobSpec: Readonly<Record<string, unknown>>): Promise<BoundSpec> {
  const graph: unknown[] = Array.isArray(jobSpec['graph']) ? jobSpec['graph'] : []
  const bound: unknown[] = []
  for (const entry of graph) {
    const options = druidOptions(entry)
    const name = options?.['datasource']
    if (options === undefined || typeof name !== 'string' || !isFields(entry)) { bound.push(entry); continue }
    try {
      const { brokers, topic } = (await kube.get(druidDatasources, { namespace, name })).spec.kafka
      bound.push({ ...entry, sink: { druid: { brokers, topic, ...options } } })
    } catch (error) {
      if (!isNotFound(error)) throw error
      const message = `The sink "${String(entry['id'])}" names the DruidDatasource ${name}, which is not in this namespace.`
      return { jobSpec, waitsFor: { code: 'DATASOURCE_MISSING', message, domain: 'user', retriable: true } }
    }
  }
  return { jobSpec: bound.length === 0 ? jobSpec : { ...jobSpec, graph: bound }, waitsFor: undefined }
}

function druidOptions(entry: unknown): Fields | undefined {
  if (!isFields(entry) || !isFields(entry['sink'])) return undefined
  const { druid } = entry['sink']
  return isFields(druid) ? druid : undefined
}
