import type { OperatorNode } from '../graph/job-graph.ts'
import { definitionOf } from '../graph/verbs/all.ts'
import type { ErrorPolicy } from '../graph/verbs/kit/error-policy.ts'
import { type Chain, chainOf, type ExecutionPlan } from './execution-plan.ts'

/**
 * What happens to a row that makes an operator fail. What its entry says counts. Without a word there, the user's code
 * and services that it asks fail the job, as in Flink and Kafka Streams: an exception is a mistake to be seen. An
 * expression that throws is a row that does not fit, and goes the way of records that do not parse: it follows the
 * source, which skips them unless it says otherwise. Rows carry no mark of their source, so that the first source
 * upstream speaks for all.
 */
export function effectiveErrorPolicy(plan: ExecutionPlan, chain: Chain, operator: OperatorNode): ErrorPolicy {
  if (operator.onError !== undefined) return operator.onError
  const definition = definitionOf(operator)
  const callsOut = definition.functions(operator.verb).length > 0 || definition.service(operator.verb) !== undefined
  return callsOut ? { kind: 'fail' } : sourcePolicy(plan, chain)
}

function sourcePolicy(plan: ExecutionPlan, chain: Chain): ErrorPolicy {
  const [first] = chain.operators
  if (first?.verb.kind === 'source') return first.onError ?? { kind: 'skip' }
  const input = plan.exchanges.find((exchange) => exchange.consumer.chain === chain.id)
  return input === undefined ? { kind: 'skip' } : sourcePolicy(plan, chainOf(plan, input.producer.chain))
}
