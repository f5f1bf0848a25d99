import type { RowClass } from '../../../codegen/rows/row.ts'
import { isFields } from '../../../model/fields.ts'
import type { Row, Schema } from '../../../model/schema.ts'
import { metadataFieldsOf, valueSchema, type MetadataField } from '../metadata-fields.ts'
import { MetadataRows } from '../metadata-rows.ts'
import type { ReceivedFields, ReceivedPart } from './received-option.ts'

/** The circumstances of a record. */
export interface Received {
  /** Epoch milliseconds. */
  readonly receivedAt: number
  readonly sender: string
  /** The value of a header; null when the record has none of that name. */
  header(name: string): string | null
}

/** Gives what the metadata of an entry keeps of its record; empty when the rows have nothing of it. */
export type KeepReceived = (received: Received) => string

export interface ReceivedRows {
  /** The fields that come from the value, and the class of their rows. */
  readonly valueSchema: Schema
  readonly values: RowClass
  /** The row of a value with what came beside it. Throws RECORD_INVALID for a null that its field cannot hold. */
  whole(value: Row, bytes: Buffer, metadataStart: number, metadataEnd: number): Row
}

export function keepReceived(option: ReceivedFields | undefined): KeepReceived {
  const fields = metadataFieldsOf(option)
  if (fields.length === 0) return () => ''
  return (received) =>
    JSON.stringify(
      Object.fromEntries(fields.map(({ part, header = '', path }) => [path, partOf(part, header, received)])),
    )
}

function partOf(part: ReceivedPart | 'header', header: string, received: Received): string | number | null {
  return part === 'header' ? received.header(header) : received[part]
}

export function receivedRows(schema: Schema, option: ReceivedFields | undefined, rows: RowClass): ReceivedRows {
  const fields = metadataFieldsOf(option)
  if (fields.length === 0) return { valueSchema: schema, values: rows, whole: (value) => value }
  const metadata = new MetadataRows(schema, fields, rows, readerOf)
  return {
    valueSchema: valueSchema(schema, fields),
    values: metadata.values,
    whole: (value, bytes, start, end) => metadata.row(value, keptAt(bytes, start, end)),
  }
}

/** Entries that were written before the job asked for metadata have none. */
function keptAt(bytes: Buffer, start: number, end: number): Readonly<Record<string, unknown>> {
  const kept: unknown = start === end ? {} : JSON.parse(bytes.toString('utf8', start, end))
  return isFields(kept) ? kept : {}
}

function readerOf({ path }: MetadataField<ReceivedPart>): (kept: Readonly<Record<string, unknown>>) => unknown {
  return (kept) => (Object.hasOwn(kept, path) ? kept[path] : null)
}
