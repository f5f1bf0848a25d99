import type { RowScanner } from '../../codegen/contracts.ts'
import type { RowClass } from '../../codegen/row.ts'
import type { Schema } from '../../model/schema.ts'
import type { KafkaConnect } from '../../ports/kafka.ts'
import type { SourceConnector } from '../source.ts'
import { readSourceOptions } from './options.ts'
import { KafkaSourceReader } from './source-reader.ts'
import { KafkaSplitEnumerator } from './split-enumerator.ts'

/** The Kafka source over any client: sockets, or a broker in memory. */
export function createKafkaSource(connect: KafkaConnect, compileScanner: (schema: Schema, rows: RowClass) => RowScanner): SourceConnector {
  return {
    validate: (options) => readSourceOptions(options).problems,
    enumerator: (context) => new KafkaSplitEnumerator(context, readSourceOptions(context.verb.options).value, connect),
    lookAgainMs: (options) => {
      const { bounded, partitionDiscoveryMs } = readSourceOptions(options).value
      return bounded ? undefined : partitionDiscoveryMs
    },
    reader: (context, rows) =>
      new KafkaSourceReader(context, readSourceOptions(context.verb.options).value, compileScanner(context.schema, rows), connect),
  }
}
