import type { Connector } from '../registry.ts'
import { readTlsMaterial } from '../../ports/tls-material.ts'
import { listenPolicy } from '../kit/listen-policy.ts'
import { LogEnumerator } from '../kit/write-ahead-log/log-enumerator.ts'
import { LogReader } from '../kit/write-ahead-log/log-reader.ts'
import { readSourceOptions } from './declaration.ts'
import { webhookHandler } from './handler.ts'
import type { ListenWebhook } from './server.ts'

/** `source: { webhook: { port, log, … } }`, over any server. */
export function webhookConnector(listen: ListenWebhook): Pick<Required<Connector>, 'source'> {
  return {
    source: (written) => {
      const options = readSourceOptions(written)
      return {
        discoversWithoutAsking: true,
        enumerator: (context) => new LogEnumerator(context, options.log),
        reader: (context, rows) => {
          const { ports, host, parallelism } = context
          const { port, tls, maxConnections, timeoutMs } = options
          return new LogReader({
            context,
            rows,
            log: options.log,
            format: options.format,
            metadata: options.metadata,
            policy: listenPolicy,
            what: `listening on ${host}:${port}`,
            open: (intake) =>
              listen(
                {
                  host,
                  port,
                  shared: parallelism > 1,
                  maxConnections,
                  timeoutMs,
                  tls: tls && (() => readTlsMaterial(tls, ports.secretFiles)),
                },
                webhookHandler(options, ports, intake),
              ),
          })
        },
      }
    },
  }
}
