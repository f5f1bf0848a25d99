import { Environment } from '@marcbachmann/cel-js'
import type { Json, JsonObject } from './objects.ts'
import { isObject } from './objects.ts'
import type { CelRule, Schema } from './schema.ts'
import { invalidValue, memberPath, memberSchema } from './schema.ts'
import type { FieldError } from './status-error.ts'

/** `@marcbachmann/cel-js` was chosen over `cel-js`: 64-bit ints as BigInt, all macros, optionals, no dependency. */
const environment = new Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false })
  .registerVariable('self', 'dyn')
  .registerVariable('oldSelf', 'dyn')
  .registerFunction('string.format(list): string', formatted)

type CelProgram = (variables: Record<string, unknown>) => unknown
const programs = new Map<string, CelProgram>()

function program(source: string): CelProgram {
  let compiled = programs.get(source)
  if (compiled === undefined) {
    compiled = environment.parse(source)
    programs.set(source, compiled)
  }
  return compiled
}

const usesOldSelf = (rule: string): boolean => /\boldSelf\b/.test(rule)

/**
 * Evaluates every `x-kubernetes-validations` rule of a schema. Transition rules (those that name `oldSelf`)
 * run only where an old value can be matched: same member, or same key of a `map` list, as on a real server.
 */
export function validateCel(
  value: Json | undefined,
  old: Json | undefined,
  schema: Schema,
  path: string,
): FieldError[] {
  if (value === undefined || value === null) return []
  const errors: FieldError[] = []
  for (const rule of schema['x-kubernetes-validations'] ?? []) {
    if (usesOldSelf(rule.rule) && old === undefined && rule.optionalOldSelf !== true) continue
    const error = evaluateRule(rule, value, old, schema, path)
    if (error !== undefined) errors.push(error)
  }
  if (Array.isArray(value)) {
    const items = schema.items
    if (items !== undefined) {
      value.forEach((item, index) =>
        errors.push(...validateCel(item, matchingOldItem(item, old, schema), items, `${path}[${index}]`)),
      )
    }
  } else if (isObject(value)) {
    for (const [name, member] of Object.entries(value)) {
      const known = memberSchema(schema, name)
      if (known !== undefined)
        errors.push(...validateCel(member, isObject(old) ? old[name] : undefined, known, memberPath(path, name)))
    }
  }
  return errors
}

function matchingOldItem(item: Json, old: Json | undefined, schema: Schema): Json | undefined {
  const keys = schema['x-kubernetes-list-map-keys']
  if (!Array.isArray(old) || keys === undefined || schema['x-kubernetes-list-type'] !== 'map') return undefined
  return old.find(
    (candidate) => isObject(candidate) && isObject(item) && keys.every((key) => candidate[key] === item[key]),
  )
}

function evaluateRule(
  rule: CelRule,
  value: Json,
  old: Json | undefined,
  schema: Schema,
  path: string,
): FieldError | undefined {
  const variables: Record<string, unknown> = {
    self: toCel(value, schema),
    oldSelf: old === undefined ? undefined : toCel(old, schema),
  }
  try {
    if (program(rule.rule)(variables) === true) return undefined
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
    return celError(rule, value, path, `${reason} evaluating rule: ${rule.message ?? rule.rule}`)
  }
  return celError(rule, value, path, messageOf(rule, variables))
}

function messageOf(rule: CelRule, variables: Record<string, unknown>): string {
  if (rule.messageExpression !== undefined) {
    try {
      const text = program(rule.messageExpression)(variables)
      if (typeof text === 'string' && text.trim() !== '') return text
    } catch (error) {
      // A broken messageExpression must not hide the broken rule: the real server falls back in the same way.
      return rule.message ?? `failed rule: ${rule.rule} (its messageExpression failed: ${String(error)})`
    }
  }
  return rule.message ?? `failed rule: ${rule.rule}`
}

function celError(rule: CelRule, value: Json, path: string, detail: string): FieldError {
  const field = rule.fieldPath === undefined ? path : `${path}${rule.fieldPath}`
  switch (rule.reason) {
    case 'FieldValueForbidden':
      return { type: 'FieldValueForbidden', field, message: `Forbidden: ${detail}` }
    case 'FieldValueRequired':
      return { type: 'FieldValueRequired', field, message: `Required value: ${detail}` }
    case 'FieldValueDuplicate':
      return { type: 'FieldValueDuplicate', field, message: `Duplicate value: ${detail}` }
    default:
      return invalidValue(field, value, detail)
  }
}

/**
 * JSON to CEL values by schema: integers become 64-bit ints, other numbers doubles; members that are not
 * identifiers are kept as they are.
 */
function toCel(value: Json | undefined, schema: Schema | undefined): unknown {
  if (typeof value === 'number') return isIntegerHere(value, schema) ? BigInt(value) : value
  if (typeof value === 'string' && schema?.format === 'date-time') return new Date(value)
  if (Array.isArray(value)) return value.map((item) => toCel(item, schema?.items))
  if (isObject(value)) return toCelObject(value, schema)
  return value
}

function isIntegerHere(value: number, schema: Schema | undefined): boolean {
  return Number.isSafeInteger(value) && schema?.type !== 'number'
}

function toCelObject(value: JsonObject, schema: Schema | undefined): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue
    const isProperty = schema?.properties !== undefined && Object.hasOwn(schema.properties, name)
    result[isProperty ? escapeName(name) : name] = toCel(
      member,
      schema === undefined ? undefined : memberSchema(schema, name),
    )
  }
  return result
}

/** Names that CEL reserves are written `__name__` in rules (apiserver `cel.Escape`). */
const reservedNames = new Set([
  'true',
  'false',
  'null',
  'in',
  'as',
  'break',
  'const',
  'continue',
  'else',
  'for',
  'function',
  'if',
  'import',
  'let',
  'loop',
  'package',
  'namespace',
  'return',
  'var',
  'void',
  'while',
])

function escapeName(name: string): string {
  return reservedNames.has(name) ? `__${name}__` : name
}

/**
 * The verbs of the Kubernetes extension `format` that messages use; another one makes the message fall back, as any
 * mistake in it.
 */
function formatted(text: string, values: readonly unknown[]): string {
  let next = 0
  return text.replace(/%(.)/g, (_, verb: string) => {
    if (verb === '%') return '%'
    if (verb !== 'd' && verb !== 's') throw new Error(`format does not know %${verb}`)
    if (next >= values.length) throw new Error('format has fewer values than verbs')
    return String(values[next++])
  })
}
