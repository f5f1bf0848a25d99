import type { RowScanner } from '../../codegen/contracts.ts'
import type { RowClass } from '../../codegen/rows/row.ts'
import type { FormatContext, RecordFormat } from '../../formats/format.ts'
import type { SourceConnector } from '../source.ts'
import type { KafkaConnect } from './client.ts'
import type { KafkaSourceOptions } from './declaration.ts'
import { metadataFieldsOf, valueSchema } from '../kit/metadata-fields.ts'
import { kafkaMetadataRows } from './metadata-rows.ts'
import { KafkaSourceReader } from './source-reader.ts'
import { KafkaSplitEnumerator } from './split-enumerator.ts'

type ScannerOf = (format: RecordFormat, context: FormatContext, rows: RowClass) => RowScanner | Promise<RowScanner>

export function kafkaSource(
  connect: KafkaConnect,
  options: KafkaSourceOptions,
  scannerOf: ScannerOf = (format, context, rows) => format.scanner(context, rows),
): SourceConnector {
  return {
    enumerator: (context) => new KafkaSplitEnumerator(context, options, connect),
    reader: (context, rows) => {
      const { schema, ports, baseDir } = context
      const [topic, second] = options.topics
      const { metadata } = options
      const metadataRows = metadata === undefined ? undefined : kafkaMetadataRows(schema, metadata, rows)
      const format = {
        schema: valueSchema(schema, metadataFieldsOf(metadata)),
        ports,
        baseDir,
        ...(context.passed === undefined ? {} : { passed: context.passed }),
        ...(topic === undefined || second !== undefined ? {} : { topic }),
      }
      return new KafkaSourceReader(
        context,
        options,
        async () => scannerOf(options.format, format, metadataRows?.values ?? rows),
        connect,
        metadataRows,
      )
    },
  }
}
