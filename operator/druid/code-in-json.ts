import { isFields } from '../../runtime/model/fields.ts'
import type { SpecProblem } from './spec-problem.ts'

/** Deeper than anything Druid has; what walks such a value may recurse. */
const DEEPEST = 64
/** Types of Druid: aggregators, filters and functions that are code; passwords and properties from its environment. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['javascript', 'would run code inside Druid'],
  ['environment', 'would hand out the environment of Druid'],
])
/** A member, of any mapping of properties, in whose place Druid puts what it finds elsewhere. */
const PROVIDER = 'druid.dynamic.config.provider'

/**
 * Where a value that Druid takes as it is would run code inside of Druid or hand out its environment, at whatever depth,
 * or nests too deep to be looked at. Pure; ends for any value.
 */
export function codeProblems(value: unknown, path: string): SpecProblem[] {
  const problems: SpecProblem[] = []
  const open: { value: unknown; path: string; depth: number }[] = [{ value, path, depth: 0 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { depth } = next
    if (depth > DEEPEST) return [{ path, message: `nests deeper than ${DEEPEST} levels` }]
    if (Array.isArray(next.value)) {
      for (const [index, item] of next.value.entries()) {
        open.push({ value: item, path: `${next.path}[${index}]`, depth: depth + 1 })
      }
    } else if (isFields(next.value)) {
      for (const [name, member] of Object.entries(next.value)) {
        open.push({ value: member, path: `${next.path}.${name}`, depth: depth + 1 })
        const why = name === 'type' && typeof member === 'string' ? REFUSED.get(member.trim().toLowerCase()) : undefined
        if (why !== undefined)
          problems.push({ path: `${next.path}.type`, message: `'${String(member)}' ${why} and is not allowed` })
        if (name === PROVIDER) problems.push({ path: `${next.path}[${name}]`, message: `'${name}' is not allowed` })
      }
    }
  }
  return problems.toReversed()
}
