import type { Expression as Syntax, Identifier, MemberExpression } from 'acorn'
import type { Expression } from '../../../expressions/ast.ts'
import { checkExpression } from '../../../expressions/check.ts'
import { expressionError } from '../../../expressions/expression-error.ts'
import { NAMESPACES } from '../../../expressions/functions.ts'
import { parseSyntax } from '../../../expressions/parse.ts'
import { suggestion } from '../../../expressions/suggest.ts'
import { type Field, fieldOf, namedField, type Schema } from '../../../model/schema.ts'
import { storageOf } from '../../../model/type-traits.ts'

/** The row that a condition is asked of. */
export const CURRENT_ROW = '#row'
/** Any row of a match: all have its key. */
export const KEY_ROW = '#key'
/** What is known of a match as a whole: when it began, and when it was complete. */
export const MATCH_ROW = 'match'
const MATCH_FIELDS: readonly Field[] = [
  { name: 'start', type: 'timestamp', nullable: false },
  { name: 'time', type: 'timestamp', nullable: false },
]

export const TOTAL_FUNCTIONS = ['sum', 'min', 'max', 'avg'] as const
export type TotalFunction = (typeof TOTAL_FUNCTIONS)[number]

/** The rows of a step as expressions read them: `small` is the last of them, so is `small.last`. */
export const firstRow = (step: string): string => `${step}.first`
export const totalsRow = (step: string): string => `${step}.totals`
export const totalField = (fn: TotalFunction, field: string): string => `${fn}_${field}`

/** A step whose rows an expression may read; `mayLack`: there may be none. */
export interface KnownStep {
  name: string
  mayLack: boolean
}

export interface PatternScope {
  schema: Schema
  steps: readonly KnownStep[]
  /** The row that fields without a step's name belong to: the row asked, or, for a match, the fields of the key. */
  bare: { row: typeof CURRENT_ROW; schema: Schema } | { row: typeof KEY_ROW; schema: Schema }
}

/**
 * An expression over the rows of a pattern's steps: `small.amount` (of the last row of the step), `small.first.amount`,
 * `small.count`, `small.sum(amount)`, and bare names as the scope says. Throws as parseExpression does.
 */
export function parsePatternExpression(text: string, scope: PatternScope): Expression {
  const { schema, steps, bare } = scope
  const rows: Record<string, Schema> = {
    [bare.row]: bare.schema,
    ...(bare.row === KEY_ROW ? { [MATCH_ROW]: { fields: MATCH_FIELDS } } : {}),
  }
  for (const { name, mayLack } of steps) {
    const taken = mayLack ? { fields: schema.fields.map((field) => ({ ...field, nullable: true })) } : schema
    rows[name] = taken
    rows[firstRow(name)] = taken
    rows[totalsRow(name)] = totalsSchema(schema)
  }
  return checkExpression(new Rewriter(text, scope).rewrite(parseSyntax(text)), text, { rows })
}

function totalsSchema(schema: Schema): Schema {
  return {
    fields: [
      { name: 'count', type: 'long', nullable: false },
      ...schema.fields
        .filter((field) => storageOf(field) === 'number')
        .flatMap((field) =>
          TOTAL_FUNCTIONS.flatMap((fn): Field[] => {
            if (fn === 'min' || fn === 'max')
              return [{ ...namedField(totalField(fn, field.name), field), nullable: true }]
            return field.type === 'timestamp'
              ? []
              : [{ name: totalField(fn, field.name), type: fn === 'avg' ? 'double' : field.type, nullable: true }]
          }),
        ),
    ],
  }
}

/**
 * Says with names of rows what the user said with names of steps; everything else stays for checkExpression to
 * judge.
 */
class Rewriter {
  readonly #text: string
  readonly #scope: PatternScope

  constructor(text: string, scope: PatternScope) {
    this.#text = text
    this.#scope = scope
  }

  rewrite(node: Syntax): Syntax {
    switch (node.type) {
      case 'Identifier':
        return this.#bare(node)
      case 'MemberExpression':
        return this.#member(node)
      case 'CallExpression': {
        const { callee } = node
        const total = callee.type === 'MemberExpression' ? this.#total(callee, node.arguments) : undefined
        if (total !== undefined) return total
        const args = node.arguments.map((argument) =>
          argument.type === 'SpreadElement' ? argument : this.rewrite(argument),
        )
        return { ...node, callee: callee.type === 'MemberExpression' ? this.#member(callee) : callee, arguments: args }
      }
      case 'ParenthesizedExpression':
        return { ...node, expression: this.rewrite(node.expression) }
      case 'ChainExpression':
        return { ...node, expression: this.rewrite(node.expression) as typeof node.expression }
      case 'UnaryExpression':
        return { ...node, argument: this.rewrite(node.argument) }
      case 'BinaryExpression':
        return {
          ...node,
          left: node.left.type === 'PrivateIdentifier' ? node.left : this.rewrite(node.left),
          right: this.rewrite(node.right),
        }
      case 'LogicalExpression':
        return { ...node, left: this.rewrite(node.left), right: this.rewrite(node.right) }
      case 'ConditionalExpression':
        return {
          ...node,
          test: this.rewrite(node.test),
          consequent: this.rewrite(node.consequent),
          alternate: this.rewrite(node.alternate),
        }
      case 'TemplateLiteral':
        return { ...node, expressions: node.expressions.map((part) => this.rewrite(part)) }
      default:
        return node
    }
  }

  #step(node: Syntax | { type: 'Super' }): KnownStep | undefined {
    return node.type === 'Identifier'
      ? this.#scope.steps.find(({ name }) => name === (node as Identifier).name)
      : undefined
  }

  #bare(node: Identifier): Syntax {
    const { bare, steps } = this.#scope
    if (fieldOf(bare.schema, node.name) !== undefined) return memberOf(node, bare.row, node.name)
    if (
      this.#step(node) !== undefined ||
      node.name === 'undefined' ||
      (node.name === MATCH_ROW && bare.row === KEY_ROW)
    )
      return node
    const isField = fieldOf(this.#scope.schema, node.name) !== undefined
    throw expressionError(
      this.#text,
      node.start,
      'UNKNOWN_FIELD',
      isField
        ? `"${node.name}" is a field of every row of the match`
        : `there is no field "${node.name}", and no step of this name that rows are known of here`,
      isField
        ? `say of which step: ${steps[0]?.name ?? 'step'}.${node.name}`
        : suggestion(node.name, [...bare.schema.fields.map(({ name }) => name), ...steps.map(({ name }) => name)]),
    )
  }

  #member(node: MemberExpression): MemberExpression {
    const { object, property } = node
    if (
      object.type === 'Super' ||
      (object.type === 'Identifier' &&
        NAMESPACES.has(object.name) &&
        fieldOf(this.#scope.bare.schema, object.name) === undefined)
    )
      return node
    if (!node.computed && property.type === 'Identifier') {
      const step = this.#step(object)
      if (step !== undefined)
        return property.name === 'count' && fieldOf(this.#scope.schema, 'count') === undefined
          ? memberOf(node, totalsRow(step.name), 'count')
          : node
      const ofStep = this.#placeOf(object)
      if (ofStep !== undefined) return { ...node, object: identifier(object, ofStep) }
    }
    return {
      ...node,
      object: this.rewrite(object),
      property: node.computed && property.type !== 'PrivateIdentifier' ? this.rewrite(property) : property,
    }
  }

  /** `small.first` and `small.last`: the row that is meant. */
  #placeOf(node: Syntax): string | undefined {
    if (node.type !== 'MemberExpression' || node.computed || node.property.type !== 'Identifier') return undefined
    const step = this.#step(node.object)
    if (step === undefined) return undefined
    return node.property.name === 'first' ? firstRow(step.name) : node.property.name === 'last' ? step.name : undefined
  }

  /** `small.sum(amount)`, and `small.count()` where rows have a field of that name. */
  #total(callee: MemberExpression, args: readonly { type: string }[]): Syntax | undefined {
    const step = this.#step(callee.object)
    if (step === undefined || callee.computed || callee.property.type !== 'Identifier') return undefined
    const { name } = callee.property
    if (name === 'count' && args.length === 0) return memberOf(callee, totalsRow(step.name), 'count')
    const fn = TOTAL_FUNCTIONS.find((known) => known === name)
    if (fn === undefined) {
      throw expressionError(
        this.#text,
        callee.property.start,
        'UNKNOWN_FUNCTION',
        `the rows of a step have no ${name}`,
        suggestion(name, [...TOTAL_FUNCTIONS, 'count']) ??
          `there are ${step.name}.count and ${TOTAL_FUNCTIONS.map((known) => `${step.name}.${known}(field)`).join(', ')}`,
      )
    }
    const [argument, second] = args as readonly Syntax[]
    const field =
      argument?.type === 'Identifier' && second === undefined ? fieldOf(this.#scope.schema, argument.name) : undefined
    if (field === undefined) {
      throw expressionError(
        this.#text,
        argument?.start ?? callee.start,
        'UNKNOWN_FIELD',
        `${step.name}.${fn} takes one field of the rows`,
        argument?.type === 'Identifier'
          ? suggestion(
              argument.name,
              this.#scope.schema.fields.map((known) => known.name),
            )
          : undefined,
      )
    }
    if (fieldOf(totalsSchema(this.#scope.schema), totalField(fn, field.name)) === undefined) {
      throw expressionError(
        this.#text,
        argument?.start ?? callee.start,
        'EXPRESSION_TYPE',
        `${fn} does not take "${field.name}", a ${field.type}`,
      )
    }
    return memberOf(callee, totalsRow(step.name), totalField(fn, field.name))
  }
}

function identifier({ start, end }: { start: number; end: number }, name: string): Identifier {
  return { type: 'Identifier', start, end, name }
}

function memberOf(place: { start: number; end: number }, row: string, property: string): MemberExpression {
  const { start, end } = place
  return {
    type: 'MemberExpression',
    start,
    end,
    object: identifier(place, row),
    property: identifier(place, property),
    computed: false,
    optional: false,
  }
}
