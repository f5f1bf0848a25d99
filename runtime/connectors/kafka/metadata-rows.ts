import type { RowClass } from '../../codegen/rows/row.ts'
import { latin1 } from '../../model/logical-values.ts'
import { recordText } from '../../model/record-text.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { metadataFieldsOf, type MetadataField } from '../kit/metadata-fields.ts'
import { MetadataRows } from '../kit/metadata-rows.ts'
import type { MetadataFields, MetadataPart } from './declared/metadata-fields.ts'
import type { Metadata } from './record-metadata.ts'

/** Where a record stands, and what it says beside its value. */
export interface RecordPlace {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly bytes: Buffer
  readonly metadata: Metadata
}

type ReadPart = (place: RecordPlace) => unknown

export type KafkaMetadataRows = MetadataRows<RecordPlace, MetadataPart>

export function kafkaMetadataRows(schema: Schema, metadata: MetadataFields, rows: RowClass): KafkaMetadataRows {
  return new MetadataRows(schema, metadataFieldsOf(metadata), rows, readerOf)
}

function readerOf({ part, header }: MetadataField<MetadataPart>, { name, logical }: Field): ReadPart {
  const isBytes = logical?.kind === 'bytes'
  const textOf = (bytes: Buffer, start: number, end: number): string | null =>
    end < start ? null : isBytes ? latin1(bytes.subarray(start, end)) : recordText(bytes, start, end, `field '${name}'`)
  switch (part) {
    case 'key':
      return ({ bytes, metadata: { keyStart, keyEnd } }) => textOf(bytes, keyStart, keyEnd)
    case 'timestamp':
      return ({ metadata }) => metadata.timestamp
    case 'topic':
      return ({ topic }) => topic
    case 'partition':
      return ({ partition }) => partition
    case 'offset':
      return ({ offset }) => (logical?.kind === 'bigint' ? String(offset) : offset)
    case 'header':
      // of headers of one name the last counts, as in Kafka's own clients
      return ({ bytes, metadata: { headers } }) => {
        const found = headers.findLast(({ name }) => name === header)
        return found === undefined ? null : textOf(bytes, found.start, found.end)
      }
  }
}
