import { type Fields, isFields } from './fields.ts'

/**
 * JSON with the members of every object in the order of their names: equal values give equal texts, in whatever
 * order they were written. Hashes of this text decide what is redeployed, so it must never change for a value.
 * `undefined` as a whole gives the text `undefined`; as a member it is left out.
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => (isFields(member) ? sorted(member) : member)) ?? 'undefined'
}

function sorted(object: Fields): Fields {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)))
}
