import type { Connector } from '../registry.ts'
import type { Net } from '../../ports/net.ts'
import { firstThatAnswers } from '../kit/host-and-port.ts'
import { listenForSenders } from '../kit/sender-listener.ts'
import { listenPolicy } from '../kit/listen-policy.ts'
import { LogEnumerator } from '../kit/write-ahead-log/log-enumerator.ts'
import { LogReader } from '../kit/write-ahead-log/log-reader.ts'
import { readSinkOptions, readSourceOptions } from './declaration.ts'
import { takeFrom } from './intake-connection.ts'
import { connectToServers } from './connect-to-servers.ts'
import { TcpSinkWriter } from './sink-writer.ts'

/** `source: { tcp: … }` and `sink: { tcp: … }`, over any network. */
export function tcpConnector(net: Net): Pick<Required<Connector>, 'source' | 'sink'> {
  return {
    source: (written) => {
      const options = readSourceOptions(written)
      const { log, format, metadata, listen, maxConnections, connect = [] } = options
      return {
        discoversWithoutAsking: true,
        enumerator: (context) => new LogEnumerator(context, log),
        reader: (context, rows) =>
          new LogReader({
            context,
            rows,
            log,
            format,
            metadata,
            policy: listenPolicy,
            what:
              listen === undefined ? `connecting to ${connect.join(', ')}` : `listening on ${context.host}:${listen}`,
            open: async (intake) =>
              listen === undefined
                ? connectToServers(net, connect, options, context, intake)
                : listenForSenders(net, { port: listen, maxConnections }, context, intake, (connection, surroundings) =>
                    takeFrom(connection, options, surroundings),
                  ),
          }),
      }
    },
    sink: (written) => {
      const options = readSinkOptions(written)
      return {
        writer: (context) => new TcpSinkWriter(context, options, net),
        probe: async () => `${await firstThatAnswers(net, options.connect)} answers`,
      }
    },
  }
}
