import { namedField, type Field } from '../model/schema.ts'
import { valueTypeText } from '../model/value-type.ts'
import type { ByteOutput } from './byte-output.ts'
import { isNamed, kindText, protoMismatch, wireOf, WIRE } from './proto-reader.ts'
import type { ProtoField, ProtoMessage, ProtoScalar, ProtoType } from './proto-schema.ts'
import { refuseToWrite } from './record-errors.ts'

type Write = (output: ByteOutput, value: unknown) => void

/**
 * Writes an object with `fields` as the message, fields that are null left out. Throws PROTO_MISMATCH where a field
 * has no place in it.
 */
export function protoMessageWriter(message: ProtoMessage, fields: readonly Field[]): Write {
  const steps = fields.map((field) => {
    const target = message.fields.find((candidate) => isNamed(candidate, field.name))
    if (target === undefined)
      throw protoMismatch(
        `the rows have a field "${field.name}", the message ${message.name} has none; leave it out with map`,
      )
    const write = fieldWriter(target, field)
    if (write === undefined)
      throw protoMismatch(`field "${field.name}" is ${valueTypeText(field)}, in Protobuf it is ${kindText(target)}`)
    return { name: field.name, write }
  })
  return (output, value) => {
    for (const { name, write } of steps) {
      const member = (value as Readonly<Record<string, unknown>>)[name] ?? null
      if (member !== null) write(output, member)
    }
  }
}

function fieldWriter(target: ProtoField, field: Field): Write | undefined {
  if (target.isMap) return mapWriter(target, field)
  const items = target.isRepeated ? (field.logical?.kind === 'array' ? field.logical.items : undefined) : field
  const write = items === undefined ? undefined : valueWriter(target.type, namedField(field.name, items))
  if (write === undefined) return undefined
  const tag = target.number * 8 + wireOf(target.type)
  const one: Write = (output, value) => {
    output.varint(tag)
    write(output, value)
  }
  if (!target.isRepeated) return one
  return (output, value) => {
    const list = value as readonly unknown[]
    if (list.includes(null)) refuseToWrite(field, 'a list with null in it', 'Protobuf cannot say')
    if (wireOf(target.type) === WIRE.length) for (const item of list) one(output, item)
    else if (list.length > 0) {
      output.varint(target.number * 8 + WIRE.length)
      output.block(() => {
        for (const item of list) write(output, item)
      })
    }
  }
}

/** Entries are messages of a key, field 1, and a value, field 2. */
function mapWriter(target: ProtoField, field: Field): Write | undefined {
  const entry = target.type.kind === 'message' ? target.type.message : undefined
  const [key, value] = entry?.fields ?? []
  const isText = key?.type.kind === 'scalar' && key.type.scalar === 'string'
  if (value === undefined || !isText || field.logical?.kind !== 'map') return undefined
  const write = fieldWriter(value, namedField(field.name, field.logical.values))
  if (write === undefined) return undefined
  const tag = target.number * 8 + WIRE.length
  return (output, map) => {
    for (const [name, member] of Object.entries(map as Readonly<Record<string, unknown>>)) {
      if (member === null) refuseToWrite(field, 'a map with null in it', 'Protobuf cannot say')
      output.varint(tag)
      output.block(() => {
        output.varint(8 + WIRE.length)
        output.text(name, 'utf8', length)
        write(output, member)
      })
    }
  }
}

const length = (output: ByteOutput, bytes: number): void => {
  output.varint(bytes)
}

function valueWriter(type: ProtoType, field: Field): Write | undefined {
  const { logical } = field
  switch (type.kind) {
    case 'timestamp':
      return field.type === 'timestamp'
        ? (output, value) => {
            writeTimestamp(output, integer(field, value))
          }
        : undefined
    case 'enum':
      return field.type === 'string' && logical === undefined ? enumWriter(type.names, field) : undefined
    case 'message': {
      const write = logical?.kind === 'row' ? protoMessageWriter(type.message, logical.fields) : undefined
      return write === undefined
        ? undefined
        : (output, value) => {
            output.block(() => {
              write(output, value)
            })
          }
    }
    case 'scalar':
      return scalarWriter(type.scalar, field)
  }
}

function scalarWriter(scalar: ProtoScalar, field: Field): Write | undefined {
  if (scalar === 'bytes')
    return field.logical?.kind === 'bytes'
      ? (output, value) => {
          output.text(String(value), 'latin1', length)
        }
      : undefined
  if (scalar === 'string') {
    if (field.type === 'json')
      return field.logical === undefined
        ? (output, value) => {
            output.text(JSON.stringify(value), 'utf8', length)
          }
        : undefined
    return field.type === 'string' && field.logical?.kind !== 'bytes'
      ? (output, value) => {
          output.text(String(value), 'utf8', length)
        }
      : undefined
  }
  if (scalar === 'bool')
    return field.type === 'boolean'
      ? (output, value) => {
          output.byte(value === true ? 1 : 0)
        }
      : undefined
  if (field.logical?.kind === 'bigint') return bigintWriter(scalar, field)
  if (field.type !== 'long' && field.type !== 'timestamp' && field.type !== 'double') return undefined
  if (scalar === 'double')
    return (output, value) => {
      output.double(finite(field, value))
    }
  if (field.type === 'double')
    return scalar === 'float'
      ? (output, value) => {
          output.float(finite(field, value))
        }
      : undefined
  return integerWriter(scalar, field)
}

const RANGES: Partial<Record<ProtoScalar, readonly [from: number, to: number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  sint32: [-(2 ** 31), 2 ** 31 - 1],
  sfixed32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  fixed32: [0, 2 ** 32 - 1],
  uint64: [0, 2 ** 53],
  fixed64: [0, 2 ** 53],
}

function integerWriter(scalar: ProtoScalar, field: Field): Write | undefined {
  const [from, to] = RANGES[scalar] ?? [-(2 ** 53), 2 ** 53]
  const checked = (value: unknown): number => {
    const number = integer(field, value)
    return number >= from && number <= to ? number : refuseToWrite(field, number, `a ${scalar} cannot hold`)
  }
  switch (scalar) {
    case 'sint32':
    case 'sint64':
      return (output, value) => {
        output.zigzag(checked(value))
      }
    case 'int32':
    case 'int64':
    case 'uint32':
    case 'uint64':
      return (output, value) => {
        const number = checked(value)
        if (number < 0) output.bigVarint(BigInt(number))
        else output.varint(number)
      }
    case 'fixed32':
    case 'sfixed32':
      return (output, value) => {
        output.word(checked(value))
      }
    case 'fixed64':
    case 'sfixed64':
      return (output, value) => {
        const number = checked(value)
        output.word(number % 2 ** 32)
        output.word(Math.floor(number / 2 ** 32))
      }
    default:
      return undefined
  }
}

/** Undefined for what is no integer of 64 bits. */
function bigintWriter(scalar: ProtoScalar, field: Field): Write | undefined {
  const isUnsigned = scalar === 'uint64' || scalar === 'fixed64'
  const valueOf = (value: unknown): bigint => {
    const number = BigInt(String(value))
    return isUnsigned && number < 0n ? refuseToWrite(field, number, `a ${scalar} cannot hold`) : number
  }
  switch (scalar) {
    case 'int64':
    case 'uint64':
      return (output, value) => {
        output.bigVarint(valueOf(value))
      }
    case 'sint64':
      return (output, value) => {
        output.bigZigzag(valueOf(value))
      }
    case 'fixed64':
    case 'sfixed64':
      return (output, value) => {
        const number = valueOf(value)
        output.word(Number(BigInt.asIntN(32, number)))
        output.word(Number(BigInt.asIntN(32, number >> 32n)))
      }
    default:
      return undefined
  }
}

function integer(field: Field, value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value)
    ? value
    : refuseToWrite(field, value, 'is not an exact integer')
}

function finite(field: Field, value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value)
    ? value
    : refuseToWrite(field, value, 'is not a finite number')
}

function enumWriter(names: ReadonlyMap<number, string>, field: Field): Write {
  const numbers = new Map([...names].map(([number, name]) => [name, number]))
  return (output, value) => {
    const number =
      numbers.get(String(value)) ??
      refuseToWrite(field, value, `is not a name of the enum (${[...numbers.keys()].join(', ')})`)
    if (number < 0) output.bigVarint(BigInt(number))
    else output.varint(number)
  }
}

/** google.protobuf.Timestamp: seconds as field 1, nanoseconds from 0 up as field 2. */
function writeTimestamp(output: ByteOutput, ms: number): void {
  const seconds = Math.floor(ms / 1000)
  output.block(() => {
    output.varint(8)
    if (seconds < 0) output.bigVarint(BigInt(seconds))
    else output.varint(seconds)
    output.varint(16)
    output.varint((ms - seconds * 1000) * 1_000_000)
  })
}
