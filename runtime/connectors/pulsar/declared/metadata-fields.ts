import type { OptionProblem } from '../../../graph/connector-declaration.ts'
import type { Schema } from '../../../model/schema.ts'
import { metadataFieldsOf, metadataProblems, type MetadataOption } from '../../kit/metadata-fields.ts'
import { tombstoneProblems, type Tombstones } from '../../kit/tombstones-option.ts'

export type MetadataPart = 'key' | 'eventTime' | 'publishTime' | 'topic' | 'messageId'

/** The fields of a row that hold the key, times, place and properties of its message. */
export type MetadataFields = MetadataOption<MetadataPart>

const KINDS: Readonly<Record<MetadataPart | 'header', readonly string[]>> = {
  key: ['string', 'bytes'],
  eventTime: ['timestamp'],
  publishTime: ['timestamp'],
  topic: ['string'],
  messageId: ['string'],
  header: ['string'],
}

/** The option as it is written; Pulsar's word for headers is properties. */
export interface WrittenMetadata extends Readonly<Partial<Record<MetadataPart, string | undefined>>> {
  readonly properties?: Readonly<Record<string, string>> | undefined
}

export function metadataOption(written: WrittenMetadata | undefined): MetadataFields | undefined {
  if (written === undefined) return undefined
  const { properties, ...parts } = written
  return { ...parts, headers: properties }
}

/** Returns the mistakes in the fields that metadata goes to. Paths are relative to the options of the source. */
export function pulsarMetadataProblems(
  schema: Schema,
  written: WrittenMetadata | undefined,
  tombstones: Tombstones,
): OptionProblem[] {
  const metadata = metadataFieldsOf(metadataOption(written)).map((one) =>
    one.part === 'header' ? { ...one, path: `properties.${one.header ?? ''}` } : one,
  )
  return [...metadataProblems(schema, metadata, KINDS), ...tombstoneProblems(schema, metadata, tombstones)]
}
