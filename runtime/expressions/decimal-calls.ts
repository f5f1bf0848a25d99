import type { Expression, ExpressionType } from './ast.ts'

/** What may become a decimal: numbers, texts that are one, other decimals. */
export function isDecimalSource({ type, logical }: ExpressionType): boolean {
  if (logical !== undefined) return logical.kind === 'decimal'
  return type === 'long' || type === 'double' || type === 'string'
}

/** Functions that take a decimal exactly; others take it as the text that it is in rows, or through Number(…). */
const ROUNDING: ReadonlySet<string> = new Set(['Math.floor', 'Math.ceil', 'Math.trunc'])

/** The type of a listed call of one decimal that is computed as a decimal; undefined for any other. */
export function decimalCallType(name: string, [value, ...more]: readonly Expression[]): ExpressionType | undefined {
  if (value?.logical?.kind !== 'decimal' || more.length > 0) return undefined
  if (name === 'Math.abs') return { type: 'string', logical: value.logical, nullable: value.nullable }
  return ROUNDING.has(name) ? { type: 'long', nullable: value.nullable } : undefined
}
