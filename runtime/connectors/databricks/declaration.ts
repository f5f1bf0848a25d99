import type { ConnectorDeclaration, OptionProblem } from '../../graph/connector-declaration.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { valueTypeText } from '../../model/value-type.ts'
import { keyFieldProblems } from '../kit/key-fields.ts'
import { tombstoneFieldProblems } from '../kit/message-fields.ts'
import { mapping, OptionSet, type OptionValues } from '../kit/option-set.ts'
import { metadataFieldsOf, metadataProblems, valueSchema } from '../kit/metadata-fields.ts'
import { choice, count, duration, text, textList } from '../kit/option-types.ts'
import { tls } from '../kit/tls-option.ts'
import { httpUrl } from '../kit/url-option.ts'
import { checkLogin, login } from './declared/login-option.ts'
import { tableName, volumePath, warehouseId } from './declared/names.ts'

const CONNECTION = {
  url: {
    type: httpUrl,
    required: 'the address of the workspace',
    doc: 'The workspace, as in `https://dbc-a1b2c3d4-e5f6.cloud.databricks.com`.',
  },
  tls: {
    type: tls,
    default: false,
    doc: 'Whom to trust and who the job is, where that is not what the system trusts. The files are read again for each connection.',
  },
  auth: login,
  warehouse: {
    type: warehouseId,
    required: 'the id of a SQL warehouse',
    doc: 'The id of the SQL warehouse that runs the statements. It is started by the first one.',
  },
  table: { type: tableName, required: 'catalog.schema.table', doc: 'The Delta table, as `catalog.schema.table`.' },
} as const

/** Names of columns that a MERGE has beside those of the table: the first two are in the files. */
export const ORDER_COLUMN = '_millrace_order'
export const DELETED_COLUMN = '_millrace_deleted'
export const RANK_COLUMN = '_millrace_rank'

export const sinkOptions = new OptionSet(
  {
    ...CONNECTION,
    volume: {
      type: volumePath,
      required: 'a folder of a volume',
      doc: 'Where rows wait, as Parquet, until the warehouse loads them: a folder of a Unity Catalog volume, `/Volumes/catalog/schema/volume/folder`. The sink deletes its files there.',
    },
    mode: {
      type: choice('append', 'upsert'),
      default: 'append',
      doc: 'What a row does: it is added to the table (`COPY INTO`), or replaces the row of its key (`MERGE INTO`). An upsert has one slot.',
    },
    key: {
      type: textList('field'),
      doc: 'With `mode: upsert` the fields that tell rows apart. They may not be null.',
    },
    tombstone: {
      type: text,
      doc: 'With `mode: upsert` a `boolean` field: where it is true the row deletes the row of its key. It is left out of the table.',
    },
    compression: { type: choice('zstd', 'gzip', 'none'), default: 'zstd', doc: 'How pages of Parquet are packed.' },
  },
  ({ mode, key, tombstone }, written, report) => {
    checkLogin(written, report)
    if (mode === 'upsert' && key === undefined)
      report('key', 'is required with mode: upsert: the fields that tell rows apart')
    if (mode !== 'append') return
    if (key !== undefined) report('key', 'has no meaning with mode: append', 'write mode: upsert')
    if (tombstone !== undefined) report('tombstone', 'has no meaning with mode: append', 'write mode: upsert')
  },
)

/** The parts that a row has beside its columns, and the fields that may hold them. */
const METADATA_KINDS = {
  changeType: ['string'],
  version: ['long', 'bigint'],
  timestamp: ['timestamp'],
  header: [],
} as const

export const sourceOptions = new OptionSet(
  {
    ...CONNECTION,
    filter: {
      type: text,
      doc: "A condition in the SQL of Databricks, as in `country = 'NO'`: rows for which it is not true are not read. The old and the new row of an update are judged separately.",
    },
    version: {
      type: count(),
      doc: 'The version that the snapshot is of; the newest one when it is absent.',
    },
    continuous: {
      type: mapping({
        every: {
          type: duration('1s'),
          default: '1m',
          doc: 'How often the table is asked for a new version. Each question runs on the warehouse and keeps it from stopping.',
        },
      }),
      doc: 'Goes on with the changes behind the snapshot, version after version, instead of ending. The table needs `delta.enableChangeDataFeed`.',
    },
    startingVersion: {
      type: count(),
      doc: 'Reads the changes from that version on, and no snapshot. Only with `continuous`.',
    },
    metadata: {
      type: mapping({
        changeType: {
          type: text,
          doc: 'The field for what happened to the row, a `string`: `insert`, `delete`, `update_preimage` or `update_postimage`. Rows of a snapshot are inserts.',
        },
        version: { type: text, doc: 'The field for the version of the table: a `long` or `bigint`.' },
        timestamp: {
          type: text,
          doc: 'The field for the time of that version, a `timestamp` that may be null: rows of a snapshot have none.',
        },
      }),
      doc: 'Fields of the schema that are no columns of the table.',
    },
    onRemove: {
      type: choice('fail', 'ignore'),
      default: 'fail',
      doc: 'Without `metadata.changeType`, what happens when rows are deleted or updated: the job fails, or reads only what is inserted.',
    },
  },
  (values, written, report) => {
    checkLogin(written, report)
    if (written['startingVersion'] !== undefined && values.continuous === undefined)
      report('startingVersion', 'needs continuous: a source that ends reads a snapshot')
    if (written['startingVersion'] !== undefined && written['version'] !== undefined)
      report('version', 'has no meaning beside startingVersion, which reads no snapshot')
    if (written['onRemove'] !== undefined && values.metadata?.changeType !== undefined)
      report('onRemove', 'has no meaning beside metadata.changeType: all changes become rows')
  },
)

export type DatabricksSourceOptions = OptionValues<(typeof sourceOptions)['table']>
export type DatabricksSinkOptions = OptionValues<(typeof sinkOptions)['table']>

export const declaration: ConnectorDeclaration = {
  name: 'databricks',
  doc: 'Reads a Delta table of Databricks and what changes in it, and appends to one or replaces its rows by a key, through a SQL warehouse. All exactly once. It was checked against a fake made from the published API pages, never against Databricks itself.',
  source: {
    options: sourceOptions,
    checkSchema: (written, schema) => {
      const fields = metadataFieldsOf(sourceOptions.read(written).metadata)
      const columns = valueSchema(schema, fields)
      const problems = [...metadataProblems(schema, fields, METADATA_KINDS), ...typeProblems(columns)]
      if (columns.fields.length > 0) return problems
      return [...problems, { path: 'metadata', message: 'takes every field: a row needs a column of the table' }]
    },
  },
  sink: {
    options: sinkOptions,
    checkSchema: (written, schema) => {
      const options = sinkOptions.read(written)
      const columns = tableFields(options, schema)
      return [
        ...tombstoneFieldProblems(schema, options.tombstone),
        ...typeProblems(columns),
        ...nameProblems(columns),
        ...keyFieldProblems(options.key ?? [], columns),
      ]
    },
    // rows of a key have to meet, and what replaces rows has to come one after the other
    slots: (options) => (sinkOptions.read(options).mode === 'upsert' ? 1 : undefined),
  },
}

/** The fields that become columns of the table. */
export function tableFields({ tombstone }: Pick<DatabricksSinkOptions, 'tombstone'>, schema: Schema): Schema {
  return { fields: schema.fields.filter(({ name }) => name !== tombstone) }
}

/** The type of a column that holds a field, as Unity Catalog writes it; undefined where there is none. */
export function columnTypeOf({ type, logical }: Field): string | undefined {
  switch (logical?.kind) {
    case 'date':
      return 'date'
    case 'time':
      return undefined
    case 'bigint':
      return 'bigint'
    case 'bytes':
      return 'binary'
    case 'decimal':
      return `decimal(${logical.precision},${logical.scale})`
    default:
      if (type === 'json') return 'string'
      return type === 'long' ? 'bigint' : type
  }
}

function typeProblems({ fields }: Schema): OptionProblem[] {
  return fields
    .filter((field) => columnTypeOf(field) === undefined)
    .map((field) => ({
      path: '',
      message: `the field ${field.name} is a ${valueTypeText(field)}, for which Databricks has no type`,
      hint: 'use a long: its milliseconds',
    }))
}

/** Databricks takes names for equal that differ in the case of letters only. */
function nameProblems({ fields }: Schema): OptionProblem[] {
  const seen = new Map<string, string>([ORDER_COLUMN, DELETED_COLUMN, RANK_COLUMN].map((name) => [name, name]))
  return fields.flatMap(({ name }) => {
    const key = name.toLowerCase()
    const other = seen.get(key)
    seen.set(key, name)
    if (other === undefined) return []
    return [{ path: '', message: `Databricks takes the columns ${other} and ${name} for the same one` }]
  })
}
