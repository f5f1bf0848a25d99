import type { Expression, ExpressionType } from './ast.ts'
import { readPattern } from './pattern-syntax.ts'

/**
 * Calls with a regular expression: the text, then the pattern and its flags as literals, then what the call wants
 * besides. `matches` gives a boolean, `extract` the text of a group or null, `replaceMatch` and `replaceMatches` a text.
 */
export const PATTERN_CALLS: ReadonlySet<string> = new Set([
  'string.matches',
  'string.extract',
  'string.replaceMatch',
  'string.replaceMatches',
])

/** The type of such a call. */
export function patternCallType(name: string, given: readonly Expression[]): ExpressionType {
  const nullable = given.some((argument) => argument.nullable)
  if (name === 'string.matches') return { type: 'boolean', nullable }
  return { type: 'string', nullable: nullable || name === 'string.extract' }
}

/** Whether arguments that came from another process are those of such a call. */
export function arePatternArguments(given: readonly unknown[]): boolean {
  const [source, flags] = given.slice(1, 3).map(literalText)
  return source !== undefined && flags !== undefined && 're2' in readPattern(source, flags)
}

function literalText(argument: unknown): string | undefined {
  if (typeof argument !== 'object' || argument === null || !('kind' in argument) || !('value' in argument))
    return undefined
  return argument.kind === 'literal' && typeof argument.value === 'string' ? argument.value : undefined
}

/** Whether anything in a plan's data calls one of them: who runs it then loads the engine. */
export function callsPatterns(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if ('kind' in value && value.kind === 'call' && 'function' in value && PATTERN_CALLS.has(String(value.function)))
    return true
  return Object.values(value).some(callsPatterns)
}
