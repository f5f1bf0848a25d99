import { avroFormat } from './avro-format.ts'
import { csvFormat } from './csv-format.ts'
import type { OptionProblem } from '../graph/connector-declaration.ts'
import type { FormatReader, RecordFormat } from './format.ts'
import { jsonFormat } from './json-format.ts'
import { protobufFormat } from './protobuf-format.ts'
import { rawFormat } from './raw-format.ts'
import { shownValue } from './options.ts'

const FORMATS: Readonly<Record<string, FormatReader>> = {
  avro: avroFormat,
  csv: csvFormat,
  json: jsonFormat,
  protobuf: protobufFormat,
  raw: rawFormat,
}

/** `json`, or `{ csv: { delimiter: ';' } }` → the format, and what is wrong, with paths relative to the value. */
export function readFormat(value: unknown): { format: RecordFormat; problems: OptionProblem[] } {
  const problems: OptionProblem[] = []
  const [name, options, path] =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? ofObject(value) : [value, {}, '']
  const read = typeof name === 'string' && Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined
  if (read === undefined || options === undefined) {
    problems.push({
      path: '',
      message: `must be one of ${Object.keys(FORMATS).join(', ')}, or one of them with its options, found ${shownValue(value)}`,
    })
    return { format: jsonFormat({}, () => undefined), problems }
  }
  const format = read(options, (at, message, hint) => {
    problems.push({ path: at === '' ? path : `${path}.${at}`, message, ...(hint === undefined ? {} : { hint }) })
  })
  return { format, problems }
}

function ofObject(
  value: object,
): [name: unknown, options: Readonly<Record<string, unknown>> | undefined, path: string] {
  const entries = Object.entries(value) as [string, unknown][]
  const [entry] = entries
  if (entry === undefined || entries.length > 1) return [undefined, undefined, '']
  const [name, options = {}] = entry
  return [
    name,
    typeof options === 'object' && !Array.isArray(options) ? ((options ?? {}) as Record<string, unknown>) : undefined,
    name,
  ]
}
