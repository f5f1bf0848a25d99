import type { RowClass } from '../../codegen/rows/row.ts'
import { latin1 } from '../../model/logical-values.ts'
import { recordText } from '../../model/record-text.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { metadataFieldsOf, type MetadataField } from '../kit/metadata-fields.ts'
import { MetadataRows } from '../kit/metadata-rows.ts'
import type { MetadataFields, MetadataPart } from './declared/metadata-fields.ts'
import type { MessageHead } from './entry-messages.ts'
import type { EntryId } from './split-position.ts'

/** Where a message stands, and what it says beside its value. */
export interface MessagePlace extends EntryId {
  readonly topic: string
  readonly index: number
  readonly publishTime: number
  readonly head: MessageHead
}

export type PulsarMetadataRows = MetadataRows<MessagePlace, MetadataPart>

export function pulsarMetadataRows(schema: Schema, metadata: MetadataFields, rows: RowClass): PulsarMetadataRows {
  return new MetadataRows(schema, metadataFieldsOf(metadata), rows, readerOf)
}

function readerOf(
  { part, header }: MetadataField<MetadataPart>,
  { name, logical }: Field,
): (place: MessagePlace) => unknown {
  switch (part) {
    case 'key':
      return ({ head }) => keyOf(head, logical?.kind === 'bytes', name)
    case 'eventTime':
      // 0 is what producers that give none write
      return ({ head }) => (head.eventTime === undefined || head.eventTime === 0 ? null : head.eventTime)
    case 'publishTime':
      return ({ publishTime }) => publishTime
    case 'topic':
      return ({ topic }) => topic
    case 'messageId':
      return messageIdOf
    case 'header':
      return ({ head }) => {
        const found = head.properties.findLast(({ key }) => key === header)?.value
        return found === undefined ? null : textOf(Buffer.from(found), name)
      }
  }
}

export function messageIdOf({ ledger, entry, index }: EntryId & { readonly index: number }): string {
  return `${ledger}:${entry}:${index}`
}

function keyOf({ key, isKeyBase64 }: MessageHead, asBytes: boolean, field: string): string | null {
  if (key === undefined) return null
  const bytes = typeof key === 'string' ? Buffer.from(key, isKeyBase64 ? 'base64' : 'utf8') : Buffer.from(key)
  return asBytes ? latin1(bytes) : textOf(bytes, field)
}

function textOf(bytes: Buffer, field: string): string {
  return recordText(bytes, 0, bytes.length, `field '${field}'`)
}
