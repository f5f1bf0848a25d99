import type { BinaryOperator, ExpressionType } from './ast.ts'
import type { FieldType, LogicalType } from '../model/schema.ts'
import {
  BIGINT_AS_DECIMAL,
  decimalResult,
  LONG_AS_DECIMAL,
  type DecimalOperator,
  type DecimalType,
} from '../model/decimal-type.ts'
import { valueTypeText } from '../model/value-type.ts'

/** Why operands do not fit their operator. */
export interface TypeProblem {
  problem: string
  hint?: string
}

/** The type of `left operator right`, or why there is none. The rules stand at checkExpression. */
export function binaryType(
  operator: BinaryOperator,
  left: ExpressionType,
  right: ExpressionType,
): ExpressionType | TypeProblem {
  if (isExact(left) || isExact(right)) return decimalBinaryType(operator, left, right)
  const hint = apartHint(operator, left, right)
  if (hint !== undefined)
    return { problem: `${operator} does not take ${describeType(left)} and ${describeType(right)}`, hint }
  switch (operator) {
    case '===':
    case '!==':
      return equalityType(operator, left, right)
    case '<':
    case '<=':
    case '>':
    case '>=':
      return orderType(operator, left, right)
    case '&':
    case '|':
    case '^':
    case '<<':
    case '>>':
    case '>>>':
      return bitsType(operator, left, right)
    default:
      return arithmeticType(operator, left, right)
  }
}

/** One type for two alternatives, or undefined: long widens to double, nothing else widens. */
export function combinedType(left: FieldType, right: FieldType): FieldType | undefined {
  if (left === right) return left
  return isNumber(left) && isNumber(right) ? 'double' : undefined
}

/**
 * Whether values of both that mean the same are the same in a row: long and double are, decimals of two scales or a
 * date and a long are not.
 */
export function haveOneEquality(left: ExpressionType, right: ExpressionType): boolean {
  return combinedType(left.type, right.type) !== undefined && meaning(left) === meaning(right)
}

/** `long?`, as types are written in a schema. */
export function describeType(type: ExpressionType): string {
  return valueTypeText(type)
}

/**
 * The decimal that an operand of decimals is: a long is one too, a double is none, for its digits are not those that
 * were written.
 */
export function asDecimal({ type, logical }: ExpressionType): DecimalType | undefined {
  if (logical?.kind === 'decimal') return logical
  if (logical?.kind === 'bigint') return BIGINT_AS_DECIMAL
  return type === 'long' && logical === undefined ? LONG_AS_DECIMAL : undefined
}

/** A number that is a text in rows, and is computed exactly. */
export function isExact({ logical }: { readonly logical?: LogicalType | undefined }): boolean {
  return logical?.kind === 'decimal' || logical?.kind === 'bigint'
}

/**
 * Decimals and bigints with each other and longs: compared by their numbers, computed by decimalResult; whole numbers
 * stay whole as bigints, whose division leaves out the rest, as in SQL.
 */
function decimalBinaryType(
  operator: BinaryOperator,
  left: ExpressionType,
  right: ExpressionType,
): ExpressionType | TypeProblem {
  const [one, other] = [asDecimal(left), asDecimal(right)]
  const problem = `${operator} does not take ${describeType(left)} and ${describeType(right)}`
  if (one === undefined || other === undefined) return { problem, hint: EXACT_HINT }
  if (['===', '!==', '<', '<=', '>', '>='].includes(operator)) return { type: 'boolean', nullable: false }
  if (!isDecimalOperator(operator)) return { problem, hint: 'make a double of it: Number(…)' }
  const isWhole = left.logical?.kind !== 'decimal' && right.logical?.kind !== 'decimal'
  return {
    type: 'string',
    logical: isWhole ? { kind: 'bigint' } : { kind: 'decimal', ...decimalResult(operator, one, other) },
    nullable: left.nullable || right.nullable,
  }
}

const EXACT_HINT =
  'decimals and bigints go with each other and longs: Decimal(x, precision, scale) or BigInt(x) makes one, Number(…) a double of it'

export function isDecimalOperator(operator: BinaryOperator): operator is DecimalOperator {
  return ['+', '-', '*', '/', '%'].includes(operator)
}

/**
 * What to do about two values that are of one JavaScript type and say different things, or that nothing can
 * compare.
 */
function apartHint(operator: BinaryOperator, left: ExpressionType, right: ExpressionType): string | undefined {
  const [one, other] = [left.logical?.kind, right.logical?.kind]
  const isEquality = operator === '===' || operator === '!=='
  if (isEquality && [one, other].every((kind) => kind === 'array' || kind === 'row' || kind === 'map'))
    return 'compare a field or element of them, or their texts: JSON.stringify(…)'
  if (one === 'time' || other === 'time')
    if (one !== other && [left.type, right.type].some((type) => type === 'timestamp' || type === 'string'))
      return 'a time counts milliseconds since midnight: 12 * 3600000 is noon'
  if ((one === 'date' && right.type === 'timestamp') || (other === 'date' && left.type === 'timestamp'))
    return 'a date counts days, a timestamp milliseconds: divide the timestamp by 86400000'
  if ((one === 'date' && right.type === 'string') || (other === 'date' && left.type === 'string'))
    return "a date counts days since 1970-01-01: Date.parse('2020-01-31') / 86400000"
  return undefined
}

/** The same for types whose equal values are equal in rows. */
function meaning({ type, logical }: ExpressionType): string {
  if (logical?.kind === 'decimal') return `decimal of scale ${logical.scale}`
  return logical === undefined ? kindOf(type) : valueTypeText({ type, logical, nullable: false })
}

function equalityType(operator: string, left: ExpressionType, right: ExpressionType): ExpressionType | TypeProblem {
  if (left.type === 'json' || right.type === 'json' || kindOf(left.type) === kindOf(right.type))
    return { type: 'boolean', nullable: false }
  return mismatch(operator, left, right)
}

function orderType(operator: string, left: ExpressionType, right: ExpressionType): ExpressionType | TypeProblem {
  const kind = kindOf(left.type)
  if (kind === kindOf(right.type) && (kind === 'number' || kind === 'string'))
    return { type: 'boolean', nullable: false }
  return mismatch(operator, left, right)
}

function bitsType(operator: string, left: ExpressionType, right: ExpressionType): ExpressionType | TypeProblem {
  if (left.type === 'long' && right.type === 'long') return { type: 'long', nullable: left.nullable || right.nullable }
  return { problem: `${operator} wants longs, not ${describeType(left)} and ${describeType(right)}` }
}

function arithmeticType(
  operator: BinaryOperator,
  left: ExpressionType,
  right: ExpressionType,
): ExpressionType | TypeProblem {
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
