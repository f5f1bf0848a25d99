import { simulatedConnectors } from './simulated-connectors.ts'
import { MillraceError } from '../runtime/model/errors.ts'
import type { JobGraph, OperatorNode } from '../runtime/graph/job-graph.ts'
import { validateJob } from '../runtime/front/job-spec.ts'
import { isFields } from '../runtime/model/fields.ts'
import type { ModuleExports, ModuleLoader } from '../runtime/ports/modules.ts'
import { readInput } from './simulated-input.ts'
import { definitionOf } from '../runtime/graph/verbs/all.ts'

/** How long the input takes in virtual time, and between checkpoints: some twenty of them, whatever the job is like. */
const SPAN_S = 2.4
const INTERVAL = '120ms'
/** In the simulation's own file system. */
const OUTPUT = '/simulated-output'

export interface UserJobParts {
  /** As `millrace run` takes it, checked. */
  spec: unknown
  baseDir: string
  /** At most so many rows of each file, and of a source that makes its rows. */
  limit: number
  modules: ModuleLoader
}

/** A job of a user with all it reads, ready to be simulated any number of times. */
export interface UserJob {
  /** The number of replicas that its author wrote. */
  replicas: number
  maxReplicas: number
  specOf(replicas: number): object
  baseDir: string
  files: ReadonlyMap<string, Uint8Array>
  modules: Readonly<Record<string, ModuleExports>>
  outputFolders: readonly string[]
  rows: number
  /** Operators that put rows out as others arrive: which ones come hangs on the order. */
  orderBound: readonly string[]
}

/**
 * Takes the job into the simulation: its input is read once, its code is loaded once, its sinks write JSON lines
 * into the simulation's files, its sources are slowed so that faults find it at work, checkpoints come often. What
 * it computes stays as it is. Throws SIM_OUTSIDE when it needs other systems, and what reading input and modules
 * throws.
 */
export async function prepareUserJob({ spec, baseDir, limit, modules }: UserJobParts): Promise<UserJob> {
  const validation = validateJob(spec, simulatedConnectors)
  if ('problems' in validation || !isFields(spec))
    throw new MillraceError('SPEC_INVALID', 'the job has not been checked')
  const { graph } = validation
  refuseOutside(graph)
  const files = new Map<string, Uint8Array>()
  const rowsOf = new Map<string, number>()
  for (const { id, verb } of graph.operators) {
    if (verb.kind !== 'source') continue
    const input = await readInput(verb, baseDir, limit)
    for (const [path, bytes] of input.files) files.set(path, bytes)
    rowsOf.set(id, input.rows)
  }
  const entries = readEntries(spec['graph']).map((entry) =>
    simulatedEntry(
      entry,
      graph.operators.find(({ id }) => id === entry['id']),
      rowsOf,
    ),
  )
  return {
    replicas: graph.parallelism,
    maxReplicas: graph.maxParallelism,
    baseDir,
    files,
    specOf: (replicas) => ({
      ...spec,
      replicas,
      checkpoints: { interval: INTERVAL },
      restore: undefined,
      graph: entries,
    }),
    modules: Object.fromEntries(
      await Promise.all(
        Object.entries(graph.modules ?? {}).map(
          async ([name, source]) => [name, await modules.load(name, source, baseDir)] as const,
        ),
      ),
    ),
    outputFolders: graph.operators.filter(({ verb }) => verb.kind === 'sink').map(({ id }) => `${OUTPUT}/${id}`),
    rows: [...rowsOf.values()].reduce((sum, rows) => sum + rows, 0),
    orderBound: graph.operators.filter((node) => definitionOf(node).dependsOnArrival).map(({ id }) => id),
  }
}

/** Refuses a job that reaches systems outside of the simulation, and names all of them at once. */
function refuseOutside({ operators }: JobGraph): void {
  const outside = operators.flatMap((node) => {
    const { id, verb, onError } = node
    const letters =
      onError?.kind === 'deadLetter' && onError.connector !== 'file'
        ? [`the dead letters of ${id} go to ${onError.connector}`]
        : []
    if (verb.kind === 'source')
      return verb.connector === 'file' || verb.connector === 'nexmark'
        ? letters
        : [`source ${id} reads from ${verb.connector}`, ...letters]
    if (verb.kind === 'sink' && verb.connector !== 'file' && verb.connector !== 'console')
      return [`sink ${id} writes to ${verb.connector}`]
    const service = definitionOf(node).service(verb)
    return service === undefined ? letters : [`${id} calls ${service}`, ...letters]
  })
  if (outside.length === 0) return
  throw new MillraceError('SIM_OUTSIDE', `the job reaches systems that cannot be simulated: ${outside.join('; ')}`, {
    domain: 'user',
    hint: 'simulate the graph between with a file or nexmark source and a file sink; the connectors themselves are tested against the real systems',
  })
}

type Entry = Readonly<Record<string, unknown>>

function readEntries(graph: unknown): Entry[] {
  return Array.isArray(graph) ? graph.filter((entry) => isFields(entry)) : []
}

function simulatedEntry(entry: Entry, node: OperatorNode | undefined, rowsOf: ReadonlyMap<string, number>): Entry {
  if (node?.verb.kind === 'sink') return { ...entry, sink: { file: { path: `${OUTPUT}/${node.id}`, format: 'json' } } }
  if (node?.verb.kind !== 'source') return entry
  const { connector, options } = node.verb
  const rows = rowsOf.get(node.id) ?? 0
  return {
    ...entry,
    source: {
      [connector]: {
        ...options,
        ...(connector === 'nexmark' ? { events: rows } : {}),
        rate: `${Math.max(1, Math.ceil(rows / SPAN_S))}/s`,
      },
    },
  }
}
