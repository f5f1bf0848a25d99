import type { AggregateFunction } from '../expressions/aggregate.ts'
import { operatorOfInput, type OperatorNode } from '../graph/job-graph.ts'
import type { Problems } from '../graph/problems.ts'

/** Aggregates that a row which comes again with a newer value changes twice. */
const ADDING: ReadonlySet<AggregateFunction | 'user'> = new Set([
  'count',
  'sum',
  'avg',
  'stddev',
  'percentile',
  'collect',
  'histogram',
  'user',
])

/**
 * Warns of an aggregate over a stream in which a row takes the place of an earlier one: each of them is added, and
 * nothing is taken back. `before` are the operators that stand before it in topological order.
 */
export function warnOfUpserts(
  node: OperatorNode,
  path: string,
  before: readonly OperatorNode[],
  problems: Problems,
): void {
  if (node.verb.kind !== 'window' && node.verb.kind !== 'aggregate') return
  const adding = node.verb.aggregates.find(({ function: name }) => ADDING.has(name))
  const origin = adding === undefined ? undefined : originOfUpserts(node, before)
  if (adding === undefined || origin === undefined) return
  problems.warn(
    'UPSERTS_ADDED',
    path,
    `"${origin.id}" ${origin.why}, and "${adding.field.name}" adds up all of them`,
    'take max(…), last(…) or argMax(…) of rows that come again, or read a stream whose rows are final',
  )
}

function originOfUpserts(
  { from }: OperatorNode,
  before: readonly OperatorNode[],
): { id: string; why: string } | undefined {
  for (const input of from) {
    // a side output holds rows as they came
    const producer = input === operatorOfInput(input) ? before.find(({ id }) => id === input) : undefined
    if (producer === undefined) continue
    const why = whyUpserts(producer)
    const found =
      why === undefined
        ? PASSING.has(producer.verb.kind)
          ? originOfUpserts(producer, before)
          : undefined
        : { id: producer.id, why }
    if (found !== undefined) return found
  }
  return undefined
}

const PASSING: ReadonlySet<OperatorNode['verb']['kind']> = new Set([
  'filter',
  'userFilter',
  'map',
  'userMap',
  'keyBy',
  'union',
  'flatMap',
  'sideOutput',
  'asyncMap',
  'lookup',
])

function whyUpserts({ verb }: OperatorNode): string | undefined {
  switch (verb.kind) {
    case 'window':
      if (verb.earlyMs !== undefined) return 'puts out a window early and then again'
      return verb.latenessMs > 0 ? 'puts out a window again after each late row' : undefined
    case 'aggregate':
      return 'puts out a key again whenever it changes'
    case 'reduce':
      return 'puts out a key again with each row'
    case 'dedupe':
      return verb.keep.which === 'last' ? 'puts out a key again whenever a newer row comes' : undefined
    case 'topN':
      return verb.rank === undefined ? undefined : 'puts out a rank again whenever another row takes it'
    default:
      return undefined
  }
}
