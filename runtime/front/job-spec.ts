import type { FrontEnd } from './front-end.ts'
import { list } from './list/list.ts'
import { readModules } from './modules.ts'
import { readReplicas } from './replicas.ts'
import type { ConnectorDeclarations } from '../graph/connector-declaration.ts'
import {
  DEFAULT_MAX_PARALLELISM,
  LARGEST_MAX_PARALLELISM,
  type CheckpointSettings,
  type JobGraph,
} from '../graph/job-graph.ts'
import { MillraceError } from '../model/errors.ts'
import { isFields, memberOf } from '../model/fields.ts'
import { describe, type Origin, Problems, type Problem } from '../graph/problems.ts'
import { readStateLimit } from '../graph/state-limit.ts'
import { readDuration } from '../graph/verbs/kit/durations.ts'
import { checkStoreUrl } from '../ports/store-url.ts'

const DEFAULT_CHECKPOINT_INTERVAL_MS = 10_000
const SHORTEST_CHECKPOINT_INTERVAL_MS = 10
const LONGEST_CHECKPOINT_INTERVAL_MS = 7 * 86_400_000

/** The languages in which the graph of a job may be written. */
const FRONT_ENDS: readonly FrontEnd[] = [list]

/** Fields of a StreamJob's spec that say what is computed. */
const JOB_FIELDS: readonly string[] = [
  'replicas',
  'maxParallelism',
  'checkpoints',
  'state',
  'maxBadShare',
  'modules',
  ...FRONT_ENDS.map(({ field }) => field),
]
/** Fields that say how it is kept running; the operator reads them and the API server checks their form. */
const PLATFORM_FIELDS: readonly string[] = [
  'image',
  'imagePullPolicy',
  'imagePullSecrets',
  'env',
  'resources',
  'coordinator',
  'podTemplate',
  'desiredState',
  'restartNonce',
  'restore',
  'savepoints',
  'deletion',
  'upgrade',
  'autoscaler',
]

/** `warnings` are what a sound job should be asked about; they stop nothing. */
export type Validation = { graph: JobGraph; warnings: readonly Problem[] } | { problems: readonly Problem[] }

/**
 * The one reading of a StreamJob's spec, for CLI, operator and coordinator alike. Pure, never throws: all that is
 * wrong comes back at once. Paths begin at `spec`.
 */
export function validateJob(spec: unknown, connectors: ConnectorDeclarations, origin: Origin = 'written'): Validation {
  const { value: graph, found, warnings } = Problems.gather((problems) => readGraph(spec, connectors, problems), origin)
  return graph === undefined || found.length > 0 ? { problems: found } : { graph, warnings }
}

function readGraph(spec: unknown, connectors: ConnectorDeclarations, problems: Problems): JobGraph | undefined {
  const fields = problems.fields(spec, 'spec', [...JOB_FIELDS, ...PLATFORM_FIELDS])
  if (fields === undefined) return undefined
  const maxParallelism = readMaxParallelism(fields['maxParallelism'], problems)
  const parallelism = readReplicas(fields['replicas'], maxParallelism, 'spec.replicas', problems) ?? 1
  const checkpoints = readCheckpoints(fields['checkpoints'], problems)
  const state = fields['state'] === undefined ? undefined : readStateLimit(fields['state'], 'spec.state', problems)
  const maxBadShare = readMaxBadShare(fields['maxBadShare'], problems)
  const modules = readModules(fields['modules'], 'spec.modules', problems)
  // A module whose place is wrong is still a module: an operator that names it is not to blame.
  const named = new Set(isFields(fields['modules']) ? Object.keys(fields['modules']) : [])
  const frontEnd = frontEndOf(fields)
  const operators = frontEnd.read(
    memberOf(fields, frontEnd.field),
    { connectors, modules: named, maxParallelism },
    problems,
  )
  return {
    operators,
    parallelism,
    maxParallelism,
    checkpoints,
    modules,
    ...(state === undefined ? {} : { state }),
    ...(maxBadShare === undefined ? {} : { maxBadShare }),
  }
}

function frontEndOf(spec: Readonly<Record<string, unknown>>): FrontEnd {
  return FRONT_ENDS.find(({ field }) => memberOf(spec, field) !== undefined) ?? list
}

/** The part of a spec that says what is computed: an edit of any other field leaves the job's revision as it is. */
export function jobSpecOf(spec: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(spec).filter(([name, value]) => JOB_FIELDS.includes(name) && value !== undefined),
  )
}

/** A sound spec in which operators that say no number of slots have these. */
export function withReplicas(
  spec: Readonly<Record<string, unknown>>,
  replicas: ReadonlyMap<string, number>,
): Record<string, unknown> {
  const { field, withReplicas: scaled } = frontEndOf(spec)
  return { ...spec, [field]: scaled(memberOf(spec, field), replicas) }
}

function readMaxParallelism(value: unknown, problems: Problems): number {
  const path = 'spec.maxParallelism'
  const maxParallelism = (value === undefined ? undefined : problems.count(value, path)) ?? DEFAULT_MAX_PARALLELISM
  if (maxParallelism > LARGEST_MAX_PARALLELISM)
    problems.report('TOO_LARGE', path, `is ${maxParallelism}, at most ${LARGEST_MAX_PARALLELISM} is taken`)
  return maxParallelism
}

function readCheckpoints(value: unknown, problems: Problems): CheckpointSettings {
  const otherwise = { intervalMs: DEFAULT_CHECKPOINT_INTERVAL_MS }
  if (value === undefined) return otherwise
  const fields = problems.fields(value, 'spec.checkpoints', ['interval', 'store'])
  if (fields === undefined) return otherwise
  const intervalMs = readInterval(fields['interval'], problems)
  const store = fields['store'] === undefined ? undefined : readStore(fields['store'], problems)
  return { intervalMs: intervalMs ?? otherwise.intervalMs, ...(store === undefined ? {} : { store }) }
}

function readMaxBadShare(value: unknown, problems: Problems): number | undefined {
  if (value === undefined) return undefined
  const percent = typeof value === 'string' ? /^(\d{1,3}(?:\.\d{1,4})?)%$/.exec(value)?.[1] : undefined
  if (percent !== undefined && Number(percent) <= 100) return Number(percent) / 100
  problems.report(
    'TYPE_MISMATCH',
    'spec.maxBadShare',
    `${describe(value)} is not a share`,
    'write a percentage from 0% to 100%, e.g. 5%',
  )
  return undefined
}

function readInterval(value: unknown, problems: Problems): number | undefined {
  const path = 'spec.checkpoints.interval'
  const ms = value === undefined ? undefined : readDuration(value, path, problems)
  if (ms !== undefined && ms < SHORTEST_CHECKPOINT_INTERVAL_MS)
    problems.report('DURATION_INVALID', path, `${describe(value)} is shorter than ${SHORTEST_CHECKPOINT_INTERVAL_MS}ms`)
  if (ms !== undefined && ms > LONGEST_CHECKPOINT_INTERVAL_MS)
    problems.report('DURATION_INVALID', path, `${describe(value)} is longer than 7d`)
  return ms
}

function readStore(value: unknown, problems: Problems): string | undefined {
  const path = 'spec.checkpoints.store'
  const url = problems.text(value, path, 1024)
  try {
    if (url !== undefined) checkStoreUrl(url)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    problems.report(error.code, path, error.message, error.hint)
  }
  return url
}
