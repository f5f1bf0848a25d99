import type { RowScanner } from '../../codegen/contracts.ts'
import type { RowClass } from '../../codegen/rows/row.ts'
import type { FormatContext, RecordFormat } from '../../formats/format.ts'
import type { KafkaConnect } from './client.ts'
import type { SourceConnector } from '../source.ts'
import { formatProblems, readSourceOptions } from './declaration.ts'
import { KafkaSourceReader } from './source-reader.ts'
import { KafkaSplitEnumerator } from './split-enumerator.ts'

type ScannerOf = (format: RecordFormat, context: FormatContext, rows: RowClass) => RowScanner | Promise<RowScanner>

/** The Kafka source over any client: sockets, or a broker in memory. */
export function createKafkaSource(
  connect: KafkaConnect,
  scannerOf: ScannerOf = (format, context, rows) => format.scanner(context, rows),
): SourceConnector {
  return {
    validate: (options) => readSourceOptions(options).problems,
    checkSchema: (options, schema) => formatProblems(readSourceOptions(options).value.format, schema),
    enumerator: (context) => new KafkaSplitEnumerator(context, readSourceOptions(context.verb.options).value, connect),
    lookAgainMs: (options) => {
      const { bounded, partitionDiscoveryMs } = readSourceOptions(options).value
      return bounded ? undefined : partitionDiscoveryMs
    },
    passesTexts: (options) => readSourceOptions(options).value.format.passesTexts === true,
    reader: (context, rows) => {
      const options = readSourceOptions(context.verb.options).value
      const { schema, ports, baseDir } = context
      const [topic, second] = options.topics
      const format = {
        schema,
        ports,
        baseDir,
        ...(context.passed === undefined ? {} : { passed: context.passed }),
        ...(topic === undefined || second !== undefined ? {} : { topic }),
      }
      return new KafkaSourceReader(context, options, async () => scannerOf(options.format, format, rows), connect)
    },
  }
}
