import type { Connector } from '../registry.ts'
import { MillraceError } from '../../model/errors.ts'
import { readTlsMaterial } from '../../ports/tls-material.ts'
import type { RetryPolicy } from '../kit/retry.ts'
import { LogEnumerator } from '../kit/write-ahead-log/log-enumerator.ts'
import { LogReader } from '../kit/write-ahead-log/log-reader.ts'
import { readSourceOptions } from './declaration.ts'
import { webhookHandler } from './handler.ts'
import type { ListenWebhook } from './server.ts'

/** A port that another process still has may be free in a moment. */
const POLICY: RetryPolicy = {
  isRetriable: (error) => error instanceof MillraceError,
  describe: (what, error) =>
    error instanceof MillraceError
      ? error
      : new MillraceError('LISTEN_FAILED', what, { domain: 'platform', cause: error }),
  closedCode: 'WEBHOOK_CLOSED',
}

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
            policy: POLICY,
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
