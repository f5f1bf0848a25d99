import type { ConnectorDeclaration, OptionProblem } from '../../graph/connector-declaration.ts'
import type { Field, Schema } from '../../model/schema.ts'
import { valueTypeText } from '../../model/value-type.ts'
import { mapping, OptionSet, type OptionValues } from '../kit/option-set.ts'
import { choice, count, duration, textList } from '../kit/option-types.ts'
import { partitionProblems } from '../kit/partition-fields.ts'
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
      ...partitionsOf(sinkOptions.read(options).partitionBy ?? [], schema),
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

function partitionsOf(names: readonly string[], schema: Schema): OptionProblem[] {
  const problems = partitionProblems(names, schema)
  if (names.length >= schema.fields.length)
    problems.push({ path: 'partitionBy', message: 'names every field: a file needs a column of its own' })
  return problems
}
