import { LARGEST_MAX_PARALLELISM, operatorOfInput, type JobGraph, type OperatorNode } from './job-graph.ts'
import { checkExpressionTree, isExpressionNode } from '../expressions/check-tree.ts'
import { MillraceError } from '../model/errors.ts'
import { FIELD_TYPES, isFieldName } from '../model/schema.ts'
import { isVerbKind } from './verbs/all.ts'

/** Raised when the meaning of a node changes; what an older process wrote is then refused, not read wrongly. */
export const GRAPH_VERSION = 2

/** A JobGraph between processes: plain JSON. */
export interface EncodedGraph {
  readonly version: number
  readonly graph: unknown
}

export function encodeGraph(graph: JobGraph): EncodedGraph {
  return { version: GRAPH_VERSION, graph }
}

/**
 * The inverse of encodeGraph. Checks all that the walks over a graph rely on: ids, inputs in topological order, known
 * verbs, sound schemas and expressions. Throws GRAPH_INVALID with the path of what is wrong, GRAPH_VERSION_UNKNOWN for
 * another version.
 */
export function decodeGraph(encoded: EncodedGraph): JobGraph {
  if (encoded.version !== GRAPH_VERSION)
    throw new MillraceError(
      'GRAPH_VERSION_UNKNOWN',
      `the graph has version ${String(encoded.version)}, this process reads version ${GRAPH_VERSION}`,
      { hint: 'run all pods of a job from one image' },
    )
  const graph = objectAt(encoded.graph, 'graph')
  const maxParallelism = countAt(graph['maxParallelism'], 'graph.maxParallelism', LARGEST_MAX_PARALLELISM)
  countAt(graph['parallelism'], 'graph.parallelism', maxParallelism)
  const checkpoints = objectAt(graph['checkpoints'], 'graph.checkpoints')
  countAt(checkpoints['intervalMs'], 'graph.checkpoints.intervalMs', Number.MAX_SAFE_INTEGER)
  const outputs = new Set<string>()
  for (const [index, node] of listAt(graph['operators'], 'graph.operators').entries())
    checkNode(node, `graph.operators[${index}]`, maxParallelism, outputs)
  return encoded.graph as JobGraph
}

const DEEPEST = 200

/** Checks one operator against what comes out of those before it, and adds what comes out of it. */
function checkNode(value: unknown, path: string, maxParallelism: number, outputs: Set<string>): void {
  const node = objectAt(value, path) as { readonly [Member in keyof OperatorNode]?: unknown }
  const id = textAt(node.id, `${path}.id`)
  if (outputs.has(id) || operatorOfInput(id) !== id) throw invalid(`${path}.id`, `"${id}" is taken or has a dot`)
  for (const [index, input] of listAt(node.from, `${path}.from`).entries()) {
    const name = textAt(input, `${path}.from[${index}]`)
    if (!outputs.has(name)) throw invalid(`${path}.from[${index}]`, `nothing before it puts out "${name}"`)
  }
  if (node.parallelism !== undefined) countAt(node.parallelism, `${path}.parallelism`, maxParallelism)
  checkSchema(node.schema, `${path}.schema`)
  if (node.onError !== undefined) checkErrorPolicy(node.onError, `${path}.onError`)
  const verb = objectAt(node.verb, `${path}.verb`)
  if (!isVerbKind(verb['kind'])) throw invalid(`${path}.verb.kind`, `there is no verb "${String(verb['kind'])}"`)
  checkExpressions(verb, `${path}.verb`, 0)
  outputs.add(id)
  for (const [name, schema] of Object.entries(objectAt(node.sideOutputs ?? {}, `${path}.sideOutputs`))) {
    checkSchema(schema, `${path}.sideOutputs.${name}`)
    outputs.add(`${id}.${name}`)
  }
}

function checkErrorPolicy(value: unknown, path: string): void {
  const { kind, connector, options } = objectAt(value, path)
  if (kind === 'fail' || kind === 'skip') return
  if (kind !== 'deadLetter') throw invalid(`${path}.kind`, `is ${String(kind)}, not an error policy`)
  textAt(connector, `${path}.connector`)
  objectAt(options, `${path}.options`)
}

function checkSchema(value: unknown, path: string): void {
  const names = new Set<string>()
  for (const [index, item] of listAt(objectAt(value, path)['fields'], `${path}.fields`).entries()) {
    const field = objectAt(item, `${path}.fields[${index}]`)
    const name = textAt(field['name'], `${path}.fields[${index}].name`)
    const isSound =
      isFieldName(name) && FIELD_TYPES.some((type) => type === field['type']) && typeof field['nullable'] === 'boolean'
    if (!isSound || names.has(name))
      throw invalid(`${path}.fields[${index}]`, `"${name}" is not a field or is there twice`)
    names.add(name)
  }
}

/** Finds the expressions among the data of a verb, wherever they stand. */
function checkExpressions(value: unknown, path: string, depth: number): void {
  if (typeof value !== 'object' || value === null) return
  if (depth > DEEPEST) throw invalid(path, `is nested deeper than ${DEEPEST} levels`)
  if (isExpressionNode(value)) {
    const problem = checkExpressionTree(value)
    if (problem !== undefined) throw invalid(path, problem)
    return
  }
  for (const [name, member] of Object.entries(value)) checkExpressions(member, `${path}.${name}`, depth + 1)
}

function objectAt(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw invalid(path, 'is not an object')
}

function listAt(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw invalid(path, 'is not a list')
}

function textAt(value: unknown, path: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw invalid(path, 'is not a text')
}

function countAt(value: unknown, path: string, most: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= most) return value
  throw invalid(path, `is ${String(value)}, not a whole number from 1 to ${most}`)
}

function invalid(path: string, message: string): MillraceError {
  return new MillraceError('GRAPH_INVALID', `${path} ${message}`, {
    hint: 'a process of Millrace wrote this: run all pods of a job from one image',
  })
}
