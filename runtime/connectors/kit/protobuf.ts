import { MAX_ITEMS } from '../../model/decoding-limits.ts'
import { MillraceError } from '../../model/errors.ts'
import { utf8Text } from '../../model/utf8-text.ts'

/**
 * Protocol Buffers (proto2 wire format) of messages that are known when this is written: a table says number and kind
 * of each field, and the types follow from it. Unknown fields are skipped, absent ones are undefined, repeated ones
 * lists. Source: protobuf.dev/programming-guides/encoding.
 */
interface Kinds {
  /** Whole numbers of up to 2^53; enums are their numbers. */
  int: number
  bool: boolean
  text: string
  /** What others wrote for a text: its bytes where they are not UTF-8. */
  foreignText: string | Uint8Array
  bytes: Uint8Array
  /** Unsigned, fixed width. */
  fixed64: bigint
}

type Kind = keyof Kinds | Message<FieldTable> | Repeated
interface Repeated {
  readonly each: keyof Kinds | Message<FieldTable>
}
type FieldTable = Readonly<Record<string, readonly [number: number, kind: Kind]>>

export interface Message<Table extends FieldTable> {
  readonly fields: Table
  readonly byNumber: ReadonlyMap<number, NamedField>
  readonly lists: readonly string[]
}

interface NamedField {
  readonly name: string
  readonly kind: Kind
}

/** A message of any fields. */
export type AnyMessage = Message<FieldTable>

type ValueOf<K> = K extends keyof Kinds
  ? Kinds[K]
  : K extends { each: infer Each }
    ? readonly ValueOf<Each>[]
    : K extends Message<infer Table>
      ? Written<Table>
      : never

type Written<Table extends FieldTable> = { readonly [Name in keyof Table]?: ValueOf<Table[Name][1]> | undefined }

/** The values of a message. */
export type Values<M> = M extends Message<infer Table> ? Written<Table> : never

export function message<const Table extends FieldTable>(fields: Table): Message<Table> {
  const entries = Object.entries(fields)
  return {
    fields,
    byNumber: new Map(entries.map(([name, [number, kind]]) => [number, { name, kind }])),
    lists: entries.flatMap(([name, [, kind]]) => (typeof kind === 'object' && 'each' in kind ? [name] : [])),
  }
}

export function repeated<const Each extends keyof Kinds | AnyMessage>(each: Each): { readonly each: Each } {
  return { each }
}

const VARINT = 0
const FIXED64 = 1
const LENGTH = 2
const FIXED32 = 5

export function encodeMessage<M extends AnyMessage>({ fields }: M, values: Values<M>): Buffer {
  const parts: Uint8Array[] = []
  const known = values as Readonly<Record<string, unknown>>
  for (const [name, [number, kind]] of Object.entries(fields)) {
    const value = known[name]
    if (value === undefined) continue
    if (typeof kind === 'object' && 'each' in kind) {
      for (const item of value as readonly unknown[]) addField(parts, number, kind.each, item)
    } else addField(parts, number, kind, value)
  }
  return Buffer.concat(parts)
}

function addField(parts: Uint8Array[], number: number, kind: Exclude<Kind, Repeated>, value: unknown): void {
  const tag = (wire: number): Buffer => varint(number * 8 + wire)
  if (typeof kind === 'object') return addBytes(parts, tag(LENGTH), encodeMessage(kind, value as Values<typeof kind>))
  switch (kind) {
    case 'int':
      parts.push(tag(VARINT), varint(value as number))
      return
    case 'bool':
      parts.push(tag(VARINT), varint(value === true ? 1 : 0))
      return
    case 'text':
      return addBytes(parts, tag(LENGTH), Buffer.from(value as string))
    case 'foreignText':
      return addBytes(parts, tag(LENGTH), typeof value === 'string' ? Buffer.from(value) : (value as Uint8Array))
    case 'bytes':
      return addBytes(parts, tag(LENGTH), value as Uint8Array)
    case 'fixed64': {
      const bytes = Buffer.alloc(8)
      bytes.writeBigUInt64LE(value as bigint)
      parts.push(tag(FIXED64), bytes)
    }
  }
}

function addBytes(parts: Uint8Array[], tag: Buffer, bytes: Uint8Array): void {
  parts.push(tag, varint(bytes.length), bytes)
}

/** A varint; of a negative number the ten bytes of its 64-bit two's complement. */
export function varint(value: number): Buffer {
  if (value >= 0 && value < 128) return Buffer.of(value)
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}

/**
 * Throws PROTOBUF_INVALID for bytes that are no such message, or whose lists have more than MAX_ITEMS together. The bytes
 * of `bytes` fields are views.
 */
export function decodeMessage<M extends AnyMessage>(message: M, bytes: Buffer): Values<M> {
  return decodeWithin(message, bytes, { items: 0 })
}

function decodeWithin<M extends AnyMessage>({ byNumber, lists }: M, bytes: Buffer, spent: Spent): Values<M> {
  const values: Record<string, unknown> = {}
  for (const name of lists) values[name] = []
  const input = { bytes, at: 0, spent }
  while (input.at < bytes.length) {
    const tag = readVarint(input)
    const wire = tag % 8
    const field = byNumber.get(Math.floor(tag / 8))
    if (field === undefined) skip(input, wire)
    else if (typeof field.kind === 'object' && 'each' in field.kind)
      readRepeated(input, wire, field.kind.each, values[field.name] as unknown[])
    else values[field.name] = readValue(input, wire, field.kind)
  }
  return values as Values<M>
}

interface Input {
  readonly bytes: Buffer
  at: number
}

/** An item of two bytes is an object of a hundred. */
interface Spent {
  items: number
}

type MessageInput = Input & { readonly spent: Spent }

function readRepeated(input: MessageInput, wire: number, each: Repeated['each'], into: unknown[]): void {
  if (each !== 'int' || wire !== LENGTH) {
    spend(input)
    into.push(readValue(input, wire, each))
    return
  }
  const packed = { bytes: readBytes(input), at: 0 }
  while (packed.at < packed.bytes.length) {
    spend(input)
    into.push(readVarint(packed))
  }
}

function spend({ spent }: MessageInput): void {
  spent.items += 1
  if (spent.items > MAX_ITEMS) throw malformed(`it has more than ${MAX_ITEMS} items`)
}

function readValue(input: MessageInput, wire: number, kind: Exclude<Kind, Repeated>): unknown {
  const expected = kind === 'int' || kind === 'bool' ? VARINT : kind === 'fixed64' ? FIXED64 : LENGTH
  if (wire !== expected) throw malformed(`wire type ${wire} in place of ${expected}`)
  if (typeof kind === 'object') return decodeWithin(kind, readBytes(input), input.spent)
  switch (kind) {
    case 'int':
      return readVarint(input)
    case 'bool':
      return readVarint(input) !== 0
    case 'text':
      return readBytes(input).toString('utf8')
    case 'foreignText': {
      const bytes = readBytes(input)
      return utf8Text(bytes, 0, bytes.length) ?? bytes
    }
    case 'bytes':
      return readBytes(input)
    case 'fixed64': {
      if (input.at + 8 > input.bytes.length) throw malformed('a number that is cut short')
      const value = input.bytes.readBigUInt64LE(input.at)
      input.at += 8
      return value
    }
  }
}

function skip(input: Input, wire: number): void {
  if (wire === VARINT) readVarint(input)
  else if (wire === LENGTH) readBytes(input)
  else if (wire === FIXED64 || wire === FIXED32) input.at += wire === FIXED64 ? 8 : 4
  else throw malformed(`wire type ${wire}`)
}

function readBytes(input: Input): Buffer {
  const length = readVarint(input)
  const end = input.at + length
  if (length < 0 || end > input.bytes.length)
    throw malformed(`${length} bytes where ${input.bytes.length - input.at} are left`)
  const bytes = input.bytes.subarray(input.at, end)
  input.at = end
  return bytes
}

/** The signed number; what is beyond 2^53 is rounded. */
export function readVarint(input: Input): number {
  let value = 0
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = byteAt(input)
    value |= (byte & 127) << shift
    if (byte < 128) return value
  }
  let long = BigInt(value)
  for (let shift = 28n; shift < 70n; shift += 7n) {
    const byte = byteAt(input)
    long |= BigInt(byte & 127) << shift
    if (byte < 128) return Number(BigInt.asIntN(64, long))
  }
  throw malformed('a varint of more than ten bytes')
}

function byteAt(input: Input): number {
  const byte = input.bytes[input.at++]
  if (byte === undefined) throw malformed('a varint that is cut short')
  return byte
}

function malformed(what: string): MillraceError {
  return new MillraceError('PROTOBUF_INVALID', `a server sent a malformed message: ${what}`, {
    domain: 'dependency',
    retriable: true,
  })
}
