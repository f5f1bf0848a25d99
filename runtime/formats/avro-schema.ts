import { MAX_DEPTH } from '../model/decoding-limits.ts'
import { MillraceError } from '../model/errors.ts'
import type { ValueType } from '../model/schema.ts'

/**
 * A parsed Avro type; names are resolved, so a type that contains itself is a cycle. Specification 1.12, "Schema
 * Declaration".
 */
export type AvroType =
  | { kind: 'null' | 'boolean' | 'float' | 'double' }
  | { kind: 'int' | 'long' | 'bytes' | 'string'; logical?: AvroLogical }
  | { kind: 'fixed'; size: number; logical?: AvroLogical }
  | { kind: 'enum'; symbols: readonly string[] }
  | { kind: 'array'; items: AvroType }
  | { kind: 'map'; values: AvroType }
  | { kind: 'record'; name: string; fields: { name: string; type: AvroType; default?: unknown }[] }
  | { kind: 'union'; branches: readonly AvroType[] }

export type AvroLogical =
  | { kind: 'date' | 'timestamp-millis' | 'timestamp-micros' | 'json' }
  | { kind: 'decimal'; precision: number; scale: number }

/** What JSON.parse gave of a schema → the type of its records. Throws AVRO_SCHEMA_INVALID. */
export function parseAvroSchema(schema: unknown): AvroType & { kind: 'record' } {
  const type = new SchemaReader().type(schema, '')
  if (type.kind !== 'record') throw invalid(`it must be a record, it is ${type.kind}`)
  return type
}

function invalid(why: string): MillraceError {
  return new MillraceError('AVRO_SCHEMA_INVALID', `an Avro schema cannot be used: ${why}`, { domain: 'user' })
}

const PRIMITIVES = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const

class SchemaReader {
  readonly #named = new Map<string, AvroType>()
  #depth = 0

  type(schema: unknown, namespace: string): AvroType {
    this.#depth += 1
    if (this.#depth > MAX_DEPTH) throw invalid(`it is nested more than ${MAX_DEPTH} deep`)
    const type = this.#type(schema, namespace)
    this.#depth -= 1
    return type
  }

  #type(schema: unknown, namespace: string): AvroType {
    if (typeof schema === 'string') return this.#byName(schema, namespace)
    if (Array.isArray(schema)) return { kind: 'union', branches: schema.map((branch) => this.type(branch, namespace)) }
    if (typeof schema !== 'object' || schema === null) throw invalid(`${JSON.stringify(schema)} is not a type`)
    const fields = schema as Readonly<Record<string, unknown>>
    const kind = fields['type']
    switch (kind) {
      case 'array':
        return { kind: 'array', items: this.type(fields['items'], namespace) }
      case 'map':
        return { kind: 'map', values: this.type(fields['values'], namespace) }
      case 'record':
        return this.#record(fields, namespace)
      case 'enum':
        return this.#named_(fields, namespace, { kind: 'enum', symbols: texts(fields['symbols']) })
      case 'fixed':
        return this.#named_(fields, namespace, {
          kind: 'fixed',
          size: count(fields['size'], 'size'),
          ...logicalOf(fields),
        })
      case 'int':
      case 'long':
      case 'bytes':
      case 'string':
        return { kind, ...logicalOf(fields) }
      default:
        return this.type(kind, namespace)
    }
  }

  #byName(name: string, namespace: string): AvroType {
    const primitive = PRIMITIVES.find((known) => known === name)
    if (primitive !== undefined) return { kind: primitive }
    const type =
      this.#named.get(name.includes('.') || namespace === '' ? name : `${namespace}.${name}`) ?? this.#named.get(name)
    if (type === undefined) throw invalid(`there is no type ${JSON.stringify(name)}`)
    return type
  }

  #record(fields: Readonly<Record<string, unknown>>, outer: string): AvroType {
    const listed = fields['fields']
    if (!Array.isArray(listed)) throw invalid('a record has no fields')
    const record: AvroType & { kind: 'record' } = { kind: 'record', name: String(fields['name']), fields: [] }
    this.#named_(fields, outer, record)
    const namespace = namespaceOf(fields, outer)
    for (const field of listed as unknown[]) {
      if (
        typeof field !== 'object' ||
        field === null ||
        !('name' in field) ||
        typeof field.name !== 'string' ||
        !('type' in field)
      )
        throw invalid(`a field of ${record.name} has no name or no type`)
      record.fields.push({
        name: field.name,
        type: this.type(field.type, namespace),
        ...('default' in field ? { default: field.default } : {}),
      })
    }
    return record
  }

  /** Makes the type known under its name before its fields are read: they may refer to it. */
  #named_<T extends AvroType>(fields: Readonly<Record<string, unknown>>, outer: string, type: T): T {
    const { name } = fields
    if (typeof name !== 'string' || name === '') throw invalid(`a ${type.kind} has no name`)
    const namespace = namespaceOf(fields, outer)
    this.#named.set(name.includes('.') || namespace === '' ? name : `${namespace}.${name}`, type)
    return type
  }
}

function namespaceOf(fields: Readonly<Record<string, unknown>>, outer: string): string {
  const { name, namespace } = fields
  if (typeof name === 'string' && name.includes('.')) return name.slice(0, name.lastIndexOf('.'))
  return typeof namespace === 'string' ? namespace : outer
}

/**
 * A logical type that is not known, or not valid, is none: the type below it counts (specification, "Logical
 * Types").
 */
function logicalOf(fields: Readonly<Record<string, unknown>>): { logical?: AvroLogical } {
  const { type, logicalType, precision, scale = 0 } = fields
  switch (logicalType) {
    case 'date':
      return type === 'int' ? { logical: { kind: 'date' } } : {}
    case 'timestamp-millis':
    case 'local-timestamp-millis':
      return type === 'long' ? { logical: { kind: 'timestamp-millis' } } : {}
    case 'timestamp-micros':
    case 'local-timestamp-micros':
      return type === 'long' ? { logical: { kind: 'timestamp-micros' } } : {}
    case 'json':
      return type === 'string' ? { logical: { kind: 'json' } } : {}
    case 'decimal':
      return (type === 'bytes' || type === 'fixed') && Number.isInteger(precision) && Number.isInteger(scale)
        ? { logical: { kind: 'decimal', precision: Number(precision), scale: Number(scale) } }
        : {}
    default:
      return {}
  }
}

function texts(value: unknown): string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw invalid('an enum has no list of symbols')
  return value
}

function count(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
    throw invalid(`${what} must be a number, found ${JSON.stringify(value)}`)
  return value
}

/** The schema that rows have in Avro where none is given, as JSON; `name` of its record. json is its text. */
export function avroSchemaOf(fields: readonly ({ name: string } & ValueType)[], name: string): object {
  return {
    type: 'record',
    name,
    fields: fields.map((field) => ({
      name: field.name,
      type: avroTypeOf(field, `${name}_${field.name}`),
      ...(field.nullable ? { default: null } : {}),
    })),
  }
}

function avroTypeOf(type: ValueType, name: string): unknown {
  const present = presentTypeOf(type, name)
  return type.nullable ? ['null', present] : present
}

function presentTypeOf({ type, logical }: ValueType, name: string): unknown {
  switch (logical?.kind) {
    case 'date':
      return { type: 'int', logicalType: 'date' }
    case 'time':
      return { type: 'int', logicalType: 'time-millis' }
    case 'bigint':
      return 'long'
    case 'bytes':
      return 'bytes'
    case 'decimal':
      return { type: 'bytes', logicalType: 'decimal', precision: logical.precision, scale: logical.scale }
    case 'array':
      return { type: 'array', items: avroTypeOf(logical.items, name) }
    case 'map':
      return { type: 'map', values: avroTypeOf(logical.values, name) }
    case 'row':
      return avroSchemaOf(logical.fields, name)
    case undefined:
      return type === 'timestamp'
        ? { type: 'long', logicalType: 'timestamp-millis' }
        : type === 'json'
          ? { type: 'string', logicalType: 'json' }
          : type
  }
}
