import { isFields } from '../../runtime/model/fields.ts'
import type { SpecProblem } from './spec-problem.ts'

/** Deeper than anything Druid has; what walks such a value may recurse. */
const DEEPEST = 64
/** Druid's own name for aggregators, filters and extraction functions that are code. */
const CODE = 'javascript'

/**
 * Where a value that Druid takes as it is would run code inside of Druid, at whatever depth, or nests too deep to be
 * looked at. Pure; ends for any value.
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
        if (name === 'type' && typeof member === 'string' && member.trim().toLowerCase() === CODE) {
          problems.push({
            path: `${next.path}.type`,
            message: `'${member}' would run code inside Druid and is not allowed`,
          })
        }
      }
    }
  }
  return problems.toReversed()
}
