import { memberOf } from '../model/fields.ts'
import { definitionOf } from '../graph/verbs/all.ts'
import type { DistributedBy } from '../graph/verbs/verb.ts'
import type { Chain, ExecutionPlan, Exchange, Partitioning } from './execution-plan.ts'
import { keysOfInput, operatorOfInput, outputOfInput, type JobGraph, type OperatorNode } from '../graph/job-graph.ts'
import { requiredSchema } from './required-fields.ts'
import { subtaskId, type SubtaskId } from '../model/ids.ts'

/**
 * Graph → chains and exchanges; pure, and the same for the same graph in every process. Operators are chained
 * where a row can be handed over within a loop: one input, which has no other reader, equal parallelism, no key, or the
 * one by which the rows are distributed already.
 * `parallelism` replaces the job's default (`spec.replicas`), never an operator's own.
 */
export function executionPlan(graph: JobGraph, parallelism = graph.parallelism): ExecutionPlan {
  const byId = new Map(graph.operators.map((operator) => [operator.id, operator]))
  const slots = (operator: OperatorNode): number => operator.parallelism ?? parallelism
  const readers = new Map<string, number>()
  for (const input of graph.operators.flatMap((operator) => operator.from))
    readers.set(input, (readers.get(input) ?? 0) + 1)

  const chains: { id: string; operators: OperatorNode[]; parallelism: number }[] = []
  const chainOf = new Map<string, (typeof chains)[number]>()
  const exchanges: Exchange[] = []
  const distributedBy = new Map<string, DistributedBy>()
  for (const operator of graph.operators) {
    const inputs = operator.from.flatMap((name) => byId.get(operatorOfInput(name)) ?? [])
    const [only] = inputs
    const before =
      only === undefined || outputOfInput(operator.from[0] ?? '') !== undefined || slots(only) !== slots(operator)
        ? []
        : (distributedBy.get(only.id) ?? [])
    distributedBy.set(operator.id, definitionOf(operator).distributes(operator, before))
    const isInPlace = operator.keyBy === undefined || before.some((fields) => fields.join() === operator.keyBy?.join())
    const isChained =
      only !== undefined &&
      inputs.length === 1 &&
      readers.get(only.id) === 1 &&
      outputOfInput(operator.from[0] ?? '') === undefined &&
      isInPlace &&
      operator.distribution === undefined &&
      slots(only) === slots(operator)
    const chain = (isChained ? chainOf.get(only.id) : undefined) ?? {
      id: operator.id,
      operators: [],
      parallelism: slots(operator),
    }
    if (chain.operators.length === 0) chains.push(chain)
    chain.operators.push(operator)
    chainOf.set(operator.id, chain)
    if (isChained) continue
    for (const [index, input] of inputs.entries()) {
      const name = operator.from[index] ?? input.id
      const output = outputOfInput(name)
      exchanges.push({
        id: `${name}→${operator.id}`,
        producer: {
          chain: chainOf.get(input.id)?.id ?? input.id,
          operator: input.id,
          ...(output === undefined ? {} : { output }),
        },
        consumer: { chain: chain.id, operator: operator.id, input: index },
        partitioning: partitioningOf(operator, index, slots(input) === slots(operator)),
        schema: output === undefined ? input.schema : (memberOf(input.sideOutputs ?? {}, output) ?? input.schema),
      })
    }
  }
  // an exchange stands behind those that its producer reads: the last is narrowed first
  let narrowed: Exchange[] = []
  for (const exchange of exchanges.toReversed()) {
    const consumer = chainOf.get(exchange.consumer.operator)
    narrowed = [
      consumer === undefined
        ? exchange
        : { ...exchange, schema: requiredSchema(exchange.schema, consumer, narrowed, exchange.consumer.input) },
      ...narrowed,
    ]
  }
  return {
    chains,
    exchanges: narrowed,
    maxParallelism: graph.maxParallelism,
    ...(graph.modules === undefined ? {} : { modules: graph.modules }),
    ...(graph.state === undefined ? {} : { state: graph.state }),
  }
}

function partitioningOf(consumer: OperatorNode, input: number, sameParallelism: boolean): Partitioning {
  const keyBy = keysOfInput(consumer, input)
  if (keyBy !== undefined) return { kind: 'hash', keyBy }
  if (consumer.distribution?.[input]?.kind === 'broadcast') return { kind: 'broadcast' }
  return { kind: sameParallelism ? 'forward' : 'rebalance' }
}

export interface SubtaskPlace {
  id: SubtaskId
  chain: Chain
  slot: number
}

/** Every subtask of the plan: chains in order, slots from 0. One pod each. */
export function subtasksOf(plan: ExecutionPlan): SubtaskPlace[] {
  return plan.chains.flatMap((chain) =>
    Array.from({ length: chain.parallelism }, (_, slot) => ({ id: subtaskId(chain.id, slot), chain, slot })),
  )
}
