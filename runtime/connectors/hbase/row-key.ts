import { MillraceError } from '../../model/errors.ts'
import type { Field } from '../../model/schema.ts'
import { cellCoder, kindOf, type Encoding } from './cells.ts'

/** HConstants.MAX_ROW_LENGTH. */
const MOST_BYTES = 32_767

/** The key that the fields of a row make, or why HBase can have no such key. */
export type RowKey = { readonly bytes: Buffer } | { readonly why: string }

/** The values of the key's fields, in their order, none of them null → the key. */
export type KeyOf = (values: readonly unknown[]) => RowKey

/**
 * One field is the key as it would be in a cell. Fields of a list follow each other as in HBase's OrderedBytes
 * (ascending): what is less is less as bytes, and each part says where it ends. Source:
 * org/apache/hadoop/hbase/util/OrderedBytes.java of apache/hbase 2.6.
 */
export function keyWriter(fields: readonly Field[], form: 'field' | 'list', encoding: Encoding): KeyOf {
  const parts = fields.map((field) => ({ field, write: form === 'list' ? orderedPart(field) : plain(field, encoding) }))
  return (values) => {
    const written: Buffer[] = []
    for (const [index, { field, write }] of parts.entries()) {
      const bytes = write?.(values[index])
      if (bytes === undefined) return { why: `${field.name}: ${JSON.stringify(values[index])} cannot be part of a key` }
      written.push(bytes)
    }
    const bytes = Buffer.concat(written)
    const names = fields.map(({ name }) => name).join(', ')
    if (bytes.length === 0) return { why: `${names}: a key is never empty` }
    if (bytes.length > MOST_BYTES)
      return { why: `${names}: a key has at most ${MOST_BYTES} bytes, not ${bytes.length}` }
    return { bytes }
  }
}

/** Throws VALUE_INVALID. */
export function keyBytes(key: RowKey): Buffer {
  if ('bytes' in key) return key.bytes
  throw new MillraceError('VALUE_INVALID', key.why, { domain: 'user', hint: 'Filter such rows, or change rowKey.' })
}

type PartWriter = (value: unknown) => Buffer | undefined

/** HBase has 0 and -0 as two keys, jobs have them as one. */
function plain(field: Field, encoding: Encoding): PartWriter {
  const { write } = cellCoder(field, encoding)
  return field.type === 'double' ? (value) => write(Number(value) + 0) : write
}

/** The first byte of a part says its type. */
const HEADER = { int8: 0x29, int64: 0x2c, float64: 0x31, text: 0x34, blob: 0x37 } as const
const SIGN = 0x80

function orderedPart(field: Field): PartWriter | undefined {
  switch (kindOf(field)) {
    case 'string':
      return text
    case 'bytes':
      return (value) => blob(Buffer.from(String(value), 'latin1'))
    case 'long':
    case 'bigint':
    case 'timestamp':
    case 'date':
    case 'time':
      return int64
    case 'double':
      return float64
    case 'boolean':
      return (value) => Buffer.from([HEADER.int8, SIGN | (value === true ? 1 : 0)])
    default:
      return undefined
  }
}

/** A zero byte ends it, and so can not be in it. */
function text(value: unknown): Buffer | undefined {
  const string = String(value)
  if (string.includes('\0') || !string.isWellFormed()) return undefined
  return Buffer.concat([Buffer.from([HEADER.text]), Buffer.from(string), Buffer.from([0])])
}

function int64(value: unknown): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = HEADER.int64
  bytes.writeBigInt64BE(BigInt(String(value)), 1)
  bytes[1] = (bytes[1] ?? 0) ^ SIGN
  return bytes
}

/** Inverts all bits of a negative number, and of another one the sign alone. */
function float64(value: unknown): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = HEADER.float64
  bytes.writeDoubleBE(Number(value) + 0, 1)
  const isNegative = ((bytes[1] ?? 0) & SIGN) !== 0
  for (let at = 1; at < bytes.length; at++) bytes[at] = (bytes[at] ?? 0) ^ (isNegative ? 0xff : at === 1 ? SIGN : 0)
  return bytes
}

/** Seven bits a byte, each with the highest bit set but the last one. */
function blob(bytes: Buffer): Buffer {
  const out = [HEADER.blob as number]
  if (bytes.length === 0) return Buffer.from([...out, 0])
  let waiting = 0
  let bits = 0
  for (const byte of bytes) {
    waiting = (waiting << 8) | byte
    bits += 8
    while (bits >= 7) {
      bits -= 7
      out.push(SIGN | ((waiting >> bits) & 0x7f))
    }
    waiting &= (1 << bits) - 1
  }
  if (bits > 0) out.push(SIGN | ((waiting << (7 - bits)) & 0x7f))
  const last = out.length - 1
  out[last] = (out[last] ?? 0) & 0x7f
  return Buffer.from(out)
}
