import { canonicalJson } from '../../runtime/model/canonical-json.ts'
import { isFields } from '../../runtime/model/fields.ts'

/**
 * `canonicalJson` without the members of objects that are null: neither the API server nor Druid keeps those, so what
 * is stored has the same text as what was written.
 */
export function textWithoutNulls(value: unknown): string {
  return canonicalJson(withoutNulls(value))
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isFields(value)) return value
  const kept = Object.entries(value).filter(([, member]) => member !== null)
  return Object.fromEntries(kept.map(([name, member]) => [name, withoutNulls(member)]))
}
