import type { RowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { metadataFieldsOf, type MetadataField } from '../kit/metadata-fields.ts'
import { MetadataRows } from '../kit/metadata-rows.ts'
import type { StoredMessage } from './client.ts'
import type { MetadataFields, MetadataPart } from './declared/metadata-fields.ts'

/** A message and its stream. */
export interface MessageInStream {
  readonly stream: string
  readonly message: StoredMessage
}

export type NatsMetadataRows = MetadataRows<MessageInStream, MetadataPart>

export function natsMetadataRows(schema: Schema, metadata: MetadataFields, rows: RowClass): NatsMetadataRows {
  return new MetadataRows(schema, metadataFieldsOf(metadata), rows, readerOf)
}

function readerOf(
  { part, header }: MetadataField<MetadataPart>,
  { name, logical }: Field,
): (place: MessageInStream) => unknown {
  switch (part) {
    case 'subject':
      return ({ message }) => message.subject
    case 'stream':
      return ({ stream }) => stream
    case 'sequence':
      return ({ message }) => (logical?.kind === 'bigint' ? String(message.sequence) : message.sequence)
    case 'timestamp':
      return ({ message }) => message.time
    case 'header':
      // names are told apart by their letters, and of several the first counts, as in NATS's own clients
      return ({ message }) => headerOf(message, header ?? '', name)
  }
}

/** The client puts the character U+FFFD in place of bytes that are no UTF-8. */
function headerOf({ headers }: StoredMessage, wanted: string, field: string): string | null {
  const value = headers.find(([name]) => name === wanted)?.[1]
  if (value?.includes('\uFFFD') !== true) return value ?? null
  throw new MillraceError('RECORD_INVALID', `field '${field}' is not UTF-8: ${value}`, { domain: 'user' })
}
