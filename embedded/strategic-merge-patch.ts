import type { Json, JsonObject } from './objects.ts'
import { clone, isObject, jsonEqual } from './objects.ts'
import type { Schema } from './schema.ts'
import { memberSchema } from './schema.ts'

/**
 * Strategic merge patch for the built-in kinds: like a merge patch, but lists with a merge key are merged item by
 * item, and the directives `$patch: replace|delete`, `$deleteFromPrimitiveList/x`, `$setElementOrder/x` and
 * `$retainKeys` are understood. After apimachinery `strategicpatch`.
 */
export function applyStrategicMergePatch(target: Json | undefined, patch: Json, schema: Schema | undefined): Json {
  if (!isObject(patch)) return clone(patch)
  const directive = patch['$patch']
  if (directive === 'replace') return withoutDirectives(patch)
  if (directive === 'delete') return {}
  let result: JsonObject = isObject(target) ? { ...target } : {}
  const retained = patch['$retainKeys']
  if (Array.isArray(retained))
    result = Object.fromEntries(Object.entries(result).filter(([name]) => retained.includes(name)))
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith('$deleteFromPrimitiveList/'))
      deleteItems(result, name.slice('$deleteFromPrimitiveList/'.length), value)
  }
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith('$') || value === undefined) continue
    const member = schema === undefined ? undefined : memberSchema(schema, name)
    if (value === null) delete result[name]
    else if (Array.isArray(value)) result[name] = mergeList(result[name], value, member)
    else result[name] = applyStrategicMergePatch(result[name], value, member)
  }
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith('$setElementOrder/')) orderItems(result, name.slice('$setElementOrder/'.length), value, schema)
  }
  return result
}

function withoutDirectives(patch: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(clone(patch)).filter(([name]) => !name.startsWith('$')))
}

function deleteItems(result: JsonObject, name: string, gone: Json | undefined): void {
  const list = result[name]
  if (Array.isArray(list) && Array.isArray(gone))
    result[name] = list.filter((item) => !gone.some((one) => jsonEqual(one, item)))
}

function mergeList(target: Json | undefined, patch: Json[], schema: Schema | undefined): Json[] {
  const current = Array.isArray(target) ? target : []
  if (schema?.['x-kubernetes-patch-strategy'] !== 'merge') return clone(patch)
  const key = schema['x-kubernetes-patch-merge-key']
  if (key === undefined) return [...current, ...patch.filter((item) => !current.some((one) => jsonEqual(one, item)))]
  if (patch.some((item) => isObject(item) && item['$patch'] === 'replace')) {
    return clone(patch.filter((item) => !(isObject(item) && item['$patch'] === 'replace')))
  }
  const result = [...current]
  for (const item of patch) {
    if (!isObject(item)) continue
    const index = result.findIndex((one) => isObject(one) && jsonEqual(one[key], item[key]))
    if (item['$patch'] === 'delete') {
      if (index >= 0) result.splice(index, 1)
    } else if (index >= 0) result[index] = applyStrategicMergePatch(result[index], item, schema.items)
    else result.push(applyStrategicMergePatch({}, item, schema.items))
  }
  return result
}

/** Items named in the order come first and in that order; others keep their place behind them. */
function orderItems(result: JsonObject, name: string, order: Json | undefined, schema: Schema | undefined): void {
  const list = result[name]
  if (!Array.isArray(list) || !Array.isArray(order)) return
  const key = schema === undefined ? undefined : memberSchema(schema, name)?.['x-kubernetes-patch-merge-key']
  const rank = (item: Json): number => {
    const index = order.findIndex((one) =>
      key === undefined ? jsonEqual(one, item) : isObject(one) && isObject(item) && jsonEqual(one[key], item[key]),
    )
    return index < 0 ? order.length : index
  }
  result[name] = list.toSorted((a, b) => rank(a) - rank(b))
}
