import { parseDurationMs } from '../../runtime/model/time.ts'
import { codeProblems } from './code-in-json.ts'
import type { DruidDatasource, DruidDatasourceSpec } from './druid-datasource.ts'
import { dataSourceOf } from './druid-datasource.ts'
import { allowedNames } from './spec-problem.ts'
import type { SpecProblem } from './spec-problem.ts'
import { isTypedSpec, SHORTEST_TASK_MS } from './supervisor-spec.ts'
import { brokerProblems, CONSUMER_PROPERTIES } from './validate-kafka.ts'
import { rawSpecProblems } from './validate-raw-spec.ts'
import { settingsProblems } from './validate-settings.ts'
import { tuningProblems } from './validate-tuning.ts'

const SHORTEST_SYNC_MS = 1000
const LONGEST_SYNC_MS = 86_400_000

/** What the CRD's schema cannot say. Values that make Druid lose a running supervisor are refused here. */
export function specProblems(resource: DruidDatasource): SpecProblem[] {
  const { spec } = resource
  const problems = [...nameProblems(dataSourceOf(resource)), ...durationProblems(spec), ...settingsProblems(spec)]
  if (spec.rawSpec !== undefined) return [...problems, ...rawSpecProblems(resource)]
  if (!isTypedSpec(spec)) {
    return [{ path: 'spec', message: 'kafka and timestamp must be given, or rawSpec' }, ...problems]
  }
  return [
    ...problems,
    ...brokerProblems(spec.kafka.brokers, 'spec.kafka.brokers'),
    ...allowedNames('spec.kafka.consumerProperties', spec.kafka.consumerProperties ?? {}, CONSUMER_PROPERTIES),
    ...tuningProblems(spec.tuning ?? {}),
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
