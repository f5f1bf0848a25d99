import type { FieldError } from './status-error.ts'
import type { Json, JsonObject } from './objects.ts'
import { clone, isObject, jsonEqual } from './objects.ts'

/** The part of a structural schema (apiextensions.k8s.io/v1 `JSONSchemaProps`) that we read. */
export interface Schema {
  type?: string
  format?: string
  description?: string
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  items?: Schema
  required?: string[]
  enum?: Json[]
  default?: Json
  nullable?: boolean
  minimum?: number
  maximum?: number
  exclusiveMinimum?: boolean
  exclusiveMaximum?: boolean
  multipleOf?: number
  minLength?: number
  maxLength?: number
  pattern?: string
  minItems?: number
  maxItems?: number
  uniqueItems?: boolean
  minProperties?: number
  maxProperties?: number
  allOf?: Schema[]
  anyOf?: Schema[]
  oneOf?: Schema[]
  not?: Schema
  'x-kubernetes-preserve-unknown-fields'?: boolean
  'x-kubernetes-int-or-string'?: boolean
  'x-kubernetes-embedded-resource'?: boolean
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map'
  'x-kubernetes-list-map-keys'?: string[]
  'x-kubernetes-map-type'?: 'atomic' | 'granular'
  'x-kubernetes-patch-strategy'?: string
  'x-kubernetes-patch-merge-key'?: string
  'x-kubernetes-validations'?: CelRule[]
  /** Name of the built-in model this schema stands for; such schemas are shared and referred to in OpenAPI. */
  model?: string
}

export interface CelRule {
  rule: string
  message?: string
  messageExpression?: string
  reason?: string
  fieldPath?: string
  optionalOldSelf?: boolean
}

/** The schema of a member of an object, or undefined when the member is not known. */
export function memberSchema(schema: Schema, name: string): Schema | undefined {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, name)) return schema.properties[name]
  if (isSchema(schema.additionalProperties)) return schema.additionalProperties
  return undefined
}

function isSchema(value: boolean | Schema | undefined): value is Schema {
  return typeof value === 'object'
}

const keepsUnknown = (schema: Schema): boolean =>
  schema['x-kubernetes-preserve-unknown-fields'] === true || schema.additionalProperties === true

/**
 * Removes, in place, members the schema does not know, and returns their paths (`spec.graph[0].fliter`).
 * Rules as in the API: nothing is removed below `x-kubernetes-preserve-unknown-fields` unless listed there.
 */
export function pruneUnknown(value: Json | undefined, schema: Schema, path: string): string[] {
  const unknown: string[] = []
  if (Array.isArray(value)) {
    const items = schema.items
    if (items !== undefined)
      value.forEach((item, index) => unknown.push(...pruneUnknown(item, items, `${path}[${index}]`)))
  } else if (isObject(value)) {
    for (const [name, member] of Object.entries(value)) {
      const known = memberSchema(schema, name)
      if (known !== undefined) unknown.push(...pruneUnknown(member, known, memberPath(path, name)))
      else if (!keepsUnknown(schema) && !(schema['x-kubernetes-embedded-resource'] === true && isTypeMember(name))) {
        unknown.push(memberPath(path, name))
        delete value[name]
      }
    }
  }
  return unknown
}

const isTypeMember = (name: string): boolean => name === 'apiVersion' || name === 'kind' || name === 'metadata'

export function memberPath(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

/** Fills in defaults in place: missing members, and nulls where null is not allowed (which are dropped first). */
export function applyDefaults(value: Json | undefined, schema: Schema): void {
  if (Array.isArray(value)) {
    const items = schema.items
    if (items !== undefined) for (const item of value) applyDefaults(item, items)
    return
  }
  if (!isObject(value)) return
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    const hasDefault = member.default !== undefined
    if (value[name] === null && member.nullable !== true && hasDefault) delete value[name]
    if (value[name] === undefined && member.default !== undefined) value[name] = clone(member.default)
  }
  for (const [name, member] of Object.entries(value)) {
    const known = memberSchema(schema, name)
    if (known !== undefined) applyDefaults(member, known)
  }
}

/** Checks a value against a structural schema; texts are those of the real server (kube-openapi validation). */
export function validateSchema(value: Json | undefined, schema: Schema, path: string): FieldError[] {
  if (value === null && schema.nullable === true) return []
  const wrongType = checkType(value, schema, path)
  if (wrongType !== undefined) return [wrongType]
  const errors = [...checkEnum(value, schema, path)]
  if (typeof value === 'string') errors.push(...checkString(value, schema, path))
  else if (typeof value === 'number') errors.push(...checkNumber(value, schema, path))
  else if (Array.isArray(value)) errors.push(...checkArray(value, schema, path))
  else if (isObject(value)) errors.push(...checkObject(value, schema, path))
  errors.push(...checkCombinations(value, schema, path))
  return errors
}

export function invalidValue(path: string, value: Json | undefined, detail: string): FieldError {
  return { type: 'FieldValueInvalid', field: path, message: `Invalid value: ${showValue(value)}: ${detail}` }
}

function showValue(value: Json | undefined): string {
  if (Array.isArray(value)) return '"array"'
  if (isObject(value)) return '"object"'
  return JSON.stringify(value) ?? 'null'
}

function typeOf(value: Json | undefined): string {
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function checkType(value: Json | undefined, schema: Schema, path: string): FieldError | undefined {
  const actual = typeOf(value)
  if (schema['x-kubernetes-int-or-string'] === true) {
    if (actual === 'integer' || actual === 'string') return undefined
    return typeError(path, 'integer,string', actual)
  }
  const wanted = schema.type
  if (wanted === undefined || wanted === '' || wanted === actual) return undefined
  if (wanted === 'number' && actual === 'integer') return undefined
  return typeError(path, wanted, actual)
}

function typeError(path: string, wanted: string, actual: string): FieldError {
  return {
    type: 'FieldValueTypeInvalid',
    field: path,
    message: `Invalid value: "${actual}": ${path} in body must be of type ${wanted}: "${actual}"`,
  }
}

function checkEnum(value: Json | undefined, schema: Schema, path: string): FieldError[] {
  if (schema.enum === undefined || schema.enum.some((item) => jsonEqual(item, value))) return []
  const supported = schema.enum.map((item) => JSON.stringify(item)).join(', ')
  return [
    {
      type: 'FieldValueNotSupported',
      field: path,
      message: `Unsupported value: ${showValue(value)}: supported values: ${supported}`,
    },
  ]
}

function checkString(value: string, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = []
  const length = [...value].length
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    errors.push({
      type: 'FieldValueTooLong',
      field: path,
      message: `Too long: may not be more than ${schema.maxLength} bytes`,
    })
  }
  if (schema.minLength !== undefined && length < schema.minLength) {
    errors.push(invalidValue(path, value, `${path} in body should be at least ${schema.minLength} chars long`))
  }
  if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value)) {
    errors.push(invalidValue(path, value, `${path} in body should match '${schema.pattern}'`))
  }
  if (schema.format !== undefined && !matchesFormat(value, schema.format)) {
    errors.push(invalidValue(path, value, `${path} in body must be of type ${schema.format}: ${JSON.stringify(value)}`))
  }
  return errors
}

function matchesFormat(value: string, format: string): boolean {
  switch (format) {
    case 'date-time':
      return (
        /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.test(value) && !Number.isNaN(Date.parse(value))
      )
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value))
    case 'duration':
      return /^-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d))+$/.test(value)
    case 'uri':
      return URL.canParse(value)
    default:
      return true
  }
}

function checkNumber(value: number, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = []
  const { minimum, maximum, multipleOf } = schema
  if (minimum !== undefined && (schema.exclusiveMinimum === true ? value <= minimum : value < minimum)) {
    const relation = schema.exclusiveMinimum === true ? 'greater than' : 'greater than or equal to'
    errors.push(invalidValue(path, value, `${path} in body should be ${relation} ${minimum}`))
  }
  if (maximum !== undefined && (schema.exclusiveMaximum === true ? value >= maximum : value > maximum)) {
    const relation = schema.exclusiveMaximum === true ? 'less than' : 'less than or equal to'
    errors.push(invalidValue(path, value, `${path} in body should be ${relation} ${maximum}`))
  }
  if (multipleOf !== undefined && value % multipleOf !== 0) {
    errors.push(invalidValue(path, value, `${path} in body should be a multiple of ${multipleOf}`))
  }
  return errors
}

function checkArray(value: Json[], schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    errors.push({
      type: 'FieldValueTooMany',
      field: path,
      message: `Too many: ${value.length}: must have at most ${schema.maxItems} items`,
    })
  }
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    errors.push(invalidValue(path, value.length, `${path} in body should have at least ${schema.minItems} items`))
  }
  const items = schema.items
  if (items !== undefined)
    value.forEach((item, index) => errors.push(...validateSchema(item, items, `${path}[${index}]`)))
  errors.push(...checkDuplicates(value, schema, path))
  return errors
}

function checkDuplicates(value: Json[], schema: Schema, path: string): FieldError[] {
  const keyOf = duplicateKey(schema)
  if (keyOf === undefined) return []
  const seen = new Set<string>()
  const errors: FieldError[] = []
  value.forEach((item, index) => {
    const key = keyOf(item)
    if (seen.has(key))
      errors.push({ type: 'FieldValueDuplicate', field: `${path}[${index}]`, message: `Duplicate value: ${key}` })
    seen.add(key)
  })
  return errors
}

function duplicateKey(schema: Schema): ((item: Json) => string) | undefined {
  const keys = schema['x-kubernetes-list-map-keys']
  if (schema['x-kubernetes-list-type'] === 'map' && keys !== undefined) {
    return (item) =>
      JSON.stringify(Object.fromEntries(keys.map((key) => [key, isObject(item) ? item[key] : undefined])))
  }
  if (schema['x-kubernetes-list-type'] === 'set' || schema.uniqueItems === true) return (item) => JSON.stringify(item)
  return undefined
}

function checkObject(value: JsonObject, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const name of schema.required ?? []) {
    if (value[name] === undefined)
      errors.push({ type: 'FieldValueRequired', field: memberPath(path, name), message: 'Required value' })
  }
  const count = Object.keys(value).length
  if (schema.maxProperties !== undefined && count > schema.maxProperties) {
    errors.push({
      type: 'FieldValueTooMany',
      field: path,
      message: `Too many: ${count}: must have at most ${schema.maxProperties} items`,
    })
  }
  if (schema.minProperties !== undefined && count < schema.minProperties) {
    errors.push(invalidValue(path, value, `${path} in body should have at least ${schema.minProperties} properties`))
  }
  for (const [name, member] of Object.entries(value)) {
    const known = memberSchema(schema, name)
    if (known !== undefined && member !== undefined)
      errors.push(...validateSchema(member, known, memberPath(path, name)))
  }
  return errors
}

function checkCombinations(value: Json | undefined, schema: Schema, path: string): FieldError[] {
  const passes = (part: Schema): boolean => validateSchema(value, part, path).length === 0
  const errors: FieldError[] = []
  for (const part of schema.allOf ?? []) errors.push(...validateSchema(value, part, path))
  if (schema.anyOf !== undefined && !schema.anyOf.some(passes)) {
    errors.push(invalidValue(path, value, `${path} in body must validate at least one schema (anyOf)`))
  }
  if (schema.oneOf !== undefined) {
    const count = schema.oneOf.filter(passes).length
    if (count !== 1) {
      const found = count === 0 ? 'Found none valid' : `Found ${count} valid alternatives`
      errors.push(invalidValue(path, value, `${path} in body must validate one and only one schema (oneOf). ${found}`))
    }
  }
  if (schema.not !== undefined && passes(schema.not)) {
    errors.push(invalidValue(path, value, `${path} in body must not validate the schema (not)`))
  }
  return errors
}
