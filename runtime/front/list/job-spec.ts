import type { ConnectorDeclarations } from '../../graph/connector-declaration.ts'
import { readEntries } from './entries.ts'
import type { Entry } from '../../graph/verbs/entry.ts'
import {
  DEFAULT_MAX_PARALLELISM,
  LARGEST_MAX_PARALLELISM,
  operatorOfInput,
  type JobGraph,
  type OperatorNode,
} from '../../graph/job-graph.ts'
import { describe, isFields, join, Problems, type Problem } from '../../graph/problems.ts'
import { readDuration } from '../../graph/verbs/source.ts'
import { readStateLimit } from '../../graph/state-limit.ts'
import { readModules } from './modules.ts'
import type { Stream, Surroundings } from '../../graph/stream.ts'
import { nodeOf, readOperator } from './read-operator.ts'
import { warnOfUpserts } from '../../plan/upsert-warnings.ts'
import { suggestion } from '../../expressions/suggest.ts'
import { parseDurationMs } from '../../model/time.ts'
import { unsupportedScheme } from '../../ports/store.ts'

const DEFAULT_CHECKPOINT_INTERVAL_MS = 10_000
const SHORTEST_CHECKPOINT_INTERVAL_MS = 10

/** Fields of a StreamJob's spec that say what is computed. */
const JOB_FIELDS = ['replicas', 'maxParallelism', 'checkpoints', 'state', 'modules', 'graph'] as const
/** Fields that say how it is kept running; the operator reads them and the API server checks their form. */
const PLATFORM_FIELDS = [
  'image',
  'imagePullPolicy',
  'imagePullSecrets',
  'env',
  'resources',
  'podTemplate',
  'desiredState',
  'restartNonce',
  'restore',
  'deletion',
] as const

/** `warnings` are what a sound job should be asked about; they stop nothing. */
export type Validation = { graph: JobGraph; warnings: readonly Problem[] } | { problems: readonly Problem[] }

/**
 * The one reading of a StreamJob's spec, for CLI, operator and coordinator alike. Pure, never throws: all that is
 * wrong comes back at once. Paths begin at `spec`.
 */
export function validateJob(spec: unknown, connectors: ConnectorDeclarations): Validation {
  const problems = new Problems()
  const fields = problems.fields(spec, 'spec', [...JOB_FIELDS, ...PLATFORM_FIELDS])
  if (fields === undefined) return { problems: problems.found }
  const maxParallelism = readCount(fields['maxParallelism'], DEFAULT_MAX_PARALLELISM, 'spec.maxParallelism', problems)
  if (maxParallelism > LARGEST_MAX_PARALLELISM)
    problems.report(
      'TOO_LARGE',
      'spec.maxParallelism',
      `is ${maxParallelism}, at most ${LARGEST_MAX_PARALLELISM} is taken`,
    )
  const parallelism = readReplicas(fields['replicas'], maxParallelism, 'spec.replicas', problems) ?? 1
  readCheckpoints(fields['checkpoints'], problems)
  const state = fields['state'] === undefined ? undefined : readStateLimit(fields['state'], 'spec.state', problems)
  const modules = readModules(fields['modules'], 'spec.modules', problems)
  // one whose place is wrong is still a module: what names it is not to blame
  const named = new Set(isFields(fields['modules']) ? Object.keys(fields['modules']) : [])
  const operators = readGraph(fields['graph'], maxParallelism, { connectors, modules: named }, problems)
  if (problems.found.length > 0) return { problems: problems.found }
  return {
    graph: { operators, parallelism, maxParallelism, modules, ...(state === undefined ? {} : { state }) },
    warnings: problems.warnings,
  }
}

export interface CheckpointSettings {
  intervalMs: number
  /** URL or path as written; absent: where the one who runs the job keeps checkpoints. */
  store?: string
}

/** Checkpoint settings of a spec that validateJob passed, defaults filled in. */
export function checkpointSettings(spec: unknown): CheckpointSettings {
  const checkpoints = isFields(spec) && isFields(spec['checkpoints']) ? spec['checkpoints'] : {}
  const { interval, store } = checkpoints
  return {
    intervalMs:
      (typeof interval === 'string' ? parseDurationMs(interval) : undefined) ?? DEFAULT_CHECKPOINT_INTERVAL_MS,
    ...(typeof store === 'string' ? { store } : {}),
  }
}

function readGraph(list: unknown, maxParallelism: number, around: Surroundings, problems: Problems): OperatorNode[] {
  const entries = readEntries(list, 'spec.graph', problems)
  const streams = new Map<string, Stream>()
  const nodes: OperatorNode[] = []
  for (const entry of entries) {
    const inputs = entry.from.map(
      (name, index): Stream => streams.get(name) ?? unknownInput(entry, name, index, streams, problems),
    )
    const read = readOperator(entry, inputs, around, problems)
    streams.set(entry.id, read.stream)
    for (const [output, stream] of Object.entries(read.sideOutputs ?? {})) streams.set(`${entry.id}.${output}`, stream)
    const node = nodeOf(entry, read, readOwnReplicas(entry, maxParallelism, problems))
    if (node === undefined) continue
    warnOfUpserts(node, entry.path, nodes, problems)
    nodes.push(node)
  }
  return nodes
}

/** That an operator is missing was reported before; that it lacks a side output is known only now. */
function unknownInput(
  entry: Entry,
  name: string,
  index: number,
  streams: ReadonlyMap<string, Stream>,
  problems: Problems,
): Stream {
  const operator = operatorOfInput(name)
  if (operator !== name && streams.get(operator)?.schema !== undefined) {
    const path = Array.isArray(entry.fields['from']) ? join(join(entry.path, 'from'), index) : join(entry.path, 'from')
    const outputs = [...streams.keys()].filter((known) => known.startsWith(`${operator}.`))
    problems.report(
      'UNKNOWN_INPUT',
      path,
      `"${operator}" has no side output "${name.slice(operator.length + 1)}"`,
      outputs.length === 0 ? 'it has none at all' : suggestion(name, outputs),
    )
  }
  return { time: { kind: 'unknown' } }
}

function readOwnReplicas(entry: Entry, maxParallelism: number, problems: Problems): number | undefined {
  return readReplicas(entry.fields['replicas'], maxParallelism, join(entry.path, 'replicas'), problems)
}

function readReplicas(value: unknown, maxParallelism: number, path: string, problems: Problems): number | undefined {
  if (value === undefined) return undefined
  const replicas = problems.count(value, path)
  if (replicas !== undefined && replicas > maxParallelism) {
    problems.report(
      'REPLICAS_ABOVE_MAX',
      path,
      `replicas ${replicas} is above maxParallelism ${maxParallelism}`,
      'maxParallelism is fixed once the job has state: choose it before the first start',
    )
    return undefined
  }
  return replicas
}

function readCount(value: unknown, otherwise: number, path: string, problems: Problems): number {
  return value === undefined ? otherwise : (problems.count(value, path) ?? otherwise)
}

function readCheckpoints(value: unknown, problems: Problems): void {
  if (value === undefined) return
  const fields = problems.fields(value, 'spec.checkpoints', ['interval', 'store'])
  if (fields === undefined) return
  const { interval, store } = fields
  const ms = interval === undefined ? undefined : readDuration(interval, 'spec.checkpoints.interval', problems)
  if (ms !== undefined && ms < SHORTEST_CHECKPOINT_INTERVAL_MS) {
    problems.report(
      'DURATION_INVALID',
      'spec.checkpoints.interval',
      `${describe(interval)} is shorter than ${SHORTEST_CHECKPOINT_INTERVAL_MS}ms`,
    )
  }
  const url = store === undefined ? undefined : problems.text(store, 'spec.checkpoints.store', 1024)
  const scheme = url === undefined ? undefined : unsupportedScheme(url)
  if (scheme !== undefined)
    problems.report(
      'STORE_UNSUPPORTED',
      'spec.checkpoints.store',
      `there is no store of kind "${scheme}"`,
      'use file:///folder or a plain path',
    )
}
