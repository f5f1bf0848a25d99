import type { ConnectorDeclaration, OptionProblem } from '../../graph/connector-declaration.ts'
import { fieldOf, type Field, type Schema } from '../../model/schema.ts'
import { valueTypeText } from '../../model/value-type.ts'
import { mapping, OptionSet, type OptionValues } from '../kit/option-set.ts'
import { choice, count, duration, textList } from '../kit/option-types.ts'
import { storagePath } from '../kit/storage-option.ts'

const path = {
  type: storagePath,
  required: 'the folder of the table',
  doc: 'The folder of the table, with `_delta_log` in it, or its place in S3: `s3://bucket/table?endpoint=…` (options as in docs/checkpoints.md).',
} as const

export const sinkOptions = new OptionSet({
  path,
  partitionBy: {
    type: textList('field'),
    doc: 'Fields whose values become folders, in a table that the sink makes. A table that exists keeps its own.',
  },
  compression: { type: choice('zstd', 'gzip', 'none'), default: 'zstd', doc: 'How pages of Parquet are packed.' },
})

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
  doc: 'Reads a Delta Lake table and what is committed to it, and appends to one. Both exactly once.',
  source: {
    options: sourceOptions,
    checkSchema: (_options, schema) => typeProblems(schema),
  },
  sink: {
    options: sinkOptions,
    checkSchema: (options, schema) => [
      ...typeProblems(schema),
      ...nameProblems(schema),
      ...partitionProblems(sinkOptions.read(options).partitionBy ?? [], schema),
    ],
  },
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

/** Types whose values are written in one way by all writers ("Partition Value Serialization", PROTOCOL.md). */
export function isPartitionable({ type, logical }: Field): boolean {
  if (logical !== undefined) return ['date', 'decimal', 'bigint'].includes(logical.kind)
  return type === 'string' || type === 'long' || type === 'boolean'
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

function partitionProblems(names: readonly string[], schema: Schema): OptionProblem[] {
  const problems: OptionProblem[] = names.flatMap((name) => {
    const field = fieldOf(schema, name)
    if (field === undefined) return [{ path: 'partitionBy', message: `there is no field ${JSON.stringify(name)}` }]
    if (isPartitionable(field)) return []
    return [
      {
        path: 'partitionBy',
        message: `the field ${name} is a ${valueTypeText(field)}`,
        hint: 'partition by a string, long, bigint, boolean, decimal or date',
      },
    ]
  })
  if (new Set(names).size < names.length) problems.push({ path: 'partitionBy', message: 'names a field twice' })
  if (names.length >= schema.fields.length)
    problems.push({ path: 'partitionBy', message: 'names every field: a file needs a column of its own' })
  return problems
}
