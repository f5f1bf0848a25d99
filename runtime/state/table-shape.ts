import type { Aggregate } from '../graph/verbs/kit/aggregate-fields.ts'
import type { Field } from '../model/schema.ts'

/** What a snapshot says it was written for. */
export function tableShape(
  extent: object,
  { keys, aggregates }: { keys: readonly Field[]; aggregates: readonly Aggregate[] },
): string {
  return JSON.stringify({
    ...extent,
    keys: keys.map(({ name, type, nullable }) => [name, type, nullable]),
    aggregates: aggregates.map(({ field, function: name, argument, by, parameters, user }) => [
      field.name,
      name,
      argument?.type ?? null,
      argument?.nullable ?? false,
      ...(by === undefined ? [] : [by.type, by.nullable]),
      ...(parameters ?? []),
      ...(user === undefined ? [] : user.state.fields.map((part) => [part.name, part.type, part.nullable])),
    ]),
  })
}
