import type { SinkConnector } from '../sink.ts'
import { writtenSchema } from '../kit/message-fields.ts'
import { StagedWriter } from '../kit/staged-writer.ts'
import type { PulsarSinkOptions } from './declaration.ts'
import { openSink, PulsarSinkWriter } from './sink-writer.ts'
import { PulsarStagedOutput } from './staged-output.ts'
import { TopicWriter } from './topic-writer.ts'
import type { PulsarTransport } from './transport.ts'

export function pulsarSink(transport: PulsarTransport, options: PulsarSinkOptions): SinkConnector {
  return {
    probe: async (context) => {
      const topic = await TopicWriter.open(transport, options, context)
      await topic.close()
      return `topic ${options.topic} with ${topic.partitions === 0 ? 'no' : topic.partitions} partitions`
    },
    writer: (context) => {
      const { schema, ports, baseDir } = context
      const { format, timestampFormat, fields, files } = options
      const open = (): ReturnType<typeof openSink> =>
        openSink(transport, options, context, async () =>
          format.writer({ schema: writtenSchema(schema, fields), ports, baseDir, timestampFormat }),
        )
      if (files === undefined) return new PulsarSinkWriter(context, open)
      return new StagedWriter(
        context,
        { files, closedCode: 'PULSAR_CLOSED' },
        async (name) => new PulsarStagedOutput(await open(), options.topic, name),
      )
    },
  }
}
