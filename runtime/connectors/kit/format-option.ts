import type { Direction, RecordFormat, TimestampFormat } from '../../formats/format.ts'
import { readFormat } from '../../formats/formats.ts'
import type { OptionProblem } from '../../graph/connector-declaration.ts'
import { joinRelative } from '../../graph/problems.ts'
import type { Schema } from '../../model/schema.ts'
import { choice, type OptionType } from './option-types.ts'

/** The format of records that arrive one by one, as messages do. */
export const recordFormat: OptionType<RecordFormat> = {
  name: '`json`, `csv`, `avro`, `protobuf` or `raw`, or one of them with its options',
  read: (value, report) => {
    const { format, problems } = readFormat(value)
    for (const { path, message, hint } of problems) report(path, message, hint)
    return problems.length === 0 ? format : undefined
  },
  opens: (value) => readFormat(value).format.opens ?? [],
}

/** The format of records that stand in a file one after the other. */
export const fileFormat: OptionType<RecordFormat> = {
  ...recordFormat,
  name: '`json`, `csv` or `raw`, or one of them with its options',
  read: (value, report) => {
    const format = recordFormat.read(value, report)
    if (format === undefined || format.file !== undefined) return format
    report('', 'this format does not separate the records of a file; use it with Kafka')
    return undefined
  },
}

export const timestampFormat: OptionType<TimestampFormat> = choice('iso', 'epochMillis')

/** Returns the parts of the schema that the format cannot carry; paths are relative to the connector's options. */
export function formatProblems(format: RecordFormat, schema: Schema, direction: Direction): readonly OptionProblem[] {
  return format.check(schema, direction).map((problem) => ({ ...problem, path: joinRelative('format', problem.path) }))
}
