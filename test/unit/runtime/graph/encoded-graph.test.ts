import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { builtinConnectors } from '../../../../runtime/builtin-connectors.ts'
import { readJobFiles } from '../../../../runtime/front/job-file.ts'
import { planJob } from '../../../../runtime/front/planned-job.ts'
import { decodeGraph, encodeGraph, GRAPH_VERSION, type EncodedGraph } from '../../../../runtime/graph/encoded-graph.ts'
import type { JobGraph } from '../../../../runtime/graph/job-graph.ts'
import { executionPlan } from '../../../../runtime/plan/chaining.ts'
import { VERBS } from '../../../../runtime/graph/verbs/all.ts'
import { verbJobGraphs } from './verb-jobs.ts'

const EXAMPLES = join(import.meta.dirname, '../../../../examples')

/** As another process gets it. */
function sent(graph: JobGraph): EncodedGraph {
  return JSON.parse(JSON.stringify(encodeGraph(graph))) as EncodedGraph
}

/** A copy in which another value is at the path. */
function replaced(value: unknown, [step, ...rest]: readonly (string | number)[], by: unknown): unknown {
  if (step === undefined) return by
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }) as Record<
    string | number,
    unknown
  >
  copy[step] = replaced(copy[step], rest, by)
  return copy
}

function exampleGraphs(): [string, JobGraph][] {
  return readdirSync(EXAMPLES)
    .filter((file) => file.endsWith('.yaml') && /^kind: StreamJob/m.test(readFileSync(join(EXAMPLES, file), 'utf8')))
    .flatMap((file) =>
      readJobFiles(readFileSync(join(EXAMPLES, file), 'utf8')).map(({ name, spec }): [string, JobGraph] => [
        `${file} ${name}`,
        planJob(spec, builtinConnectors).graph,
      ]),
    )
}

describe('a graph that was encoded', () => {
  test('is tried with every verb', () => {
    const tried = verbJobGraphs().flatMap(([, { operators }]) => operators.map(({ verb }) => verb.kind))
    expect(new Set(tried)).toEqual(new Set(Object.keys(VERBS)))
  })

  test.each([...exampleGraphs(), ...verbJobGraphs()])('is the same once it is decoded: %s', (_, graph) => {
    const decoded = decodeGraph(sent(graph))
    expect(decoded).toEqual(graph)
    expect(executionPlan(decoded)).toEqual(executionPlan(graph))
  })
})

describe('decoding', () => {
  const [, graph] = verbJobGraphs().find(([verb]) => verb === 'filter') ?? []
  if (graph === undefined) throw new Error('there is no job with a filter')

  test('refuses another version, and names both', () => {
    expect(() => decodeGraph({ ...sent(graph), version: GRAPH_VERSION + 1 })).toThrow(
      `the graph has version ${GRAPH_VERSION + 1}, this process reads version ${GRAPH_VERSION}`,
    )
  })

  const FILTER = ['operators', 1]
  const CONDITION = [...FILTER, 'verb', 'condition']
  test.each<[string, readonly (string | number)[], unknown, string]>([
    ['an id with a dot', ['operators', 0, 'id'], 'a.b', 'graph.operators[0].id "a.b" is taken or has a dot'],
    ['an id twice', [...FILTER, 'id'], 'in', 'graph.operators[1].id "in" is taken or has a dot'],
    [
      'an input that comes later',
      [...FILTER, 'from'],
      ['out'],
      'graph.operators[1].from[0] nothing before it puts out "out"',
    ],
    [
      'an unknown verb',
      [...FILTER, 'verb', 'kind'],
      'constructor',
      'graph.operators[1].verb.kind there is no verb "constructor"',
    ],
    [
      'a field called __proto__',
      ['operators', 0, 'schema', 'fields', 0, 'name'],
      '__proto__',
      'graph.operators[0].schema.fields[0] "__proto__" is not a field',
    ],
    [
      'code as an operator',
      [...CONDITION, 'operator'],
      '|| process.exit() ||',
      'graph.operators[1].verb.condition has an unsound expression of kind logical',
    ],
    [
      'code as the name of a field',
      CONDITION,
      { kind: 'field', name: 'v); process.exit(', type: 'boolean', nullable: false },
      'graph.operators[1].verb.condition has an unsound expression of kind field',
    ],
    [
      'a function that is not listed',
      CONDITION,
      { kind: 'call', function: 'eval', arguments: [], type: 'boolean', nullable: false },
      'graph.operators[1].verb.condition has an unsound expression of kind call',
    ],
    [
      'more slots than key groups',
      ['parallelism'],
      1000,
      'graph.parallelism is 1000, not a whole number from 1 to 128',
    ],
  ])('refuses %s, and says where', (_, path, value, message) => {
    expect(() => decodeGraph({ version: GRAPH_VERSION, graph: replaced(sent(graph).graph, path, value) })).toThrow(
      message,
    )
  })

  test('whatever is cut from it, it is refused or decoded, and never fails in another way', () => {
    const spoil = (value: unknown, at: number): unknown => {
      let count = 0
      return JSON.parse(JSON.stringify(value), (_key, member: unknown) =>
        count++ === at ? undefined : member,
      ) as unknown
    }
    for (let at = 0; at < 400; at++) {
      const spoilt = spoil(sent(graph).graph, at)
      try {
        decodeGraph({ version: GRAPH_VERSION, graph: spoilt })
      } catch (error) {
        expect(error).toMatchObject({ code: 'GRAPH_INVALID' })
      }
    }
  })
})
