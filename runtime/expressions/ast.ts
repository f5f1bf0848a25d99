import type { ValueType } from '../model/schema.ts'

/**
 * The type of an expression: that of a field. Only fields and their members have a logical type; what is computed
 * has none.
 */
export type ExpressionType = ValueType

/**
 * A checked expression: every identifier is resolved, every node typed. Generated code is emitted from this
 * tree and from nothing else. Text → tree: parse.ts; tree → JavaScript: codegen/expression.ts.
 */
export type Expression = ExpressionType &
  (
    | { kind: 'literal'; value: string | number | boolean | null }
    /** `of` names the row it is read from where an expression reads several (scope.ts). */
    | { kind: 'field'; name: string; of?: string }
    | { kind: 'unary'; operator: '-' | '+' | '!'; operand: Expression }
    | { kind: 'binary'; operator: BinaryOperator; left: Expression; right: Expression }
    | { kind: 'logical'; operator: '&&' | '||' | '??'; left: Expression; right: Expression }
    | { kind: 'conditional'; test: Expression; then: Expression; otherwise: Expression }
    /** A listed function (`Math.floor`) or method (`string.slice`, the receiver is the first argument). */
    | { kind: 'call'; function: string; arguments: readonly Expression[] }
    /** A listed property: `string.length`, or a step into a json value. */
    | { kind: 'member'; object: Expression; property: string | number }
    | { kind: 'template'; parts: readonly Expression[] }
    /** A new json value; any text is a key, no two are the same. */
    | { kind: 'object'; members: readonly { readonly key: string; readonly value: Expression }[] }
  )

export const BINARY_OPERATORS = [
  '+',
  '-',
  '*',
  '/',
  '%',
  '**',
  '===',
  '!==',
  '<',
  '<=',
  '>',
  '>=',
  '&',
  '|',
  '^',
  '<<',
  '>>',
  '>>>',
] as const

export type BinaryOperator = (typeof BINARY_OPERATORS)[number]
