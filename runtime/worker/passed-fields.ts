import type { Expression } from '../expressions/ast.ts'
import { fieldsIn } from '../expressions/fields-in.ts'
import type { Field } from '../model/schema.ts'
import type { OperatorNode } from '../plan/job-graph.ts'

/**
 * The text fields that go through a chain of filters and maps by expression without being read: their names where they
 * come in and where they go out. `takes` are the fields that the sink at the end only writes. Undefined for other chains.
 */
export function passedFields(operators: readonly OperatorNode[], takes: ReadonlySet<string>): { source: Set<string>; sink: Set<string> } | undefined {
  const [source, ...behind] = operators
  if (source === undefined || behind.at(-1)?.verb.kind !== 'sink') return undefined
  const texts = new Set(source.schema.fields.filter(isText).map(({ name }) => name))
  /** Which field of the source a field holds as it is. */
  let origins = new Map([...texts].map((name) => [name, name]))
  const read = (expression: Expression): void => {
    for (const { name } of fieldsIn(expression)) texts.delete(origins.get(name) ?? '')
  }
  for (const { verb } of behind.slice(0, -1)) {
    if (verb.kind === 'filter') read(verb.condition)
    else if (verb.kind === 'map') {
      const next = new Map<string, string>()
      for (const { field, value } of verb.fields) {
        const origin = value.kind === 'field' && isText(field) ? origins.get(value.name) : undefined
        if (origin === undefined) read(value)
        else next.set(field.name, origin)
      }
      origins = next
    } else return undefined
  }
  for (const [name, origin] of origins) if (!takes.has(name)) texts.delete(origin)
  return texts.size === 0 ? undefined : { source: texts, sink: new Set([...origins].flatMap(([name, origin]) => texts.has(origin) ? [name] : [])) }
}

function isText(field: Field): boolean { return field.type === 'string' && field.logical === undefined }
