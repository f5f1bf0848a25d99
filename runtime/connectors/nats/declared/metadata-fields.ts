import type { OptionProblem } from '../../../graph/connector-declaration.ts'
import type { Schema } from '../../../model/schema.ts'
import { metadataFieldsOf, metadataProblems, type MetadataOption } from '../../kit/metadata-fields.ts'

export type MetadataPart = 'subject' | 'stream' | 'sequence' | 'timestamp'

/** The fields of a row that hold the place, time and headers of its message. */
export type MetadataFields = MetadataOption<MetadataPart>

const KINDS: Readonly<Record<MetadataPart | 'header', readonly string[]>> = {
  subject: ['string'],
  stream: ['string'],
  sequence: ['long', 'bigint'],
  timestamp: ['timestamp'],
  header: ['string'],
}

/** Returns the mistakes in the fields that metadata goes to. Paths are relative to the options of the source. */
export function natsMetadataProblems(schema: Schema, metadata: MetadataFields | undefined): OptionProblem[] {
  return metadataProblems(schema, metadataFieldsOf(metadata), KINDS)
}
