import { isFields, memberOf } from '../../runtime/model/fields.ts'
import { parseDurationMs } from '../../runtime/model/time.ts'
import { codeProblems } from './code-in-json.ts'
import type { DruidDatasource, DruidDatasourceSpec } from './druid-datasource.ts'
import { dataSourceOf } from './druid-datasource.ts'
import { parseIsoPeriodMs } from './iso-period.ts'

export interface SpecProblem {
  path: string
  message: string
  hint?: string
}

/**
 * Consumer properties that cannot make Druid load classes, read files or talk to another host
 * (the class of CVE-2023-25194): no JAAS, no stores, no interceptors, no config providers.
 */
const CONSUMER_PROPERTIES: readonly string[] = [
  'client.id',
  'client.rack',
  'connections.max.idle.ms',
  'default.api.timeout.ms',
  'fetch.max.bytes',
  'fetch.max.wait.ms',
  'fetch.min.bytes',
  'max.partition.fetch.bytes',
  'max.poll.records',
  'receive.buffer.bytes',
  'reconnect.backoff.max.ms',
  'reconnect.backoff.ms',
  'request.timeout.ms',
  'retry.backoff.ms',
  'security.protocol',
  'send.buffer.bytes',
  'session.timeout.ms',
]

/** Druid takes unknown names with a 200 and ignores them, so a typing mistake would stay silent. */
const TUNING: Readonly<Record<string, 'number' | 'boolean' | 'period' | 'object'>> = {
  maxRowsInMemory: 'number',
  maxBytesInMemory: 'number',
  maxRowsPerSegment: 'number',
  maxTotalRows: 'number',
  maxPendingPersists: 'number',
  handoffConditionTimeout: 'number',
  workerThreads: 'number',
  chatRetries: 'number',
  maxParseExceptions: 'number',
  maxSavedParseExceptions: 'number',
  numPersistThreads: 'number',
  maxColumnsToMerge: 'number',
  reportParseExceptions: 'boolean',
  logParseExceptions: 'boolean',
  releaseLocksOnHandoff: 'boolean',
  skipBytesInMemoryOverheadCheck: 'boolean',
  intermediatePersistPeriod: 'period',
  intermediateHandoffPeriod: 'period',
  httpTimeout: 'period',
  shutdownTimeout: 'period',
  offsetFetchPeriod: 'period',
  indexSpec: 'object',
  indexSpecForIntermediatePersists: 'object',
  appendableIndexSpec: 'object',
}
/** Threads inside of Druid. */
const MOST_THREADS = 256
/** While Druid waits for tasks it holds the one lock of all its supervisors. */
const LONGEST_WAIT_MS = 5 * 60_000
const WAITS: readonly string[] = ['httpTimeout', 'shutdownTimeout']

/** Shortest `taskDuration`: below a minute every task of Druid 33 dies at once. */
const SHORTEST_TASK_MS = 60_000
const SHORTEST_SYNC_MS = 1000
const LONGEST_SYNC_MS = 86_400_000

/** What the CRD's schema cannot say. Values that make Druid lose a running supervisor are refused here. */
export function specProblems(resource: DruidDatasource): SpecProblem[] {
  const { spec } = resource
  return [
    ...nameProblems(dataSourceOf(resource)),
    ...brokerProblems(spec.kafka.brokers),
    ...allowedNames('spec.kafka.consumerProperties', spec.kafka.consumerProperties ?? {}, CONSUMER_PROPERTIES),
    ...tuningProblems(spec.tuning ?? {}),
    ...durationProblems(spec),
    ...ingestionProblems(spec.ingestion ?? {}),
    ...columnProblems(spec),
    ...codeProblems(spec.metrics ?? [], 'spec.metrics'),
    ...codeProblems(spec.tuning ?? {}, 'spec.tuning'),
  ]
}

/** Druid's own rules for identifiers, and nothing that a URL path could read as something else. */
function nameProblems(name: string): SpecProblem[] {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(name)) return []
  return [
    {
      path: 'spec.dataSource',
      message: `'${name}' is not a datasource name`,
      hint: 'Use letters, digits, "_", "-" and ".", at most 128, not starting with "." or "-".',
    },
  ]
}

/** Druid answers 200 to brokers without a port and then never starts a task. */
function brokerProblems(brokers: string): SpecProblem[] {
  return brokers
    .split(',')
    .filter((broker) => !isBrokerAddress(broker))
    .map((broker) => ({
      path: 'spec.kafka.brokers',
      message: `'${broker}' is not a broker address`,
      hint: 'Write host:port, several separated by commas without spaces; ports are from 1 to 65535.',
    }))
}

function isBrokerAddress(text: string): boolean {
  const port = Number(/^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(text)?.[1] ?? 0)
  return port >= 1 && port <= 65_535
}

function allowedNames(
  path: string,
  values: Readonly<Record<string, unknown>>,
  allowed: readonly string[],
): SpecProblem[] {
  return Object.keys(values)
    .filter((name) => !allowed.includes(name))
    .map((name) => ({
      path: `${path}[${name}]`,
      message: `'${name}' is not allowed`,
      hint: `Allowed are ${allowed.join(', ')}.`,
    }))
}

function tuningProblems(tuning: Readonly<Record<string, unknown>>): SpecProblem[] {
  const problems = allowedNames('spec.tuning', tuning, Object.keys(TUNING))
  for (const [name, value] of Object.entries(tuning)) {
    const wanted = wantedOfTuning(name, value)
    if (wanted === undefined) continue
    problems.push({ path: `spec.tuning.${name}`, message: `${shown(value)} is not ${wanted}` })
  }
  return problems
}

/** What the value should have been; undefined when it is that. */
function wantedOfTuning(name: string, value: unknown): string | undefined {
  const kind = memberOf(TUNING, name)
  if (kind === 'number') {
    const isThreads = name === 'workerThreads' || name === 'numPersistThreads'
    const least = name === 'maxColumnsToMerge' ? -1 : isThreads ? 1 : 0
    if (isThreads && Number(value) > MOST_THREADS) return `at most ${MOST_THREADS}`
    return Number.isSafeInteger(value) && Number(value) >= least ? undefined : `a whole number of at least ${least}`
  }
  if (kind === 'boolean') return typeof value === 'boolean' ? undefined : 'true or false'
  if (kind === 'object') return isFields(value) ? undefined : 'a mapping'
  if (kind === undefined) return undefined
  const ms = typeof value === 'string' ? parseIsoPeriodMs(value) : undefined
  if (ms === undefined || ms === 0) return 'a period such as PT10M'
  return WAITS.includes(name) && ms > LONGEST_WAIT_MS ? 'at most PT5M, for so long all supervisors may wait' : undefined
}

function shown(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 100)
}

function durationProblems(spec: DruidDatasourceSpec): SpecProblem[] {
  const {
    taskDuration,
    completionTimeout,
    startDelay,
    period,
    lateMessageRejectionPeriod,
    earlyMessageRejectionPeriod,
  } = spec.ingestion ?? {}
  const durations: Readonly<Record<string, string | undefined>> = {
    'spec.ingestion.taskDuration': taskDuration,
    'spec.ingestion.completionTimeout': completionTimeout,
    'spec.ingestion.startDelay': startDelay,
    'spec.ingestion.period': period,
    'spec.ingestion.lateMessageRejectionPeriod': lateMessageRejectionPeriod,
    'spec.ingestion.earlyMessageRejectionPeriod': earlyMessageRejectionPeriod,
    'spec.deletionTimeout': spec.deletionTimeout,
    'spec.syncInterval': spec.syncInterval,
  }
  const problems: SpecProblem[] = []
  for (const [path, text] of Object.entries(durations)) {
    if (text === undefined) continue
    const ms = parseDurationMs(text)
    if (ms === undefined) {
      problems.push({ path, message: `'${text}' is not a duration`, hint: 'Write 500ms, 10s, 1m, 2h or 7d.' })
    } else if (path.endsWith('taskDuration') && ms < SHORTEST_TASK_MS) {
      problems.push({ path, message: `'${text}' is shorter than 1m, which makes every task of Druid fail` })
    } else if (path === 'spec.syncInterval' && (ms < SHORTEST_SYNC_MS || ms > LONGEST_SYNC_MS)) {
      problems.push({ path, message: `must be from 1s to 1d, found '${text}'` })
    }
  }
  return problems
}

function ingestionProblems({ taskCount, replicas }: NonNullable<DruidDatasourceSpec['ingestion']>): SpecProblem[] {
  const problems: SpecProblem[] = []
  for (const [path, value] of [
    ['taskCount', taskCount],
    ['replicas', replicas],
  ] as const) {
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) continue
    problems.push({ path: `spec.ingestion.${path}`, message: `${value} is not a whole number of at least 1` })
  }
  return problems
}

function columnProblems(spec: DruidDatasourceSpec): SpecProblem[] {
  const problems: SpecProblem[] = []
  const seen = new Set(['__time'])
  const check = (name: unknown, path: string): void => {
    if (typeof name !== 'string' || name === '') problems.push({ path, message: 'a name is missing' })
    else if (seen.has(name)) problems.push({ path, message: `the column '${name}' is there twice` })
    else seen.add(name)
  }
  spec.dimensions?.forEach((dimension, index) => check(dimension.name, `spec.dimensions[${index}].name`))
  spec.metrics?.forEach((metric, index) => {
    check(metric['name'], `spec.metrics[${index}].name`)
  })
  return problems
}
