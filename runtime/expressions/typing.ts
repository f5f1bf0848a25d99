import type { BinaryOperator, ExpressionType } from './ast.ts'
import type { FieldType } from '../model/schema.ts'
import { valueTypeText } from '../model/value-type.ts'

/** Why operands do not fit their operator. */
export interface TypeProblem { problem: string; hint?: string }

/** The type of `left operator right`, or why there is none. The rules stand at checkExpression. */
export function binaryType(operator: BinaryOperator, left: ExpressionType, right: ExpressionType): ExpressionType | TypeProblem {
  if (operator !== '===' && operator !== '!==' && (left.logical?.kind === 'decimal' || right.logical?.kind === 'decimal')) {
    return { problem: `${operator} does not take ${describeType(left)} and ${describeType(right)}`, hint: 'a decimal is compared with === only; convert it first: Number(…)' }
  }
  switch (operator) {
    case '===': case '!==': return equalityType(operator, left, right)
    case '<': case '<=': case '>': case '>=': return orderType(operator, left, right)
    case '&': case '|': case '^': case '<<': case '>>': case '>>>': return bitsType(operator, left, right)
    default: return arithmeticType(operator, left, right)
  }
}

/** One type for two alternatives, or undefined: long widens to double, nothing else widens. */
export function combinedType(left: FieldType, right: FieldType): FieldType | undefined {
  if (left === right) return left
  return isNumber(left) && isNumber(right) ? 'double' : undefined
}

/** `long?`, as types are written in a schema. */
export function describeType(type: ExpressionType): string {
  return valueTypeText(type)
}

function equalityType(operator: string, left: ExpressionType, right: ExpressionType): ExpressionType | TypeProblem {
  if (left.type === 'json' || right.type === 'json' || kindOf(left.type) === kindOf(right.type)) return { type: 'boolean', nullable: false }
  return mismatch(operator, left, right)
}

function orderType(operator: string, left: ExpressionType, right: ExpressionType): ExpressionType | TypeProblem {
  const kind = kindOf(left.type)
  if (kind === kindOf(right.type) && (kind === 'number' || kind === 'string')) return { type: 'boolean', nullable: false }
  return mismatch(operator, left, right)
}

function bitsType(operator: string, left: ExpressionType, right: ExpressionType): ExpressionType | TypeProblem {
  if (left.type === 'long' && right.type === 'long') return { type: 'long', nullable: left.nullable || right.nullable }
  return { problem: `${operator} wants longs, not ${describeType(left)} and ${describeType(right)}` }
}

function arithmeticType(operator: BinaryOperator, left: ExpressionType, right: ExpressionType): ExpressionType | TypeProblem {
  const type = arithmeticResult(operator, left.type, right.type)
  return type === undefined ? mismatch(operator, left, right) : { type, nullable: left.nullable || right.nullable }
}

function arithmeticResult(operator: BinaryOperator, left: FieldType, right: FieldType): FieldType | undefined {
  if (operator === '+' && left === 'string' && right === 'string') return 'string'
  if (left === 'timestamp' || right === 'timestamp') return timestampResult(operator, left, right)
  if (!isNumber(left) || !isNumber(right)) return undefined
  if (operator === '/' || operator === '**') return 'double'
  return left === 'long' && right === 'long' ? 'long' : 'double'
}

function timestampResult(operator: BinaryOperator, left: FieldType, right: FieldType): FieldType | undefined {
  if (left === 'timestamp' && right === 'timestamp') return operator === '-' ? 'long' : undefined
  if (left === 'timestamp' && right === 'long') {
    if (operator === '+' || operator === '-') return 'timestamp'
    if (operator === '%') return 'long'
  }
  if (left === 'long' && operator === '+') return 'timestamp'
  return left === 'timestamp' && isNumber(right) && operator === '/' ? 'double' : undefined
}

function mismatch(operator: string, left: ExpressionType, right: ExpressionType): TypeProblem {
  const problem = `${operator} does not take ${describeType(left)} and ${describeType(right)}`
  const hint = hintFor(operator, left.type, right.type)
  return hint === undefined ? { problem } : { problem, hint }
}

function hintFor(operator: string, left: FieldType, right: FieldType): string | undefined {
  const either = (type: FieldType): boolean => left === type || right === type
  if (either('json')) return 'convert the json value first: Number(…), String(…) or Boolean(…)'
  if (either('timestamp') && either('string')) return 'read the text as a time: Date.parse(…)'
  if (either('timestamp') && either('double')) return 'a timestamp is whole milliseconds: Math.round(…)'
  if (operator === '+' && either('string')) return 'join text with a template: `${a} ${b}`'
  if (either('string')) return 'convert the text first: Number(…)'
  return undefined
}

function isNumber(type: FieldType): boolean {
  return type === 'long' || type === 'double'
}

function kindOf(type: FieldType): 'number' | FieldType {
  return isNumber(type) || type === 'timestamp' ? 'number' : type
}
