import { checkObject, refuse } from './misuse.ts'
import type { Shape, TypeText } from './shapes.ts'

/**
 * An expression over the fields of a row, as text, and the type it has. That it has this type is checked when the
 * job is.
 */
export interface Expression<T extends TypeText> {
  readonly type: T
  readonly text: string
}

/**
 * `expr('double', 'price * 0.9')`: computed by generated code, which is as fast as a function and can be read by
 * everyone.
 */
export function expr<const T extends TypeText>(type: T, text: string): Expression<T> {
  return { type, text }
}

export type Expressions = Readonly<Record<string, Expression<TypeText>>>
export type ShapeOf<E extends Expressions> = {
  -readonly [Name in keyof E]: E[Name]['type']
} & {} extends infer S extends Shape
  ? S
  : never

/** The types of expressions, as they were declared. */
export function typesOf(expressions: Expressions): Record<string, TypeText> {
  return Object.fromEntries(Object.entries(expressions).map(([name, { type }]) => [name, type]))
}

/** The texts of expressions, as the graph holds them. */
export function textsOf(expressions: Expressions): Record<string, string> {
  return Object.fromEntries(Object.entries(expressions).map(([name, { text }]) => [name, text]))
}

/** Throws TYPE_MISMATCH for what is not written with `expr`. */
export function checkExpressions(what: string, fields: unknown): asserts fields is Expressions {
  checkObject(`the fields of ${what}`, fields, "{ name: expr('double', 'price * 0.9') }")
  for (const [name, value] of Object.entries(fields as object))
    if (typeof value !== 'object' || value === null || !('text' in value) || !('type' in value))
      refuse(
        `"${name}" of ${what}`,
        'an expression',
        value,
        `${name}: expr('double', 'price * 0.9'); a function stands behind the shape: map(id, { price: 'double' }, (row) => …)`,
      )
}
