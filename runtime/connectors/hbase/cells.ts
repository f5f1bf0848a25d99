import { decimalParts, decimalText } from '../../model/decimal-text.ts'
import { MillraceError } from '../../model/errors.ts'
import { parseWithDigits } from '../../model/json-digits.ts'
import { latin1, valuePrinter, valueReader } from '../../model/logical-values.ts'
import type { ValueType } from '../../model/schema.ts'

export type Encoding = 'text' | 'binary'

/** How values of a type lie in cells. */
export interface CellCoder {
  /** A value of a row, never null → the bytes; undefined when they cannot say it. */
  write(value: unknown): Buffer | undefined
  /** The bytes of a cell → the value, or null; undefined when they are neither. */
  read(bytes: Buffer): unknown
}

/**
 * Binary is what `Bytes.toBytes` of HBase makes of the Java types that Flink's HBase connector takes, so that both read
 * what the other one writes. Source: org/apache/hadoop/hbase/util/Bytes.java of apache/hbase 2.6, HBaseSerde.java of
 * apache/flink-connector-hbase.
 */
export function cellCoder(type: ValueType, encoding: Encoding): CellCoder {
  const binary = encoding === 'binary' ? BINARY.get(kindOf(type))?.(type) : undefined
  // what Flink writes for null
  return binary ? { ...binary, read: (bytes) => (bytes.length === 0 ? null : binary.read(bytes)) } : textCoder(type)
}

/** The name of the type alone. */
export function kindOf({ type, logical }: ValueType): string {
  return logical?.kind ?? type
}

/** Writes a value as the cell of a field. Throws VALUE_INVALID with the name. */
export function writtenCell(coder: CellCoder, name: string, value: unknown): Buffer {
  const bytes = coder.write(value)
  if (bytes !== undefined) return bytes
  throw new MillraceError('VALUE_INVALID', `${name}: ${JSON.stringify(value)} cannot be written to a cell of HBase`, {
    domain: 'user',
  })
}

const STRINGS: CellCoder = {
  // the bytes of UTF-8 hold no half of a character: another text would be stored
  write: (value) => (String(value).isWellFormed() ? Buffer.from(String(value)) : undefined),
  read: utf8Of,
}

const BYTES: CellCoder = {
  write: (value) => Buffer.from(String(value), 'latin1'),
  read: latin1,
}

function textCoder(type: ValueType): CellCoder {
  const kind = kindOf(type)
  if (kind === 'string') return STRINGS
  if (kind === 'bytes') return BYTES
  const print = valuePrinter(type, 'iso') ?? ((value: unknown) => value)
  const read = valueReader(type)
  if (type.type === 'json')
    return {
      write: (value) => STRINGS.write(JSON.stringify(print(value))),
      read: (bytes) => read(parsed(utf8Of(bytes))),
    }
  return {
    write: (value) => {
      const printed = print(value)
      return Buffer.from(typeof printed === 'string' ? printed : JSON.stringify(printed))
    },
    read: (bytes) => {
      const text = utf8Of(bytes)
      if (text === undefined) return undefined
      // what is no number and no truth value of JSON is a text such as a date
      const value = parsed(text) ?? text
      return value === null ? undefined : read(value)
    },
  }
}

const INT = 4
const LONG = 8

const BINARY: ReadonlyMap<string, (type: ValueType) => CellCoder> = new Map([
  ['long', () => NUMBER_OF_64_BITS],
  ['timestamp', () => NUMBER_OF_64_BITS],
  ['bigint', () => DIGITS_OF_64_BITS],
  ['date', () => NUMBER_OF_32_BITS],
  ['time', () => NUMBER_OF_32_BITS],
  ['double', () => DOUBLE],
  ['boolean', () => BOOLEAN],
  ['decimal', decimalCoder],
])

const DIGITS_OF_64_BITS: CellCoder = {
  write: (value) => {
    const bytes = Buffer.alloc(LONG)
    bytes.writeBigInt64BE(BigInt(String(value)))
    return bytes
  },
  read: (bytes) => (bytes.length === LONG ? String(bytes.readBigInt64BE()) : undefined),
}

const NUMBER_OF_64_BITS: CellCoder = {
  write: (value) => DIGITS_OF_64_BITS.write(BigInt(Number(value))),
  read: (bytes) => {
    if (SHORT_INTEGERS.includes(bytes.length)) return bytes.readIntBE(0, bytes.length)
    const number = bytes.length === LONG ? Number(bytes.readBigInt64BE()) : undefined
    return Number.isSafeInteger(number) ? number : undefined
  },
}
/** Bytes of byte, short and int, which other tools write. */
const SHORT_INTEGERS = [1, 2, INT]

const NUMBER_OF_32_BITS: CellCoder = {
  write: (value) => {
    const number = Number(value)
    if ((number | 0) !== number) return undefined
    const bytes = Buffer.alloc(INT)
    bytes.writeInt32BE(number)
    return bytes
  },
  read: (bytes) => (bytes.length === INT ? bytes.readInt32BE() : undefined),
}

const DOUBLE: CellCoder = {
  write: (value) => {
    const bytes = Buffer.alloc(LONG)
    bytes.writeDoubleBE(Number(value))
    return bytes
  },
  read: (bytes) => {
    const number = bytes.length === LONG ? bytes.readDoubleBE() : bytes.length === INT ? bytes.readFloatBE() : undefined
    return Number.isFinite(number) ? number : undefined
  },
}

const BOOLEAN: CellCoder = {
  write: (value) => Buffer.from([value === true ? 0xff : 0]),
  read: (bytes) => (bytes.length === 1 ? bytes[0] !== 0 : undefined),
}

/** Many more digits than any field has. */
const MOST_DIGIT_BYTES = 64

/** `Bytes.toBytes(BigDecimal)`: the scale in 32 bits, then the units in two's complement. */
function decimalCoder({ logical }: ValueType): CellCoder {
  const { precision, scale } = logical?.kind === 'decimal' ? logical : { precision: 0, scale: 0 }
  return {
    write: (value) => {
      const parts = decimalParts(String(value))
      if (parts === undefined) return undefined
      const head = Buffer.alloc(INT)
      head.writeInt32BE(parts.scale)
      return Buffer.concat([head, twosComplement(parts.units)])
    },
    read: (bytes) => {
      const digits = bytes.subarray(INT)
      if (digits.length === 0 || digits.length > MOST_DIGIT_BYTES) return undefined
      const units = BigInt.asIntN(digits.length * 8, BigInt(`0x${digits.toString('hex')}`))
      return decimalText(`${units}E${0 - bytes.readInt32BE(0)}`, precision, scale)
    },
  }
}

/** As few bytes as hold it, as `BigInteger.toByteArray` gives them. */
function twosComplement(value: bigint): Buffer {
  let length = 1
  while (BigInt.asIntN(length * 8, value) !== value) length++
  const hex = BigInt.asUintN(length * 8, value).toString(16)
  return Buffer.from(hex.padStart(length * 2, '0'), 'hex')
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function utf8Of(bytes: Buffer): string | undefined {
  try {
    return UTF8.decode(bytes)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return parseWithDigits(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
