/** The members of a JSON object from outside, of which nothing is known yet. */
export type Fields = Readonly<Record<string, unknown>>

/**
 * The member of that name. Names from outside, an operator's id among them, may be `constructor`: what every object
 * inherits is no member.
 */
export function memberOf<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined
}

/** Whether a value is an object with members: neither null nor a list. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Its members; none when it is not an object. */
export function membersOf(value: unknown): Fields {
  return isFields(value) ? value : {}
}
