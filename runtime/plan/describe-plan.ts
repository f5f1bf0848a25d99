import type { Aggregate } from '../graph/verbs/kit/aggregate-fields.ts'
import type { Chain, ExecutionPlan, Exchange } from './execution-plan.ts'
import type { JoinExtent } from '../graph/verbs/join/join-extent.ts'
import type { OperatorNode, WatermarkAlignment } from '../graph/job-graph.ts'
import type { WindowVerb } from '../graph/verbs/window.ts'
import { describeType } from '../expressions/typing.ts'
import type { FunctionRef } from '../model/user-module.ts'

/**
 * The plan as text, for `millrace explain`: one paragraph per chain with its slots, operators and output, and
 * where its rows go.
 */
export function describePlan(plan: ExecutionPlan): string {
  const subtasks = plan.chains.reduce((sum, chain) => sum + chain.parallelism, 0)
  const head = `${plan.chains.length} chains, ${subtasks} subtasks, ${plan.maxParallelism} key groups`
  return [head, ...plan.chains.map((chain) => describeChain(chain, plan.exchanges))].join('\n\n')
}

function describeChain(chain: Chain, exchanges: readonly Exchange[]): string {
  const lines = [`${chain.id} ×${chain.parallelism}`]
  for (const operator of chain.operators) {
    lines.push(`  ${operator.id.padEnd(16)} ${verbText(operator)}`)
    for (const exchange of exchanges) {
      if (exchange.producer.operator === operator.id)
        lines.push(`    └─ ${partitioningText(exchange)} ─▶ ${exchange.consumer.operator}`)
    }
  }
  const last = chain.operators.at(-1)
  if (last !== undefined && last.verb.kind !== 'sink') {
    lines.push(`  rows: ${last.schema.fields.map((field) => `${field.name} ${describeType(field)}`).join(', ')}`)
  }
  return lines.join('\n')
}

function partitioningText({ partitioning }: Exchange): string {
  return partitioning.kind === 'hash' ? `hash(${partitioning.keyBy.join(', ')})` : partitioning.kind
}

function verbText({ verb, keyBy }: OperatorNode): string {
  switch (verb.kind) {
    case 'source':
      return `source ${verb.connector}${verb.eventTime === undefined ? '' : `, event time ${verb.eventTime.field}${alignmentText(verb.eventTime.align)}`}`
    case 'sink':
      return `sink ${verb.connector}`
    case 'map':
      return `map to ${verb.fields.map(({ field }) => field.name).join(', ')}`
    case 'keyBy':
      return `key by ${keyBy?.join(', ') ?? ''}`
    case 'userFilter':
      return `filter by ${functionText(verb.function)}`
    case 'userMap':
      return `map by ${functionText(verb.function)}`
    case 'flatMap':
      return 'unnest' in verb ? `unnest ${verb.unnest.array}` : `flatMap by ${functionText(verb.function)}`
    case 'sideOutput':
      return `side outputs ${verb.outputs.map(({ name }) => name).join(', ')}`
    case 'process':
      return `process by ${functionText(verb.function)}${keyBy === undefined ? '' : `, keyed by ${keyBy.join(', ')}`}`
    case 'asyncMap':
      return `asyncMap by ${verb.call.kind === 'http' ? verb.call.method : functionText(verb.call.function)}, ${verb.order}, ${verb.capacity} at once`
    case 'join':
      return `${verb.type} join on ${verb.keys.left.map((left, index) => `${left} = ${verb.keys.right[index] ?? ''}`).join(', ')}, ${joinExtentText(verb.extent)}`
    case 'lookup':
      return `${verb.type} lookup ${verb.answer === 'rows' ? 'in Druid' : verb.call.call.kind === 'http' ? `by ${verb.call.call.method}` : 'by function'}${verb.cache === undefined ? '' : `, ${verb.cache.rows} answers kept for ${verb.cache.ttlMs} ms`}`
    case 'broadcast':
      return `each row with every rule, by ${verb.key.join(', ')}`
    case 'dedupe':
      return `${verb.keep.which === 'first' ? 'the first' : `the newest by ${verb.keep.orderBy}`} of ${keyBy?.join(', ') ?? ''}${keptText(verb)}`
    case 'topN':
      return `the ${verb.n} ${verb.order === 'desc' ? 'greatest' : 'least'} by ${verb.by} of ${keyBy?.join(', ') ?? ''}${keptText(verb)}`
    case 'reduce':
      return `reduce ${verb.fields.map(({ field }) => field.name).join(', ')} by ${keyBy?.join(', ') ?? ''}${keptText(verb)}`
    case 'aggregate':
      return `running by ${keyBy?.join(', ') ?? ''}: ${aggregatesText(verb.aggregates)}${keptText(verb)}`
    case 'pattern':
      return `pattern ${verb.steps.map(({ name, not }) => (not ? `no ${name}` : name)).join(', ')} by ${keyBy?.join(', ') ?? ''}${verb.withinMs === undefined ? '' : `, within ${verb.withinMs} ms`}`
    case 'window':
      return `${extentText(verb)} by ${keyBy?.join(', ') ?? ''}: ${aggregatesText(verb.aggregates)}`
    default:
      return verb.kind
  }
}

function alignmentText(align: WatermarkAlignment | undefined): string {
  return align === undefined ? '' : `, at most ${align.maxDriftMs} ms ahead of ${align.group}`
}

function aggregatesText(aggregates: readonly Aggregate[]): string {
  return aggregates.map(({ field, function: name }) => `${field.name} = ${name}`).join(', ')
}

function keptText({ ttlMs }: { ttlMs?: number }): string {
  return ttlMs === undefined ? '' : `, kept for ${ttlMs} ms`
}

function functionText({ module, function: name }: FunctionRef): string {
  return `${module}.${name}`
}

function extentText({ window, eventTime }: WindowVerb): string {
  const clock = eventTime === undefined ? ' of processing time' : ''
  switch (window.kind) {
    case 'hop':
      return `${window.sizeMs === window.slideMs ? `tumbling ${window.sizeMs} ms` : `hopping ${window.sizeMs} ms by ${window.slideMs} ms`}${clock}`
    case 'session':
      return `sessions ${window.gapMs} ms apart${clock}`
    case 'count':
      return `last ${window.rows} rows every ${window.every}`
    case 'global':
      return 'all rows'
  }
}

function joinExtentText(extent: JoinExtent): string {
  switch (extent.kind) {
    case 'window':
      return extent.sizeMs === extent.slideMs
        ? `in windows of ${extent.sizeMs} ms`
        : `in windows of ${extent.sizeMs} ms every ${extent.slideMs} ms`
    case 'interval':
      return `the right at most ${extent.beforeMs} ms before and ${extent.afterMs} ms after`
    case 'regular':
      return extent.ttlMs === undefined ? 'rows kept for ever' : `rows kept for ${extent.ttlMs} ms`
  }
}
