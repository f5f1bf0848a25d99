/** The members of a JSON object from outside, of which nothing is known yet. */
export type Fields = Readonly<Record<string, unknown>>

/** Whether a value is an object with members: neither null nor a list. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
