import type { ConnectorDeclaration, OptionProblem } from '../../graph/connector-declaration.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { valueTypeText } from '../../model/value-type.ts'
import { keyFieldProblems } from '../kit/key-fields.ts'
import { mapping, OptionSet, type OptionValues } from '../kit/option-set.ts'
import { choice, count, duration, text, textList } from '../kit/option-types.ts'
import { tombstoneFieldProblems } from '../kit/message-fields.ts'
import { partitionProblems } from '../kit/partition-fields.ts'
import { storagePath } from '../kit/storage-option.ts'

const path = {
  type: storagePath,
  required: 'the folder of the table',
  doc: 'The folder of the table, with `_delta_log` in it, or its place in S3: `s3://bucket/table?endpoint=…` (options as in docs/checkpoints.md).',
} as const

export const sinkOptions = new OptionSet(
  {
    path,
    mode: {
      type: choice('append', 'upsert'),
      default: 'append',
      doc: 'What a row does: it is added to the table, or replaces the row of its key. An upsert has one slot, and each checkpoint rewrites the files that hold its keys.',
    },
    key: {
      type: textList('field'),
      doc: 'With `mode: upsert` the fields that tell rows apart. They may not be null.',
    },
    tombstone: {
      type: text,
      doc: 'With `mode: upsert` a `boolean` field: where it is true the row deletes the row of its key. It is left out of the table.',
    },
    partitionBy: {
      type: textList('field'),
      doc: 'Fields whose values become folders, in a table that the sink makes. A table that exists keeps its own.',
    },
    compression: { type: choice('zstd', 'gzip', 'none'), default: 'zstd', doc: 'How pages of Parquet are packed.' },
  },
  ({ mode, key, tombstone }, _written, report) => {
    if (mode === 'upsert' && key === undefined)
      report('key', 'is required with mode: upsert: the fields that tell rows apart')
    if (mode !== 'append') return
    if (key !== undefined) report('key', 'has no meaning with mode: append', 'write mode: upsert')
    if (tombstone !== undefined) report('tombstone', 'has no meaning with mode: append', 'write mode: upsert')
  },
)

export const sourceOptions = new OptionSet(
  {
    path,
    continuous: {
      type: mapping({
        every: { type: duration('100ms'), default: '5s', doc: 'How often the log is looked at.' },
      }),
      doc: 'Goes on with what is committed, version after version, instead of ending.',
    },
    startingVersion: {
      type: count(),
      doc: 'Reads the changes from that version on, and no snapshot. Only with `continuous`.',
    },
    onRemove: {
      type: choice('fail', 'ignore'),
      default: 'fail',
      doc: 'What happens when rows that were read are deleted or updated: the job fails, or goes on as if they were not.',
    },
  },
  (values, written, report) => {
    if (written['startingVersion'] !== undefined && values.continuous === undefined)
      report('startingVersion', 'needs continuous: a source that ends reads a snapshot')
  },
)

export type DeltaSinkOptions = OptionValues<(typeof sinkOptions)['table']>
export type DeltaSourceOptions = OptionValues<(typeof sourceOptions)['table']>

export const declaration: ConnectorDeclaration = {
  name: 'delta',
  doc: 'Reads a Delta Lake table and what is committed to it, and appends to one or replaces its rows by a key. All exactly once.',
  source: {
    options: sourceOptions,
    checkSchema: (_options, schema) => typeProblems(schema),
  },
  sink: {
    options: sinkOptions,
    checkSchema: (written, schema) => {
      const options = sinkOptions.read(written)
      const columns = tableSchema(options, schema)
      return [
        ...tombstoneFieldProblems(schema, options.tombstone),
        ...typeProblems(columns),
        ...nameProblems(columns),
        ...partitionsOf(options.partitionBy ?? [], columns),
        ...keyProblems(options, columns),
      ]
    },
    // rows of a key have to meet, and versions of a table that rewrite files exclude each other
    slots: (options) => (sinkOptions.read(options).mode === 'upsert' ? 1 : undefined),
  },
}

/** The fields that become columns of the table. */
export function tableSchema({ tombstone }: Pick<DeltaSinkOptions, 'tombstone'>, schema: Schema): Schema {
  return { fields: schema.fields.filter(({ name }) => name !== tombstone) }
}

/** The type of Delta in which the sink writes a field; undefined for a time of day, which Delta has not. */
export function deltaType({ type, logical }: Field): string | undefined {
  switch (logical?.kind) {
    case 'date':
      return 'date'
    case 'time':
      return undefined
    case 'bigint':
      return 'long'
    case 'bytes':
      return 'binary'
    case 'decimal':
      return `decimal(${logical.precision},${logical.scale})`
    default:
      return type === 'json' ? 'string' : type
  }
}

function typeProblems({ fields }: Schema): OptionProblem[] {
  return fields
    .filter((field) => deltaType(field) === undefined)
    .map((field) => ({
      path: '',
      message: `the field ${field.name} is a ${valueTypeText(field)}, for which Delta has no type`,
      hint: 'use a long: its milliseconds',
    }))
}

function nameProblems({ fields }: Schema): OptionProblem[] {
  const seen = new Map<string, Field>()
  return fields.flatMap((field) => {
    const key = field.name.toLowerCase()
    const other = seen.get(key)
    seen.set(key, field)
    if (other === undefined) return []
    return [{ path: '', message: `Delta takes the fields ${other.name} and ${field.name} for the same column` }]
  })
}

function keyProblems({ key = [], partitionBy = [] }: DeltaSinkOptions, schema: Schema): OptionProblem[] {
  const problems = keyFieldProblems(key, schema)
  if (key.length > 0 && key.every((name) => partitionBy.includes(name)))
    problems.push({ path: 'partitionBy', message: 'names the whole key: each row would have a folder of its own' })
  return problems
}

function partitionsOf(names: readonly string[], schema: Schema): OptionProblem[] {
  const problems = partitionProblems(names, schema)
  if (names.length >= schema.fields.length)
    problems.push({ path: 'partitionBy', message: 'names every field: a file needs a column of its own' })
  return problems
}
