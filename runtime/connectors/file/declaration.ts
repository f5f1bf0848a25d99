import type { RecordFormat, TimestampFormat } from '../../formats/format.ts'
import { isFields } from '../../model/fields.ts'
import type { ConnectorDeclaration, Options } from '../../graph/connector-declaration.ts'
import { fileFormat, formatProblems, timestampFormat } from '../kit/format-option.ts'
import { mapping, OptionSet } from '../kit/option-set.ts'
import { byteSize, choice, duration, filePath, textList, type OptionType } from '../kit/option-types.ts'
import { partitionProblems } from '../kit/partition-fields.ts'
import { storagePath, storagePaths } from '../kit/storage-option.ts'
import { rate } from '../kit/rate-option.ts'

export interface FileSourceOptions {
  paths: readonly string[]
  format: RecordFormat | Container
  /** How often new files are looked for, in milliseconds; undefined: the source ends behind those of the start. */
  lookAgain: number | undefined
}

export interface FileSinkOptions {
  path: string
  format: RecordFormat | Container
  timestampFormat: TimestampFormat
  compression: LineCompression
  partitionBy: readonly string[] | undefined
  /** Bytes and milliseconds. */
  roll: { readonly size: number | undefined; readonly every: number | undefined } | undefined
}

export type LineCompression = 'none' | 'gzip' | 'zstd'

export interface FileDeadLetterOptions {
  path: string
}

/** Formats of whole files, which say themselves what is in them: columns in Parquet, records in Avro. */
export type Container = 'parquet' | 'avro'

/** Whether files of the format are not lines. */
export function isContainer(format: unknown): format is Container {
  return format === 'parquet' || format === 'avro'
}

const formatOfFiles: OptionType<RecordFormat | Container> = {
  name: '`json`, `csv`, `raw`, `parquet` or `avro`, or one of the first three with its options',
  opens: (value) => (isContainer(value) ? [] : (fileFormat.opens?.(value) ?? [])),
  read: (value, report) => {
    if (isContainer(value)) return value
    if (!isFields(value) || !Object.hasOwn(value, 'avro')) return fileFormat.read(value, report)
    report('', 'files of Avro have no options: their schema is in them', 'write format: avro')
    return undefined
  },
}

export const sourceOptions = new OptionSet(
  {
    path: {
      type: storagePaths,
      doc: 'The files to read, as paths, or as `s3://bucket/in/*.json?endpoint=…` or `hdfs://namenode:9870/in/*.json` (options of the URLs as in docs/checkpoints.md); either this or `paths` is needed.',
    },
    paths: { type: storagePaths, doc: 'Several files to read as one stream.' },
    format: { type: formatOfFiles, required: 'json, csv, raw, parquet or avro', doc: 'How the records are written.' },
    lookAgain: {
      type: duration('100ms'),
      doc: 'How often new files are looked for; without it the source ends behind those of its start. A file must appear whole, and stay as it is.',
    },
    rate,
  },
  (_values, written, report) => {
    if ((written['path'] === undefined) === (written['paths'] === undefined))
      report('path', 'exactly one of path and paths is needed')
  },
)

export const sinkOptions = new OptionSet(
  {
    path: {
      type: storagePath,
      required: 'the folder for the part files',
      doc: 'The folder for the part files, or its place in S3 or HDFS: `s3://bucket/out?endpoint=…`, `hdfs://namenode:9870/out` (options as in docs/checkpoints.md).',
    },
    format: { type: formatOfFiles, default: 'json', doc: 'How rows are written.' },
    timestampFormat: { type: timestampFormat, default: 'iso', doc: 'How JSON and CSV print timestamps.' },
    compression: {
      type: choice('none', 'gzip', 'zstd'),
      default: 'none',
      doc: 'How files of lines are packed. Pages of Parquet always are, with zstd, and blocks of Avro, with deflate.',
    },
    partitionBy: {
      type: textList('field'),
      doc: 'Fields whose values become folders, as in `day=2026-11-22/`, escaped as Hive does it. The files have the fields, too.',
    },
    roll: {
      type: mapping({
        size: { type: byteSize('1Mi'), doc: 'A file ends behind about so many bytes.' },
        every: { type: duration('1s'), doc: 'A file ends with the first rows that come so long after its first.' },
      }),
      doc: 'Ends files between checkpoints, too. Every checkpoint ends all files.',
    },
  },
  (values, _written, report) => {
    if (isContainer(values.format) && values.compression !== undefined && values.compression !== 'none')
      report('compression', 'is for files of lines', 'leave it out: Parquet and Avro are always packed')
  },
)

export const deadLetterOptions = new OptionSet({
  path: { type: filePath, required: 'the file for the dead letters', doc: 'The file for the dead letters.' },
})

export const declaration: ConnectorDeclaration = {
  name: 'file',
  doc: 'Reads files from exact positions until their end, and writes files exactly once.',
  source: {
    options: sourceOptions,
    checkSchema: (options, schema) => {
      const { format } = sourceOptions.read(options)
      return isContainer(format) ? [] : formatProblems(format, schema, 'read')
    },
    lookAgainMs: (options) => sourceOptions.read(options).lookAgain,
  },
  sink: {
    options: sinkOptions,
    checkSchema: (options, schema) => {
      const { format, partitionBy = [] } = sinkOptions.read(options)
      return [
        ...(isContainer(format) ? [] : formatProblems(format, schema, 'write')),
        ...partitionProblems(partitionBy, schema),
      ]
    },
  },
  deadLetters: { options: deadLetterOptions },
}

/** Throws OPTIONS_INVALID. */
export function readSourceOptions(options: Options): FileSourceOptions {
  const { path = [], paths: several = path, format, lookAgain } = sourceOptions.read(options)
  return { paths: several, format, lookAgain }
}
