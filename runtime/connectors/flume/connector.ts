import type { KafkaConnect } from '../kafka/client.ts'
import { firstThatAnswers } from '../kit/host-and-port.ts'
import { listenForSenders } from '../kit/sender-listener.ts'
import { loggedSource } from '../kit/write-ahead-log/logged-source.ts'
import type { Connector } from '../registry.ts'
import { takeFromAgent } from './agent-connection.ts'
import { readSinkOptions, readSourceOptions } from './declaration.ts'
import { FlumeSinkWriter } from './sink-writer.ts'

/** `source: { flume: { port, log, … } }` and `sink: { flume: { connect, … } }`, over any Kafka. */
export const flumeConnector = (connectKafka: KafkaConnect): Pick<Required<Connector>, 'source' | 'sink'> => ({
  source: (written) => {
    const options = readSourceOptions(written)
    return loggedSource(options, {
      where: `port ${options.port}`,
      connectKafka,
      open: (context, intake) =>
        listenForSenders(options, context, intake, (connection, surroundings) =>
          takeFromAgent(connection, options, surroundings),
        ),
    })
  },
  sink: (written) => {
    const options = readSinkOptions(written)
    return {
      writer: (context) => new FlumeSinkWriter(context, options),
      probe: async ({ ports }) => `${await firstThatAnswers(ports, options.connect, options.tls)} answers`,
    }
  },
})
