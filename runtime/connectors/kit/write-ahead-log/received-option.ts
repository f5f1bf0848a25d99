import type { RecordFormat } from '../../../formats/format.ts'
import type { OptionProblem } from '../../../graph/connector-declaration.ts'
import type { Schema } from '../../../model/schema.ts'
import { fieldsByHeader } from '../fields-by-header.ts'
import { formatProblems } from '../format-option.ts'
import { metadataFieldsOf, metadataProblems, valueSchema, type MetadataOption } from '../metadata-fields.ts'
import { text } from '../option-types.ts'

export type ReceivedPart = 'receivedAt' | 'sender'

/** The fields of a row that hold when a record came, who sent it, and headers. */
export type ReceivedFields = MetadataOption<ReceivedPart>

/** The lines of the option `metadata` that all sources with a log have. */
export const RECEIVED = {
  receivedAt: { type: text, doc: 'The field for the time at which the record came: a `timestamp`.' },
  sender: { type: text, doc: 'The field for the address of the sender: a `string`.' },
} as const

/** The same with headers, where senders give them. */
export const RECEIVED_WITH_HEADERS = {
  ...RECEIVED,
  headers: {
    type: fieldsByHeader,
    doc: 'Fields for headers, by the name of the header: each a `string`, null for a record without it if the schema lets it be.',
  },
} as const

const KINDS: Readonly<Record<ReceivedPart | 'header', readonly string[]>> = {
  receivedAt: ['timestamp'],
  sender: ['string'],
  header: ['string'],
}

/** Returns the parts of the schema that neither the format nor the metadata provides. Paths are relative to the options. */
export function receivedProblems(
  schema: Schema,
  { format, metadata }: { readonly format: RecordFormat; readonly metadata: ReceivedFields | undefined },
): OptionProblem[] {
  const fields = metadataFieldsOf(metadata)
  return [...metadataProblems(schema, fields, KINDS), ...formatProblems(format, valueSchema(schema, fields), 'read')]
}
