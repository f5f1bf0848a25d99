import type { RowWriter } from '../../codegen/contracts.ts'
import type { FormatContext, RecordFormat } from '../../formats/format.ts'
import type { Field } from '../../model/schema.ts'
import type { KafkaConnect } from './client.ts'
import type { SinkConnector } from '../sink.ts'
import { formatProblems, readSinkOptions } from './declaration.ts'
import { KafkaSinkWriter } from './sink-writer.ts'

type WriterOf = (format: RecordFormat, context: FormatContext) => RowWriter | Promise<RowWriter>

/** The Kafka sink over any client: sockets, or a broker in memory. */
export function createKafkaSink(
  connect: KafkaConnect,
  writerOf: WriterOf = (format, context) => format.writer(context),
): SinkConnector {
  return {
    validate: (options) => readSinkOptions(options).problems,
    checkSchema: (options, schema) => formatProblems(readSinkOptions(options).value.format, schema),
    takesTexts: (options, schema) => {
      const { format, timestampFormat, key, partitionBy } = readSinkOptions(options).value
      const isTaken = ({ name, type }: Field): boolean =>
        name !== key && name !== partitionBy && (type !== 'timestamp' || timestampFormat === 'epochMillis')
      return new Set(format.passesTexts === true ? schema.fields.filter(isTaken).map(({ name }) => name) : [])
    },
    writer: (context) => {
      const options = readSinkOptions(context.options).value
      const { schema, ports, baseDir } = context
      return new KafkaSinkWriter(
        context,
        options,
        async () =>
          writerOf(options.format, {
            schema,
            ports,
            baseDir,
            topic: options.topic,
            ...(context.passed === undefined ? {} : { passed: context.passed }),
          }),
        connect,
      )
    },
  }
}
