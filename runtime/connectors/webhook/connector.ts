import { readTlsMaterial } from '../../ports/tls-material.ts'
import type { KafkaConnect } from '../kafka/client.ts'
import { loggedSource } from '../kit/write-ahead-log/logged-source.ts'
import type { Connector } from '../registry.ts'
import { readSourceOptions } from './declaration.ts'
import { webhookHandler } from './handler.ts'
import type { ListenWebhook } from './server.ts'

/** `source: { webhook: { port, log, … } }`, over any server and any Kafka. */
export function webhookConnector(
  listen: ListenWebhook,
  connectKafka: KafkaConnect,
): Pick<Required<Connector>, 'source'> {
  return {
    source: (written) => {
      const options = readSourceOptions(written)
      const { port, tls, maxConnections, timeoutMs } = options
      return loggedSource(options, {
        where: `port ${port}`,
        connectKafka,
        open: ({ ports, host, parallelism, reportTrouble }, intake) =>
          listen(
            {
              host,
              port,
              shared: parallelism > 1,
              maxConnections,
              timeoutMs,
              tls: tls && (() => readTlsMaterial(tls, ports.secretFiles)),
            },
            webhookHandler(options, ports, intake, { reportTrouble }),
          ),
      })
    },
  }
}
