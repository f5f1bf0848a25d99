import { compileRowClass, type RowClass } from '../../codegen/rows/row.ts'
import { MillraceError } from '../../model/errors.ts'
import type { Field, Row, Schema } from '../../model/schema.ts'
import { valueSchema, type MetadataField } from './metadata-fields.ts'

/** Makes the rows of a source whose records say something beside their values: `Record` is such a record. */
export class MetadataRows<Record, Part extends string> {
  /** The class of rows that the scanner of the values makes. */
  readonly values: RowClass
  readonly #rows: RowClass
  readonly #fields: readonly { readonly field: Field; readonly read: ((record: Record) => unknown) | undefined }[]

  /** `readerOf` gives the function that reads one part of a record, as the type of the field wants it. */
  constructor(
    schema: Schema,
    metadata: readonly MetadataField<Part>[],
    rows: RowClass,
    readerOf: (one: MetadataField<Part>, field: Field) => (record: Record) => unknown,
  ) {
    const wanted = new Map(metadata.map((one) => [one.field, one]))
    this.values = compileRowClass(valueSchema(schema, metadata))
    this.#rows = rows
    this.#fields = schema.fields.map((field) => {
      const one = wanted.get(field.name)
      return { field, read: one === undefined ? undefined : readerOf(one, field) }
    })
  }

  /** The whole row; `value` is undefined for a tombstone. Throws RECORD_INVALID for a null that its field cannot hold. */
  row(value: Row | undefined, record: Record): Row {
    return new this.#rows(
      ...this.#fields.map(({ field, read }) => {
        if (read === undefined) return value?.[field.name] ?? null
        const found = read(record)
        if (found !== null || field.nullable) return found
        throw new MillraceError('RECORD_INVALID', `the record has no ${field.name}, and it may not be null`, {
          domain: 'user',
        })
      }),
    )
  }
}
