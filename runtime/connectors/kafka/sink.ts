import type { RowWriter } from '../../codegen/contracts.ts'
import type { FormatContext, RecordFormat } from '../../formats/format.ts'
import type { SinkConnector } from '../sink.ts'
import type { KafkaConnect } from './client.ts'
import type { KafkaSinkOptions } from './declaration.ts'
import { writtenSchema } from '../kit/message-fields.ts'
import { KafkaSinkWriter } from './sink-writer.ts'
import { probeTopic } from './topic-probe.ts'

type WriterOf = (format: RecordFormat, context: FormatContext) => RowWriter | Promise<RowWriter>

export function kafkaSink(
  connect: KafkaConnect,
  options: KafkaSinkOptions,
  writerOf: WriterOf = (format, context) => format.writer(context),
): SinkConnector {
  return {
    probe: (context) => probeTopic(context, options, connect),
    writer: (context) => {
      const { schema, ports, baseDir } = context
      const { format, timestampFormat, topic } = options
      return new KafkaSinkWriter(
        context,
        options,
        async () =>
          writerOf(format, {
            schema: writtenSchema(schema, options),
            ports,
            baseDir,
            topic,
            timestampFormat,
            ...(context.passed === undefined ? {} : { passed: context.passed }),
          }),
        connect,
      )
    },
  }
}
