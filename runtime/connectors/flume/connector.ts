import type { Net } from '../../ports/net.ts'
import { firstThatAnswers } from '../kit/host-and-port.ts'
import { listenForSenders } from '../kit/sender-listener.ts'
import { loggedSource } from '../kit/write-ahead-log/logged-source.ts'
import type { Connector } from '../registry.ts'
import { takeFromAgent } from './agent-connection.ts'
import { readSinkOptions, readSourceOptions } from './declaration.ts'
import { FlumeSinkWriter } from './sink-writer.ts'

/** `source: { flume: { port, log, … } }` and `sink: { flume: { connect, … } }`, over any network. */
export function flumeConnector(net: Net): Pick<Required<Connector>, 'source' | 'sink'> {
  return {
    source: (written) => {
      const options = readSourceOptions(written)
      return loggedSource(options, `port ${options.port}`, (context, intake) =>
        listenForSenders(net, options, context, intake, (connection, surroundings) =>
          takeFromAgent(connection, options, surroundings),
        ),
      )
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
