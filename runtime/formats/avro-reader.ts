import { decimalText } from '../model/decimal-text.ts'
import { textOfUnits, unitsOfBytes } from '../model/decimal-units.ts'
import { clipped } from '../model/clipped.ts'
import { MillraceError } from '../model/errors.ts'
import { checkJsonBounds } from '../model/json-bounds.ts'
import type { Field, ValueType } from '../model/schema.ts'
import { valueTypeText } from '../model/value-type.ts'
import type { AvroType } from './avro-schema.ts'
import { bigintOfWords, exactLong, type ByteInput } from './byte-input.ts'
import { refuseField, refuseRecord, refuseValue } from './record-errors.ts'

/** Reads one value as rows carry it. */
type Read = (input: ByteInput) => unknown

/**
 * Records written with `written` → values in the order of `fields`. Fields are matched by name, those that nobody
 * wants are passed over. Throws AVRO_SCHEMA_MISMATCH where a field is missing or has a type that can not become the
 * one wanted.
 */
export function avroRecordReader(
  written: AvroType & { kind: 'record' },
  fields: readonly Field[],
): (input: ByteInput) => unknown[] {
  const places = fields.map((field) => {
    if (!written.fields.some(({ name }) => name === field.name) && !field.nullable) {
      throw mismatch(
        `the Avro record ${written.name} has no field "${field.name}"`,
        'give the field a type with ? to have it null where records lack it',
      )
    }
    return field.name
  })
  const steps = written.fields.map(({ name, type }) => {
    const place = places.indexOf(name)
    const field = fields[place]
    return { place, read: field === undefined ? jsonReader(type) : fieldReader(type, field) }
  })
  return (input) => {
    const values: unknown[] = fields.map(() => null)
    for (const { place, read } of steps) {
      const value = read(input)
      if (place >= 0) values[place] = value
    }
    return values
  }
}

function mismatch(message: string, hint?: string): MillraceError {
  return new MillraceError('AVRO_SCHEMA_MISMATCH', message, { domain: 'user', ...(hint === undefined ? {} : { hint }) })
}

function fieldReader(type: AvroType, field: Field): Read {
  const read = typedReader(type, field)
  if (read === undefined)
    throw mismatch(`field "${field.name}" is ${valueTypeText(field)}, in Avro it is ${kindText(type)}`)
  return (input) => {
    let value: unknown
    try {
      value = read(input)
    } catch (error) {
      refuseField(field, error)
    }
    return value ?? (field.nullable ? null : refuseValue(field, null))
  }
}

function kindText(type: AvroType): string {
  return type.kind === 'union' ? `a union of ${clipped(type.branches.map(kindText).join(', '))}` : type.kind
}

/** Undefined when no value of the Avro type can be one of the wanted type. The reader gives null for null. */
function typedReader(type: AvroType, wanted: ValueType): Read | undefined {
  if (type.kind === 'union') return unionReader(type.branches, wanted)
  if (type.kind === 'null') return () => null
  switch (wanted.logical?.kind) {
    case 'date':
      return type.kind === 'int' ? readLong : undefined
    case 'time':
      return type.kind === 'int' ? readTime : undefined
    case 'bigint':
      return type.kind === 'int' || type.kind === 'long' ? readBigint : undefined
    case 'map':
      return type.kind === 'map' ? mapReader(type.values, wanted.logical.values) : undefined
    case 'bytes':
      return type.kind === 'bytes'
        ? (input) => input.latin1(readLength(input))
        : type.kind === 'fixed'
          ? (input) => input.latin1(type.size)
          : undefined
    case 'decimal':
      return decimalReader(type, wanted.logical)
    case 'array':
      return type.kind === 'array' ? listReader(type.items, wanted.logical.items) : undefined
    case 'row':
      return type.kind === 'record' ? rowReader(type, wanted.logical.fields) : undefined
    case undefined:
      return plainReader(type, wanted)
  }
}

function plainReader(type: AvroType, wanted: ValueType): Read | undefined {
  const isInteger = type.kind === 'int' || type.kind === 'long'
  switch (wanted.type) {
    case 'long':
      return isInteger ? readLong : undefined
    case 'timestamp':
      return type.kind !== 'long'
        ? undefined
        : type.logical?.kind === 'timestamp-micros'
          ? (input) => Math.floor(readLong(input) / 1000)
          : readLong
    case 'double':
      return isInteger
        ? readLong
        : type.kind === 'float'
          ? (input) => finite(input.float())
          : type.kind === 'double'
            ? (input) => finite(input.double())
            : undefined
    case 'boolean':
      return type.kind === 'boolean' ? readBoolean : undefined
    case 'string':
      return type.kind === 'string' ? readText : type.kind === 'enum' ? symbolReader(type.symbols) : undefined
    case 'json':
      return jsonReader(type)
  }
}

function readLong(input: ByteInput): number {
  const low = input.varint()
  const high = input.high
  if (high === 0) return (low >>> 1) ^ -(low & 1)
  // (word >>> 1) ^ -sign, over two words
  const sign = -(low & 1)
  return exactLong(((low >>> 1) | (high << 31)) ^ sign, (high >>> 1) ^ sign)
}

function readBigint(input: ByteInput): string {
  const low = input.varint()
  const sign = -(low & 1)
  return bigintOfWords(((low >>> 1) | (input.high << 31)) ^ sign, (input.high >>> 1) ^ sign)
}

function readTime(input: ByteInput): number {
  const ms = readLong(input)
  return ms >= 0 && ms < 86_400_000 ? ms : refuseRecord(`a time of day is ${ms} ms`)
}

function mapReader(values: AvroType, wanted: ValueType): Read | undefined {
  const read = typedReader(values, wanted)
  if (read === undefined) return undefined
  return (input) =>
    Object.fromEntries(
      readBlocks(
        input,
        () =>
          [
            readText(input),
            read(input) ?? (wanted.nullable ? null : refuseRecord('a value of a map is null')),
          ] as const,
      ),
    )
}

function readLength(input: ByteInput): number {
  return readLong(input)
}

function readText(input: ByteInput): string {
  return input.text(readLength(input))
}

function readBoolean(input: ByteInput): boolean {
  const byte = input.byte()
  return byte > 1 ? refuseRecord(`a boolean is ${byte}`) : byte === 1
}

function finite(value: number): number {
  return Number.isFinite(value) ? value + 0 : refuseRecord(`a number is ${value}`)
}

function symbolReader(symbols: readonly string[]): Read {
  return (input) => {
    const index = readLong(input)
    return symbols[index] ?? refuseRecord(`an enum has no symbol ${index}`)
  }
}

function unionReader(branches: readonly AvroType[], wanted: ValueType): Read | undefined {
  const readers = branches.map((branch) => typedReader(branch, wanted))
  if (readers.every((read, index) => read === undefined || branches[index]?.kind === 'null')) return undefined
  return (input) => {
    const index = readLong(input)
    const read = readers[index]
    if (read === undefined)
      refuseRecord(`a union holds ${branches[index]?.kind ?? `branch ${index}`}, ${valueTypeText(wanted)} was expected`)
    return read(input)
  }
}

function decimalReader(type: AvroType, { precision, scale }: { precision: number; scale: number }): Read | undefined {
  if ((type.kind !== 'bytes' && type.kind !== 'fixed') || type.logical?.kind !== 'decimal') return undefined
  const writtenScale = type.logical.scale
  return (input) => {
    const from = input.take(type.kind === 'fixed' ? type.size : readLength(input))
    const text = textOfUnits(unitsOfBytes(input.bytes.subarray(from, input.at)), writtenScale)
    return (
      decimalText(text, precision, scale) ??
      refuseRecord(`a decimal is ${text}, which has more digits than decimal(${precision},${scale})`)
    )
  }
}

function listReader(items: AvroType, wanted: ValueType): Read | undefined {
  const read = typedReader(items, wanted)
  if (read === undefined) return undefined
  return (input) =>
    readBlocks(input, () => read(input) ?? (wanted.nullable ? null : refuseRecord('an item of an array is null')))
}

function rowReader(type: AvroType & { kind: 'record' }, fields: readonly Field[]): Read {
  const read = avroRecordReader(type, fields)
  return (input) =>
    input.nested(() => {
      const values = read(input)
      return Object.fromEntries(fields.map((field, index) => [field.name, values[index]]))
    })
}

/** Any type as the JSON value that comes nearest: dates and times as numbers, bytes as base64. */
function jsonReader(type: AvroType): Read {
  switch (type.kind) {
    case 'null':
      return () => null
    case 'boolean':
      return readBoolean
    case 'int':
    case 'long':
      return readLong
    case 'float':
      return (input) => finite(input.float())
    case 'double':
      return (input) => finite(input.double())
    case 'bytes':
      return (input) => Buffer.from(input.latin1(readLength(input)), 'latin1').toString('base64')
    case 'fixed':
      return (input) => Buffer.from(input.latin1(type.size), 'latin1').toString('base64')
    case 'string':
      return type.logical?.kind === 'json' ? (input) => parsed(readText(input)) : readText
    case 'enum':
      return symbolReader(type.symbols)
    case 'array':
      return lazily(
        (read) => (input) => readBlocks(input, () => read(input)),
        () => jsonReader(type.items),
      )
    case 'map':
      return lazily(
        (read) => (input) => Object.fromEntries(readBlocks(input, () => [readText(input), read(input)] as const)),
        () => jsonReader(type.values),
      )
    case 'union': {
      const readers = type.branches.map((branch) =>
        lazily(
          (read) => read,
          () => jsonReader(branch),
        ),
      )
      return (input) => {
        const index = readLong(input)
        const read = readers[index]
        return read === undefined ? refuseRecord(`a union has no branch ${index}`) : read(input)
      }
    }
    case 'record':
      return (input) =>
        input.nested(() =>
          Object.fromEntries(type.fields.map(({ name, type: inner }) => [name, memoized(inner)(input)])),
        )
  }
}

const JSON_READERS = new WeakMap<AvroType, Read>()

/** Types can contain themselves, so readers of inner types are made when first needed. */
function memoized(type: AvroType): Read {
  let read = JSON_READERS.get(type)
  if (read === undefined) JSON_READERS.set(type, (read = jsonReader(type)))
  return read
}

function lazily(wrap: (read: Read) => Read, make: () => Read): Read {
  let made: Read | undefined
  return (input) => (made ??= wrap(make()))(input)
}

function parsed(text: string): unknown {
  checkJsonBounds(text)
  try {
    return JSON.parse(text)
  } catch (cause) {
    return refuseRecord('a text that should be JSON is none', cause)
  }
}

/** Blocks of items: a count, or a negative count and then the bytes of the block. */
function readBlocks<T>(input: ByteInput, read: () => T): T[] {
  return input.nested(() => {
    const items: T[] = []
    for (let count = readLong(input); count !== 0; count = readLong(input)) {
      if (count < 0) readLong(input)
      const size = Math.abs(count)
      input.countItems(size)
      for (let i = 0; i < size; i++) items.push(read())
    }
    return items
  })
}
