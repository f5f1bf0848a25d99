import type { Expression } from '../expressions/ast.ts'
import type { Schema } from '../model/schema.ts'
import type { Chain, Exchange } from './execution-plan.ts'
import type { OperatorNode } from './job-graph.ts'

/** Field names, or all of them. */
type Fields = ReadonlySet<string> | 'all'

/**
 * The part of a stream that the chain behind an exchange looks at: columns nobody reads are not sent. Works backwards from
 * the chain's end; an operator that is not known here reads all.
 */
export function requiredSchema(schema: Schema, consumer: Chain, outputs: readonly Exchange[]): Schema {
  const sidesOf = new Set(outputs.filter(({ producer }) => producer.chain === consumer.id && producer.output !== undefined).map(({ producer }) => producer.operator))
  let required: Fields = 'all'
  for (const operator of consumer.operators.toReversed()) required = sidesOf.has(operator.id) ? 'all' : fieldsRead(operator, required)
  if (required === 'all') return schema
  const fields = schema.fields.filter((field) => required.has(field.name))
  // a row of no fields still has to travel, and be counted
  return { fields: fields.length === 0 ? schema.fields.slice(0, 1) : fields }
}

/** What an operator reads of its input so that `wanted` comes out of it. */
function fieldsRead(operator: OperatorNode, wanted: Fields): Fields {
  const { verb, keyBy = [] } = operator
  switch (verb.kind) {
    case 'filter': return union(wanted, expressionFields(verb.condition))
    case 'map': return new Set([...keyBy, ...verb.fields.flatMap(({ value }) => expressionFields(value))])
    case 'keyBy': case 'union': return union(wanted, keyBy)
    case 'window': return new Set([...keyBy, verb.eventTime.field, ...verb.aggregates.flatMap(({ argument }) => (argument === undefined ? [] : expressionFields(argument)))])
    default: return 'all'
  }
}

function union(wanted: Fields, names: readonly string[]): Fields {
  return wanted === 'all' ? 'all' : new Set([...wanted, ...names])
}

/** The fields an expression over one row reads. */
export function expressionFields(expression: Expression): string[] {
  switch (expression.kind) {
    case 'literal': return []
    case 'field': return [expression.name]
    case 'unary': return expressionFields(expression.operand)
    case 'binary': case 'logical': return [expression.left, expression.right].flatMap(expressionFields)
    case 'conditional': return [expression.test, expression.then, expression.otherwise].flatMap(expressionFields)
    case 'call': return expression.arguments.flatMap(expressionFields)
    case 'member': return expressionFields(expression.object)
    case 'template': return expression.parts.flatMap(expressionFields)
  }
}
