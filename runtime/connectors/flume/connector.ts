import type { Connector } from '../registry.ts'
import type { Net } from '../../ports/net.ts'
import { listenPolicy } from '../kit/listen-policy.ts'
import { firstThatAnswers } from '../kit/host-and-port.ts'
import { listenForSenders } from '../kit/sender-listener.ts'
import { LogEnumerator } from '../kit/write-ahead-log/log-enumerator.ts'
import { LogReader } from '../kit/write-ahead-log/log-reader.ts'
import { takeFromAgent } from './agent-connection.ts'
import { readSinkOptions, readSourceOptions } from './declaration.ts'
import { FlumeSinkWriter } from './sink-writer.ts'

/** `source: { flume: { port, log, … } }` and `sink: { flume: { connect, … } }`, over any network. */
export function flumeConnector(net: Net): Pick<Required<Connector>, 'source' | 'sink'> {
  return {
    source: (written) => {
      const options = readSourceOptions(written)
      const { port, log, format, metadata, maxConnections } = options
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
            what: `listening on ${context.host}:${port}`,
            open: (intake) =>
              listenForSenders(net, { port, maxConnections }, context, intake, (connection, surroundings) =>
                takeFromAgent(connection, options, surroundings),
              ),
          }),
      }
    },
    sink: (written) => {
      const options = readSinkOptions(written)
      return {
        writer: (context) => new FlumeSinkWriter(context, options, net),
        probe: async () => `${await firstThatAnswers(net, options.connect)} answers`,
      }
    },
  }
}
