import { MillraceError } from '../model/errors.ts'
import { namedField, type Field, type ValueType } from '../model/schema.ts'
import { valueTypeText } from '../model/value-type.ts'
import type { AvroType } from './avro-schema.ts'
import type { ByteOutput } from './byte-output.ts'
import { refuseToWrite } from './record-errors.ts'

type Write = (output: ByteOutput, value: unknown) => void

const zigzag = (output: ByteOutput, value: number): void => {
  output.zigzag(value)
}

/**
 * Writes an object with `fields` as a record of the Avro type. Throws AVRO_SCHEMA_MISMATCH where a field of the
 * record has no field of the row and no null to write, or can not hold its values.
 */
export function avroRecordWriter(type: AvroType & { kind: 'record' }, fields: readonly Field[]): Write {
  const steps = type.fields.map((target) => {
    const field = fields.find(({ name }) => name === target.name)
    if (field !== undefined) return { name: target.name, write: fieldWriter(target.type, field) }
    const write = nullWriter(target.type)
    if (write === undefined)
      throw mismatch(
        `the Avro record ${type.name} has a field "${target.name}" that is never null, and the rows have no such field`,
      )
    return { name: target.name, write }
  })
  const lost = fields.find(({ name }) => !type.fields.some((target) => target.name === name))
  if (lost !== undefined)
    throw mismatch(`the rows have a field "${lost.name}", the Avro record ${type.name} has none; leave it out with map`)
  return (output, value) => {
    const row = value as Readonly<Record<string, unknown>>
    for (const { name, write } of steps) write(output, row[name] ?? null)
  }
}

function mismatch(message: string): MillraceError {
  return new MillraceError('AVRO_SCHEMA_MISMATCH', message, { domain: 'user' })
}

function fieldWriter(type: AvroType, field: Field): Write {
  const write = typedWriter(type, field)
  if (write === undefined)
    throw mismatch(`field "${field.name}" is ${valueTypeText(field)}, in Avro it is ${type.kind}`)
  return write
}

/** Writes null; undefined when the type has none. */
function nullWriter(type: AvroType): Write | undefined {
  if (type.kind === 'null') return () => undefined
  if (type.kind !== 'union') return undefined
  const index = type.branches.findIndex(({ kind }) => kind === 'null')
  return index < 0
    ? undefined
    : (output) => {
        output.zigzag(index)
      }
}

function typedWriter(type: AvroType, field: Field): Write | undefined {
  if (type.kind === 'union') {
    const writers = type.branches.map((branch) =>
      branch.kind === 'null' ? undefined : typedWriter(branch, { ...field, nullable: false }),
    )
    const index = writers.findIndex((write) => write !== undefined)
    const write = writers[index]
    const writeNull = nullWriter(type)
    if (write === undefined || (field.nullable && writeNull === undefined)) return undefined
    return (output, value) => {
      if (value === null && writeNull !== undefined) writeNull(output, null)
      else {
        output.zigzag(index)
        write(output, value)
      }
    }
  }
  return field.nullable ? undefined : presentWriter(type, field)
}

function presentWriter(type: AvroType, field: Field): Write | undefined {
  const { logical } = field
  switch (logical?.kind) {
    case 'date':
    case 'time':
      return type.kind === 'int' ? intWriter(field) : undefined
    case 'bigint':
      return type.kind === 'long' ? writeBigint : undefined
    case 'map':
      return type.kind === 'map' ? mapWriter(type.values, logical.values, field) : undefined
    case 'bytes':
      return type.kind === 'bytes'
        ? (output, value) => {
            output.text(String(value), 'latin1', zigzag)
          }
        : type.kind === 'fixed'
          ? fixedWriter(type.size, field)
          : undefined
    case 'decimal':
      return decimalWriter(type, field, logical.scale)
    case 'array':
      return type.kind === 'array' ? listWriter(type.items, logical.items, field) : undefined
    case 'row':
      return type.kind === 'record' ? avroRecordWriter(type, logical.fields) : undefined
    case undefined:
      return plainWriter(type, field)
  }
}

function plainWriter(type: AvroType, field: Field): Write | undefined {
  const long: Write = (output, value) => {
    output.zigzag(exact(field, value))
  }
  switch (field.type) {
    case 'long':
      return type.kind === 'int'
        ? intWriter(field)
        : type.kind === 'long'
          ? long
          : type.kind === 'double'
            ? doubleWriter(field)
            : undefined
    case 'timestamp':
      return type.kind !== 'long' ? undefined : type.logical?.kind === 'timestamp-micros' ? microsWriter(field) : long
    case 'double':
      return type.kind === 'double'
        ? doubleWriter(field)
        : type.kind === 'float'
          ? (output, value) => {
              output.float(finite(field, value))
            }
          : undefined
    case 'boolean':
      return type.kind === 'boolean'
        ? (output, value) => {
            output.byte(value === true ? 1 : 0)
          }
        : undefined
    case 'string':
      return type.kind === 'string'
        ? (output, value) => {
            output.text(String(value), 'utf8', zigzag)
          }
        : type.kind === 'enum'
          ? symbolWriter(type.symbols, field)
          : undefined
    case 'json':
      return type.kind === 'string'
        ? (output, value) => {
            output.text(JSON.stringify(value), 'utf8', zigzag)
          }
        : undefined
  }
}

function intWriter(field: Field): Write {
  return (output, value) => {
    const number = exact(field, value)
    output.zigzag((number | 0) === number ? number : refuseToWrite(field, number, 'an Avro int cannot hold'))
  }
}

function microsWriter(field: Field): Write {
  return (output, value) => {
    output.bigZigzag(BigInt(exact(field, value)) * 1000n)
  }
}

function writeBigint(output: ByteOutput, value: unknown): void {
  output.bigZigzag(BigInt(String(value)))
}

function mapWriter(values: AvroType, wanted: ValueType, field: Field): Write | undefined {
  const write = typedWriter(values, namedField(field.name, wanted))
  if (write === undefined) return undefined
  return (output, value) => {
    const entries = Object.entries(value as Readonly<Record<string, unknown>>)
    if (entries.length > 0) output.zigzag(entries.length)
    for (const [key, member] of entries) {
      output.text(key, 'utf8', zigzag)
      write(output, member)
    }
    output.zigzag(0)
  }
}

function doubleWriter(field: Field): Write {
  return (output, value) => {
    output.double(finite(field, value))
  }
}

function exact(field: Field, value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value)
    ? value
    : refuseToWrite(field, value, 'is not an exact integer')
}

function finite(field: Field, value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value)
    ? value
    : refuseToWrite(field, value, 'is not a finite number')
}

function fixedWriter(size: number, field: Field): Write {
  return (output, value) => {
    const bytes = String(value)
    if (bytes.length !== size) refuseToWrite(field, `${bytes.length} bytes`, `a fixed of ${size} bytes cannot hold`)
    output.text(bytes, 'latin1', () => undefined)
  }
}

function symbolWriter(symbols: readonly string[], field: Field): Write {
  const indexes = new Map(symbols.map((symbol, index) => [symbol, index]))
  return (output, value) => {
    output.zigzag(
      indexes.get(String(value)) ?? refuseToWrite(field, value, `is not a symbol of the enum (${symbols.join(', ')})`),
    )
  }
}

function decimalWriter(type: AvroType, field: Field, scale: number): Write | undefined {
  if (
    (type.kind !== 'bytes' && type.kind !== 'fixed') ||
    type.logical?.kind !== 'decimal' ||
    type.logical.scale < scale
  )
    return undefined
  const factor = 10n ** BigInt(type.logical.scale - scale)
  const fixedSize = type.kind === 'fixed' ? type.size : undefined
  return (output, value) => {
    const unscaled = BigInt(String(value).replace('.', '')) * factor
    const bytes = twosComplement(unscaled)
    if (fixedSize === undefined) output.text(bytes, 'latin1', zigzag)
    else {
      if (bytes.length > fixedSize) refuseToWrite(field, value, `a fixed of ${fixedSize} bytes cannot hold`)
      output.text(bytes.padStart(fixedSize, unscaled < 0n ? '\xff' : '\0'), 'latin1', () => undefined)
    }
  }
}

/** The fewest bytes, most significant first, that hold the number and its sign. */
function twosComplement(value: bigint): string {
  let size = 1
  while (BigInt.asIntN(size * 8, value) !== value) size++
  return Buffer.from(
    BigInt.asUintN(size * 8, value)
      .toString(16)
      .padStart(size * 2, '0'),
    'hex',
  ).toString('latin1')
}

function listWriter(items: AvroType, wanted: ValueType, field: Field): Write | undefined {
  const write = typedWriter(items, namedField(field.name, wanted))
  if (write === undefined) return undefined
  return (output, value) => {
    const list = value as readonly unknown[]
    if (list.length > 0) output.zigzag(list.length)
    for (const item of list) write(output, item)
    output.zigzag(0)
  }
}
