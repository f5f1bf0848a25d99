import type { KafkaConnect } from '../kafka/client.ts'
import { firstThatAnswers } from '../kit/host-and-port.ts'
import { listenForSenders } from '../kit/sender-listener.ts'
import { loggedSource } from '../kit/write-ahead-log/logged-source.ts'
import type { Connector } from '../registry.ts'
import { connectToServers } from './connect-to-servers.ts'
import { readSinkOptions, readSourceOptions } from './declaration.ts'
import { takeFrom } from './intake-connection.ts'
import { TcpSinkWriter } from './sink-writer.ts'

/** `source: { tcp: … }` and `sink: { tcp: … }`, over any Kafka. */
export const tcpConnector = (connectKafka: KafkaConnect): Pick<Required<Connector>, 'source' | 'sink'> => ({
  source: (written) => {
    const options = readSourceOptions(written)
    const { listen: port, connect = [], maxConnections, tls, serverTls } = options
    if (port === undefined)
      return {
        ...loggedSource(options, {
          where: connect.join(', '),
          connectKafka,
          open: async (context, intake) => connectToServers(connect, options, context, intake),
        }),
        probe: async ({ ports }) => `${await firstThatAnswers(ports, connect, tls)} answers`,
      }
    return loggedSource(options, {
      where: `port ${port}`,
      connectKafka,
      open: (context, intake) =>
        listenForSenders({ port, maxConnections, tls: serverTls }, context, intake, (connection, surroundings) =>
          takeFrom(connection, options, surroundings),
        ),
    })
  },
  sink: (written) => {
    const options = readSinkOptions(written)
    return {
      writer: (context) => new TcpSinkWriter(context, options),
      probe: async ({ ports }) => `${await firstThatAnswers(ports, options.connect, options.tls)} answers`,
    }
  },
})
