import { decimalText } from '../model/decimal-text.ts'
import { MillraceError } from '../model/errors.ts'
import type { Field, ValueType } from '../model/schema.ts'
import { valueTypeText } from '../model/value-type.ts'
import { bigintOfUnsignedWords, bigintOfWords, exactLong, exactUnsigned, type ByteInput } from './byte-input.ts'
import type { ProtoField, ProtoMessage, ProtoScalar, ProtoType } from './proto-schema.ts'
import { refuseField, refuseRecord, refuseValue } from './record-errors.ts'

type Read = (input: ByteInput) => unknown
/** Reads one occurrence of a field into the values of its message. */
type Take = (input: ByteInput, wire: number, values: unknown[]) => void

export const WIRE = { varint: 0, fixed64: 1, length: 2, fixed32: 5 } as const

/** A field of a message as `auction_id` or, as JSON has it, `auctionId`. */
export function isNamed({ name }: ProtoField, wanted: string): boolean {
  return name === wanted || name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()) === wanted
}

export function protoMismatch(message: string, hint?: string): MillraceError {
  return new MillraceError('PROTO_MISMATCH', message, { domain: 'user', ...(hint === undefined ? {} : { hint }) })
}

/**
 * Messages → values in the order of `fields`. Fields that nobody wants are skipped. A field that is not in the
 * record is null where its presence is tracked, and otherwise the default of the language: 0, '', false, the first
 * name of an enum, an empty list. The last occurrence of a field counts. Throws PROTO_MISMATCH where a field is missing
 * from the message or cannot become the type wanted.
 */
export function protoMessageReader(message: ProtoMessage, fields: readonly Field[]): (input: ByteInput) => unknown[] {
  const takes = new Map<number, Take>()
  const absent = fields.map((field, index) => {
    const source = message.fields.find((candidate) => isNamed(candidate, field.name))
    if (source === undefined) {
      if (!field.nullable)
        throw protoMismatch(
          `the message ${message.name} has no field "${field.name}"`,
          'give the field a type with ? to have it null',
        )
      return () => null
    }
    takes.set(source.number, namingField(field, takeOf(source, field, index)))
    return absentOf(source, field)
  })
  return (input) => {
    const values = absent.map((value) => value())
    readFields(input, takes, values)
    fields.forEach((field, index) => {
      if (values[index] === null && !field.nullable) refuseValue(field, null)
    })
    return values
  }
}

function readFields(input: ByteInput, takes: ReadonlyMap<number, Take>, values: unknown[]): void {
  while (!input.isAtEnd) {
    const tag = input.varint()
    if (tag >>> 3 === 0 || input.high !== 0)
      refuseRecord(`a field number is ${input.high === 0 ? 0 : 'larger than 2^29 - 1'}; Protobuf's begin at 1`)
    const take = takes.get(tag >>> 3)
    if (take === undefined) skip(input, tag & 7)
    else take(input, tag & 7, values)
  }
}

function skip(input: ByteInput, wire: number): void {
  switch (wire) {
    case WIRE.varint:
      input.varint()
      return
    case WIRE.fixed64:
      input.take(8)
      return
    case WIRE.length:
      input.take(input.varint())
      return
    case WIRE.fixed32:
      input.take(4)
      return
    default:
      refuseRecord(`a field has wire type ${wire}`)
  }
}

function absentOf({ isMap, isRepeated, hasPresence, type }: ProtoField, wanted: ValueType): () => unknown {
  if (isMap) return () => ({})
  if (isRepeated) return () => []
  if (hasPresence) return () => null
  const value =
    type.kind === 'enum'
      ? (type.names.get(0) ?? '')
      : type.kind === 'scalar'
        ? type.scalar === 'bool'
          ? false
          : type.scalar === 'string' || type.scalar === 'bytes'
            ? ''
            : 0
        : null
  const given =
    wanted.logical?.kind === 'decimal'
      ? (decimalText('0', wanted.logical.precision, wanted.logical.scale) ?? null)
      : wanted.logical?.kind === 'bigint'
        ? '0'
        : value
  return () => given
}

function takeOf(source: ProtoField, field: Field, index: number): Take {
  const wanted = source.isRepeated && !source.isMap ? itemsOf(field) : field
  const read =
    wanted === undefined ? undefined : source.isMap ? mapReader(source.type, wanted) : typedReader(source.type, wanted)
  if (read === undefined)
    throw protoMismatch(`field "${field.name}" is ${valueTypeText(field)}, in Protobuf it is ${kindText(source)}`)
  const expected = wireOf(source.type)
  const one = (input: ByteInput, wire: number): unknown =>
    wire === expected ? read(input) : refuseRecord(`field ${source.name} has wire type ${wire}, not ${expected}`)
  if (source.isMap)
    return (input, wire, values) => {
      input.countItems(1)
      Object.assign(values[index] as object, one(input, wire))
    }
  if (!source.isRepeated)
    return (input, wire, values) => {
      values[index] = one(input, wire)
    }
  const isPackable = expected !== WIRE.length
  return (input, wire, values) => {
    const items = values[index] as unknown[]
    if (!isPackable || wire !== WIRE.length) {
      input.countItems(1)
      items.push(one(input, wire))
    } else
      input.within(input.varint(), () => {
        while (!input.isAtEnd) {
          input.countItems(1)
          items.push(read(input))
        }
      })
  }
}

/** As `take`; what it refuses names the field. */
function namingField(field: Field, take: Take): Take {
  return (input, wire, values) => {
    try {
      take(input, wire, values)
    } catch (error) {
      refuseField(field, error)
    }
  }
}

/** The wanted type of the items of a repeated field; undefined when the field is not a list. */
function itemsOf({ type, logical }: Field): ValueType | undefined {
  if (logical?.kind === 'array') return logical.items
  return type === 'json' && logical === undefined ? { type: 'json', nullable: false } : undefined
}

export function kindText({ type, isRepeated, isMap }: ProtoField): string {
  const kind = type.kind === 'scalar' ? type.scalar : type.kind
  return isMap ? 'a map' : isRepeated ? `repeated ${kind}` : kind
}

export function wireOf(type: ProtoType): number {
  if (type.kind === 'enum') return WIRE.varint
  if (type.kind !== 'scalar') return WIRE.length
  switch (type.scalar) {
    case 'double':
    case 'fixed64':
    case 'sfixed64':
      return WIRE.fixed64
    case 'float':
    case 'fixed32':
    case 'sfixed32':
      return WIRE.fixed32
    case 'string':
    case 'bytes':
      return WIRE.length
    default:
      return WIRE.varint
  }
}

/** Undefined when no value of the type can be one of the wanted type. */
function typedReader(type: ProtoType, wanted: ValueType): Read | undefined {
  if (type.kind === 'timestamp')
    return wanted.type === 'timestamp'
      ? readTimestamp
      : wanted.type === 'json'
        ? (input) => new Date(readTimestamp(input)).toISOString()
        : undefined
  if (type.kind === 'enum')
    return (wanted.type === 'string' && wanted.logical === undefined) || isJson(wanted)
      ? enumReader(type.names)
      : undefined
  if (type.kind === 'message')
    return wanted.logical?.kind === 'row'
      ? rowReader(type.message, wanted.logical.fields)
      : isJson(wanted)
        ? (input) => jsonMessage(input, type.message)
        : undefined
  return scalarReader(type.scalar, wanted)
}

function isJson({ type, logical }: ValueType): boolean {
  return type === 'json' && logical === undefined
}

function scalarReader(scalar: ProtoScalar, wanted: ValueType): Read | undefined {
  const { logical } = wanted
  const isInteger = INTEGERS[scalar] !== undefined
  if (logical?.kind === 'bytes') return scalar === 'bytes' ? readBytes : undefined
  if (logical?.kind === 'decimal') return scalar === 'string' ? decimalReader(logical) : undefined
  if (logical?.kind === 'bigint') return bigintReader(scalar)
  if (logical?.kind === 'time') return timeReader(scalar)
  if (logical !== undefined && logical.kind !== 'date') return undefined
  switch (wanted.type) {
    case 'long':
    case 'timestamp':
      return INTEGERS[scalar]
    case 'double':
      return isInteger
        ? INTEGERS[scalar]
        : scalar === 'double'
          ? (input) => finite(input.double())
          : scalar === 'float'
            ? (input) => finite(input.float())
            : undefined
    case 'boolean':
      return scalar === 'bool' ? readBoolean : undefined
    case 'string':
      return scalar === 'string' ? readText : undefined
    case 'json':
      return jsonScalar(scalar)
  }
}

function jsonScalar(scalar: ProtoScalar): Read {
  const read = INTEGERS[scalar]
  if (read !== undefined) return read
  switch (scalar) {
    case 'bool':
      return readBoolean
    case 'string':
      return readText
    case 'bytes':
      return (input) => Buffer.from(readBytes(input), 'latin1').toString('base64')
    case 'float':
      return (input) => finite(input.float())
    default:
      return (input) => finite(input.double())
  }
}

const INTEGERS: Partial<Record<ProtoScalar, (input: ByteInput) => number>> = {
  int32: (input) => input.varint() | 0,
  uint32: (input) => input.varint() >>> 0,
  sint32: (input) => {
    const n = input.varint()
    return (n >>> 1) ^ -(n & 1)
  },
  fixed32: (input) => input.bytes.readUInt32LE(input.take(4)),
  sfixed32: (input) => input.bytes.readInt32LE(input.take(4)),
  int64: (input) => exactLong(input.varint(), input.high),
  uint64: (input) => exactUnsigned(input.varint(), input.high),
  sint64: readSigned,
  fixed64: (input) => {
    const at = input.take(8)
    return exactUnsigned(input.bytes.readUInt32LE(at), input.bytes.readInt32LE(at + 4))
  },
  sfixed64: (input) => {
    const at = input.take(8)
    return exactLong(input.bytes.readUInt32LE(at), input.bytes.readInt32LE(at + 4))
  },
}

function readSigned(input: ByteInput): number {
  const low = input.varint()
  const sign = -(low & 1)
  return exactLong(((low >>> 1) | (input.high << 31)) ^ sign, (input.high >>> 1) ^ sign)
}

/** Undefined for what is no integer. */
function bigintReader(scalar: ProtoScalar): Read | undefined {
  switch (scalar) {
    case 'int64':
      return (input) => bigintOfWords(input.varint(), input.high)
    case 'uint64':
      return (input) => bigintOfUnsignedWords(input.varint(), input.high)
    case 'sint64':
      return (input) => {
        const low = input.varint()
        const sign = -(low & 1)
        return bigintOfWords(((low >>> 1) | (input.high << 31)) ^ sign, (input.high >>> 1) ^ sign)
      }
    case 'fixed64':
      return (input) => {
        const at = input.take(8)
        return bigintOfUnsignedWords(input.bytes.readUInt32LE(at), input.bytes.readInt32LE(at + 4))
      }
    case 'sfixed64':
      return (input) => {
        const at = input.take(8)
        return bigintOfWords(input.bytes.readUInt32LE(at), input.bytes.readInt32LE(at + 4))
      }
    default: {
      const read = INTEGERS[scalar]
      return read && ((input) => String(read(input)))
    }
  }
}

function timeReader(scalar: ProtoScalar): Read | undefined {
  const read = INTEGERS[scalar]
  return (
    read &&
    ((input) => {
      const ms = read(input)
      return ms >= 0 && ms < 86_400_000 ? ms : refuseRecord(`a time of day is ${ms} ms`)
    })
  )
}

function readText(input: ByteInput): string {
  return input.text(input.varint())
}
function readBytes(input: ByteInput): string {
  return input.latin1(input.varint())
}
function readBoolean(input: ByteInput): boolean {
  return input.varint() !== 0 || input.high !== 0
}

function finite(value: number): number {
  return Number.isFinite(value) ? value + 0 : refuseRecord(`a number is ${value}`)
}

function decimalReader({ precision, scale }: { precision: number; scale: number }): Read {
  return (input) => {
    const text = readText(input)
    return (
      decimalText(text, precision, scale) ??
      refuseRecord(`${JSON.stringify(text)} is not a decimal(${precision},${scale})`)
    )
  }
}

function enumReader(names: ReadonlyMap<number, string>): Read {
  return (input) => {
    const number = input.varint() | 0
    return names.get(number) ?? refuseRecord(`an enum has no name for ${number}`)
  }
}

const TIMESTAMP: ProtoMessage = {
  name: 'google.protobuf.Timestamp',
  nested: [],
  fields: [
    {
      name: 'seconds',
      number: 1,
      type: { kind: 'scalar', scalar: 'int64' },
      isRepeated: false,
      hasPresence: false,
      isMap: false,
    },
    {
      name: 'nanos',
      number: 2,
      type: { kind: 'scalar', scalar: 'int32' },
      isRepeated: false,
      hasPresence: false,
      isMap: false,
    },
  ],
}
const readTimestampFields = protoMessageReader(TIMESTAMP, [
  { name: 'seconds', type: 'long', nullable: false },
  { name: 'nanos', type: 'long', nullable: false },
])
/** The bounds of the years ±271 821, beyond which a time has no text. */
const MAX_TIME_MS = 8.64e15

/** Nanoseconds beyond the millisecond are cut. */
function readTimestamp(input: ByteInput): number {
  return input.within(input.varint(), () => {
    const [seconds, nanos] = readTimestampFields(input)
    const ms = Number(seconds) * 1000 + Math.floor(Number(nanos) / 1_000_000)
    return Math.abs(ms) <= MAX_TIME_MS ? ms : refuseRecord(`a timestamp is ${String(seconds)} seconds`)
  })
}

function rowReader(message: ProtoMessage, fields: readonly Field[]): Read {
  const read = protoMessageReader(message, fields)
  return (input) =>
    input.nested(() =>
      input.within(input.varint(), () => {
        const values = read(input)
        return Object.fromEntries(fields.map((field, index) => [field.name, values[index]]))
      }),
    )
}

/** Entries as an object of one key. */
function mapReader(entry: ProtoType, wanted: ValueType): Read | undefined {
  if (entry.kind !== 'message') return undefined
  if (wanted.logical?.kind === 'map') return typedMapReader(entry.message, wanted.logical.values)
  if (!isJson(wanted)) return undefined
  return (input) => {
    const { key, value = null } = jsonMessage(input, entry.message)
    return Object.fromEntries([[String(key), value]])
  }
}

/** An entry is a message of key and value; a value that is not there is the default of its type. */
function typedMapReader(entry: ProtoMessage, values: ValueType): Read {
  const read = protoMessageReader(entry, [
    { name: 'key', type: 'json', nullable: false },
    { name: 'value', ...values },
  ])
  return (input) =>
    input.nested(() =>
      input.within(input.varint(), () => {
        const [key, value] = read(input)
        return { [String(key)]: value }
      }),
    )
}

const JSON_READERS = new WeakMap<ProtoMessage, { fields: readonly Field[]; read: (input: ByteInput) => unknown[] }>()

/**
 * Any message as the JSON value that comes nearest. Messages can contain themselves: their readers are made when
 * needed.
 */
function jsonMessage(input: ByteInput, message: ProtoMessage): Readonly<Record<string, unknown>> {
  let known = JSON_READERS.get(message)
  if (known === undefined) {
    const fields = message.fields.map(({ name }): Field => ({ name, type: 'json', nullable: true }))
    JSON_READERS.set(message, (known = { fields, read: protoMessageReader(message, fields) }))
  }
  const { fields, read } = known
  return input.nested(() =>
    input.within(input.varint(), () => {
      const values = read(input)
      return Object.fromEntries(fields.map((field, index) => [field.name, values[index]]))
    }),
  )
}
