import { canonicalJson } from '../model/canonical-json.ts'
import type { ExecutionPlan } from './execution-plan.ts'

/**
 * What becomes of the rows of an output (`id` or `id.output`), as text: all operators behind it as the job has them.
 * It is another one when a reader is added, or writes elsewhere.
 */
export function readersText({ chains }: ExecutionPlan, output: string): string {
  const reached = new Set([output])
  // operators of a plan are in topological order only within a chain
  for (let before = 0; before < reached.size; ) {
    before = reached.size
    for (const { id, from, sideOutputs = {} } of chains.flatMap(({ operators }) => operators)) {
      if (!from.some((input) => reached.has(input))) continue
      for (const name of [id, ...Object.keys(sideOutputs).map((side) => `${id}.${side}`)]) reached.add(name)
    }
  }
  const readers = chains
    .flatMap(({ operators }) => operators)
    .filter(({ from }) => from.some((input) => reached.has(input)))
    .map(({ id, from, verb }) => ({ id, from, verb }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
  return canonicalJson(readers)
}
