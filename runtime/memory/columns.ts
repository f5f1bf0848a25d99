import type { Field } from '../model/schema.ts'
import type { Accumulator } from './accumulators/accumulator.ts'
import { storageOf } from '../model/type-traits.ts'

/**
 * One column of a keyed table. Numbers lie in typed arrays, so state puts no changing number on the heap; `Array` holds
 * JSON values (copied strings), `Object` accumulators; `Whole` is one object for all entries of the table.
 */
export interface Column {
  name: string
  array: 'Float64Array' | 'Int32Array' | 'Uint8Array' | 'Array' | 'Object' | 'Whole'
  /**
   * The place in the record of an entry in a Float64Array, for values that a row changes together lie side by side.
   * Absent: the column has an array of its own, called as it is.
   */
  place?: number
  /** Makes an object of an Object or Whole column from its bytes. */
  read?: (bytes: Uint8Array) => Accumulator
}

/** Columns that grow by themselves. */
export function isHeapColumn(column: Column): boolean {
  return column.array === 'Array' || column.array === 'Object'
}

/**
 * How a key field lies in columns: numbers in k (null: Infinity, which no finite key is), booleans in k
 * (null: 2), strings as offset o and length l (null: -1) into the table's text.
 */
export function keyColumns(keys: readonly Field[]): Column[] {
  return keys.flatMap((field, index): Column[] => {
    switch (storageOf(field)) {
      case 'text':
        return [
          { name: `o${index}`, array: 'Int32Array' },
          { name: `l${index}`, array: 'Int32Array' },
        ]
      case 'bit':
        return [{ name: `k${index}`, array: 'Uint8Array' }]
      default:
        return [{ name: `k${index}`, array: 'Float64Array' }]
    }
  })
}
