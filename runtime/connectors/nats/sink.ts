import { StagedWriter } from '../kit/staged-writer.ts'
import type { ProbeContext, SinkConnector } from '../sink.ts'
import type { NatsConnect } from './client.ts'
import { dataSchema, type NatsSinkOptions } from './declaration.ts'
import { NatsSinkWriter, openSink, type OpenedSink } from './sink-writer.ts'
import { NatsStagedOutput } from './staged-output.ts'

export function natsSink(connect: NatsConnect, options: NatsSinkOptions): SinkConnector {
  const open = async (context: ProbeContext): Promise<OpenedSink> => {
    const { format, timestampFormat } = options
    const { schema, ports, baseDir } = context
    const writer = await format.writer({ schema: dataSchema(schema, options), ports, baseDir, timestampFormat })
    return openSink(connect, options, context, writer)
  }
  return {
    probe: async (context) => {
      const { client, stream } = await open(context)
      await client.close()
      return `stream ${stream.name} of the subjects ${stream.subjects.join(', ')}, duplicate window ${stream.duplicateWindowMs / 1000} s`
    },
    writer: (context) => {
      const { files } = options
      if (files === undefined) return new NatsSinkWriter(context, options, () => open(context))
      const { clock } = context.ports
      return new StagedWriter(
        context,
        { files, closedCode: 'NATS_CLOSED' },
        async (name) => new NatsStagedOutput(await open(context), options, { name, clock }),
      )
    },
  }
}
