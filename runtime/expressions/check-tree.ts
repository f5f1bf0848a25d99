import { BINARY_OPERATORS } from './ast.ts'
import { DATE_CALLS } from './date-calls.ts'
import { CONVERSIONS } from './decimal-calls.ts'
import { FUNCTIONS, isMemberKey } from './functions.ts'
import { arePatternArguments, PATTERN_CALLS } from './pattern-calls.ts'
import { FIELD_TYPES, isFieldName } from '../model/schema.ts'

const LOGICAL: readonly string[] = ['&&', '||', '??']
const UNARY: readonly string[] = ['-', '+', '!']
/** The parser stops far before. */
const DEEPEST = 1000

/** An expression differs from other data with a `kind` in that it has a type and says whether it may be null. */
export function isExpressionNode(value: object): boolean {
  return 'kind' in value && 'type' in value && 'nullable' in value
}

/**
 * Whether data that came from another process is an expression that the generator takes: known kinds, operators,
 * functions and types, plain field names. Undefined when it is; else what is wrong. Types are not inferred again.
 */
export function checkExpressionTree(value: unknown, depth = 0): string | undefined {
  if (typeof value !== 'object' || value === null || !isExpressionNode(value)) return 'has no expression'
  if (depth > DEEPEST) return `has an expression nested deeper than ${DEEPEST} levels`
  const tree = value as Readonly<Record<string, unknown>>
  if (!FIELD_TYPES.some((type) => type === tree['type']) || typeof tree['nullable'] !== 'boolean')
    return `has an expression of type ${String(tree['type'])}`
  const parts = partsOf(tree)
  if (parts === undefined) return `has an unsound expression of kind ${String(tree['kind'])}`
  for (const part of parts) {
    const problem = checkExpressionTree(part, depth + 1)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** The expressions that one consists of; undefined when it is not sound itself. */
function partsOf(tree: Readonly<Record<string, unknown>>): readonly unknown[] | undefined {
  const has = (known: readonly string[]): boolean => known.includes(String(tree['operator']))
  switch (tree['kind']) {
    case 'literal':
      return tree['value'] === null || ['string', 'number', 'boolean'].includes(typeof tree['value']) ? [] : undefined
    case 'field':
      return isName(tree['name']) && (tree['of'] === undefined || typeof tree['of'] === 'string') ? [] : undefined
    case 'unary':
      return has(UNARY) ? [tree['operand']] : undefined
    case 'binary':
      return has(BINARY_OPERATORS) ? [tree['left'], tree['right']] : undefined
    case 'logical':
      return has(LOGICAL) ? [tree['left'], tree['right']] : undefined
    case 'conditional':
      return [tree['test'], tree['then'], tree['otherwise']]
    case 'call':
      if (PATTERN_CALLS.has(String(tree['function'])))
        return Array.isArray(tree['arguments']) && arePatternArguments(tree['arguments'])
          ? tree['arguments']
          : undefined
      return isListed(String(tree['function'])) && Array.isArray(tree['arguments']) ? tree['arguments'] : undefined
    case 'member':
      return isMember(tree['property']) ? [tree['object']] : undefined
    case 'object':
      return membersOf(tree['members'])
    case 'template':
      return Array.isArray(tree['parts']) ? tree['parts'] : undefined
    default:
      return undefined
  }
}

/** The values of an object literal; undefined when it is none. Its keys are texts, which the generator quotes. */
function membersOf(members: unknown): readonly unknown[] | undefined {
  if (!Array.isArray(members)) return undefined
  const read = members.map((member: unknown): { key?: unknown; value?: unknown } =>
    typeof member === 'object' && member !== null ? member : {},
  )
  const isSound = read.every(({ key }) => typeof key === 'string' && isMemberKey(key))
  return isSound && new Set(read.map(({ key }) => key)).size === read.length
    ? read.map(({ value }) => value)
    : undefined
}

function isListed(name: string): boolean {
  return FUNCTIONS.has(name) || CONVERSIONS.has(name) || DATE_CALLS.has(name)
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && isFieldName(value)
}

function isMember(property: unknown): boolean {
  return typeof property === 'number'
    ? Number.isSafeInteger(property)
    : typeof property === 'string' && isMemberKey(property)
}
