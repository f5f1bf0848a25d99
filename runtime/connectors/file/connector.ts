import type { SinkConnector } from '../sink.ts'
import type { SourceConnector } from '../source.ts'
import { fileDeadLetters } from './dead-letters.ts'
import { FileEnumerator } from './enumerator.ts'
import { parseSinkOptions, resolvePath, schemaProblems, sinkProblems, sourceProblems } from './declaration.ts'
import { FileReader } from './reader.ts'
import { FileWriter } from './writer.ts'

/** `source: { file: { path | paths, format: json | csv | raw | parquet, rate } }`: bounded, exact positions. */
export const fileSource: SourceConnector = {
  validate: sourceProblems,
  checkSchema: schemaProblems,
  enumerator: (context) => new FileEnumerator(context),
  reader: (context, rows) => new FileReader(context, rows),
}

/** `sink: { file: { path: DIR, format: json | csv | raw, timestampFormat } }`: exactly once. */
export const fileSink: SinkConnector = {
  validate: sinkProblems,
  checkSchema: schemaProblems,
  writer(context) {
    const options = parseSinkOptions(context.options)
    return new FileWriter(context, resolvePath(context.baseDir, options.path), options.format)
  },
  deadLetters: fileDeadLetters,
}
