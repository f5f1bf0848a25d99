/**
 * JSON with the members of every object in the order of their names: equal values give equal texts, in whatever
 * order they were written. Hashes of this text decide what is redeployed, so it must never change for a value.
 * `undefined` as a whole gives the text `undefined`; as a member it is left out.
 */
export function canonicalJson(value: unknown): string {
  return (
    JSON.stringify(value, (_key, member: unknown) => (isPlainObject(member) ? sorted(member) : member)) ?? 'undefined'
  )
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function sorted(object: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)))
}
