import { compileJsonScanner } from '../codegen/json/json-scanner.ts'
import { compileJsonWriter } from '../codegen/json/json-writer.ts'
import type { FormatReader } from './format.ts'
import { unknownOptions } from '../graph/unknown-options.ts'

/** One JSON object per record; in files one per line. */
export const jsonFormat: FormatReader = (options, problem) => {
  unknownOptions(options, [], problem)
  return {
    file: { suffix: 'jsonl' },
    isNamed: true,
    passesTexts: true,
    check: () => [],
    scanner: ({ schema, passed }, rows) => compileJsonScanner(schema, rows, passed),
    writer: ({ schema, timestampFormat = 'iso', passed }) => compileJsonWriter(schema, { timestampFormat }, passed),
  }
}
