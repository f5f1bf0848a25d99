import type { Chain, ExecutionPlan, Exchange } from './execution-plan.ts'
import { describeType } from '../expressions/typing.ts'
import { definitionOf } from '../graph/verbs/all.ts'

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
    lines.push(`  ${operator.id.padEnd(16)} ${definitionOf(operator).describe(operator)}`)
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
