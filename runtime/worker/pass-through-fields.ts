import { canPass, canStay } from '../memory/pass-through-texts.ts'
import type { Expression } from '../expressions/ast.ts'
import { fieldsIn } from '../expressions/fields-in.ts'
import type { OperatorNode } from '../graph/job-graph.ts'

/**
 * The fields of a source that nothing looks at in a chain of filters and maps by expression, and those of the sink
 * at its end that hold one of them as it is, each with its name at the source. `takes` are the fields that the sink
 * only writes, as they come. Undefined for other chains.
 */
export function passThroughFields(
  operators: readonly OperatorNode[],
  takes: ReadonlySet<string>,
): { source: Set<string>; sink: Map<string, string> } | undefined {
  const [source, ...behind] = operators
  if (source === undefined || source.verb.kind !== 'source' || behind.at(-1)?.verb.kind !== 'sink') return undefined
  const fields = new Map(source.schema.fields.filter(canStay).map((field) => [field.name, field]))
  if (source.verb.eventTime !== undefined) fields.delete(source.verb.eventTime.field)
  /** Which field of the source a field holds as it is. */
  let origins = new Map([...fields.keys()].map((name) => [name, name]))
  const read = (expression: Expression): void => {
    for (const { name } of fieldsIn(expression)) fields.delete(origins.get(name) ?? '')
  }
  for (const { verb } of behind.slice(0, -1)) {
    if (verb.kind === 'filter') read(verb.condition)
    else if (verb.kind === 'map') {
      const next = new Map<string, string>()
      for (const { field, value } of verb.fields) {
        const origin =
          value.kind === 'field' && value.type === field.type && (field.nullable || !value.nullable) && canPass(field)
            ? origins.get(value.name)
            : undefined
        if (origin === undefined) read(value)
        else next.set(field.name, origin)
      }
      origins = next
    } else return undefined
  }
  for (const [name, origin] of origins) {
    const field = fields.get(origin)
    if (field !== undefined && !(takes.has(name) && canPass(field))) fields.delete(origin)
  }
  return fields.size === 0
    ? undefined
    : { source: new Set(fields.keys()), sink: new Map([...origins].filter(([, origin]) => fields.has(origin))) }
}
