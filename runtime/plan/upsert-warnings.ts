import { operatorOfInput, type OperatorNode } from '../graph/job-graph.ts'
import type { Problems } from '../graph/problems.ts'
import { definitionOf } from '../graph/verbs/all.ts'

/**
 * Warns of an aggregate over a stream in which a row replaces an earlier one: it adds up all of them, and nothing is
 * taken back. `before` are the operators that stand before it in topological order.
 */
export function warnOfUpserts(
  node: OperatorNode,
  path: string,
  before: readonly OperatorNode[],
  problems: Problems,
): void {
  const { addsUp } = definitionOf(node).changes(node)
  const origin = addsUp === undefined ? undefined : originOfUpserts(node, before)
  if (addsUp === undefined || origin === undefined) return
  problems.warn(
    'UPSERTS_ADDED',
    path,
    `"${origin.id}" ${origin.why}, and "${addsUp}" adds up all of them`,
    'take max(…), last(…) or argMax(…) of rows that come again, or read a stream whose rows are final',
  )
}

function originOfUpserts(
  { from }: OperatorNode,
  before: readonly OperatorNode[],
): { id: string; why: string } | undefined {
  for (const input of from) {
    // A side output holds rows as they came.
    const producer = input === operatorOfInput(input) ? before.find(({ id }) => id === input) : undefined
    if (producer === undefined) continue
    const { makes } = definitionOf(producer).changes(producer)
    const found =
      makes.kind === 'upsert'
        ? { id: producer.id, why: makes.why }
        : makes.kind === 'asInput'
          ? originOfUpserts(producer, before)
          : undefined
    if (found !== undefined) return found
  }
  return undefined
}
