import { canonicalJson } from '../../../model/canonical-json.ts'
import type { Aspect } from '../verb.ts'

/** An aspect whose values mean the same when their JSON is the same; the types of expressions do not count. */
export function aspect(name: string, value: unknown, effect: 'binds state' | 'binds no state'): Aspect {
  return { name, text: canonicalJson(withoutTypes(value)), bindsState: effect === 'binds state' }
}

/**
 * Types of expressions follow from the input. A change of the input's types shows in the shape of the state
 * (`VerbDefinition.keeps`), and only where state is made of them.
 */
function withoutTypes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTypes)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value)
  const isExpression = 'kind' in value && 'type' in value && 'nullable' in value
  return Object.fromEntries(
    members
      .filter(([name]) => !isExpression || !TYPE_MEMBERS.has(name))
      .map(([name, member]) => [name, withoutTypes(member)]),
  )
}

/** The members of an expression that say its type. */
const TYPE_MEMBERS: ReadonlySet<string> = new Set(['type', 'nullable', 'logical'])
