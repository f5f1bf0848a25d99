/** A value as Thrift's compact protocol writes it. Absent fields of a struct are undefined. */
export type Thrift =
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'i16' | 'i32' | 'i64'; readonly value: number }
  | { readonly kind: 'binary'; readonly value: Uint8Array }
  | { readonly kind: 'list'; readonly of: Thrift['kind']; readonly items: readonly Thrift[] }
  | { readonly kind: 'struct'; readonly fields: ThriftFields }

/** By their ids, which ascend. */
export type ThriftFields = readonly (readonly [id: number, value: Thrift | undefined])[]

const TYPES: Readonly<Record<Thrift['kind'], number>> = {
  bool: 1,
  i16: 4,
  i32: 5,
  i64: 6,
  binary: 8,
  list: 9,
  struct: 12,
}
const FALSE = 2

export const i32 = (value: number): Thrift => ({ kind: 'i32', value })
export const i64 = (value: number): Thrift => ({ kind: 'i64', value })
export const bool = (value: boolean): Thrift => ({ kind: 'bool', value })
export const binary = (value: Uint8Array): Thrift => ({ kind: 'binary', value })
export const utf8 = (value: string): Thrift => ({ kind: 'binary', value: Buffer.from(value) })
export const struct = (...fields: ThriftFields): Thrift => ({ kind: 'struct', fields })
export const list = (of: Thrift['kind'], items: readonly Thrift[]): Thrift => ({ kind: 'list', of, items })

/** A struct in Thrift's compact protocol (thrift-compact-protocol.md): page headers and footers of Parquet. */
export function thriftBytes(fields: ThriftFields): Buffer {
  const parts: (number | Uint8Array)[] = []
  writeStruct(fields, parts)
  return Buffer.concat(parts.map((part) => (typeof part === 'number' ? Uint8Array.of(part) : part)))
}

function writeStruct(fields: ThriftFields, to: (number | Uint8Array)[]): void {
  let last = 0
  for (const [id, value] of fields) {
    if (value === undefined) continue
    const type = value.kind === 'bool' && !value.value ? FALSE : TYPES[value.kind]
    const step = id - last
    if (step >= 1 && step <= 15) to.push((step << 4) | type)
    else to.push(type, varint(zigzag(id)))
    last = id
    if (value.kind !== 'bool') writeValue(value, to)
  }
  to.push(0)
}

function writeValue(value: Thrift, to: (number | Uint8Array)[]): void {
  switch (value.kind) {
    case 'bool':
      to.push(value.value ? 1 : FALSE)
      return
    case 'i16':
    case 'i32':
    case 'i64':
      to.push(varint(zigzag(value.value)))
      return
    case 'binary':
      to.push(varint(value.value.length), value.value)
      return
    case 'list': {
      const { length } = value.items
      if (length < 15) to.push((length << 4) | TYPES[value.of])
      else to.push(0xf0 | TYPES[value.of], varint(length))
      for (const item of value.items) writeValue(item, to)
      return
    }
    case 'struct':
      writeStruct(value.fields, to)
  }
}

/** Exact for the sizes, counts and ids of a file. */
function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}

/** ULEB128. */
export function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  bytes.push(rest)
  return Uint8Array.from(bytes)
}
