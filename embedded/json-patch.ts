import type { Json, JsonObject } from './objects.ts'
import { clone, isObject, jsonEqual } from './objects.ts'
import { ApiStatusError, badRequest } from './status-error.ts'

/** RFC 7386: null removes a member, objects merge, everything else replaces. Returns a new value. */
export function applyMergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return clone(patch)
  const result: JsonObject = isObject(target) ? { ...target } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined) continue
    if (value === null) delete result[name]
    else result[name] = applyMergePatch(result[name], value)
  }
  return result
}

/** RFC 6902. Returns a new value; throws 400 for a patch that is none, 422 when it does not fit the object. */
export function applyJsonPatch(target: Json, patch: Json): Json {
  if (!Array.isArray(patch)) throw badRequest('error decoding patch: a JSON patch must be a list of operations')
  let result = clone(target)
  for (const operation of patch) result = applyOperation(result, operation)
  return result
}

function applyOperation(target: Json, operation: Json): Json {
  const { op, path, from, value } = isObject(operation) ? operation : {}
  if (typeof op !== 'string' || typeof path !== 'string')
    throw badRequest('error decoding patch: an operation needs op and path')
  const needsFrom = op === 'move' || op === 'copy'
  if (needsFrom && typeof from !== 'string') throw badRequest(`error decoding patch: ${op} needs from`)
  const source = typeof from === 'string' ? from : ''
  switch (op) {
    case 'add':
      return addAt(target, path, value ?? null)
    case 'remove':
      return removeAt(target, path)
    case 'replace': {
      readAt(target, path)
      return path === ''
        ? (value ?? null)
        : addAt(isListPath(target, path) ? removeAt(target, path) : target, path, value ?? null)
    }
    case 'move': {
      const moved = readAt(target, source)
      return addAt(removeAt(target, source), path, moved)
    }
    case 'copy':
      return addAt(target, path, clone(readAt(target, source)))
    case 'test':
      if (!jsonEqual(readAt(target, path), value ?? null))
        throw doesNotFit(`testing path ${path} failed: the value differs`)
      return target
    default:
      throw badRequest(`error decoding patch: unknown operation ${JSON.stringify(op)}`)
  }
}

function doesNotFit(why: string): ApiStatusError {
  return new ApiStatusError(422, 'Invalid', `the server rejected our request due to an error in our request: ${why}`)
}

function segments(path: string): string[] {
  if (path === '') return []
  if (!path.startsWith('/')) throw badRequest(`error decoding patch: path ${JSON.stringify(path)} must begin with /`)
  return path
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function readAt(target: Json, path: string): Json {
  let current: Json | undefined = target
  for (const part of segments(path)) current = childOf(current, part)
  if (current === undefined) throw doesNotFit(`path ${path} does not exist`)
  return current
}

function childOf(value: Json | undefined, part: string): Json | undefined {
  if (Array.isArray(value)) return /^\d+$/.test(part) ? value[Number(part)] : undefined
  return isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined
}

function parentOf(target: Json, path: string): { parent: Json[] | JsonObject; last: string } {
  const parts = segments(path)
  const last = parts.at(-1) ?? ''
  let parent: Json | undefined = target
  for (const part of parts.slice(0, -1)) parent = childOf(parent, part)
  if (!Array.isArray(parent) && !isObject(parent)) throw doesNotFit(`path ${path} does not exist`)
  return { parent, last }
}

function isListPath(target: Json, path: string): boolean {
  return Array.isArray(parentOf(target, path).parent)
}

function addAt(target: Json, path: string, value: Json): Json {
  if (path === '') return value
  const { parent, last } = parentOf(target, path)
  if (!Array.isArray(parent)) parent[last] = value
  else {
    const index = last === '-' ? parent.length : Number(last)
    if (!Number.isInteger(index) || index < 0 || index > parent.length)
      throw doesNotFit(`index ${last} is out of bounds (${parent.length} items)`)
    parent.splice(index, 0, value)
  }
  return target
}

function removeAt(target: Json, path: string): Json {
  readAt(target, path)
  if (path === '') return null
  const { parent, last } = parentOf(target, path)
  if (Array.isArray(parent)) parent.splice(Number(last), 1)
  else delete parent[last]
  return target
}
