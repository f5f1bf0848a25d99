import type { Expression } from '../expressions/ast.ts'
import { fieldsIn } from '../expressions/fields-in.ts'
import type { Schema } from '../model/schema.ts'
import { aggregateExpressions } from '../graph/verbs/kit/aggregate-fields.ts'
import type { BroadcastVerb } from '../graph/verbs/broadcast.ts'
import type { Chain, Exchange } from './execution-plan.ts'
import type { OperatorNode } from '../graph/job-graph.ts'
import { fieldsJoined } from '../graph/verbs/join/join.ts'

/** Field names, or all of them. */
type Fields = ReadonlySet<string> | 'all'

/**
 * The part of a stream that the chain behind an exchange looks at: columns nobody reads are not sent. Works
 * backwards from the chain's end, and from the exchanges behind it, which must have been narrowed before; an
 * operator that is not known here reads all.
 */
export function requiredSchema(schema: Schema, consumer: Chain, outputs: readonly Exchange[], input = 0): Schema {
  const sidesOf = new Set(
    outputs
      .filter(({ producer }) => producer.chain === consumer.id && producer.output !== undefined)
      .map(({ producer }) => producer.operator),
  )
  const behind = outputs.filter(({ producer }) => producer.chain === consumer.id && producer.output === undefined)
  let required: Fields =
    behind.length === 0 ? 'all' : new Set(behind.flatMap((exchange) => exchange.schema.fields.map(({ name }) => name)))
  for (const operator of consumer.operators.toReversed())
    required = sidesOf.has(operator.id) ? 'all' : fieldsRead(operator, required, input)
  if (required === 'all') return schema
  const fields = schema.fields.filter((field) => required.has(field.name))
  // a row of no fields still has to travel, and be counted
  return { fields: fields.length === 0 ? schema.fields.slice(0, 1) : fields }
}

/** What an operator reads of one of its inputs so that `wanted` comes out of it. */
function fieldsRead(operator: OperatorNode, wanted: Fields, input: number): Fields {
  const { verb, keyBy = [] } = operator
  switch (verb.kind) {
    case 'filter':
      return union(wanted, expressionFields(verb.condition))
    case 'map':
      return new Set([...keyBy, ...verb.fields.flatMap(({ value }) => expressionFields(value))])
    case 'keyBy':
    case 'union':
      return union(wanted, keyBy)
    case 'window':
      return new Set([
        ...keyBy,
        ...(verb.eventTime === undefined ? [] : [verb.eventTime.field]),
        ...aggregateExpressions(verb.aggregates).flatMap(expressionFields),
      ])
    case 'aggregate':
      return new Set([...keyBy, ...aggregateExpressions(verb.aggregates).flatMap(expressionFields)])
    // only the first of a chain has several inputs
    case 'join':
      return fieldsJoined(verb, input === 0 ? 'left' : 'right')
    // all of a rule is kept, so that other conditions find it whole
    case 'broadcast':
      return input === 0 ? fieldsOfEvent(verb) : 'all'
    case 'dedupe':
      return union(wanted, [...keyBy, ...(verb.keep.which === 'last' ? [verb.keep.orderBy] : [])])
    // ranked rows are state: it does not depend on who reads what
    case 'topN':
      return verb.rank === undefined ? union(wanted, [...keyBy, verb.by]) : 'all'
    default:
      return 'all'
  }
}

function union(wanted: Fields, names: readonly string[]): Fields {
  return wanted === 'all' ? 'all' : new Set([...wanted, ...names])
}

function fieldsOfEvent({ fields, where }: BroadcastVerb): Fields {
  const expressions = [...fields.map(({ value }) => value), ...(where === undefined ? [] : [where])]
  return new Set(
    expressions
      .flatMap(fieldsIn)
      .filter(({ of }) => of === 'left')
      .map(({ name }) => name),
  )
}

/** The fields an expression over one row reads. */
export function expressionFields(expression: Expression): string[] {
  return fieldsIn(expression).map(({ name }) => name)
}
