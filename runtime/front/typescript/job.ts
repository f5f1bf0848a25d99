import type { ModuleSource } from '../../model/user-module.ts'
import { entryOf, JOB_MODULE, nodesOf, type GraphNode, type UserCode } from './graph.ts'
import { checkObject, refuse } from './misuse.ts'
import type { Duration } from './windows.ts'

export interface JobDefinition {
  /** The StreamJob's name. */
  readonly name: string
  /** The ends of the graph; what no sink reads is not part of the job. */
  readonly sinks: readonly GraphNode[]
  /** Parallelism of every operator that has none of its own. */
  readonly replicas?: number
  readonly maxParallelism?: number
  readonly checkpoints?: { readonly interval?: Duration; readonly store?: string }
  /**
   * How many bytes of the rows that operators keep may be in the memory of one slot (`2Gi`), and where the rest
   * goes.
   */
  readonly state?: { readonly memory: string; readonly folder?: string }
  /** The job fails at its end when an operator has skipped a larger share of its records: `5%` without it. */
  readonly maxBadShare?: `${number}%`
  /** Other fields of a StreamJob's spec: image, resources, env, … */
  readonly spec?: Readonly<Record<string, unknown>>
}

/** What a job's file exports by default. */
export class Job {
  readonly name: string
  /** The graph list: plain data, with the names of the functions. */
  readonly graph: readonly Readonly<Record<string, unknown>>[]
  /** By name: the id of the operator that calls them, so that nothing depends on where they stand in the file. */
  readonly functions: Readonly<Record<string, UserCode>>
  /** What streams were declared to be, by operator: fields and their types. */
  readonly declared: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly #settings: Readonly<Record<string, unknown>>

  constructor(definition: JobDefinition) {
    checkDefinition(definition)
    const { name, sinks, spec = {}, ...settings } = definition
    const nodes = nodesOf(sinks)
    this.name = name
    this.graph = nodes.map(entryOf)
    this.functions = Object.assign({}, ...nodes.map((node) => node.functions)) as Record<string, UserCode>
    this.declared = Object.fromEntries(
      nodes.flatMap((node) => (node.declares === undefined ? [] : [[node.id, node.declares]])),
    )
    this.#settings = { ...settings, ...spec }
  }

  /** The spec of the StreamJob whose functions are loaded from `module`. */
  spec(module: ModuleSource): Readonly<Record<string, unknown>> {
    const hasFunctions = Object.keys(this.functions).length > 0
    return {
      ...this.#settings,
      ...(hasFunctions ? { modules: { [JOB_MODULE]: writtenSource(module) } } : {}),
      graph: this.graph,
    }
  }
}

/** Makes a job of the graphs that end in these sinks: `export default job({ name: 'hot-auctions', sinks: [...] })`. */
export function job(definition: JobDefinition): Job {
  return new Job(definition)
}

function writtenSource(source: ModuleSource): Readonly<Record<string, string>> {
  switch (source.kind) {
    case 'path':
      return { path: source.path }
    case 'image':
      return { image: source.path }
    case 'configMap':
      return { configMap: source.name, key: source.key }
  }
}

function checkDefinition(definition: unknown): void {
  const example = "job({ name: 'my-job', sinks: [out.sink('out', print())] })"
  checkObject('the definition of a job', definition, example)
  const { name, sinks }: { name?: unknown; sinks?: unknown } = definition as object
  if (typeof name !== 'string') refuse('the name of a job', 'a text', name, example)
  if (!Array.isArray(sinks)) refuse('sinks of a job', 'a list of sinks', sinks, example)
  for (const sink of sinks as readonly unknown[])
    if (typeof sink !== 'object' || sink === null || !('from' in sink) || !('fields' in sink))
      refuse('each of the sinks of a job', 'a sink', sink, example)
}
