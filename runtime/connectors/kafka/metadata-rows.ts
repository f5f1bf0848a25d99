import { compileRowClass, type RowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import { latin1 } from '../../model/logical-values.ts'
import type { Field, Row, Schema } from '../../model/schema.ts'
import { metadataFieldsOf, valueSchema, type MetadataField, type MetadataFields } from './declared/metadata-fields.ts'
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

/** Makes the rows of a source whose schema has metadata. */
export class MetadataRows {
  /** The class of rows that the scanner of the values makes. */
  readonly values: RowClass
  readonly #rows: RowClass
  readonly #fields: readonly { readonly field: Field; readonly read: ReadPart | undefined }[]

  constructor(schema: Schema, metadata: MetadataFields, rows: RowClass) {
    const wanted = new Map(metadataFieldsOf(metadata).map((one) => [one.field, one]))
    this.values = compileRowClass(valueSchema(schema, metadata))
    this.#rows = rows
    this.#fields = schema.fields.map((field) => {
      const one = wanted.get(field.name)
      return { field, read: one === undefined ? undefined : readerOf(one, field) }
    })
  }

  /** The whole row; `value` is undefined for a tombstone. Throws RECORD_INVALID for a null that its field cannot hold. */
  row(value: Row | undefined, place: RecordPlace): Row {
    return new this.#rows(
      ...this.#fields.map(({ field, read }) => {
        if (read === undefined) return value?.[field.name] ?? null
        const found = read(place)
        if (found !== null || field.nullable) return found
        throw new MillraceError('RECORD_INVALID', `the record has no ${field.name}, and it may not be null`, {
          domain: 'user',
        })
      }),
    )
  }
}

function readerOf({ part, header }: MetadataField, { logical }: Field): ReadPart {
  const isBytes = logical?.kind === 'bytes'
  const textOf = (bytes: Buffer, start: number, end: number): string | null =>
    end < start ? null : isBytes ? latin1(bytes.subarray(start, end)) : bytes.toString('utf8', start, end)
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
