import { isFields, membersOf } from '../../runtime/model/fields.ts'
import { brokerProblems, CONSUMER_PROPERTIES } from './validate-kafka.ts'
import { codeProblems } from './code-in-json.ts'
import type { DruidDatasource } from './druid-datasource.ts'
import { dataSourceOf } from './druid-datasource.ts'
import { parseIsoPeriodMs } from './iso-period.ts'
import { SHORTEST_TASK_MS } from './supervisor-spec.ts'
import { allowedNames } from './spec-problem.ts'
import type { SpecProblem } from './spec-problem.ts'
import { wantedOfTuning } from './validate-tuning.ts'

/** These Druid adds itself, or Millrace to its own specifications. */
const OTHER_PROPERTIES: readonly string[] = ['bootstrap.servers', 'isolation.level']
const TYPED = ['kafka', 'timestamp', 'dimensions', 'metrics', 'granularity', 'ingestion', 'tuning'] as const

/**
 * What is wrong with `spec.rawSpec`: what Druid would not refuse and what makes it lose a running supervisor, run code,
 * or write elsewhere. The rest is for Druid to say.
 */
export function rawSpecProblems(resource: DruidDatasource): SpecProblem[] {
  const { rawSpec } = resource.spec
  if (!isFields(rawSpec)) return [{ path: 'spec.rawSpec', message: 'is not a mapping' }]
  const deep = codeProblems(rawSpec, 'spec.rawSpec')
  if (deep.length > 0) return deep
  const { dataSchema, ioConfig, tuningConfig } = membersOf(rawSpec['spec'])
  return [
    ...exclusionProblems(resource),
    ...identityProblems(rawSpec, membersOf(dataSchema)['dataSource'], dataSourceOf(resource)),
    ...ioProblems(membersOf(ioConfig)),
    ...tuningProblems(membersOf(tuningConfig)),
  ]
}

function exclusionProblems({ spec }: DruidDatasource): SpecProblem[] {
  return TYPED.filter((name) => spec[name] !== undefined).map((name) => ({
    path: `spec.${name}`,
    message: 'cannot stand beside rawSpec, which says all of it',
  }))
}

function identityProblems(raw: Readonly<Record<string, unknown>>, dataSource: unknown, wanted: string): SpecProblem[] {
  const problems: SpecProblem[] = []
  const expect = (path: string, found: unknown, name: string): void => {
    if (found !== name)
      problems.push({ path: `spec.rawSpec.${path}`, message: `must be '${name}', found ${shown(found)}` })
  }
  expect('type', raw['type'], 'kafka')
  expect('spec.dataSchema.dataSource', dataSource, wanted)
  if (raw['id'] !== undefined) expect('id', raw['id'], wanted)
  if (raw['suspended'] !== undefined)
    problems.push({ path: 'spec.rawSpec.suspended', message: 'is not allowed', hint: 'Write spec.suspended.' })
  if (raw['context'] !== undefined && !isFields(raw['context']))
    problems.push({ path: 'spec.rawSpec.context', message: 'is not a mapping' })
  return problems
}

function ioProblems({
  topic,
  consumerProperties,
  taskDuration,
  ...io
}: Readonly<Record<string, unknown>>): SpecProblem[] {
  const path = 'spec.rawSpec.spec.ioConfig'
  const properties = membersOf(consumerProperties)
  const brokers = properties['bootstrap.servers']
  const problems = allowedNames(`${path}.consumerProperties`, properties, [...CONSUMER_PROPERTIES, ...OTHER_PROPERTIES])
  const at = `${path}.consumerProperties[bootstrap.servers]`
  problems.push(...brokerProblems(typeof brokers === 'string' ? brokers : '', at))
  if (typeof topic !== 'string' || !/^[a-zA-Z0-9._-]{1,249}$/.test(topic))
    problems.push({ path: `${path}.topic`, message: `${shown(topic)} is not the name of a topic` })
  if (io['topicPattern'] !== undefined)
    problems.push({ path: `${path}.topicPattern`, message: 'is not supported', hint: 'Write topic.' })
  for (const name of ['taskCount', 'replicas'] as const) {
    if (io[name] === undefined || (Number.isSafeInteger(io[name]) && Number(io[name]) >= 1)) continue
    problems.push({ path: `${path}.${name}`, message: `${shown(io[name])} is not a whole number of at least 1` })
  }
  if (taskDuration === undefined) return problems
  const ms = typeof taskDuration === 'string' ? parseIsoPeriodMs(taskDuration) : undefined
  if (ms !== undefined && ms >= SHORTEST_TASK_MS) return problems
  return [
    ...problems,
    { path: `${path}.taskDuration`, message: `${shown(taskDuration)} is not a period of at least PT1M` },
  ]
}

function tuningProblems(tuning: Readonly<Record<string, unknown>>): SpecProblem[] {
  return Object.entries(tuning).flatMap(([name, value]) => {
    const wanted = wantedOfTuning(name, value)
    const path = `spec.rawSpec.spec.tuningConfig.${name}`
    return wanted === undefined ? [] : [{ path, message: `${shown(value)} is not ${wanted}` }]
  })
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `'${value.slice(0, 100)}'` : String(JSON.stringify(value)).slice(0, 100)
}
