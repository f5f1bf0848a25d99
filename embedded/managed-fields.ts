import type { FieldSet } from './field-ownership.ts'
import { fromFieldsV1, itemElement, leavesOf, removePath, showPath, toFieldsV1 } from './field-ownership.ts'
import type { Json, JsonObject, KubeObject, ManagedFieldsEntry } from './objects.ts'
import { clone, isObject, setAt } from './objects.ts'
import type { Schema } from './schema.ts'
import { memberSchema } from './schema.ts'
import { ApiStatusError } from './status-error.ts'

export interface FieldManager {
  name: string
  apiVersion: string
  subresource?: string
  now: string
}

interface Owner {
  entry: ManagedFieldsEntry
  fields: FieldSet
}

const ownersOf = (object: KubeObject): Owner[] =>
  (object.metadata.managedFields ?? [])
    .filter((entry) => isObject(entry.fieldsV1))
    .map((entry) => ({ entry, fields: fromFieldsV1(entry.fieldsV1) }))

const entriesOf = (owners: readonly Owner[]): ManagedFieldsEntry[] =>
  owners
    .filter((owner) => owner.fields.size > 0)
    .map(({ entry, fields }) => ({ ...entry, fieldsV1: toFieldsV1(fields) }))

/**
 * managedFields after a create, update or patch: the manager owns what it changed, others lose that and what is gone.
 * `next` may carry a changed managedFields list of the client's own; then that is where we start from.
 */
export function trackUpdate(
  before: KubeObject | undefined,
  next: KubeObject,
  schema: Schema,
  manager: FieldManager,
): ManagedFieldsEntry[] {
  const old = before === undefined ? new Map<string, string>() : leavesOf(before, schema)
  const now = leavesOf(next, schema)
  const changed = [...now].filter(([path, value]) => old.get(path) !== value).map(([path]) => path)
  const removed = [...old.keys()].filter((path) => !now.has(path))
  const owners = ownersOf(next)
  if (changed.length === 0 && removed.length === 0) return entriesOf(owners)
  for (const owner of owners) {
    for (const path of removed) owner.fields.delete(path)
    if (!isSameManager(owner.entry, manager, 'Update')) for (const path of changed) owner.fields.delete(path)
  }
  claim(owners, manager, 'Update', (fields) => new Set([...fields, ...changed]))
  return entriesOf(owners)
}

function isSameManager(entry: ManagedFieldsEntry, manager: FieldManager, operation: 'Apply' | 'Update'): boolean {
  return (
    entry.manager === manager.name &&
    entry.operation === operation &&
    (entry.subresource ?? '') === (manager.subresource ?? '')
  )
}

function claim(
  owners: Owner[],
  manager: FieldManager,
  operation: 'Apply' | 'Update',
  fields: (old: FieldSet) => FieldSet,
): void {
  const found = owners.find((owner) => isSameManager(owner.entry, manager, operation))
  if (found !== undefined) {
    found.fields = fields(found.fields)
    found.entry = { ...found.entry, apiVersion: manager.apiVersion, time: manager.now }
    return
  }
  const entry: ManagedFieldsEntry = {
    manager: manager.name,
    operation,
    apiVersion: manager.apiVersion,
    time: manager.now,
    fieldsType: 'FieldsV1',
    fieldsV1: {},
    ...(manager.subresource === undefined ? {} : { subresource: manager.subresource }),
  }
  owners.push({ entry, fields: fields(new Set()) })
}

/**
 * Server-side apply: merges the applied configuration into the object, drops what this manager applied before and
 * no longer does (unless someone else owns it too), and keeps the owners up to date.
 * Throws 409 with one cause per field when another manager owns a field with a different value, unless forced.
 */
export function applyConfiguration(
  current: KubeObject | undefined,
  config: KubeObject,
  schema: Schema,
  manager: FieldManager,
  conflicts: 'refuse' | 'force',
): KubeObject {
  const applied = leavesOf(config, schema)
  const live = current === undefined ? new Map<string, string>() : leavesOf(current, schema)
  const owners = current === undefined ? [] : ownersOf(current)
  const changed = new Set([...applied].filter(([path, value]) => live.get(path) !== value).map(([path]) => path))
  const others = owners.filter((owner) => !isSameManager(owner.entry, manager, 'Apply'))
  if (conflicts === 'refuse') refuseConflicts(others, changed, live)
  for (const owner of others) for (const path of changed) if (live.has(path)) owner.fields.delete(path)
  const result = merge(current, config, schema) as KubeObject
  const before = owners.find((owner) => isSameManager(owner.entry, manager, 'Apply'))?.fields ?? new Set<string>()
  for (const path of before) {
    if (!applied.has(path) && !others.some((owner) => owner.fields.has(path))) removePath(result, path, schema)
  }
  claim(owners, manager, 'Apply', () => new Set(applied.keys()))
  setAt(result, ['metadata', 'managedFields'], entriesOf(owners))
  return result
}

function refuseConflicts(
  others: readonly Owner[],
  changed: ReadonlySet<string>,
  live: ReadonlyMap<string, string>,
): void {
  const causes = others.flatMap(({ entry, fields }) =>
    [...changed]
      .filter((path) => live.has(path) && fields.has(path))
      .map((path) => ({
        reason: 'FieldManagerConflict',
        field: showPath(path),
        message: `conflict with ${JSON.stringify(entry.manager)} using ${entry.apiVersion}`,
      })),
  )
  if (causes.length === 0) return
  const text = causes.map((cause) => `${cause.message}: ${cause.field}`).join('\n')
  throw new ApiStatusError(
    409,
    'Conflict',
    `Apply failed with ${causes.length} conflict${causes.length === 1 ? '' : 's'}: ${text}`,
    { causes },
  )
}

function merge(current: Json | undefined, applied: Json, schema: Schema | undefined): Json {
  if (isObject(applied) && schema?.['x-kubernetes-map-type'] !== 'atomic') {
    const result: JsonObject = isObject(current) ? clone(current) : {}
    for (const [name, value] of Object.entries(applied)) {
      if (value !== undefined)
        result[name] = merge(result[name], value, schema === undefined ? undefined : memberSchema(schema, name))
    }
    return result
  }
  const isKeyed = schema?.['x-kubernetes-list-type'] === 'map' || schema?.['x-kubernetes-list-type'] === 'set'
  if (schema === undefined || !isKeyed || !Array.isArray(applied) || !Array.isArray(current)) return clone(applied)
  const result = clone(current)
  for (const item of applied) {
    const element = itemElement(item, schema)
    const index = result.findIndex((one) => itemElement(one, schema) === element)
    if (index >= 0) result[index] = merge(result[index], item, schema.items)
    else result.push(clone(item))
  }
  return result
}
