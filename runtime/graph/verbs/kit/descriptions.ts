import type { Aggregate } from './aggregate-fields.ts'
import type { Field } from '../../../model/schema.ts'
import type { FunctionRef } from '../../../model/user-module.ts'

export function namesText(names: readonly string[] = []): string {
  return names.join(', ')
}

export function functionText({ module, function: name }: FunctionRef): string {
  return `${module}.${name}`
}

export function aggregatesText(aggregates: readonly Aggregate[]): string {
  return aggregates.map(({ field, function: name }) => `${field.name} = ${name}`).join(', ')
}

/** How long state of a key is kept, to stand behind a description. */
export function keptText({ ttlMs }: { readonly ttlMs?: number }): string {
  return ttlMs === undefined ? '' : `, kept for ${ttlMs} ms`
}

/** Fields as the state of an operator is made of them: `price: long, delay: double?`. */
export function shapeText(fields: readonly Field[]): string {
  return fields.map((field) => `${field.name}: ${field.type}${field.nullable ? '?' : ''}`).join(', ')
}
