import { compileJsonScanner } from '../../codegen/json/json-scanner.ts'
import { compileRowClass, type RowClass } from '../../codegen/rows/row.ts'
import type { Field, Row, Schema } from '../../model/schema.ts'
import { namedField } from '../../model/schema.ts'
import { parseJson } from '../delta/json-column.ts'
import { metadataFieldsOf, valueSchema, type MetadataField } from '../kit/metadata-fields.ts'
import { MetadataRows } from '../kit/metadata-rows.ts'
import { RowScan } from '../kit/row-scan.ts'
import type { ReaderContext } from '../source.ts'
import type { DatabricksSourceOptions } from './declaration.ts'
import type { ResultRow } from './result-chunks.ts'

/** What a row of the feed says beside its columns. */
export interface FeedRecord {
  readonly changeType: string
  readonly version: number
  readonly timeMs: number | null
}

type Part = 'changeType' | 'version' | 'timestamp'

/** Makes rows of a result. */
export class FeedRows {
  readonly #scan: RowScan
  readonly #texts: readonly Field[]
  readonly #metadata: MetadataRows<FeedRecord, Part>

  /** `texts` are the fields of JSON whose columns hold texts. */
  constructor(context: ReaderContext, options: DatabricksSourceOptions, rows: RowClass, texts: readonly Field[]) {
    const { schema } = context
    const fields = metadataFieldsOf(options.metadata)
    this.#texts = texts
    this.#metadata = new MetadataRows(schema, fields, rows, readerOf)
    const scanned = withTexts(valueSchema(schema, fields), texts)
    this.#scan = new RowScan(context, compileJsonScanner(scanned, compileRowClass(scanned)))
  }

  /** The row of a result; undefined once it was reported as none. */
  row([text]: ResultRow, record: FeedRecord): Row | undefined {
    const bytes = Buffer.from(text ?? '')
    const where = (): string => `a row of version ${record.version}`
    return this.#scan.row(bytes, 0, bytes.length, where, (value) => this.#metadata.row(this.#parsed(value), record))
  }

  #parsed(row: Row): Row {
    if (this.#texts.length === 0) return row
    return {
      ...row,
      ...Object.fromEntries(this.#texts.map((field) => [field.name, parseJson(field, row[field.name])])),
    }
  }
}

function withTexts({ fields }: Schema, texts: readonly Field[]): Schema {
  const names = new Set(texts.map(({ name }) => name))
  return {
    fields: fields.map((field) =>
      names.has(field.name) ? namedField(field.name, { type: 'string', nullable: field.nullable }) : field,
    ),
  }
}

function readerOf({ part }: MetadataField<Part>, { logical }: Field): (record: FeedRecord) => unknown {
  switch (part) {
    case 'changeType':
      return ({ changeType }) => changeType
    case 'version':
      return logical?.kind === 'bigint' ? ({ version }) => String(version) : ({ version }) => version
    case 'timestamp':
      return ({ timeMs }) => timeMs
    case 'header':
      return () => null
  }
}
