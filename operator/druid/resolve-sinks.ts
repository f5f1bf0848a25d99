import type { DruidDatasource } from './druid-datasource.ts'
import { kafkaOf } from './kafka-of.ts'
import type { SpecProblem } from './spec-problem.ts'
import { isFields } from '../../runtime/model/fields.ts'

/** Datasources of the job's own namespace, by the name of the resource: others cannot be referred to. */
export type DatasourcesByName = ReadonlyMap<string, Pick<DruidDatasource, 'spec'>>

export interface ResolvedSpec<S> {
  /** The spec with every resolvable `sink.druid` completed; the input is not changed. */
  spec: S
  problems: SpecProblem[]
}

/**
 * Completes `sink: { druid: { datasource: NAME } }` with the brokers and topic that the DruidDatasource reads, since
 * the runtime has no access to Kubernetes. What the author wrote inline stays. Called before validation and before
 * the spec is handed to the coordinator. Pure.
 */
export function resolveDruidSinks<S extends object>(spec: S, datasources: DatasourcesByName): ResolvedSpec<S> {
  const graph: unknown = 'graph' in spec ? spec.graph : undefined
  if (!Array.isArray(graph)) return { spec, problems: [] }
  const problems: SpecProblem[] = []
  const resolved = graph.map((entry: unknown, index) =>
    resolveEntry(entry, `spec.graph[${index}].sink.druid`, datasources, problems),
  )
  return { spec: { ...spec, graph: resolved }, problems }
}

/** Names of the DruidDatasources that the job's sinks refer to: their changes concern the job. */
export function referredDatasources(spec: object): string[] {
  const graph: unknown = 'graph' in spec ? spec.graph : undefined
  if (!Array.isArray(graph)) return []
  return graph.flatMap((entry: unknown) => {
    const name = druidOptions(entry)?.['datasource']
    return typeof name === 'string' ? [name] : []
  })
}

function resolveEntry(entry: unknown, path: string, datasources: DatasourcesByName, problems: SpecProblem[]): unknown {
  const options = druidOptions(entry)
  if (!options || !isFields(entry) || !isFields(entry['sink'])) return entry
  const name = options['datasource']
  if (typeof name !== 'string') return entry
  const datasource = datasources.get(name)
  const kafka = datasource && kafkaOf(datasource.spec)
  if (!kafka) {
    if (options['brokers'] !== undefined && options['topic'] !== undefined) return entry
    problems.push({
      path: `${path}.datasource`,
      message: `there is no DruidDatasource '${name}' in this namespace`,
      hint: 'Create it, or write brokers and topic beside datasource.',
    })
    return entry
  }
  const topic = options['topic']
  if (topic !== undefined && topic !== kafka.topic) {
    problems.push({
      path: `${path}.topic`,
      message: `is '${String(topic)}', but the DruidDatasource '${name}' reads '${kafka.topic}'`,
      hint: 'Leave topic out.',
    })
  }
  return { ...entry, sink: { ...entry['sink'], druid: { brokers: kafka.brokers, topic: kafka.topic, ...options } } }
}

function druidOptions(entry: unknown): Readonly<Record<string, unknown>> | undefined {
  const sink = isFields(entry) ? entry['sink'] : undefined
  const druid = isFields(sink) ? sink['druid'] : undefined
  // with `replace` it loads into Druid itself
  return isFields(druid) && druid['replace'] === undefined ? druid : undefined
}
