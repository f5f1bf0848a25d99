import { MillraceError } from '../../model/errors.ts'

/**
 * What the types of the API refuse, for files whose types nobody has checked: without it a mistake would come up as a
 * TypeError within Millrace, or as an empty operator. The error's stack leads to the call.
 */
export function checkId(verb: string, id: unknown): void {
  if (typeof id === 'string') return
  throw new MillraceError('ID_INVALID', `${verb} has no id: its first argument is ${described(id)}`, {
    domain: 'user',
    hint: `write ${verb}('my-id', …): state and functions of the operator are found by its id`,
  })
}

/** An argument or option that is an object; `example` is the call as it should be. */
export function checkObject(what: string, value: unknown, example: string): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  refuse(what, 'an object', value, example)
}

export function checkFunction(what: string, value: unknown, example: string): void {
  if (typeof value !== 'function') refuse(what, 'a function', value, example)
}

/** Throws TYPE_MISMATCH; `wanted` with its article. */
export function refuse(what: string, wanted: string, found: unknown, example: string): never {
  throw new MillraceError('TYPE_MISMATCH', `${what} must be ${wanted}, found ${described(found)}`, {
    domain: 'user',
    hint: `write ${example}`,
  })
}

function described(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object')
    return value.constructor === Object || !value.constructor ? 'an object' : `a ${value.constructor.name}`
  return typeof value === 'function' ? 'a function' : `${typeof value} ${String(value)}`
}
