import type { OptionProblem } from '../../../graph/connector-declaration.ts'
import type { Schema } from '../../../model/schema.ts'
import { metadataFieldsOf, metadataProblems, type MetadataOption } from '../../kit/metadata-fields.ts'
import { tombstoneProblems, type Tombstones } from '../../kit/tombstones-option.ts'

export type MetadataPart = 'key' | 'timestamp' | 'topic' | 'partition' | 'offset'

/** The fields of a row that hold the key, time, place and headers of its record. */
export type MetadataFields = MetadataOption<MetadataPart>

const KINDS: Readonly<Record<MetadataPart | 'header', readonly string[]>> = {
  key: ['string', 'bytes'],
  timestamp: ['timestamp'],
  topic: ['string'],
  partition: ['long'],
  offset: ['long', 'bigint'],
  header: ['string', 'bytes'],
}

/** Returns the mistakes in the fields that metadata goes to. Paths are relative to the options of the source. */
export function kafkaMetadataProblems(
  schema: Schema,
  option: MetadataFields | undefined,
  tombstones: Tombstones,
): OptionProblem[] {
  const metadata = metadataFieldsOf(option)
  return [...metadataProblems(schema, metadata, KINDS), ...tombstoneProblems(schema, metadata, tombstones)]
}
