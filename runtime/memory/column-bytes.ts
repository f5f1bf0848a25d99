import type { Accumulator } from './accumulators/accumulator.ts'
import type { Column } from './columns.ts'
import type { KeyTable } from './key-table.ts'
import { corruptBlock } from './headed-block.ts'

type Numbers = Float64Array | Int32Array | Uint8Array

/** Which entries of a column are meant: the first so many, or those listed. */
export type Entries = number | Int32Array

/**
 * The column's values of these entries, for as long as nothing changes; of a Whole column all of it, whichever they
 * are.
 */
export function columnBytes(table: KeyTable, { name, array, place }: Column, entries: Entries): Uint8Array {
  if (place !== undefined) return bytesOf(fromRecords(table, place, entries))
  const values = table[name]
  switch (array) {
    case 'Whole':
      return (values as Accumulator).write()
    case 'Array':
      return Buffer.from(JSON.stringify(picked(values as unknown[], entries)))
    case 'Object':
      return objectBytes(picked(values as Accumulator[], entries))
    default:
      return bytesOf(
        typeof entries === 'number' ? (values as Numbers).subarray(0, entries) : gathered(values as Numbers, entries),
      )
  }
}

/** The bytes of a typed array, not copied. */
export function bytesOf({ buffer, byteOffset, byteLength }: Numbers | Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function picked<T>(values: readonly T[], entries: Entries): T[] {
  return typeof entries === 'number' ? values.slice(0, entries) : Array.from(entries, (entry) => values[entry] as T)
}

/** One loop for each kind: a loop over all kinds takes several times as long. */
function gathered(values: Numbers, entries: Int32Array): Numbers {
  const count = entries.length
  if (values instanceof Float64Array) {
    const made = new Float64Array(count)
    for (let i = 0; i < count; i++) made[i] = values[entries[i] as number] as number
    return made
  }
  if (values instanceof Int32Array) {
    const made = new Int32Array(count)
    for (let i = 0; i < count; i++) made[i] = values[entries[i] as number] as number
    return made
  }
  const made = new Uint8Array(count)
  for (let i = 0; i < count; i++) made[i] = values[entries[i] as number] as number
  return made
}

function fromRecords({ v, width }: KeyTable, place: number, entries: Entries): Float64Array {
  const count = typeof entries === 'number' ? entries : entries.length
  const made = new Float64Array(count)
  if (typeof entries === 'number') for (let e = 0; e < count; e++) made[e] = v[e * width + place] as number
  else for (let i = 0; i < count; i++) made[i] = v[(entries[i] as number) * width + place] as number
  return made
}

function toRecords({ v, width }: KeyTable, place: number, entries: Entries, numbers: Numbers): void {
  for (let i = 0; i < numbers.length; i++)
    v[(typeof entries === 'number' ? i : (entries[i] as number)) * width + place] = numbers[i] as number
}

function objectBytes(objects: readonly Accumulator[]): Uint8Array {
  const parts = objects.map((object) => object.write())
  const lengths = Uint32Array.from(parts, (part) => part.byteLength)
  return Buffer.concat([new Uint8Array(lengths.buffer), ...parts])
}

/** Puts the values into the column's entries, as columnBytes gave them; the table has room for them. */
export function putColumn(table: KeyTable, column: Column, entries: Entries, bytes: Uint8Array): void {
  const count = typeof entries === 'number' ? entries : entries.length
  if (column.place === undefined) table[column.name] = withValues(table[column.name], column, [entries, count], bytes)
  else toRecords(table, column.place, entries, numbersIn(bytes, 'Float64Array', count))
}

/** The column with the values; another object where it is one for all entries. */
function withValues(
  values: unknown,
  column: Column,
  [entries, count]: readonly [Entries, number],
  bytes: Uint8Array,
): unknown {
  switch (column.array) {
    case 'Whole':
      return (column.read ?? unreadable)(bytes)
    case 'Array':
      return putEach(
        values as unknown[],
        entries,
        JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')) as unknown[],
      )
    case 'Object':
      return putEach(values as unknown[], entries, readObjects(bytes, count, column.read ?? unreadable))
    default:
      return putNumbers(values as Numbers, entries, numbersIn(bytes, column.array, count))
  }
}

/** So many numbers of a column from bytes that are aligned to 8. */
export function numbersIn(
  bytes: Uint8Array,
  array: 'Float64Array' | 'Int32Array' | 'Uint8Array',
  count: number,
): Numbers {
  const { buffer, byteOffset, byteLength } = bytes
  const each = array === 'Float64Array' ? 8 : array === 'Int32Array' ? 4 : 1
  if (byteLength !== count * each)
    throw corruptBlock(`${count} numbers take ${count * each} bytes, there are ${byteLength}`)
  return array === 'Float64Array'
    ? new Float64Array(buffer, byteOffset, count)
    : array === 'Int32Array'
      ? new Int32Array(buffer, byteOffset, count)
      : bytes
}

function putNumbers(values: Numbers, entries: Entries, numbers: Numbers): Numbers {
  if (typeof entries === 'number') values.set(numbers)
  else for (let i = 0; i < entries.length; i++) values[entries[i] as number] = numbers[i] as number
  return values
}

function putEach(values: unknown[], entries: Entries, given: readonly unknown[]): unknown[] {
  for (let i = 0; i < given.length; i++) values[typeof entries === 'number' ? i : (entries[i] as number)] = given[i]
  return values
}

function readObjects(bytes: Uint8Array, count: number, read: NonNullable<Column['read']>): Accumulator[] {
  const lengths = new Uint32Array(new Uint8Array(bytes.subarray(0, count * 4)).buffer)
  let at = count * 4
  return Array.from(lengths, (length) => read(bytes.subarray(at, (at += length))))
}

function unreadable(): never {
  throw corruptBlock('a column of objects has no reader')
}
