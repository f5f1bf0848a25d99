import type { OptionProblem } from '../../../graph/connector-declaration.ts'
import type { Schema } from '../../../model/schema.ts'
import { metadataFieldsOf, metadataProblems, valueSchema, type MetadataOption } from '../../kit/metadata-fields.ts'

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
  tombstones: 'refuse' | 'rows',
): OptionProblem[] {
  const metadata = metadataFieldsOf(option)
  const wrong = metadataProblems(schema, metadata, KINDS)
  if (tombstones === 'refuse') return wrong
  const notNull = valueSchema(schema, metadata).fields.filter(({ nullable }) => !nullable)
  return [
    ...wrong,
    ...notNull.map(({ name }) => ({
      path: 'tombstones',
      message: `a tombstone has no ${name}`,
      hint: `let it be null in the schema: ${name}: "type?"`,
    })),
  ]
}
