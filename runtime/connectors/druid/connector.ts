import { MillraceError } from '../../model/errors.ts'
import type { SinkConnector } from '../sink.ts'

type Options = Readonly<Record<string, unknown>>

/**
 * `sink: { druid: { datasource: NAME } }`: rows reach Druid through the Kafka topic that the DruidDatasource NAME
 * reads, in one transaction per checkpoint; Druid reads committed records only and stores offsets and segments
 * together, so the whole way is exactly-once. The operator writes the datasource's brokers and topic into the
 * options; without a cluster they are given inline. All other options are those of the Kafka sink.
 */
export function druidSink(kafka: SinkConnector): SinkConnector {
  return {
    validate: (options) => [
      ...datasourceProblems(options),
      ...(isResolved(options) ? kafka.validate(kafkaOptions(options)) : []),
    ],
    writer: (context) => {
      if (!isResolved(context.options)) throw unresolved(context.operatorId, context.options)
      return kafka.writer({ ...context, options: kafkaOptions(context.options) })
    },
  }
}

function datasourceProblems(options: Options): { path: string; message: string }[] {
  const problems: { path: string; message: string }[] = []
  const { datasource, delivery } = options
  if (typeof datasource !== 'string' || datasource === '') {
    problems.push({ path: 'datasource', message: 'must name a DruidDatasource of this namespace' })
  }
  if (delivery !== undefined && delivery !== 'exactlyOnce') {
    problems.push({
      path: 'delivery',
      message: `must be exactlyOnce, found ${JSON.stringify(delivery)}: Druid never takes a duplicate out again`,
    })
  }
  if (options['format'] !== undefined && options['format'] !== 'json')
    problems.push({
      path: 'format',
      message: `must be json, found ${JSON.stringify(options['format'])}: that is what the supervisor of the datasource reads`,
    })
  for (const [given, missing] of [
    ['brokers', 'topic'],
    ['topic', 'brokers'],
  ] as const) {
    if (options[given] !== undefined && options[missing] === undefined) {
      problems.push({ path: missing, message: `is needed beside ${given}` })
    }
  }
  return problems
}

/** Unresolved is no mistake of the author: the operator completes it when the job is rendered. */
function isResolved(options: Options): boolean {
  return options['brokers'] !== undefined && options['topic'] !== undefined
}

function kafkaOptions(options: Options): Options {
  const { datasource: _, ...rest } = options
  return { ...rest, delivery: 'exactlyOnce' }
}

function unresolved(operatorId: string, options: Options): MillraceError {
  return new MillraceError(
    'DRUID_SINK_UNRESOLVED',
    `sink '${operatorId}' names the DruidDatasource '${String(options['datasource'])}', whose brokers and topic only the operator knows`,
    { domain: 'user', hint: 'Without a cluster write brokers and topic beside datasource.' },
  )
}
