import type { Json, JsonObject } from './objects.ts'
import { isObject } from './objects.ts'
import type { Schema } from './schema.ts'
import { memberSchema } from './schema.ts'

/**
 * The set of fields a manager owns: each path is the elements of `FieldsV1` (`f:spec`, `k:{"name":"a"}`,
 * `v:"finalizer"`) joined with a separator that JSON text never contains unescaped.
 */
export type FieldSet = Set<string>

const separator = '\u0000'

/** Paths that belong to the system and to nobody's field set. */
const systemFields = new Set([
  'apiVersion',
  'kind',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'metadata.resourceVersion',
  'metadata.generation',
  'metadata.creationTimestamp',
  'metadata.deletionTimestamp',
  'metadata.deletionGracePeriodSeconds',
  'metadata.managedFields',
  'metadata.selfLink',
  'metadata.generateName',
])

/** Every leaf of an object by its path, with the JSON text of its value. Atomic lists and maps are leaves. */
export function leavesOf(object: JsonObject, schema: Schema): Map<string, string> {
  const leaves = new Map<string, string>()
  for (const [name, value] of Object.entries(object)) {
    if (systemFields.has(name) || value === undefined) continue
    if (name === 'metadata' && isObject(value)) collectMetadata(value, memberSchema(schema, name), leaves)
    else collect(value, memberSchema(schema, name), [`f:${name}`], leaves)
  }
  return leaves
}

function collectMetadata(metadata: JsonObject, schema: Schema | undefined, leaves: Map<string, string>): void {
  for (const [name, value] of Object.entries(metadata)) {
    if (value === undefined || systemFields.has(`metadata.${name}`)) continue
    collect(value, schema === undefined ? undefined : memberSchema(schema, name), ['f:metadata', `f:${name}`], leaves)
  }
}

function collect(value: Json, schema: Schema | undefined, path: string[], leaves: Map<string, string>): void {
  if (isObject(value) && Object.keys(value).length > 0 && schema?.['x-kubernetes-map-type'] !== 'atomic') {
    for (const [name, member] of Object.entries(value)) {
      if (member !== undefined)
        collect(member, schema === undefined ? undefined : memberSchema(schema, name), [...path, `f:${name}`], leaves)
    }
  } else if (Array.isArray(value) && isKeyed(schema)) {
    for (const item of value) collectItem(item, schema, path, leaves)
  } else leaves.set(path.join(separator), JSON.stringify(value))
}

function isKeyed(schema: Schema | undefined): schema is Schema {
  const type = schema?.['x-kubernetes-list-type']
  return type === 'map' || type === 'set'
}

function collectItem(item: Json, schema: Schema, path: string[], leaves: Map<string, string>): void {
  const itemPath = [...path, itemElement(item, schema)]
  leaves.set(itemPath.join(separator), '')
  if (schema['x-kubernetes-list-type'] === 'map') collect(item, schema.items, itemPath, leaves)
}

/** The path element of an item of a `map` or `set` list. */
export function itemElement(item: Json, schema: Schema): string {
  if (schema['x-kubernetes-list-type'] === 'set') return `v:${JSON.stringify(item)}`
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  return `k:${JSON.stringify(Object.fromEntries(keys.toSorted().map((key) => [key, isObject(item) ? item[key] : undefined])))}`
}

export function toFieldsV1(set: ReadonlySet<string>): JsonObject {
  const root: JsonObject = {}
  for (const path of [...set].toSorted()) {
    let node = root
    for (const element of path.split(separator)) {
      const next = node[element]
      if (isObject(next)) node = next
      else {
        const made: JsonObject = {}
        node[element] = made
        node = made
      }
    }
    const last = path.split(separator).at(-1) ?? ''
    if (last.startsWith('k:')) node['.'] = {}
  }
  return root
}

export function fromFieldsV1(fields: JsonObject): FieldSet {
  const set: FieldSet = new Set()
  const walk = (node: JsonObject, path: string[]): void => {
    const entries = Object.entries(node).filter(([name]) => name !== '.')
    if (path.length > 0 && (entries.length === 0 || Object.hasOwn(node, '.'))) set.add(path.join(separator))
    for (const [name, child] of entries) if (isObject(child)) walk(child, [...path, name])
  }
  walk(fields, [])
  return set
}

/** The path as error texts show it: `.spec.containers[name="a"].image`. */
export function showPath(path: string): string {
  return path
    .split(separator)
    .map((element) => {
      if (element.startsWith('f:')) return `.${element.slice(2)}`
      if (element.startsWith('k:')) {
        const keys: unknown = JSON.parse(element.slice(2))
        return `[${Object.entries(isObject(keys) ? keys : {})
          .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
          .join(',')}]`
      }
      return `[=${element.slice(2)}]`
    })
    .join('')
}

/** Removes, in place, what a path names; list items by their key. Nothing happens when it is not there. */
export function removePath(object: JsonObject, path: string, schema: Schema): void {
  removeElements(object, path.split(separator), schema)
}

function removeElements(value: Json | undefined, elements: string[], schema: Schema | undefined): void {
  const [first, ...rest] = elements
  if (first === undefined) return
  if (isObject(value)) {
    const name = first.slice(2)
    if (rest.length === 0) delete value[name]
    else removeElements(value[name], rest, schema === undefined ? undefined : memberSchema(schema, name))
  } else if (Array.isArray(value) && schema !== undefined) {
    const index = value.findIndex((item) => itemElement(item, schema) === first)
    if (index < 0) return
    if (rest.length === 0) value.splice(index, 1)
    else removeElements(value[index], rest, schema.items)
  }
}
