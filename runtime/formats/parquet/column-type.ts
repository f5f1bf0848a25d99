import type { Field, LogicalType } from '../../model/schema.ts'
import { bool, i32, struct, type Thrift } from './thrift-writer.ts'

export type PhysicalType = 'BOOLEAN' | 'INT32' | 'INT64' | 'DOUBLE' | 'BYTE_ARRAY' | 'FIXED_LEN_BYTE_ARRAY'

/** How Parquet holds a field. `converted` and `logical` say the same to old and to new readers. */
export interface ColumnType {
  readonly physical: PhysicalType
  /** Bytes of a FIXED_LEN_BYTE_ARRAY. */
  readonly length?: number
  readonly converted?: number
  readonly logical?: Thrift
  readonly precision?: number
  readonly scale?: number
}

/** ConvertedType of parquet.thrift. */
const CONVERTED = { utf8: 0, decimal: 5, date: 6, timeMillis: 7, timestampMicros: 10, json: 19 } as const
/** LogicalType of parquet.thrift. */
const LOGICAL = { string: 1, decimal: 5, date: 6, time: 7, timestamp: 8, json: 12 } as const
const UNIT = { millis: 1, micros: 2 } as const

const TEXT: ColumnType = { physical: 'BYTE_ARRAY', converted: CONVERTED.utf8, logical: marked(LOGICAL.string) }
const JSON_TEXT: ColumnType = { physical: 'BYTE_ARRAY', converted: CONVERTED.json, logical: marked(LOGICAL.json) }

/**
 * JSON and values with a shape are written as the text of their JSON: annotated as JSON, or with `jsonAs: 'text'` as any
 * text, for readers that know no JSON. Timestamps are in microseconds, which every reader knows.
 */
export function columnType({ type, logical }: Field, jsonAs: 'json' | 'text'): ColumnType {
  if (logical !== undefined) return logicalType(logical, jsonAs)
  switch (type) {
    case 'long':
      return { physical: 'INT64' }
    case 'double':
      return { physical: 'DOUBLE' }
    case 'boolean':
      return { physical: 'BOOLEAN' }
    case 'string':
      return TEXT
    case 'timestamp':
      return {
        physical: 'INT64',
        converted: CONVERTED.timestampMicros,
        logical: struct([LOGICAL.timestamp, struct([1, bool(true)], [2, struct([UNIT.micros, struct()])])]),
      }
    case 'json':
      return jsonAs === 'json' ? JSON_TEXT : TEXT
  }
}

function logicalType(logical: LogicalType, jsonAs: 'json' | 'text'): ColumnType {
  switch (logical.kind) {
    case 'date':
      return { physical: 'INT32', converted: CONVERTED.date, logical: marked(LOGICAL.date) }
    case 'time':
      return {
        physical: 'INT32',
        converted: CONVERTED.timeMillis,
        logical: struct([LOGICAL.time, struct([1, bool(true)], [2, struct([UNIT.millis, struct()])])]),
      }
    case 'bigint':
      return { physical: 'INT64' }
    case 'bytes':
      return { physical: 'BYTE_ARRAY' }
    case 'decimal': {
      const { precision, scale } = logical
      return {
        ...unitsType(precision),
        converted: CONVERTED.decimal,
        logical: struct([LOGICAL.decimal, struct([1, i32(scale)], [2, i32(precision)])]),
        precision,
        scale,
      }
    }
    case 'row':
    case 'array':
    case 'map':
      return jsonAs === 'json' ? JSON_TEXT : TEXT
  }
}

function unitsType(precision: number): Pick<ColumnType, 'physical' | 'length'> {
  if (precision <= 9) return { physical: 'INT32' }
  if (precision <= 18) return { physical: 'INT64' }
  let length = 9
  while (10n ** BigInt(precision) > 1n << BigInt(8 * length - 1)) length++
  return { physical: 'FIXED_LEN_BYTE_ARRAY', length }
}

function marked(id: number): Thrift {
  return struct([id, struct()])
}
