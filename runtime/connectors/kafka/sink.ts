import type { RowWriter } from '../../codegen/contracts.ts'
import type { Schema } from '../../model/schema.ts'
import type { KafkaConnect } from '../../ports/kafka.ts'
import type { SinkConnector } from '../sink.ts'
import { readSinkOptions } from './options.ts'
import { KafkaSinkWriter } from './sink-writer.ts'

/** The Kafka sink over any client: sockets, or a broker in memory. */
export function createKafkaSink(connect: KafkaConnect, compileWriter: (schema: Schema, options: { timestampFormat: 'iso' | 'epochMillis' }) => RowWriter): SinkConnector {
  return {
    validate: (options) => readSinkOptions(options).problems,
    writer: (context) => {
      const options = readSinkOptions(context.options).value
      return new KafkaSinkWriter(context, options, compileWriter(context.schema, { timestampFormat: options.timestampFormat }), connect)
    },
  }
}
