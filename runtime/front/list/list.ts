import { readEntries } from './entries.ts'
import { formOf } from './forms.ts'
import { nodeOf, readOperator } from './read-operator.ts'
import type { FrontEnd, FrontEndContext } from '../front-end.ts'
import { readReplicas } from '../replicas.ts'
import { suggestion } from '../../expressions/suggest.ts'
import { isFields } from '../../model/fields.ts'
import { operatorOfInput, type OperatorNode } from '../../graph/job-graph.ts'
import { join, type Problems } from '../../graph/problems.ts'
import { UNKNOWN_STREAM, type Stream } from '../../graph/stream.ts'
import { readErrorPolicy } from '../../graph/verbs/kit/error-policy.ts'
import type { Entry } from '../../graph/verbs/entry.ts'
import type { ReadOperator } from '../../graph/verbs/verb.ts'
import { warnOfUpserts } from '../../plan/upsert-warnings.ts'

/** `spec.graph`: a list of operators, each with an id, its inputs and one verb. */
export const list: FrontEnd = { field: 'graph', read: readGraph, withReplicas }

function withReplicas(value: unknown, replicas: ReadonlyMap<string, number>): unknown {
  if (!Array.isArray(value)) return value
  return value.map((entry: unknown) => {
    const slots = isFields(entry) ? replicas.get(String(entry['id'])) : undefined
    return isFields(entry) && slots !== undefined ? { ...entry, replicas: slots } : entry
  })
}

function readGraph(value: unknown, around: FrontEndContext, problems: Problems): OperatorNode[] {
  const streams = new Map<string, Stream>()
  const nodes: OperatorNode[] = []
  for (const entry of readEntries(value, 'spec.graph', problems)) {
    const inputs = entry.from.map(
      (name, index): Stream => streams.get(name) ?? unknownInput(entry, name, index, streams, problems),
    )
    const read = readEntry(entry, inputs, around, problems)
    streams.set(entry.id, read.stream)
    for (const [output, stream] of Object.entries(read.sideOutputs ?? {})) streams.set(`${entry.id}.${output}`, stream)
    const replicas = readReplicas(
      entry.fields['replicas'],
      around.maxParallelism,
      join(entry.path, 'replicas'),
      problems,
    )
    const slots = slotsOf(entry, read, replicas, problems)
    const onError = readErrorPolicy(entry.fields['onError'], join(entry.path, 'onError'), around.connectors, problems)
    const node = nodeOf(entry, read, { replicas: slots, onError })
    if (node === undefined) continue
    warnOfUpserts(node, entry.path, nodes, problems)
    nodes.push(node)
  }
  return nodes
}

function readEntry(entry: Entry, inputs: readonly Stream[], around: FrontEndContext, problems: Problems): ReadOperator {
  const form = formOf(entry.verb)
  return form === undefined ? { stream: UNKNOWN_STREAM } : readOperator(entry, form.reader, inputs, around, problems)
}

/** The number of slots that the entry says, or the one that the operator needs. */
function slotsOf(
  entry: Entry,
  { slots }: ReadOperator,
  replicas: number | undefined,
  problems: Problems,
): number | undefined {
  if (slots !== undefined && replicas !== undefined && replicas !== slots)
    problems.report(
      'OPTION_INVALID',
      join(entry.path, 'replicas'),
      `is ${replicas}, and "${entry.id}" works in ${slots === 1 ? 'one slot' : `${slots} slots`} only`,
      'leave replicas out here: the other operators keep theirs',
    )
  return slots ?? replicas
}

/** That an operator is missing was reported before; that it lacks a side output is known only now. */
function unknownInput(
  entry: Entry,
  name: string,
  index: number,
  streams: ReadonlyMap<string, Stream>,
  problems: Problems,
): Stream {
  const operator = operatorOfInput(name)
  if (operator !== name && streams.get(operator)?.schema !== undefined) {
    const path = Array.isArray(entry.fields['from']) ? join(join(entry.path, 'from'), index) : join(entry.path, 'from')
    const outputs = [...streams.keys()].filter((known) => known.startsWith(`${operator}.`))
    problems.report(
      'UNKNOWN_INPUT',
      path,
      `"${operator}" has no side output "${name.slice(operator.length + 1)}"`,
      outputs.length === 0 ? 'it has none at all' : suggestion(name, outputs),
    )
  }
  return UNKNOWN_STREAM
}
