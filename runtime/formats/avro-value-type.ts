import { isFieldName, namedField, type Field, type ValueType } from '../model/schema.ts'
import type { AvroType } from './avro-schema.ts'

/** The fields that read all of a record, and the names that cannot be names of fields. */
export function fieldsOfAvro({ fields }: AvroType & { kind: 'record' }): { fields: Field[]; leftOut: string[] } {
  return {
    fields: fields.filter(({ name }) => isFieldName(name)).map(({ name, type }) => namedField(name, valueTypeOf(type))),
    leftOut: fields.map(({ name }) => name).filter((name) => !isFieldName(name)),
  }
}

/** The type whose values say all that those of the Avro type do. A record inside of another is `json`. */
function valueTypeOf(type: AvroType): ValueType {
  switch (type.kind) {
    case 'boolean':
      return present('boolean')
    case 'float':
    case 'double':
      return present('double')
    case 'int':
    case 'long':
      if (type.logical?.kind === 'date') return { ...present('long'), logical: { kind: 'date' } }
      return present(isTimestamp(type) ? 'timestamp' : 'long')
    case 'string':
      return present(type.logical?.kind === 'json' ? 'json' : 'string')
    case 'enum':
      return present('string')
    case 'bytes':
    case 'fixed': {
      const { logical } = type
      if (logical?.kind !== 'decimal') return { ...present('string'), logical: { kind: 'bytes' } }
      return { ...present('string'), logical: { kind: 'decimal', precision: logical.precision, scale: logical.scale } }
    }
    case 'array':
      return { ...present('json'), logical: { kind: 'array', items: valueTypeOf(type.items) } }
    case 'map':
      return { ...present('json'), logical: { kind: 'map', values: valueTypeOf(type.values) } }
    case 'union':
      return unionType(type.branches)
    case 'record':
      return present('json')
    case 'null':
      return { type: 'json', nullable: true }
  }
}

function unionType(branches: readonly AvroType[]): ValueType {
  const [only, ...others] = branches.filter(({ kind }) => kind !== 'null')
  const isNullable = branches.some(({ kind }) => kind === 'null')
  if (only === undefined || others.length > 0) return { type: 'json', nullable: isNullable }
  return { ...valueTypeOf(only), nullable: isNullable }
}

function isTimestamp({ logical }: Extract<AvroType, { kind: 'int' | 'long' | 'bytes' | 'string' }>): boolean {
  return logical?.kind === 'timestamp-millis' || logical?.kind === 'timestamp-micros'
}

function present(type: ValueType['type']): ValueType {
  return { type, nullable: false }
}
