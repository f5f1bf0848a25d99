import { isFields } from '../../runtime/model/fields.ts'
import { codeProblems } from './code-in-json.ts'
import type { DruidDatasourceSpec } from './druid-datasource.ts'
import { allowedNames } from './spec-problem.ts'
import type { SpecProblem } from './spec-problem.ts'

const RULE = /^(?:load|drop|broadcast)(?:ByPeriod|ByInterval|Forever)$|^dropBeforeByPeriod$/
const RULE_MEMBERS = ['type', 'period', 'includeFuture', 'interval', 'tieredReplicants', 'useDefaultTierForNull']
const PERIOD =
  /^P(?=.)(?:\d{1,6}Y)?(?:\d{1,6}M)?(?:\d{1,6}W)?(?:\d{1,6}D)?(?:T(?=.)(?:\d{1,9}H)?(?:\d{1,9}M)?(?:\d{1,9}S)?)?$/
const MOST_REPLICANTS = 100

const COMPACTION_MEMBERS: readonly string[] = [
  'taskPriority',
  'inputSegmentSizeBytes',
  'skipOffsetFromLatest',
  'tuningConfig',
  'granularitySpec',
  'dimensionsSpec',
  'metricsSpec',
  'transformSpec',
  'projections',
  'ioConfig',
  'taskContext',
  'engine',
]
/** Tasks that read streams have 75 and lose their locks to whoever has more. */
const HIGHEST_PRIORITY = 74

/** Druid takes a rule without its period, and any misspelt name, with a 200. */
export function settingsProblems({ retention, compaction }: DruidDatasourceSpec): SpecProblem[] {
  const rules = (retention ?? []).flatMap((rule, index) => ruleProblems(rule, `spec.retention[${index}]`))
  const config = compaction?.config ?? {}
  return [
    ...rules,
    ...allowedNames('spec.compaction.config', config, COMPACTION_MEMBERS),
    ...codeProblems(config, 'spec.compaction.config'),
    ...compactionProblems(config),
  ]
}

function ruleProblems(rule: Readonly<Record<string, unknown>>, path: string): SpecProblem[] {
  const problems = allowedNames(path, rule, RULE_MEMBERS)
  const { type, period, interval, tieredReplicants } = rule
  if (typeof type !== 'string' || !RULE.test(type)) {
    const hint =
      'Write loadByPeriod, loadByInterval, loadForever, dropByPeriod, dropBeforeByPeriod, dropByInterval, dropForever or a broadcast rule.'
    return [...problems, { path: `${path}.type`, message: `${JSON.stringify(type)} is not a rule of Druid`, hint }]
  }
  if (type.endsWith('Period') && !isPeriod(period))
    problems.push({ path: `${path}.period`, message: `${type} needs a period such as P90D` })
  if (type.endsWith('Interval') && !isInterval(interval))
    problems.push({ path: `${path}.interval`, message: `${type} needs an interval such as 2026-01-01/2027-01-01` })
  if (tieredReplicants === undefined) return problems
  const counts = isFields(tieredReplicants) ? Object.values(tieredReplicants) : [undefined]
  if (counts.some((count) => !Number.isSafeInteger(count) || Number(count) < 0 || Number(count) > MOST_REPLICANTS)) {
    const message = `must have a whole number up to ${MOST_REPLICANTS} for each tier`
    problems.push({ path: `${path}.tieredReplicants`, message })
  }
  return problems
}

function compactionProblems({ taskPriority, skipOffsetFromLatest }: Readonly<Record<string, unknown>>): SpecProblem[] {
  const path = 'spec.compaction.config'
  const problems: SpecProblem[] = []
  const isPriority = Number.isSafeInteger(taskPriority) && Number(taskPriority) >= 0
  if (taskPriority !== undefined && !(isPriority && Number(taskPriority) <= HIGHEST_PRIORITY)) {
    const message = `must be a whole number up to ${HIGHEST_PRIORITY}, above it compaction ends the tasks that read the stream`
    problems.push({ path: `${path}.taskPriority`, message })
  }
  if (skipOffsetFromLatest !== undefined && !isPeriod(skipOffsetFromLatest))
    problems.push({ path: `${path}.skipOffsetFromLatest`, message: 'must be a period such as P1D' })
  return problems
}

function isPeriod(value: unknown): boolean {
  return typeof value === 'string' && PERIOD.test(value)
}

function isInterval(value: unknown): boolean {
  if (typeof value !== 'string' || value.length > 100) return false
  const [from = '', to = '', ...more] = value.split('/')
  return more.length === 0 && /^\d{4}/.test(from) && (/^\d{4}/.test(to) || isPeriod(to))
}
