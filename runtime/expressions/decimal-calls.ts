import type { Expression, ExpressionType } from './ast.ts'
import { isExact } from './typing.ts'

/** What may become a decimal or bigint: numbers, texts that are one, each other. */
export function isDecimalSource({ type, logical }: ExpressionType): boolean {
  if (logical !== undefined) return isExact({ logical })
  return type === 'long' || type === 'double' || type === 'string'
}

/** Functions that make an exact number; their results have the types that the calls say. */
export const CONVERSIONS: ReadonlySet<string> = new Set(['Decimal', 'BigInt'])

/** Functions that take a decimal or bigint exactly; others take it as the text that it is in rows, or through Number(…). */
const ROUNDING: ReadonlySet<string> = new Set(['Math.floor', 'Math.ceil', 'Math.trunc'])

/** The type of a listed call of one decimal or bigint that is computed exactly; undefined for any other. */
export function decimalCallType(name: string, [value, ...more]: readonly Expression[]): ExpressionType | undefined {
  if (value?.logical === undefined || !isExact(value) || more.length > 0) return undefined
  if (name === 'Math.abs') return { type: 'string', logical: value.logical, nullable: value.nullable }
  return ROUNDING.has(name) ? { type: 'long', nullable: value.nullable } : undefined
}
