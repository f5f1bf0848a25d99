import type { Chain, Exchange } from './execution-plan.ts'
import { definitionOf } from '../graph/verbs/all.ts'
import type { FieldNames } from '../graph/verbs/verb.ts'
import type { Schema } from '../model/schema.ts'

/**
 * The part of a stream that the chain behind an exchange reads: columns that nobody reads are not sent. Works
 * backwards from the chain's end, and from the exchanges behind it, which must have been narrowed before.
 */
export function requiredSchema(schema: Schema, consumer: Chain, outputs: readonly Exchange[], input = 0): Schema {
  const sidesOf = new Set(
    outputs
      .filter(({ producer }) => producer.chain === consumer.id && producer.output !== undefined)
      .map(({ producer }) => producer.operator),
  )
  const behind = outputs.filter(({ producer }) => producer.chain === consumer.id && producer.output === undefined)
  let required: FieldNames =
    behind.length === 0 ? 'all' : new Set(behind.flatMap((exchange) => exchange.schema.fields.map(({ name }) => name)))
  for (const operator of consumer.operators.toReversed())
    required = sidesOf.has(operator.id) ? 'all' : definitionOf(operator).reads(operator, required, input)
  if (required === 'all') return schema
  const fields = schema.fields.filter((field) => required.has(field.name))
  // A row of no fields still has to travel, and be counted.
  return { fields: fields.length === 0 ? schema.fields.slice(0, 1) : fields }
}
